//! DNS messages: bytes to one question, an outcome to bytes. Pure; the sockets are in `rig::dns_front`.
//!
//! Both ways go without an allocation: a question borrows the datagram that it came in, an answer is written into a buffer
//! that its reader keeps, and what an upstream said is kept as it will be sent. A school's box answers most questions from
//! memory, and what they cost is what the kernel takes to receive and send.

pub mod answer;
pub mod found;
pub mod question;
pub mod wire;

pub use answer::Carrier;
pub use found::Found;
pub use question::{Question, Unread};

#[cfg(test)]
mod tests;
