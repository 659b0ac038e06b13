//! The fleet: where each box stands, told truthfully. Ages are counted by this machine's monotonic clock, never as a
//! difference of two machines' clocks (invariant 14).

pub(crate) mod gather;
pub(crate) mod status;
