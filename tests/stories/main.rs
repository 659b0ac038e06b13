//! Journeys of people through the whole system; one file each.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is test code: a panic is a failed story, figures are printed"
)]

mod accessible;
mod accounts;
mod agents;
mod backups;
mod bad_morning;
mod blocklist;
mod broker;
mod camera;
mod charter;
mod codes;
mod commands;
mod filter;
mod frames_on_box;
mod kept_work;
mod kills;
mod mosquitto;
mod names;
mod pilot;
mod planted;
mod quiet;
mod refusals;
mod replication;
mod roster;
mod safe_code;
mod scaled;
mod screens;
mod session_hosts;
mod siblings;
mod silent_box;
mod staff_secrets;
mod stays;
mod teaching;
mod training;
mod unplugged;
mod work_two_boxes;
