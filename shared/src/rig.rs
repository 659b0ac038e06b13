//! What touches the world: the one copy of what both programs need. Everything else in this crate is pure.

pub mod apply;
pub mod backup;
pub mod clock;
pub mod dice;
pub mod dns_front;
pub mod fetch;
pub mod keep;
pub mod link;
pub mod lists;
pub mod log;
mod map;
pub mod neighbour;
pub mod reader;
pub mod replicate;
pub mod reply;
pub mod route;
pub mod serve;
pub mod shelves;
pub mod slow;
pub mod sql;
pub mod store;
pub mod task;
pub mod tls;
pub mod writer;
