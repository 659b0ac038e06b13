//! What the benches share: the same school and the same edits for us and for our peers, bytes counted where they
//! pass, and a table with each figure beside its target.
//!
//! | file | its one idea |
//! |---|---|
//! | [`school`] | an invented school and a stream of edits, both from a seed |
//! | [`baseline`] | the same edits as raw changes, as `automerge::sync` and as JSON |
//! | [`pair`] | two replicas of ours and a carrier in memory that counts |
//! | [`pouch`] | PouchDB beside a server of CouchDB's protocol |
//! | [`relay`] | TCP bytes passed on and counted, as TLS records where they are |
//! | [`territory`] | a real coordinator process with schools, and boxes that claimed |
//! | [`idle`] | boxes of idle schools, thousands in one process |
//! | [`whole`] | a box with its store, as the program runs it |
//! | [`boxed`] | a box as a process |
//! | [`names`] | block lists as long as the real ones |
//! | [`dns`] | servers of names beside each other: their lists, their load, what they cost |
//! | [`sign_in`] | tablets that sign children in, and what a box is measured beside |
//! | [`table`] | what is printed |

pub mod baseline;
pub mod boxed;
pub mod dns;
pub mod idle;
pub mod names;
pub mod pair;
pub mod pouch;
pub mod relay;
pub mod school;
pub mod sign_in;
pub mod table;
pub mod territory;
pub mod whole;
