//! DNS messages: bytes to one question, an outcome to bytes. Pure; the sockets are in `rig::dns_front`.

pub mod answer;
pub mod question;

pub use answer::{Carrier, Found};
pub use question::{Question, Unread};
