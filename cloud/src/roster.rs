//! Files become people: a file is read into rows, matched against who is already there, and shown as a plan; a person
//! says yes; one commit applies it; one more takes it back (invariant 13).
//!
//! National numbers and whatever else proves who somebody is are keyed-hashed at the door and stay in coordinator-only
//! rows; a shelf, and so a box, only ever sees names, levels and classes (ARCHITECTURE §2.1).

mod apply;
mod charter;
mod codes;
mod desk;
mod documents;
mod erase;
mod evidence;
mod import;
mod lost;
mod matching;
mod paper_codes;
mod plan;
mod preview;
mod revoke;
mod school;
mod sheaf;
mod short;
mod staff;
mod standing;
mod training;
mod undo;

pub(crate) use apply::Yes;
pub(crate) use codes::{CodeLine, CodesPlan, CodesUndone};
pub(crate) use desk::{Desk, DeskError, DeskParts};
pub(crate) use documents::{DocumentLine, DocumentsAnswer};
pub(crate) use import::Received;
pub(crate) use paper_codes::{CodesDrawn, For};
pub(crate) use preview::{Applied, Preview, Undone};
pub(crate) use school::NewSchool;
pub(crate) use staff::{StaffAnswer, StaffLine};
pub(crate) use training::{NewRoom, RoomMade};

#[cfg(test)]
mod tests;
