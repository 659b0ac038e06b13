//! What stories share, and the simulator.

pub mod browser;
pub mod sim;
