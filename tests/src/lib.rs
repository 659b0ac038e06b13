//! What stories share, and the simulator.

pub mod browser;
pub mod pilot;
pub mod sim;
pub mod tablet;
