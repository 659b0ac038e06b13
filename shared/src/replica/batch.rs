//! What crosses a link: one batch is one message, the vitals of its sender, and an envelope.
//!
//! ```text
//! version = 1 | seal = 0 (none) | first 16 bytes of SHA-256 of the body | body (postcard)
//! ```
//! The hash finds damage before any parser sees a byte; who sent it is proved by the link's certificate and by the
//! signature of each run. Other values of `seal` are for sealed bodies and are refused until this program knows them.
//! Postcard, because runs are bytes already compressed: what is left are a few integers, which it writes shortest, and
//! its reader is total and allocates no more than the input is long.

use serde::{Deserialize, Serialize};

use super::{
    rights::Reason,
    run::{MAX_RUN_BYTES, Run},
    shelf::{Mark, Origin, Shelf},
    vitals::Vitals,
};
use crate::keys::{same_secret, sha256};

/// Version of the envelope.
pub const VERSION: u8 = 1;
/// Lowest and highest version of the conversation that this program speaks.
pub const SPEAKS: (u8, u8) = (1, 1);
/// Largest batch: an MQTT packet of 1 MiB less its header and topic.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024 - 4 * 1024;
/// Most marks in a message: origins known on the two shelves of a link.
pub const MAX_MARKS: usize = 1_024;
/// Most runs in a message.
pub const MAX_RUNS: usize = 512;
/// Most shelves whose digest a message tells.
pub const MAX_DIGESTS: usize = 16;

const UNSEALED: u8 = 0;
const CHECK_BYTES: usize = 16;

/// One thing said over a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Where I stand. Opens a conversation, and repeats it slowly.
    Hello {
        /// Versions I speak, lowest and highest.
        speaks: (u8, u8),
        /// Everything I hold on the shelves of this link, durably.
        marks: Vec<Mark>,
        /// Digest of documents and heads of each shelf, taken together with the marks.
        digests: Vec<(Shelf, [u8; 32])>,
        /// Whether I ask for a hello back.
        answer_wanted: bool,
    },
    /// What you lack.
    Runs(Vec<Run>),
    /// What I hold of what you send, durably: cumulative acknowledgement, and the heartbeat.
    Have(Vec<Mark>),
    /// A run that I do not take.
    Nack {
        /// Its shelf.
        shelf: Shelf,
        /// Its origin.
        origin: Origin,
        /// Its first number.
        first: u64,
        /// Why.
        reason: Reason,
    },
}

#[derive(Serialize)]
struct BodyOut<'a> {
    vitals: Option<Vitals>,
    message: &'a Message,
}

#[derive(Deserialize)]
struct BodyIn {
    vitals: Option<Vitals>,
    message: Message,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Shorter than its envelope.
    #[error("the batch has {0} bytes, fewer than its envelope")]
    Short(usize),
    /// Longer than a batch may be.
    #[error("the batch has {0} bytes, more than {MAX_BATCH_BYTES}")]
    Long(usize),
    /// Of an unknown version.
    #[error("the batch is of version {0}, this program reads version {VERSION}: update the older side")]
    Version(u8),
    /// Sealed in an unknown way.
    #[error("the batch is sealed in way {0}, this program opens none: update the older side")]
    Seal(u8),
    /// Damaged on its way.
    #[error("the batch was damaged on its way: its check does not fit")]
    Damaged,
    /// Not what its version promises.
    #[error("the batch cannot be read: {0}")]
    Unreadable(&'static str),
    /// A list is longer than it may be.
    #[error("the batch holds {found} {what}, at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it holds.
        found: usize,
        /// How many it may hold.
        most: usize,
    },
}

/// Writes a batch. The same message and vitals give the same bytes.
///
/// # Errors
/// [`BatchError::TooMany`] or [`BatchError::Long`] when the message breaks the limits that [`decode`] holds.
pub fn encode(message: &Message, vitals: Option<Vitals>) -> Result<Vec<u8>, BatchError> {
    within_limits(message)?;
    let body = BodyOut { vitals: vitals.map(Vitals::bounded), message };
    let body = postcard::to_stdvec(&body).map_err(|_| BatchError::Unreadable("it does not encode"))?;
    let mut bytes = Vec::with_capacity(body.len().saturating_add(CHECK_BYTES + 2));
    bytes.extend([VERSION, UNSEALED]);
    bytes.extend(sha256(&body).iter().take(CHECK_BYTES));
    bytes.extend(body);
    if bytes.len() > MAX_BATCH_BYTES { Err(BatchError::Long(bytes.len())) } else { Ok(bytes) }
}

/// Reads a batch: size, version, seal and check first, then the body, then its limits.
///
/// # Errors
/// [`BatchError`], which names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<(Message, Option<Vitals>), BatchError> {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(BatchError::Long(bytes.len()));
    }
    let [version, seal, rest @ ..] = bytes else { return Err(BatchError::Short(bytes.len())) };
    if *version != VERSION {
        return Err(BatchError::Version(*version));
    }
    if *seal != UNSEALED {
        return Err(BatchError::Seal(*seal));
    }
    let (check, body) = rest.split_at_checked(CHECK_BYTES).ok_or(BatchError::Short(bytes.len()))?;
    let hash = sha256(body);
    if !hash.get(..CHECK_BYTES).is_some_and(|h| same_secret(h, check)) {
        return Err(BatchError::Damaged);
    }
    let (body, rest): (BodyIn, &[u8]) =
        postcard::take_from_bytes(body).map_err(|_| BatchError::Unreadable("its body is no message"))?;
    if !rest.is_empty() {
        return Err(BatchError::Unreadable("bytes follow its message"));
    }
    within_limits(&body.message)?;
    Ok((body.message, body.vitals.map(Vitals::bounded)))
}

fn within_limits(message: &Message) -> Result<(), BatchError> {
    let most = |what, found, most| if found > most { Err(BatchError::TooMany { what, found, most }) } else { Ok(()) };
    match message {
        Message::Hello { marks, digests, .. } => {
            most("marks", marks.len(), MAX_MARKS)?;
            most("digests", digests.len(), MAX_DIGESTS)
        }
        Message::Runs(runs) => {
            most("runs", runs.len(), MAX_RUNS)?;
            runs.iter().try_for_each(|r| {
                most("bytes in one run", r.payload.len(), MAX_RUN_BYTES)?;
                most("bytes in one signature", r.signature.len(), 64)
            })
        }
        Message::Have(marks) => most("marks", marks.len(), MAX_MARKS),
        Message::Nack { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
