//! Replication: what both ends must agree on, and the state machine that moves it (ARCHITECTURE §2.4).
//!
//! An *origin* appends numbered items to a *shelf*; contiguous items are closed into a *run*, compressed, chained to the
//! run before and signed once; runs are stored and forwarded unchanged inside *batches*. What somebody holds is a
//! *mark* per shelf and origin.

pub mod batch;
pub mod peer;
pub mod rights;
pub mod run;
pub mod shelf;
pub mod vitals;

pub use batch::{BatchError, Message};
pub use peer::{Alert, Input, Output, Peer, Timings};
pub use rights::{Keys, Reason, Rights, Side};
pub use run::{Item, Run, RunError};
pub use shelf::{Mark, Origin, Shelf};
pub use vitals::Vitals;
