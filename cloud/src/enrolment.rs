//! How a box joins and leaves: claim codes, the territory's certificate authority, revocation.

mod authority;
mod claim;
mod tries;
mod words;

pub(crate) use authority::{Authority, AuthorityError};
pub(crate) use claim::{Enrolment, EnrolmentError, Terms};
