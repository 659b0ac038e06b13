//! How a box joins and leaves: claim codes, the territory's certificate authority, revocation.

mod authority;
mod claim;
mod gone;
pub(crate) mod seals;
mod tries;
mod words;

pub(crate) use authority::{AUTHORITY, Authority, AuthorityError, Leaf};
pub(crate) use claim::{Enrolment, EnrolmentError, Terms};
pub(crate) use seals::{Ground, KeyState, Seals};
