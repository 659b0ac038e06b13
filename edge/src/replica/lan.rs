//! The ties with the other boxes of the school, so that a school with two boxes is whole when the coordinator is out of
//! reach: one link for each box that the school's document names, started and ended as the document changes.
//!
//! Each has two carriers: one for what the school must know, one for what pupils keep, which may be slow.
//!
//! The document is the coordinator's word on who belongs to the school. A box that it says is revoked is hung up on at
//! once and not let in again. Addresses are the boxes' own word: a wrong one costs contact, for certificates decide.

mod address;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;
use preau_shared::{
    documents::{Fields, School, school},
    ids::{BoxId, Uai},
    replica::Shelf,
    rig::{
        neighbour::{self, Carried, Guest, Host, PROTOCOL, Visit, door},
        reader::Reader,
        replicate::{LinkStatus, Replication},
        shelves::{self, ShelfError},
        store::Sqlite,
        task::{Stop, Tasks},
        tls,
    },
    wire::locker,
};
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use super::project::Rows;
use crate::{app::App, config::Config, identity::Identity, store::work::copies, work::exchange};

/// Other boxes that a box talks to; those with the lowest names.
pub(crate) const MAX_SISTERS: usize = 8;
/// The address of this box is looked for again so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Keep-alives without a word after which a connection is given up: the other end says something at each.
const SILENT_FOR: u32 = 3;

type Statuses = BTreeMap<BoxId, watch::Receiver<LinkStatus>>;

/// The links to the other boxes, as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Sisters(watch::Receiver<Statuses>);

impl Sisters {
    /// Whether one of them is in contact.
    pub(crate) fn in_contact(&self) -> bool {
        self.0.borrow().values().any(|status| status.borrow().in_contact)
    }

    /// How each of them stands, [`MAX_SISTERS`] at most.
    pub(crate) fn statuses(&self) -> Vec<(BoxId, LinkStatus)> {
        self.0.borrow().iter().map(|(id, status)| (*id, status.borrow().clone())).collect()
    }
}

/// Opens the door for the other boxes and keeps the ties until the program stops. Their links are made after
/// `replication`, the coordinator's: same store, same author, same news.
///
/// # Errors
/// When the box's certificates cannot be used.
pub(crate) fn open(
    app: &App,
    (config, identity): (&Config, &Identity),
    listener: TcpListener,
    replication: &Replication<Sqlite>,
    tasks: &Tasks,
) -> anyhow::Result<Sisters> {
    let grant = &identity.grant;
    let lan = tls::Identity { certificate: &grant.lan_certificate, key: &identity.lan_key };
    let mqtt = tls::Identity { certificate: &grant.mqtt_certificate, key: &identity.mqtt_key };
    let visit = Visit {
        tls: Arc::new(tls::guest(mqtt, &grant.authority, PROTOCOL)?),
        host: tls::host_name(&grant.lan_certificate)?,
        connect_timeout: Duration::from_secs(config.connect_timeout_s),
        retry_cap: Duration::from_secs(config.retry_cap_s),
        silence: Duration::from_secs(u64::from(grant.keep_alive_s)).saturating_mul(SILENT_FOR),
    };
    let (say, statuses) = watch::channel(BTreeMap::new());
    let of = Of { reader: app.reader.clone(), uai: grant.uai.clone(), own: grant.box_id };
    let (visitors_in, visitors) = mpsc::channel(MAX_SISTERS);
    let listens = listener.local_addr()?;
    let visit_works = Visit { tls: Arc::new(tls::guest(mqtt, &grant.authority, locker::PROTOCOL)?), ..visit.clone() };
    let (host, asking) = (tls::host(lan, &grant.authority, &[PROTOCOL, locker::PROTOCOL])?, of.clone());
    let knows = Arc::new(move |id: &BoxId| asking.fields().is_ok_and(|fields| asking.sisters(&fields).contains(id)));
    door::open(listener, Arc::new(host), knows, visitors_in, tasks).map_err(|e| anyhow!("other boxes: {e}"))?;
    let lan = Lan {
        app: app.clone(),
        of,
        listens,
        announced: config.lan_announce,
        visit,
        visit_works,
        replication: replication.clone(),
        tasks: tasks.clone(),
        ties: BTreeMap::new(),
        last: None,
        say,
    };
    tasks.spawn("other boxes", lan.run(visitors, tasks.stopping()));
    Ok(Sisters(statuses))
}

/// Whose sisters are looked for.
#[derive(Clone)]
struct Of {
    reader: Reader,
    uai: Uai,
    own: BoxId,
}

impl Of {
    /// What the school's document says; nothing before it is here.
    fn fields(&self) -> Result<Fields, ShelfError> {
        let (shelf, doc) = (Shelf::School(self.uai.clone()), School::doc(&self.uai));
        Ok(self.reader.read(|conn| shelves::document(conn, &shelf, &doc))?.unwrap_or_default())
    }

    /// The other boxes of the school; none once this one is revoked.
    fn sisters(&self, fields: &Fields) -> BTreeSet<BoxId> {
        let mut members = school::members(&self.uai, fields);
        if !members.remove(&self.own) {
            members.clear();
        }
        members.into_iter().take(MAX_SISTERS).collect()
    }
}

/// One other box. Dropped, it ends its connection and its link.
struct Tie {
    way: Way,
    /// … of what pupils keep.
    works: Way,
    status: watch::Receiver<LinkStatus>,
}

/// Who visits whom.
enum Way {
    /// This box visits it.
    Guest(Guest),
    /// It visits this box.
    Host(Host),
}

struct Lan {
    app: App,
    of: Of,
    listens: SocketAddr,
    announced: Option<SocketAddr>,
    visit: Visit,
    visit_works: Visit,
    replication: Replication<Sqlite>,
    tasks: Tasks,
    ties: BTreeMap<BoxId, Tie>,
    /// The document as it was last looked at.
    last: Option<Fields>,
    say: watch::Sender<Statuses>,
}

impl Lan {
    async fn run(mut self, mut visitors: mpsc::Receiver<door::Visitor>, mut stop: Stop) {
        let mut committed = self.app.writer.committed();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let visitor = tokio::select! {
                news = committed.changed() => if news.is_ok() { None } else { return },
                Some(visitor) = visitors.recv() => Some(visitor),
                _ = look.tick() => {
                    self.last = None;
                    None
                }
                () = stop.wait() => return,
            };
            if let Err(error) = self.tend().await {
                tracing::error!(%error, "the ties with the other boxes could not be brought up to date");
            }
            if let Some((id, contact)) = visitor
                && let Some(tie) = self.ties.get(&id)
                && let Way::Host(host) = if contact.speaks(locker::PROTOCOL) { &tie.works } else { &tie.way }
            {
                host.welcome(contact);
            }
        }
    }

    /// Follows the document, and tells there where this box is found.
    async fn tend(&mut self) -> Result<(), ShelfError> {
        let fields = self.of.fields()?;
        if self.last.as_ref() == Some(&fields) {
            return Ok(());
        }
        let sisters = self.of.sisters(&fields);
        self.settle(&sisters, &fields);
        if !self.app.work.sisters.are_known(&sisters) {
            // What a box had that is one of the school's no more does not count.
            let of_school: Vec<BoxId> = sisters.iter().copied().collect();
            let act = move |conn: &Connection| Ok(copies::keep_only(conn, &of_school)?);
            self.app.writer.commit::<_, ShelfError>(act).await?;
            self.app.work.sisters.are(&sisters);
        }
        let others = sisters.iter().filter_map(|id| school::box_lan(&fields, *id));
        let own = address::to_tell(self.listens, self.announced, others);
        if let Some(own) = own.filter(|own| school::box_lan(&fields, self.of.own) != Some(*own))
            // Nobody asks a box that the document does not know, or knows no more.
            && school::members(&self.of.uai, &fields).contains(&self.of.own)
        {
            self.tell(own).await?;
        }
        self.last = Some(fields);
        Ok(())
    }

    async fn tell(&self, own: SocketAddr) -> Result<(), ShelfError> {
        let (author, shelf, now) = (self.app.author.clone(), self.app.shelf.clone(), self.app.clock.stamp());
        let edit = school::tell_box_lan(&self.of.uai, self.of.own, own);
        let act = move |conn: &Connection| shelves::edit(conn, &author, &shelf, now, &edit, &Rows);
        self.app.writer.commit::<_, ShelfError>(act).await?;
        tracing::info!(address = %own, "the other boxes of the school find this one there");
        Ok(())
    }

    /// Starts and ends links.
    fn settle(&mut self, sisters: &BTreeSet<BoxId>, fields: &Fields) {
        let before: Vec<BoxId> = self.ties.keys().copied().collect();
        self.ties.retain(|id, _| sisters.contains(id));
        for id in sisters {
            if !self.ties.contains_key(id) {
                let tie = self.tie(*id);
                self.ties.insert(*id, tie);
            }
            for way in self.ties.get(id).iter().flat_map(|tie| [&tie.way, &tie.works]) {
                if let Way::Guest(guest) = way {
                    guest.told(school::box_lan(fields, *id));
                }
            }
        }
        if before.iter().ne(self.ties.keys()) {
            tracing::info!(count = self.ties.len(), "other boxes of the school");
            self.say.send_replace(self.ties.iter().map(|(id, tie)| (*id, tie.status.clone())).collect());
        }
    }

    fn tie(&self, other: BoxId) -> Tie {
        let (works, carried) = self.way(other, &self.visit_works);
        exchange::start(self.app.clone(), other, carried, self.visit_works.silence, &self.tasks);
        let (way, Carried { inbound, outbound }) = self.way(other, &self.visit);
        let replication = self.replication.to_sister(other);
        Tie { way, works, status: replication.start(inbound, outbound, &self.tasks) }
    }

    fn way(&self, other: BoxId, visit: &Visit) -> (Way, Carried) {
        if self.of.own < other {
            let (guest, carried) = neighbour::visit(other, visit.clone(), self.app.dice.clone(), &self.tasks);
            (Way::Guest(guest), carried)
        } else {
            let (host, carried) = neighbour::host(visit.silence, &self.tasks);
            (Way::Host(host), carried)
        }
    }
}
