//! Names of replication: origins, shelves and marks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{BoxId, Uai},
    keys::sha256,
};

/// Who numbers items: a box or the coordinator (both named by a [`BoxId`]) in one *incarnation*.
///
/// The incarnation is 64 random bits drawn at each start of the program, so that a disk that was rolled back, restored or
/// copied never gives the same number twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The box, or the coordinator's own name.
    pub box_id: BoxId,
    /// Which life of it.
    pub incarnation: u64,
}

impl Origin {
    /// The Automerge actor of this origin: SHA-256 of it, cut to 16 bytes (ARCHITECTURE §2.1).
    pub fn actor(&self) -> [u8; 16] {
        let mut bytes = self.box_id.as_bytes().to_vec();
        bytes.extend(self.incarnation.to_le_bytes());
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(&bytes);
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.box_id, self.incarnation)
    }
}
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// A set of documents and journals replicated together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Shelf {
    /// Written by the coordinator alone, read by every box.
    Territory,
    /// One school's, written by its boxes and the coordinator.
    School(Uai),
}

impl Shelf {
    /// The text the store keeps: `territory`, or the UAI.
    pub fn as_key(&self) -> &str {
        match self {
            Self::Territory => "territory",
            Self::School(uai) => uai.as_str(),
        }
    }
    /// Whether it is a training room's: nobody on it is real.
    pub fn is_training(&self) -> bool {
        match self {
            Self::Territory => false,
            Self::School(uai) => uai.is_training(),
        }
    }
    /// Reads the text back.
    pub fn from_key(key: &str) -> Option<Self> {
        if key == "territory" { Some(Self::Territory) } else { key.parse().ok().map(Self::School) }
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_key())
    }
}

/// Everything of one origin on one shelf up to `number` is held; `chain` is the hash of the run that ends there
/// (zeros for number 0). Marks always stand at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Which shelf.
    pub shelf: Shelf,
    /// Whose items.
    pub origin: Origin,
    /// The last number held; numbering starts at 1.
    pub number: u64,
    /// Hash of the run that ends at `number`.
    pub chain: [u8; 32],
}
