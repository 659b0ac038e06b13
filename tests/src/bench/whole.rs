//! A box with its store: link, driver and SQLite file as the program runs them, and a backlog written while it was away.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use data_encoding::HEXLOWER;
use preau_shared::{
    dice::Dice,
    documents,
    ids::{SessionId, TabletId, WipeId},
    journal::{Entry, How, Pseudonym, Why, WipedBy},
    keys::{PublicKey, SigningKey},
    replica::{Origin, Rights, Shelf, Side, Timings},
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        dice::SystemDice,
        link::LinkEvent as Carried,
        reader::Reader,
        replicate::{Envelope, LinkEvent, LinkStatus, News, Replication},
        shelves::{self, Author, ShelfError},
        store::Sqlite,
        task::Tasks,
        writer::Writer,
    },
    time::Stamp,
    wire::Direction,
};
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{
    pair::{NoRows, open_store, vitals},
    territory::Claimed,
};

const QUEUE: usize = 16;
/// Entries in one commit, when a backlog is written.
const AT_ONCE: usize = 500;

/// A box.
pub struct Whole {
    /// Its file.
    pub store: Sqlite,
    /// Where its link stands.
    pub status: watch::Receiver<LinkStatus>,
    author: Arc<Author>,
    shelf: Shelf,
    news: News,
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Whole({})", self.shelf)
    }
}

impl Whole {
    /// Starts a box that connects to `to`.
    ///
    /// # Errors
    /// When its file or its keys cannot be used.
    pub async fn start(claimed: &Claimed, dir: &Path, to: SocketAddr, tasks: &Tasks) -> Result<Self> {
        let path = dir.join(format!("{}.db", claimed.grant.box_id));
        let writer = open_store(&path)?;
        let store = Sqlite { reader: Reader::open(&path, 1)?, writer: writer.clone() };
        let (dice, id): (Arc<dyn Dice>, _) = (Arc::new(SystemDice), claimed.grant.box_id);
        let origin = writer.commit(move |conn| shelves::begin(conn, id, &SystemDice)).await?;
        let signing = SigningKey::from_seed(&claimed.signing)?;
        let keys = [(id, signing.public()), (claimed.grant.coordinator_id, writer_key(claimed)?)];
        let author = Author { origin, key: Arc::new(signing), dice: dice.clone(), writer: documents::Writer::Box };
        let (author, news) = (Arc::new(author), News::default());
        let (says, hears) = (claimed.topic(Direction::Up).to_string(), claimed.topic(Direction::Down).to_string());
        let (link, mut events) = claimed.link(to, tasks)?;
        let (say, inbound) = mpsc::channel(QUEUE);
        let (outbound, mut said) = mpsc::channel::<Vec<u8>>(QUEUE);
        tasks.spawn("batches down", async move {
            while let Some(event) = events.recv().await {
                let event = match event {
                    Carried::Connected => LinkEvent::Connected,
                    Carried::Disconnected { .. } => LinkEvent::Disconnected,
                    Carried::Message { payload, .. } => LinkEvent::Message(payload),
                };
                if say.send(event).await.is_err() {
                    return;
                }
            }
        });
        let up = says.clone();
        tasks.spawn("batches up", async move {
            while let Some(batch) = said.recv().await {
                // What does not leave is sent again by the peer.
                let _ = link.publish(&up, batch).await;
            }
        });
        let replication = Replication {
            store: store.clone(),
            author: author.clone(),
            project: Arc::new(NoRows),
            clock: Arc::new(SystemClock::start()),
            dice,
            bench: Arc::new(Bench::new(apply::LIMIT)),
            news: news.clone(),
            envelope: Envelope::Sealed { sealing: Arc::new(claimed.sealing()?), says, hears },
            rights: Rights {
                side: Side::Box,
                uai: claimed.grant.uai.clone(),
                box_id: id,
                coordinator: claimed.grant.coordinator_id,
                keys: Arc::new(move |of: &Origin| keys.iter().find(|(id, _)| *id == of.box_id).map(|(_, key)| *key)),
                gone: Arc::new(|_| false),
            },
            timings: Timings::for_keep_alive(claimed.keep_alive()),
            vitals: Some(Arc::new(vitals)),
            on_clone: Arc::new(|_| {}),
        };
        let status = replication.start(inbound, outbound, tasks);
        Ok(Self { store, status, author, shelf: Shelf::School(claimed.grant.uai.clone()), news })
    }

    /// Writes a backlog of entries, as out of contact: a commit for some of them at a time, each closed into runs.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn live(&self, entries: Vec<Entry>) -> Result<()> {
        write_entries(&self.store.writer, &self.author, &self.shelf, entries).await?;
        self.news.tell(&self.shelf);
        Ok(())
    }

    /// How many of its entries and edits the coordinator has not acknowledged.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn exposure(&self) -> Result<u64> {
        Ok(self.store.reader.read(|conn| shelves::exposure(conn, &self.author.origin))?.entries)
    }
}

fn writer_key(claimed: &Claimed) -> Result<PublicKey> {
    let bytes = HEXLOWER.decode(claimed.grant.writer_key.as_bytes())?;
    let Ok(bytes) = bytes.try_into() else { anyhow::bail!("the coordinator's key has another length") };
    Ok(PublicKey(bytes))
}

/// Writes entries into a box's file.
///
/// # Errors
/// When the store refuses.
pub async fn write_entries(writer: &Writer, author: &Arc<Author>, shelf: &Shelf, entries: Vec<Entry>) -> Result<()> {
    let mut stamp = Stamp(1_790_000_000_000);
    for some in entries.chunks(AT_ONCE) {
        stamp = stamp.after(Duration::from_secs(6 * 60 * 60));
        let (some, author, shelf) = (some.to_vec(), author.clone(), shelf.clone());
        let act = move |conn: &Connection| {
            for entry in &some {
                shelves::journal(conn, &author, &shelf, stamp, entry)?;
            }
            shelves::close_runs(conn, &author, stamp)
        };
        let closed = writer.commit::<_, ShelfError>(act).await?;
        ensure!(!closed.is_empty(), "nothing was closed");
    }
    Ok(())
}

/// Sign-ins, sign-outs and wipes of a school with fifteen tablets, in the order in which they happen.
pub fn school_days(many: usize, dice: &dyn Dice) -> Vec<Entry> {
    let sixteen = || {
        let mut bytes = [0; 16];
        dice.fill(&mut bytes);
        bytes
    };
    let tablets: Vec<TabletId> = (0..15).map(|_| TabletId::from_bytes(sixteen())).collect();
    let people: Vec<Pseudonym> = (0..90).map(|_| Pseudonym(sixteen())).collect();
    let mut entries = Vec::with_capacity(many + 2);
    while entries.len() < many {
        let tablet = tablets[entries.len() / 3 % tablets.len()];
        let (session, who) = (SessionId::from_bytes(sixteen()), people[usize::try_from(dice.below(90)).unwrap_or(0)]);
        entries.push(Entry::SignIn { session, tablet, people: vec![who], how: How::Badge });
        entries.push(Entry::SignOut { session, tablet, why: Why::Person });
        entries.push(Entry::Wiped { wipe: WipeId::from_bytes(sixteen()), tablet, by: WipedBy::Receipt });
    }
    entries.truncate(many);
    entries
}
