//! Journeys of people through the whole system; one file each.

mod broker;
mod filter;
mod pilot;
mod replication;
mod roster;
mod screens;
