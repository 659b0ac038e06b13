//! What a peer wants a person to look at.

use std::fmt;

use crate::replica::{
    rights::Reason,
    shelf::{Origin, Shelf},
};

/// What somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alert {
    /// No version is spoken by both; nothing is exchanged, nothing is dropped.
    TooOld {
        /// Lowest and highest version of the other end.
        theirs: (u8, u8),
    },
    /// The other end holds items of mine that I never wrote: this disk was restored or cloned.
    CloneDetected {
        /// Which of my origins.
        origin: Origin,
    },
    /// Both hold the same items and have different documents.
    DigestMismatch {
        /// On which shelf.
        shelf: Shelf,
    },
    /// I did not take a run of theirs; it is kept aside.
    Quarantined {
        /// Of which shelf,
        shelf: Shelf,
        /// of which origin,
        origin: Origin,
        /// from which number on,
        first: u64,
        /// why.
        reason: Reason,
    },
    /// They did not take a run of mine; I keep it.
    Refused {
        /// Of which shelf,
        shelf: Shelf,
        /// of which origin,
        origin: Origin,
        /// why.
        reason: Reason,
    },
    /// Another life of the same box wrote since: one of the two machines is a copy and must go.
    Superseded {
        /// The life that was followed by another.
        origin: Origin,
    },
    /// The other end no longer keeps what I lack: I was restored from a backup older than what boxes keep.
    Lost {
        /// Of which shelf,
        shelf: Shelf,
        /// of which origin,
        origin: Origin,
        /// from this number on,
        first: u64,
        /// up to this one.
        last: u64,
    },
    /// What the store holds does not continue what the other end holds.
    Gap {
        /// Of which shelf,
        shelf: Shelf,
        /// of which origin.
        origin: Origin,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld { theirs: (low, high) } => write!(f, "the other end speaks versions {low} to {high} only"),
            Self::CloneDetected { origin } => write!(f, "the disk of {origin} was restored or cloned"),
            Self::DigestMismatch { shelf } => write!(f, "same items, different documents on {shelf}"),
            Self::Quarantined { shelf, origin, first, reason } => {
                write!(f, "run {first} of {origin} on {shelf} kept aside: {reason}")
            }
            Self::Refused { shelf, origin, reason } => write!(f, "run of {origin} on {shelf} was refused: {reason}"),
            Self::Superseded { origin } => write!(f, "{origin} was followed by another life of its box: one is a copy"),
            Self::Lost { shelf, origin, first, last } => {
                write!(f, "items {first} to {last} of {origin} on {shelf} are lost: nobody keeps them any more")
            }
            Self::Gap { shelf, origin } => write!(f, "runs of {origin} on {shelf} do not continue what is held"),
        }
    }
}
