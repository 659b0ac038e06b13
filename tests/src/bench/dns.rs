//! Servers of names beside each other, one after another on one core: the same list, the same upstream, the same load.
//!
//! | file | its one idea |
//! |---|---|
//! | [`ground`] | cores, folders and addresses of one run |
//! | [`lists`] | the list in the form that each server reads |
//! | [`peers`] | each server's configuration and command line |
//! | [`packages`] | programs that are not there are installed |
//! | [`server`] | a process on its core: when it answers, what it costs |
//! | [`load`] | the same questions for all, and what came of them |
//! | [`paced`] | a client that asks at a given pace, and times each answer |
//! | [`beside`] | the bare echo, and the upstream of all |
//! | [`message`] | the few bytes of DNS that these need |
//! | [`course`] | one server's course through all of it |
//! | [`report`] | the figures side by side, and what is promised |

pub mod beside;
pub mod course;
pub mod ground;
pub mod lists;
pub mod load;
pub mod message;
pub mod paced;
pub mod packages;
pub mod peers;
pub mod report;
pub mod server;
