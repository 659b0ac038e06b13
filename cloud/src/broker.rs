//! MQTT between boxes and the coordinator: a broker of our own inside this program or, by its URL, somebody else's.

pub(crate) mod embedded;
pub(crate) mod external;
pub(crate) mod handout;
pub mod mosquitto;
pub(crate) mod rights;
