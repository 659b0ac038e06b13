//! Who may send what over a link (invariant 7), judged before anything inside a run is looked at.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    run::{Run, RunError},
    shelf::{Origin, Shelf},
};
use crate::{
    ids::{BoxId, Uai},
    keys::PublicKey,
};

/// Why a run is not taken. A promise of the wire: variants are added at the end, never moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub enum Reason {
    /// Of an origin that this sender does not speak for.
    #[error("the sender does not speak for this origin")]
    ForeignOrigin,
    /// For a shelf that this sender does not write.
    #[error("the sender may not write to this shelf")]
    ForeignShelf,
    /// Nobody's key is known for this origin.
    #[error("no key is known for this origin")]
    UnknownKey,
    /// Not signed by the origin it names.
    #[error("the run is not signed by its origin")]
    Signature,
    /// Empty, or larger than a run may be.
    #[error("the run is empty or too large")]
    Size,
    /// The same numbers were taken before with other items, or the chain does not continue.
    #[error("the run contradicts one that was taken before")]
    Fork,
    /// Its items cannot be read or applied.
    #[error("the run's items cannot be applied")]
    Items,
    /// The receiver's store does not write now; send again later.
    #[error("the receiver cannot write now")]
    NotNow,
    /// More origins than a shelf may have.
    #[error("too many origins write to this shelf")]
    TooManyOrigins,
    /// The runs asked for were folded away: take a snapshot first.
    #[error("the runs before were folded away: a snapshot is needed")]
    Folded,
    /// Another life of the same box has written since: one of the two is a copy.
    #[error("another copy of this box has written since: one of the two must go")]
    Superseded,
}

/// Which end of a link this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A box: hears the coordinator.
    Box,
    /// The coordinator: hears one box.
    Coordinator,
    /// A box: hears another box of its school.
    Sibling,
}

/// Finds the key that signs for an origin.
pub type Keys = Arc<dyn Fn(&Origin) -> Option<PublicKey> + Send + Sync>;

/// Says whether a box was taken out of service.
pub type Gone = Arc<dyn Fn(&BoxId) -> bool + Send + Sync>;

/// The rights on one link, between a box and the coordinator, or between two boxes of a school.
#[derive(Clone)]
pub struct Rights {
    /// Which end judges.
    pub side: Side,
    /// The box's school, from its certificate and topic.
    pub uai: Uai,
    /// The box whose link this is, from its certificate and topic; between two boxes, the other one.
    pub box_id: BoxId,
    /// The coordinator's name.
    pub coordinator: BoxId,
    /// Keys of origins: the coordinator's, and those of the boxes of this school; none of anybody else.
    pub keys: Keys,
    /// Boxes that bring nothing any more; told by the coordinator.
    pub gone: Gone,
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({:?} on the link of box {} of {})", self.side, self.box_id, self.uai)
    }
}

impl Rights {
    /// Whether this link carries a shelf at all.
    pub fn carries(&self, shelf: &Shelf) -> bool {
        match shelf {
            Shelf::Territory => true,
            Shelf::School(uai) => *uai == self.uai,
        }
    }

    /// Whether the other end may send an origin's runs for a shelf. Runs prove who wrote them, so that each end hands
    /// over whatever the other lacks, whoever wrote it: that is how a coordinator learns again what a backup did not
    /// know, and how a school's boxes are whole without it.
    ///
    /// # Errors
    /// [`Reason::ForeignShelf`] or [`Reason::ForeignOrigin`].
    pub fn may_send(&self, shelf: &Shelf, origin: &Origin) -> Result<(), Reason> {
        if !self.carries(shelf) {
            return Err(Reason::ForeignShelf);
        }
        match shelf {
            Shelf::Territory if origin.box_id != self.coordinator => Err(Reason::ForeignOrigin),
            Shelf::Territory | Shelf::School(_) => Ok(()),
        }
    }

    /// Judges a received run: sender, shelf, size, key and signature.
    ///
    /// # Errors
    /// The first [`Reason`] not to take it.
    pub fn judge(&self, run: &Run) -> Result<(), Reason> {
        self.may_send(&run.shelf, &run.origin)?;
        let key = (self.keys)(&run.origin).ok_or(Reason::UnknownKey)?;
        run.verify(&key).map_err(|e| match e {
            RunError::Size => Reason::Size,
            RunError::Signature => Reason::Signature,
            RunError::Items => Reason::Items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::SigningKey, replica::run::Item};

    #[test]
    fn a_box_speaks_for_itself_on_its_own_shelf_only() {
        let id = |n| BoxId::from_bytes([n; 16]);
        let uai = |text: &str| text.parse::<Uai>().expect("uai");
        let (ours, other) = (uai("0900001A"), uai("0900002B"));
        let keys: Keys = Arc::new(|_| None);
        let rights = |side| Rights {
            side,
            uai: ours.clone(),
            box_id: id(1),
            coordinator: id(9),
            keys: keys.clone(),
            gone: Arc::new(|_| false),
        };
        let (at_cloud, at_box) = (rights(Side::Coordinator), rights(Side::Box));
        let school = Shelf::School(ours.clone());
        let check = |rights: &Rights, shelf: &Shelf, n: u8, expected: Result<(), Reason>| {
            assert_eq!(rights.may_send(shelf, &Origin { box_id: id(n), incarnation: 7 }), expected, "{rights:?} {n}");
        };
        for rights in [&at_cloud, &at_box] {
            check(rights, &school, 1, Ok(()));
            check(rights, &school, 9, Ok(()));
            check(rights, &Shelf::School(other.clone()), 1, Err(Reason::ForeignShelf));
            check(rights, &Shelf::Territory, 1, Err(Reason::ForeignOrigin));
            check(rights, &Shelf::Territory, 9, Ok(()));
        }
        // Whom nobody knows cannot have signed.
        let run = Run::close(school, Origin { box_id: id(2), incarnation: 7 }, 1, [0; 32], &[entry()], &key());
        assert_eq!(at_cloud.judge(&run.expect("run")), Err(Reason::UnknownKey));
    }

    fn entry() -> Item {
        Item::Entry { salt: [0; 16], body: vec![1] }
    }

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32]).expect("key")
    }
}
