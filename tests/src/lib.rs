//! What stories share, and the simulator.

#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code: a panic is a failed story, patience is counted"
)]

pub mod bench;
pub mod browser;
pub mod cable;
pub mod durable;
pub mod frames;
pub mod mosquitto;
pub mod pilot;
pub mod postgres;
pub mod rounds;
pub mod sim;
pub mod tablet;
pub mod ut1;
