//! Who sits where, in memory: the DNS filter asks thousands of times a minute, and no disk is on that path. Whose a
//! session's host is is found here, too.
//!
//! A seat is an address on which a live session was heard. It lasts [`SEAT_LASTS`] after the last heartbeat; the session
//! itself ends after [`SESSION_LASTS`] of silence. After a restart the sessions come back from the store as heard just
//! now, and their addresses with their next heartbeat: until then their names are judged by the strictest policy.

mod asker;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use preau_shared::{
    ids::{SessionHostId, SessionId, TabletId},
    policy::Asker,
    time::Elapsed,
};

/// An address counts as the session's so long after its last heartbeat from there.
pub(crate) const SEAT_LASTS: Duration = Duration::from_secs(90);
/// A session without heartbeat for so long is over.
pub(crate) const SESSION_LASTS: Duration = Duration::from_secs(600);
/// How often somebody may choose another setting of the screen in one session: each is a change of her document.
pub(crate) const MAX_CHOICES: u32 = 100;
/// Addresses kept per session: IPv4, IPv6 and its rotating private addresses.
pub(crate) const MAX_ADDRESSES: usize = 8;

/// What the filter must know of a live session to choose a policy, and the host by which its page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sitting {
    /// Which session.
    pub(crate) session: SessionId,
    /// On which tablet.
    pub(crate) tablet: TabletId,
    /// Levels of everybody on the tablet (`CP`, …); a guest has the class's.
    pub(crate) levels: BTreeSet<String>,
    /// Whether all of them are teachers or heads.
    pub(crate) staff: bool,
    /// Its own host.
    pub(crate) host: Option<SessionHostId>,
}

#[derive(Debug)]
struct Chair {
    sitting: Sitting,
    /// Who asks where only this session sits.
    asker: Arc<Asker>,
    heard: Elapsed,
    addresses: BTreeMap<IpAddr, Elapsed>,
    choices: u32,
}

/// Sessions that were heard from one address.
#[derive(Debug)]
struct Bench {
    sessions: BTreeSet<SessionId>,
    /// Who asks there, …
    asker: Arc<Asker>,
    /// … until one of them has not been heard from for too long; none when it must be looked at anew.
    until: Option<Elapsed>,
}

#[derive(Debug)]
struct Room {
    chairs: BTreeMap<SessionId, Chair>,
    by_address: HashMap<IpAddr, Bench>,
    by_host: BTreeMap<SessionHostId, SessionId>,
    by_tablet: HashMap<TabletId, SessionId>,
    nobody: Arc<Asker>,
}

impl Default for Room {
    fn default() -> Self {
        let nobody = Arc::new(Asker::Unknown);
        Self {
            chairs: BTreeMap::new(),
            by_address: HashMap::new(),
            by_host: BTreeMap::new(),
            by_tablet: HashMap::new(),
            nobody,
        }
    }
}

/// All live sessions of the box. The lock is held for microseconds, never across a wait.
#[derive(Debug, Default)]
pub(crate) struct Seats(Mutex<Room>);

impl Seats {
    /// A session begins (or came back from the store, then without an address).
    pub(crate) fn sit(&self, sitting: Sitting, address: Option<IpAddr>, now: Elapsed) {
        let mut room = self.room();
        let session = sitting.session;
        room.leave(session);
        if let Some(host) = sitting.host {
            room.by_host.insert(host, session);
        }
        room.by_tablet.insert(sitting.tablet, session);
        let asker = Arc::new(asker::asker(&[&sitting]));
        room.chairs.insert(session, Chair { sitting, asker, heard: now, addresses: BTreeMap::new(), choices: 0 });
        room.beat(session, address, now);
    }

    /// A heartbeat; false when the session is not known.
    pub(crate) fn beat(&self, session: SessionId, address: Option<IpAddr>, now: Elapsed) -> bool {
        self.room().beat(session, address, now)
    }

    /// Counts a choice of a setting; false when there were too many, or the session is not known.
    pub(crate) fn may_choose(&self, session: SessionId) -> bool {
        let mut room = self.room();
        let Some(chair) = room.chairs.get_mut(&session) else { return false };
        chair.choices = chair.choices.saturating_add(1);
        chair.choices <= MAX_CHOICES
    }

    /// A session is over.
    pub(crate) fn leave(&self, session: SessionId) {
        self.room().leave(session);
    }

    /// Who asks from this address: several when a case's access point hides its tablets behind one.
    pub(crate) fn who_asks(&self, address: IpAddr, now: Elapsed) -> Arc<Asker> {
        let mut room = self.room();
        let address = address.to_canonical();
        if room.by_address.get(&address).is_some_and(|bench| bench.until.is_none_or(|until| now > until)) {
            room.look_at(address, now);
        }
        let asker = room.by_address.get(&address).map_or(&room.nobody, |bench| &bench.asker);
        Arc::clone(asker)
    }

    /// Who asks on this tablet, wherever it is.
    pub(crate) fn who_asks_on(&self, tablet: TabletId, now: Elapsed) -> Arc<Asker> {
        let room = self.room();
        let chair = room.by_tablet.get(&tablet).and_then(|session| room.chairs.get(session));
        let asker = chair.filter(|chair| now.since(chair.heard) <= SEAT_LASTS).map(|chair| &chair.asker);
        Arc::clone(asker.unwrap_or(&room.nobody))
    }

    /// Whose host this is; whether that session is live, its row says.
    pub(crate) fn of_host(&self, host: SessionHostId) -> Option<SessionId> {
        self.room().by_host.get(&host).copied()
    }

    /// Sessions without heartbeat for [`SESSION_LASTS`].
    pub(crate) fn silent(&self, now: Elapsed) -> Vec<SessionId> {
        let over = |chair: &Chair| now.since(chair.heard) >= SESSION_LASTS;
        self.room().chairs.iter().filter(|(_, chair)| over(chair)).map(|(session, _)| *session).collect()
    }

    /// Whether a session has its seat.
    pub(crate) fn knows(&self, session: SessionId) -> bool {
        self.room().chairs.contains_key(&session)
    }

    /// Live sessions.
    pub(crate) fn count(&self) -> usize {
        self.room().chairs.len()
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn beat(&mut self, session: SessionId, address: Option<IpAddr>, now: Elapsed) -> bool {
        let Some(chair) = self.chairs.get_mut(&session) else { return false };
        chair.heard = now;
        if let Some(address) = address.map(|a| a.to_canonical()) {
            chair.addresses.insert(address, now);
            let nobody = &self.nobody;
            let empty = || Bench { sessions: BTreeSet::new(), asker: Arc::clone(nobody), until: None };
            let bench = self.by_address.entry(address).or_insert_with(empty);
            bench.sessions.insert(session);
            bench.until = None;
        }
        let mut gone: Vec<IpAddr> =
            chair.addresses.iter().filter(|(_, heard)| now.since(**heard) > SEAT_LASTS).map(|(a, _)| *a).collect();
        if chair.addresses.len().saturating_sub(gone.len()) > MAX_ADDRESSES {
            gone.extend(chair.addresses.iter().min_by_key(|(_, heard)| **heard).map(|(a, _)| *a));
        }
        for address in &gone {
            chair.addresses.remove(address);
        }
        for address in gone {
            self.unseat(session, address);
        }
        true
    }

    /// Sees who has been heard from an address lately, and for how long that holds.
    fn look_at(&mut self, address: IpAddr, now: Elapsed) {
        let Some(bench) = self.by_address.get_mut(&address) else { return };
        let heard = |session| {
            let chair = self.chairs.get(session)?;
            let until = chair.addresses.get(&address)?.after(SEAT_LASTS);
            (now <= until).then_some((until, &chair.sitting))
        };
        let (untils, sittings): (Vec<Elapsed>, Vec<&Sitting>) = bench.sessions.iter().filter_map(heard).unzip();
        bench.asker = Arc::new(asker::asker(&sittings));
        bench.until = Some(untils.into_iter().min().unwrap_or(Elapsed(Duration::MAX)));
    }

    fn leave(&mut self, session: SessionId) {
        let Some(chair) = self.chairs.remove(&session) else { return };
        if let Some(host) = chair.sitting.host {
            self.by_host.remove(&host);
        }
        if self.by_tablet.get(&chair.sitting.tablet) == Some(&session) {
            self.by_tablet.remove(&chair.sitting.tablet);
        }
        for address in chair.addresses.into_keys() {
            self.unseat(session, address);
        }
    }

    fn unseat(&mut self, session: SessionId, address: IpAddr) {
        let Some(bench) = self.by_address.get_mut(&address) else { return };
        bench.sessions.remove(&session);
        bench.until = None;
        if bench.sessions.is_empty() {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sitting(n: u8, level: &str) -> Sitting {
        let (session, tablet) = (SessionId::from_bytes([n; 16]), TabletId::from_bytes([n; 16]));
        Sitting { session, tablet, levels: [level.to_owned()].into(), staff: false, host: None }
    }
    fn at(seconds: u64) -> Elapsed {
        Elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn a_seat_lasts_ninety_seconds_and_a_session_ten_minutes() {
        let seats = Seats::default();
        let ip: IpAddr = "10.0.0.7".parse().expect("ip");
        let cp = Asker::Seated(["CP".to_owned()].into());
        seats.sit(sitting(1, "CP"), Some(ip), at(0));
        assert_eq!(*seats.who_asks("::ffff:10.0.0.7".parse().expect("mapped"), at(90)), cp);
        assert_eq!(*seats.who_asks(ip, at(91)), Asker::Unknown);
        let tablet = sitting(1, "CP").tablet;
        assert_eq!(*seats.who_asks_on(tablet, at(90)), cp);
        assert_eq!(*seats.who_asks_on(tablet, at(91)), Asker::Unknown);
        assert!(seats.beat(sitting(1, "CP").session, Some(ip), at(100)));
        assert_eq!(*seats.who_asks(ip, at(120)), cp);
        assert_eq!(seats.silent(at(699)), vec![]);
        assert_eq!(seats.silent(at(700)), vec![sitting(1, "CP").session]);
        seats.leave(sitting(1, "CP").session);
        assert!(!seats.beat(sitting(1, "CP").session, Some(ip), at(701)));
        assert_eq!(*seats.who_asks(ip, at(701)), Asker::Unknown);
        assert_eq!(*seats.who_asks_on(tablet, at(701)), Asker::Unknown);
        // The next one on that tablet is not taken away by the end of the one before.
        let next = Sitting { tablet, ..sitting(2, "CM2") };
        seats.sit(sitting(1, "CP"), None, at(702));
        seats.sit(next, None, at(703));
        seats.leave(sitting(1, "CP").session);
        assert_eq!(*seats.who_asks_on(tablet, at(704)), Asker::Seated(["CM2".to_owned()].into()));
    }

    #[test]
    fn addresses_are_bounded_and_shared_ones_name_everybody() {
        let seats = Seats::default();
        let shared: IpAddr = "10.0.0.1".parse().expect("ip");
        seats.sit(sitting(1, "CP"), Some(shared), at(0));
        seats.sit(sitting(2, "CM2"), Some(shared), at(0));
        let levels = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(*seats.who_asks(shared, at(1)), Asker::Shared(levels(&["CM2", "CP"])));
        // One of them is heard from again, and then is the only one who was.
        seats.beat(sitting(2, "CM2").session, Some(shared), at(50));
        assert_eq!(*seats.who_asks(shared, at(90)), Asker::Shared(levels(&["CM2", "CP"])));
        assert_eq!(*seats.who_asks(shared, at(91)), Asker::Seated(levels(&["CM2"])));
        seats.leave(sitting(2, "CM2").session);
        assert_eq!(*seats.who_asks(shared, at(92)), Asker::Unknown);
        for n in 0..50_u8 {
            seats.beat(sitting(1, "CP").session, Some([10, 1, 0, n].into()), at(2 + u64::from(n) / 10));
        }
        let room = seats.room();
        assert!(room.chairs.values().all(|c| c.addresses.len() <= MAX_ADDRESSES));
        assert!(room.by_address.len() <= MAX_ADDRESSES + 1);
    }

    #[test]
    fn the_address_tells_who_asks() {
        let levels = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        let seats = Seats::default();
        let sit = |n: u8, words: &[&str], staff: bool, host: u8| {
            let (session, tablet) = (SessionId::from_bytes([n; 16]), TabletId::from_bytes([n; 16]));
            let sitting = Sitting { session, tablet, levels: levels(words), staff, host: None };
            seats.sit(sitting, Some(IpAddr::from([10, 0, 0, host])), at(0));
        };
        sit(1, &["CP"], false, 1);
        sit(2, &["CM2"], false, 2);
        sit(3, &["CP", "CE1"], false, 2);
        sit(4, &[], true, 3);
        sit(5, &[], false, 4);
        sit(6, &["CP"], false, 5);
        sit(7, &[], true, 5);
        for (host, asker) in [
            (1, Asker::Seated(levels(&["CP"]))),
            (2, Asker::Shared(levels(&["CE1", "CM2", "CP"]))),
            (3, Asker::Seated(levels(&[""]))),
            (4, Asker::Unknown),
            (5, Asker::Shared(levels(&["", "CP"]))),
            (6, Asker::Unknown),
        ] {
            assert_eq!(*seats.who_asks(IpAddr::from([10, 0, 0, host]), at(0)), asker, "{host}");
        }
    }
}
