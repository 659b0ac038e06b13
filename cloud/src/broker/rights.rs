//! Who may say what to the broker: deny by default. Pure.
//!
//! A box publishes `…/<its school>/<itself>/up` and `…/presence` and hears `…/down`, nothing else and no wildcard. The
//! coordinator does everything under its territory. The school is the one the box was admitted to, looked up at each
//! message, so that a revoked box is cut from the next message on.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use preau_shared::{
    ids::{BoxId, Uai},
    keys::PublicKey,
    wire::{Direction, Topic},
};

/// A box that may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its school.
    pub(crate) uai: Uai,
    /// Checks its runs.
    pub(crate) signing_key: PublicKey,
}

/// Boxes that may speak, and those that might once: the `boxes` table, in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admitted(Arc<RwLock<Boxes>>);

#[derive(Debug, Default)]
struct Boxes {
    here: BTreeMap<BoxId, Member>,
    revoked: BTreeMap<BoxId, Member>,
}

impl Admitted {
    /// Lets a box in.
    pub(crate) fn admit(&self, box_id: BoxId, member: Member) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).here.insert(box_id, member);
    }
    /// Shuts a box out.
    pub(crate) fn revoke(&self, box_id: BoxId) {
        let mut boxes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = boxes.here.remove(&box_id) {
            boxes.revoked.insert(box_id, member);
        }
    }
    /// A box that was shut out, here or elsewhere.
    pub(crate) fn keep_out(&self, box_id: BoxId, member: Member) {
        let mut boxes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        boxes.here.remove(&box_id);
        boxes.revoked.insert(box_id, member);
    }
    /// A box, if it may speak.
    pub(crate) fn find(&self, box_id: &BoxId) -> Option<Member> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).here.get(box_id).cloned()
    }
    /// A box that might speak once and may no more: what it wrote before comes from others.
    pub(crate) fn find_revoked(&self, box_id: &BoxId) -> Option<Member> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).revoked.get(box_id).cloned()
    }
    /// Every box that may speak.
    pub(crate) fn all(&self) -> Vec<(BoxId, Member)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).here.iter().map(|(id, m)| (*id, m.clone())).collect()
    }
}

/// Finds the school of a box that may speak.
pub(crate) type SchoolOf = Arc<dyn Fn(&BoxId) -> Option<Uai> + Send + Sync>;

/// The broker's rules.
#[derive(Clone)]
pub(crate) struct Rights {
    /// The territory's slug, second level of every topic.
    pub(crate) territory: String,
    /// The coordinator's certificate name.
    pub(crate) coordinator: BoxId,
    /// Looks a box up.
    pub(crate) school_of: SchoolOf,
}

/// What a CONNECT says, certificate name included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// Name of the certificate.
    pub(crate) name: Option<&'a str>,
    /// What the client calls itself.
    pub(crate) client_id: &'a str,
    /// Nothing is kept for it over a break.
    pub(crate) clean: bool,
    /// It leaves a message for its death.
    pub(crate) leaves_will: bool,
}

impl Rights {
    /// Whether this client may connect: its own name, no stored session, no will (wills are published unchecked).
    pub(crate) fn may_connect(&self, caller: Caller<'_>) -> bool {
        let named = caller.name.filter(|name| *name == caller.client_id).and_then(|name| self.party(name));
        named.is_some() && caller.clean && !caller.leaves_will
    }

    /// Whether the client of that certificate name may publish there.
    pub(crate) fn may_publish(&self, name: &str, topic: &str) -> bool {
        match (self.party(name), Topic::parse(topic)) {
            (Some(Party::Coordinator), Some(topic)) => topic.territory == self.territory,
            (Some(Party::Box(box_id, uai)), Some(topic)) => {
                let own = topic.territory == self.territory && topic.box_id == box_id && topic.uai == uai;
                own && matches!(topic.direction, Direction::Up | Direction::Presence)
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Whether the client of that certificate name may hear that filter.
    pub(crate) fn may_subscribe(&self, name: &str, filter: &str) -> bool {
        match self.party(name) {
            None => false,
            Some(Party::Coordinator) => {
                let ours = format!("preau/1/{}/", self.territory);
                filter.starts_with(&ours)
            }
            Some(Party::Box(box_id, uai)) => {
                let territory = self.territory.clone();
                filter == Topic { territory, uai, box_id, direction: Direction::Down }.to_string()
            }
        }
    }

    fn party(&self, name: &str) -> Option<Party> {
        let id: BoxId = name.parse().ok()?;
        // Identifiers are read leniently; a name must be written as we write it.
        if id.to_string() != name {
            return None;
        }
        if id == self.coordinator {
            return Some(Party::Coordinator);
        }
        (self.school_of)(&id).map(|uai| Party::Box(id, uai))
    }
}

enum Party {
    Coordinator,
    Box(BoxId, Uai),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> BoxId {
        BoxId::from_bytes([n; 16])
    }

    fn rights() -> (Rights, Admitted) {
        let admitted = Admitted::default();
        let uai = "0900001A".parse().expect("uai");
        admitted.admit(id(1), Member { uai, signing_key: PublicKey([0; 32]) });
        let known = admitted.clone();
        let school_of: SchoolOf = Arc::new(move |b| known.find(b).map(|m| m.uai));
        (Rights { territory: "belfort".into(), coordinator: id(9), school_of }, admitted)
    }

    #[test]
    fn a_box_has_its_own_three_topics_and_nothing_else() {
        let (rights, _) = rights();
        let name = id(1).to_string();
        let own = |direction: &str| format!("preau/1/belfort/0900001A/{}/{direction}", id(1));
        for (topic, publish, subscribe) in [
            (own("up"), true, false),
            (own("presence"), true, false),
            (own("down"), false, true),
            (own("up/x"), false, false),
            (own("#"), false, false),
            (own("+"), false, false),
            ("#".into(), false, false),
            ("preau/1/belfort/#".into(), false, false),
            ("$share/g/#".into(), false, false),
            ("$SYS/brokers".into(), false, false),
            (format!("preau/1/belfort/0900002B/{}/up", id(1)), false, false),
            (format!("preau/1/belfort/0900001A/{}/up", id(2)), false, false),
            (format!("preau/1/belfort/0900001A/{}/down", id(2)), false, false),
            (format!("preau/1/elsewhere/0900001A/{}/up", id(1)), false, false),
        ] {
            assert_eq!(rights.may_publish(&name, &topic), publish, "publish {topic}");
            assert_eq!(rights.may_subscribe(&name, &topic), subscribe, "subscribe {topic}");
        }
    }

    #[test]
    fn only_its_own_name_without_session_or_will_connects() {
        let (rights, admitted) = rights();
        let name = id(1).to_string();
        let stranger = id(3).to_string();
        let right = Caller { name: Some(&name), client_id: &name, clean: true, leaves_will: false };
        assert!(rights.may_connect(right));
        for wrong in [
            Caller { name: None, ..right },
            Caller { client_id: &stranger, ..right },
            Caller { name: Some(&stranger), client_id: &stranger, ..right },
            Caller { clean: false, ..right },
            Caller { leaves_will: true, ..right },
        ] {
            assert!(!rights.may_connect(wrong), "{wrong:?}");
        }
        admitted.revoke(id(1));
        assert!(!rights.may_connect(right), "revoked");
        let up = format!("preau/1/belfort/0900001A/{name}/up");
        assert!(!rights.may_publish(&name, &up), "revoked while connected");
    }

    #[test]
    fn the_coordinator_has_its_territory() {
        let (rights, _) = rights();
        let name = id(9).to_string();
        assert!(rights.may_subscribe(&name, "preau/1/belfort/+/+/up"));
        assert!(!rights.may_subscribe(&name, "#"));
        assert!(rights.may_publish(&name, &format!("preau/1/belfort/0900001A/{}/down", id(1))));
        assert!(!rights.may_publish(&name, "preau/1/belfort/+/x/down"));
    }
}
