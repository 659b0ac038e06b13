//! The door: every URL of the box. Handlers are thin; what decides sits in the rooms.

pub(crate) mod admin;
pub(crate) mod api;
pub(crate) mod bearers;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod nonces;
pub(crate) mod page;
pub(crate) mod routes;
pub(crate) mod session_host;
pub(crate) mod shell;
pub(crate) mod sounds;
pub(crate) mod tablet;
pub(crate) mod teacher;

#[cfg(test)]
mod tests;
