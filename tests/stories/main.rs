//! Journeys of people through the whole system; one file each.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is test code: a panic is a failed story, figures are printed"
)]

mod broker;
mod commands;
mod filter;
mod pilot;
mod refusals;
mod replication;
mod roster;
mod screens;
