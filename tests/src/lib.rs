//! What stories share, and the simulator.

#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code: a panic is a failed story, patience is counted"
)]

pub mod browser;
pub mod pilot;
pub mod sim;
pub mod tablet;
