//! What proves that two lines mean the same child, as keyed hashes: enough to compare, useless to read.

use data_encoding::HEXLOWER;
use preau_shared::{
    keys::hmac_sha256,
    roster::{Ine, Row, plain},
};

pub(crate) use crate::store::people::Evidence;

/// HMAC-SHA256 under the coordinator's own key, cut to 16 bytes, in hexadecimal.
type Trace = String;

/// The key under which evidence is hashed. It never leaves the coordinator.
#[derive(Clone)]
pub(super) struct EvidenceKey([u8; 32]);

impl EvidenceKey {
    pub(super) fn derived_from(secret: &[u8; 32]) -> Self {
        Self(hmac_sha256(secret, b"preau roster evidence 1"))
    }

    fn trace(&self, what: &str, parts: &[&str]) -> Trace {
        let mut text = what.to_owned();
        for part in parts {
            text.push('\0');
            text.push_str(part);
        }
        let [trace @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hmac_sha256(&self.0, text.as_bytes());
        HEXLOWER.encode(&trace)
    }

    /// The trace of a full name alone, as a shelf shows it.
    pub(super) fn of_name(&self, family_name: &str, given_name: &str) -> Trace {
        self.trace("name", &[&folded(family_name), &folded(given_name)])
    }

    /// The trace of a national number.
    pub(super) fn of_ine(&self, ine: &Ine) -> Trace {
        self.trace("ine", &[ine.as_str()])
    }

    /// The traces of a row.
    pub(super) fn of_row(&self, row: &Row) -> Evidence {
        let (family, given) = (folded(&row.family_name), folded(&row.given_name));
        Evidence {
            ine: row.ine.as_ref().map(|ine| self.of_ine(ine)),
            born: row.birth_date.map(|day| self.trace("born", &[&family, &given, &day.to_string()])),
            name: self.trace("name", &[&family, &given]),
        }
    }
}

/// A name without accents, case, hyphens, apostrophes and spaces, so that two spellings of one name are one.
pub(super) fn folded(name: &str) -> String {
    plain(name).chars().filter(|c| c.is_alphanumeric()).collect()
}
