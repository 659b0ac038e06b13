//! What crosses a link: one batch is one message and the vitals of its sender, sealed for the hop ([`super::seal`]).
//!
//! Postcard, because runs are bytes already compressed: what is left are a few integers, which it writes shortest, and
//! its reader is total and allocates no more than the input is long.

use serde::{Deserialize, Serialize};

use super::{
    page::{BUCKETS, Lacking, MAX_LOOSE, Page, Pull, Wanted},
    rights::Reason,
    run::{MAX_ITEM_BYTES, MAX_RUN_BYTES, Run},
    shelf::{Mark, Origin, Shelf},
    tombstone::MAX_ERASED_CHANGES,
    vitals::Vitals,
};
use crate::keys::sha256;

/// Lowest and highest version of the conversation that this program speaks.
pub const SPEAKS: (u8, u8) = (1, 1);
/// Largest sealed batch: an MQTT packet of 1 MiB less its header and topic.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024 - 4 * 1024;
/// Most marks in a message: origins known on the two shelves of a link.
pub const MAX_MARKS: usize = 1_024;
/// Most runs in a message.
pub const MAX_RUNS: usize = 512;
/// Longest signature, in bytes.
const MAX_SIGNATURE_BYTES: usize = 64;
/// Most shelves whose digest a message tells.
pub const MAX_DIGESTS: usize = 16;

/// One thing said over a link. A promise of the wire: variants are added at the end, never moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Where I stand. Opens a conversation, and repeats it slowly.
    Hello(Hello),
    /// What you lack.
    Runs(Vec<Run>),
    /// What I hold of what you send, durably: cumulative acknowledgement. Empty, it is the heartbeat.
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
    /// I no longer keep this origin's runs up to here: go on from here.
    Skip(Run),
    /// Tell me the documents that I lack.
    Pull(Pull),
    /// Some of them.
    Page(Page),
    /// We hold the same and read differently: the sums of my 256 buckets of this shelf.
    Buckets(Shelf, Vec<u64>),
    /// These of them are not like mine.
    Differ(Shelf, Vec<u8>),
    /// Changes that your copies lack.
    Mend(Shelf, Lacking),
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions I speak, lowest and highest.
    pub speaks: (u8, u8),
    /// Which of my lives this is.
    pub incarnation: u64,
    /// [`Knowledge::summary`] of what I hold. Equal summaries: nothing is to be said.
    pub summary: [u8; 16],
    /// What it sums up, when it may differ from yours.
    pub knowledge: Option<Knowledge>,
    /// Whether I ask for a hello back.
    pub answer_wanted: bool,
}

/// Everything somebody holds on the shelves of a link, durably, in one consistent reading.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Knowledge {
    /// How far of each origin, sorted.
    pub marks: Vec<Mark>,
    /// Digest of documents and heads of each shelf, sorted.
    pub digests: Vec<(Shelf, [u8; 32])>,
}

impl Knowledge {
    /// SHA-256, cut to 16 bytes. Both ends sort alike, so that the same knowledge has the same summary.
    pub fn summary(&self) -> [u8; 16] {
        let hash = sha256(&postcard::to_stdvec(self).unwrap_or_default());
        hash.first_chunk().copied().unwrap_or_default()
    }
}

#[derive(Serialize)]
struct BodyOut<'a> {
    vitals: Option<&'a Vitals>,
    message: &'a Message,
}

#[derive(Deserialize)]
struct BodyIn {
    vitals: Option<Vitals>,
    message: Message,
}

/// What is wrong with a batch that was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
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

/// Writes a batch, to be sealed. The same message and vitals give the same bytes. `vitals` are left out when they are
/// as the other end was last told.
///
/// # Errors
/// [`BatchError::TooMany`] when the message breaks the limits that [`decode`] holds.
pub fn encode(message: &Message, vitals: Option<&Vitals>) -> Result<Vec<u8>, BatchError> {
    within_limits(message)?;
    postcard::to_stdvec(&BodyOut { vitals, message }).map_err(|_| BatchError::Unreadable("it does not encode"))
}

/// Reads a batch that was opened, then holds its limits.
///
/// # Errors
/// [`BatchError`], which names what is wrong.
pub fn decode(body: &[u8]) -> Result<(Message, Option<Vitals>), BatchError> {
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
    let is_head = |head: &Run| {
        most("bytes of items in a head", head.payload.len(), 0)?;
        most("bytes in one signature", head.signature.len(), MAX_SIGNATURE_BYTES)
    };
    let pull = |pull: &Pull| match &pull.wanted {
        Wanted::Everything => Ok(()),
        Wanted::Buckets(buckets) => most("buckets", buckets.len(), BUCKETS),
    };
    match message {
        Message::Hello(hello) => hello.knowledge.iter().try_for_each(|k| {
            most("marks", k.marks.len(), MAX_MARKS)?;
            most("digests", k.digests.len(), MAX_DIGESTS)
        }),
        Message::Runs(runs) => {
            most("runs", runs.len(), MAX_RUNS)?;
            runs.iter().try_for_each(|r| {
                most("bytes in one run", r.payload.len(), MAX_RUN_BYTES)?;
                most("bytes in one signature", r.signature.len(), 64)
            })
        }
        Message::Have(marks) => most("marks", marks.len(), MAX_MARKS),
        Message::Nack { .. } => Ok(()),
        Message::Skip(head) => is_head(head),
        Message::Pull(asked) => pull(asked),
        Message::Page(page) => {
            pull(&page.pull)?;
            most("marks", page.marks.len(), MAX_MARKS)?;
            most("heads", page.heads.len(), MAX_MARKS)?;
            page.heads.iter().try_for_each(is_head)
        }
        Message::Buckets(_, sums) => most("sums", sums.len(), BUCKETS),
        Message::Differ(_, buckets) => most("buckets", buckets.len(), BUCKETS),
        Message::Mend(_, lacking) => {
            most("lives", lacking.lives.len(), MAX_LOOSE)?;
            most("changes", lacking.changes.len(), MAX_LOOSE)?;
            most("tombstones", lacking.erased.len(), MAX_LOOSE)?;
            lacking.changes.iter().try_for_each(|c| most("bytes in one change", c.bytes.len(), MAX_ITEM_BYTES))?;
            lacking.erased.iter().try_for_each(|erasure| {
                most("changes of one erased", erasure.changes.len(), MAX_ERASED_CHANGES)?;
                most("bytes in one signature", erasure.proof.len(), MAX_SIGNATURE_BYTES)
            })
        }
    }
}

#[cfg(test)]
mod tests;
