//! Which tablet a token was of when it was last looked up, in memory: the badge's way reads the store once, in its commit.
//!
//! It is an index, not the truth. A tablet may have been enrolled anew or taken away since, so whoever acts on what is
//! found here asks the store for the token again in the act itself ([`Bearer::life`]).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use preau_shared::{ids::TabletId, keys::dpop::Thumbprint, refusal::Refusal};
use rusqlite::Connection;

use crate::store::{
    Trouble,
    tablet_life::{self, Life},
};

/// Tokens remembered: those of a territory's 2,800 tablets, should one box serve them all.
const MAX_KEPT: usize = 4_096;

/// A tablet that proved its key, by its token's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) tablet: TabletId,
    pub(crate) token: [u8; 32],
}

impl Bearer {
    /// Where it stands.
    ///
    /// # Errors
    /// `tablet_unknown` when its token does not hold any more.
    pub(crate) fn life(&self, conn: &Connection) -> Result<Life, Trouble> {
        let life = tablet_life::proved(conn, self.tablet, &self.token)?;
        life.ok_or_else(|| Refusal::TabletUnknown.into())
    }
}

/// Tokens seen since the start, whose tablets they were and by which keys they were proved.
#[derive(Debug, Default)]
pub(crate) struct Bearers(Mutex<HashMap<[u8; 32], (TabletId, Thumbprint)>>);

impl Bearers {
    /// Whose a token was.
    pub(crate) fn find(&self, token: &[u8; 32]) -> Option<(TabletId, Thumbprint)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).copied()
    }

    /// Remembers it.
    pub(crate) fn keep(&self, token: [u8; 32], tablet: TabletId, key: Thumbprint) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(token, (tablet, key));
    }

    /// The store does not know it any more: its next request is refused before anything is done for it.
    pub(crate) fn forget(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }
}
