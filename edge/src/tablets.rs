//! The machines: how a tablet joins the school, and the life that keeps one child's things from the next.

pub(crate) mod agent;
pub(crate) mod enrol;
pub(crate) mod life;
pub(crate) mod owner;
pub(crate) mod unplugged;
pub(crate) mod wipe;
