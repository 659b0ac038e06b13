//! What is left of an erased document, and how it is told.

use serde::{Deserialize, Serialize};

use super::shelf::Shelf;
use crate::{
    documents::DocId,
    keys::{PublicKey, SigningKey},
};

/// Most changes that one erasure names; a document is begun anew long before it has so many.
pub const MAX_ERASED_CHANGES: usize = 2_000;
/// What is left of an erased document: meaningless random bytes. It never expires (ARCHITECTURE §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tombstone {
    /// Which document.
    pub doc: DocId,
    /// The pseudonym under which journals name the person, when it was one.
    pub pseudonym: Option<[u8; 16]>,
}

/// A tombstone as it is told. It proves itself: a coordinator that was restored from before it learns it again from any
/// box, and nobody else can make one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The tombstone.
    pub tombstone: Tombstone,
    /// The names of the changes that the document had, so that what stands on them is known for what it is, however late
    /// it comes: the first 16 bytes of SHA-256 of shelf and hash.
    pub changes: Vec<[u8; 16]>,
    /// The coordinator's Ed25519 signature of shelf and tombstone.
    pub proof: Vec<u8>,
}

impl Erasure {
    /// Signs a tombstone.
    pub fn sign(shelf: &Shelf, tombstone: Tombstone, changes: Vec<[u8; 16]>, key: &SigningKey) -> Self {
        Self { tombstone, changes, proof: key.sign(&signed(shelf, &tombstone)) }
    }

    /// Whether this key signed it for this shelf.
    pub fn is_proved(&self, shelf: &Shelf, key: &PublicKey) -> bool {
        key.verify(&signed(shelf, &self.tombstone), &self.proof).is_ok()
    }
}

fn signed(shelf: &Shelf, tombstone: &Tombstone) -> Vec<u8> {
    let mut bytes = b"preau tombstone 1\0".to_vec();
    bytes.extend(shelf.as_key().as_bytes());
    bytes.extend([0, tombstone.doc.kind.code()]);
    bytes.extend(tombstone.doc.id);
    bytes.extend(tombstone.pseudonym.iter().flatten());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Kind;

    #[test]
    fn a_tombstone_is_proved_by_the_coordinator_for_one_shelf() {
        let key = |seed| SigningKey::from_seed(&[seed; 32]).expect("key");
        let school: Shelf = Shelf::School("0900001A".parse().expect("uai"));
        let tombstone = Tombstone { doc: DocId::new(Kind::Person, [4; 16]), pseudonym: Some([5; 16]) };
        let told = Erasure::sign(&school, tombstone, vec![[6; 16]], &key(1));
        assert!(told.is_proved(&school, &key(1).public()));
        assert!(!told.is_proved(&school, &key(2).public()));
        assert!(!told.is_proved(&Shelf::Territory, &key(1).public()));
        let other = Erasure { tombstone: Tombstone { pseudonym: None, ..tombstone }, ..told };
        assert!(!other.is_proved(&school, &key(1).public()));
    }
}
