//! What a batch travels in: sealed where somebody stands in between, as it is where TLS ends at the two ends themselves.

use std::sync::Arc;

use crate::{
    dice::Dice,
    replica::{Sealing, batch::MAX_BATCH_BYTES},
};

/// How the batches of a link are wrapped.
#[derive(Debug, Clone)]
pub enum Envelope {
    /// A broker stands in between: it sees sizes only.
    Sealed {
        /// Seals and opens.
        sealing: Arc<Sealing>,
        /// Topic of this end's batches.
        says: String,
        /// Topic of the other end's batches.
        hears: String,
    },
    /// Mutual TLS from end to end: another seal would hide nothing from anybody.
    Direct,
}

impl Envelope {
    /// Wraps a body; the error is a sentence for the log.
    pub(super) fn wrap(&self, dice: &dyn Dice, body: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Sealed { sealing, says, .. } => sealing.seal(dice, says, &body).map_err(|why| why.to_string()),
            Self::Direct if body.len() > MAX_BATCH_BYTES => Err("it is longer than a batch may be".into()),
            Self::Direct => Ok(body),
        }
    }

    /// Takes a body out; the error is a sentence for the log.
    pub(super) fn open(&self, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Sealed { sealing, hears, .. } => sealing.open(hears, &bytes).map_err(|why| why.to_string()),
            Self::Direct => Ok(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Seeded;

    #[test]
    fn between_two_ends_a_body_travels_as_it_is_and_is_no_longer_than_a_batch() {
        let wrap = |bytes| Envelope::Direct.wrap(&Seeded::new(1), vec![7; bytes]);
        assert_eq!(wrap(5).and_then(|bytes| Envelope::Direct.open(bytes)), Ok(vec![7; 5]));
        assert!(wrap(MAX_BATCH_BYTES).is_ok());
        assert!(wrap(MAX_BATCH_BYTES + 1).is_err());
    }
}
