//! Who sits where, in memory: the DNS filter asks thousands of times a minute, and no disk is on that path. Whose a
//! session's host is is found here, too.
//!
//! A seat is an address on which a live session was heard. It lasts [`SEAT_LASTS`] after the last heartbeat; the session
//! itself ends after [`SESSION_LASTS`] of silence. After a restart the sessions come back from the store as heard just
//! now, and their addresses with their next heartbeat: until then their names are judged by the strictest policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use preau_shared::{
    ids::{SessionHostId, SessionId},
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
    heard: Elapsed,
    addresses: BTreeMap<IpAddr, Elapsed>,
    choices: u32,
}

#[derive(Debug, Default)]
struct Room {
    chairs: BTreeMap<SessionId, Chair>,
    by_address: BTreeMap<IpAddr, BTreeSet<SessionId>>,
    by_host: BTreeMap<SessionHostId, SessionId>,
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
        room.chairs.insert(session, Chair { sitting, heard: now, addresses: BTreeMap::new(), choices: 0 });
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

    /// Who sits at this address: several when a case's access point hides its tablets behind one.
    pub(crate) fn who(&self, address: IpAddr, now: Elapsed) -> Vec<Sitting> {
        let room = self.room();
        let address = address.to_canonical();
        let Some(sessions) = room.by_address.get(&address) else { return Vec::new() };
        let fresh = |chair: &&Chair| chair.addresses.get(&address).is_some_and(|h| now.since(*h) <= SEAT_LASTS);
        sessions.iter().filter_map(|s| room.chairs.get(s)).filter(fresh).map(|c| c.sitting.clone()).collect()
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
            self.by_address.entry(address).or_default().insert(session);
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

    fn leave(&mut self, session: SessionId) {
        let Some(chair) = self.chairs.remove(&session) else { return };
        if let Some(host) = chair.sitting.host {
            self.by_host.remove(&host);
        }
        for address in chair.addresses.into_keys() {
            self.unseat(session, address);
        }
    }

    fn unseat(&mut self, session: SessionId, address: IpAddr) {
        if let Some(sessions) = self.by_address.get_mut(&address) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sitting(n: u8, level: &str) -> Sitting {
        Sitting { session: SessionId::from_bytes([n; 16]), levels: [level.to_owned()].into(), staff: false, host: None }
    }
    fn at(seconds: u64) -> Elapsed {
        Elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn a_seat_lasts_ninety_seconds_and_a_session_ten_minutes() {
        let seats = Seats::default();
        let ip: IpAddr = "10.0.0.7".parse().expect("ip");
        seats.sit(sitting(1, "CP"), Some(ip), at(0));
        assert_eq!(seats.who("::ffff:10.0.0.7".parse().expect("mapped"), at(90)), vec![sitting(1, "CP")]);
        assert_eq!(seats.who(ip, at(91)), vec![]);
        assert!(seats.beat(sitting(1, "CP").session, Some(ip), at(100)));
        assert_eq!(seats.who(ip, at(120)).len(), 1);
        assert_eq!(seats.silent(at(699)), vec![]);
        assert_eq!(seats.silent(at(700)), vec![sitting(1, "CP").session]);
        seats.leave(sitting(1, "CP").session);
        assert!(!seats.beat(sitting(1, "CP").session, Some(ip), at(701)));
        assert_eq!(seats.who(ip, at(701)), vec![]);
    }

    #[test]
    fn addresses_are_bounded_and_shared_ones_name_everybody() {
        let seats = Seats::default();
        let shared: IpAddr = "10.0.0.1".parse().expect("ip");
        seats.sit(sitting(1, "CP"), Some(shared), at(0));
        seats.sit(sitting(2, "CM2"), Some(shared), at(0));
        assert_eq!(seats.who(shared, at(1)).len(), 2);
        for n in 0..50_u8 {
            seats.beat(sitting(1, "CP").session, Some([10, 1, 0, n].into()), at(2 + u64::from(n) / 10));
        }
        let room = seats.room();
        assert!(room.chairs.values().all(|c| c.addresses.len() <= MAX_ADDRESSES));
        assert!(room.by_address.len() <= MAX_ADDRESSES + 1);
    }
}
