//! One case: a link of the real replication is given batches, and everything it does is taken back afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use preau_shared::{
    dice::Seeded,
    replica::{
        Keys, Message, Rights, SealSecret, Sealing, Side, Timings, batch,
        sealing::{Held, Look, Proved},
    },
    rig::{
        replicate::{Envelope, LinkEvent, LinkStatus, News, Replication},
        task::Tasks,
    },
    time::{Clock, Elapsed, Stamp},
};
use tokio::{runtime::Runtime, sync::mpsc};

use crate::world::{COORDINATOR, Counting, FOREIGN, HOSTILE, SISTER, Site, key, uai};

const UP: &str = "preau/1/t/0900001A/01010101010101010101010101010101/up";
const DOWN: &str = "preau/1/t/0900001A/01010101010101010101010101010101/down";

/// Time that stands still: no timer fires in a case.
struct Still;

impl Clock for Still {
    fn stamp(&self) -> Stamp {
        Stamp(1_000)
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(Duration::from_secs(1))
    }
}

/// One end of the link between the hostile box and the coordinator, and the keys of the other end.
pub(crate) struct Link {
    pub(crate) site: Site,
    side: Side,
    mine: Arc<Sealing>,
    theirs: Sealing,
    runtime: Runtime,
}

/// What came of a case.
pub(crate) struct Said {
    /// What was said, as far as it could be read.
    pub(crate) asked: Vec<Message>,
    /// What was answered.
    pub(crate) sent: Vec<Message>,
    /// The link's task went on to the end.
    pub(crate) finished: bool,
    /// Another life was begun.
    pub(crate) began_anew: bool,
}

fn sealing(side: Side) -> Sealing {
    let (box_key, cloud_key) = (SealSecret::draw(&Seeded::new(1)), SealSecret::draw(&Seeded::new(2)));
    // Between two boxes there are two keys as well, and nothing else is looked at here.
    let side = if side == Side::Box { side } else { Side::Coordinator };
    let (own, theirs) = if side == Side::Box { (box_key, cloud_key) } else { (cloud_key, box_key) };
    let (own, theirs) = ([(1, own)], [(1, theirs.public().expect("public"))]);
    let held = Held { own: own.into_iter().collect(), theirs: theirs.into_iter().collect() };
    let look: Look = Arc::new(move || Some(held.clone()));
    let proved: Proved = Arc::new(|_| ());
    Sealing::new(side, look, proved).expect("keys")
}

impl Link {
    pub(crate) fn new(site: &Site, side: Side) -> Self {
        let other = if side == Side::Box { Side::Coordinator } else { Side::Box };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
        Self { site: site.clone(), side, mine: Arc::new(sealing(side)), theirs: sealing(other), runtime }
    }

    const fn topics(&self) -> (&'static str, &'static str) {
        if matches!(self.side, Side::Box) { (UP, DOWN) } else { (DOWN, UP) }
    }

    /// Seals a body as the other end would.
    pub(crate) fn sealed(&self, nonce: u64, body: &[u8]) -> Option<Vec<u8>> {
        self.theirs.seal(&Seeded::new(nonce), self.topics().1, body).ok()
    }

    fn rights(&self) -> Rights {
        let known = [COORDINATOR, HOSTILE, SISTER];
        let keys: Keys = Arc::new(move |origin| known.contains(&origin.box_id).then(|| key(origin.box_id).public()));
        Rights {
            side: self.side,
            uai: uai(),
            box_id: HOSTILE,
            coordinator: COORDINATOR,
            keys,
            gone: Arc::new(|id| *id == FOREIGN),
        }
    }

    /// Gives these batches to a new link, one after the other, and waits until it has done what it does.
    pub(crate) fn hears(&self, batches: Vec<Vec<u8>>) -> Said {
        let began_anew = Arc::new(AtomicBool::new(false));
        let anew = began_anew.clone();
        let (says, hears) = self.topics();
        let replication = Replication {
            store: self.site.store.clone(),
            author: Arc::new(self.site.author.clone()),
            project: Arc::new(Counting::default()),
            clock: Arc::new(Still),
            dice: Arc::new(Seeded::new(5)),
            bench: self.site.bench.clone(),
            news: News::default(),
            envelope: Envelope::Sealed { sealing: self.mine.clone(), says: says.into(), hears: hears.into() },
            rights: self.rights(),
            // What is given up is lost at once: no time passes in a case.
            timings: Timings { give_up: Duration::ZERO, ..Timings::for_keep_alive(Duration::from_secs(30)) },
            vitals: None,
            on_clone: Arc::new(move |_| anew.store(true, Ordering::Relaxed)),
        };
        let read =
            |bytes: &Vec<u8>| batch::decode(&self.mine.open(hears, bytes).ok()?).ok().map(|(message, _)| message);
        let asked = batches.iter().filter_map(read).collect();
        let (finished, sealed) = self.runtime.block_on(async {
            let (tell, inbound) = mpsc::channel(64);
            let (outbound, mut sent) = mpsc::channel(4_096);
            let tasks = Tasks::default();
            let mut status = replication.start(inbound, outbound, &tasks);
            tell.send(LinkEvent::Connected).await.expect("room");
            for batch in batches {
                tell.send(LinkEvent::Message(batch)).await.expect("room");
            }
            let up = status.wait_for(|status: &LinkStatus| status.connected).await.is_ok();
            tell.send(LinkEvent::Disconnected).await.ok();
            let down = status.wait_for(|status| !status.connected).await.is_ok();
            drop(tell);
            while status.changed().await.is_ok() {}
            let mut sealed = Vec::new();
            while let Ok(batch) = sent.try_recv() {
                sealed.push(batch);
            }
            (up && down, sealed)
        });
        let open = |bytes: &Vec<u8>| {
            let body = self.theirs.open(says, bytes).expect("sealed for the other end");
            batch::decode(&body).expect("what we say can be read").0
        };
        let sent = sealed.iter().map(open).collect();
        Said { asked, sent, finished, began_anew: began_anew.load(Ordering::Relaxed) }
    }

    /// Runs something on the store and takes it back.
    pub(crate) fn taken_back<T>(&self, act: impl FnOnce() -> T) -> T {
        self.batch("SAVEPOINT hostile");
        let done = act();
        self.batch("ROLLBACK TO hostile; RELEASE hostile");
        done
    }

    pub(crate) fn batch(&self, sql: &str) {
        self.site.store.with(|conn| conn.execute_batch(sql)).expect("savepoint");
    }
}
