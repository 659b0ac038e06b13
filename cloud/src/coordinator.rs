//! A replica of every school: one [`preau_shared::rig::replicate::Replication`] per box over the coordinator's store.

pub(crate) mod carry;
mod ear;
pub(crate) mod links;
pub(crate) mod project;
pub(crate) mod switchboard;
pub(crate) mod upkeep;
