//! Replication: what both ends must agree on, and the state machine that moves it (ARCHITECTURE §2.4).
//!
//! An *origin* appends numbered items to a *shelf*; contiguous items are closed into a *run*, compressed, chained to the
//! run before and signed once; runs are stored and forwarded unchanged inside *batches*. What somebody holds is a
//! *mark* per shelf and origin.
//!
//! | file | its one idea |
//! |---|---|
//! | [`shelf`] | the names: origin, shelf, mark |
//! | [`run`] | items, chained and signed once; an item can be replaced by its hash |
//! | [`tombstone`] | what is left of an erased document |
//! | [`page`] | documents as they are: snapshot and repair, pulled by whoever lacks them |
//! | [`mod@batch`] | the messages |
//! | [`seal`] | the envelope of one hop |
//! | [`sealing`] | which keys of a hop open and seal, and how new ones come into use |
//! | [`vitals`] | what a box says of itself |
//! | [`rights`] | who may send what |
//! | [`peer`] | the state machine of one end of one link |

pub mod batch;
pub mod page;
pub mod peer;
pub mod rights;
pub mod run;
pub mod seal;
pub mod sealing;
pub mod shelf;
pub mod tombstone;
pub mod vitals;

pub use batch::{BatchError, Hello, Knowledge, Message};
pub use page::{Copy, Kept, Lacking, Loose, Page, Pull, Sheet, Wanted};
pub use peer::{Alert, Input, Output, Peer, Timings};
pub use rights::{Keys, Reason, Rights, Side};
pub use run::{Item, Run, RunError};
pub use seal::{Hop, Keyring, SealError, SealPublic, SealSecret};
pub use sealing::Sealing;
pub use shelf::{Mark, Origin, Shelf};
pub use tombstone::{Erasure, Tombstone};
pub use vitals::Vitals;
