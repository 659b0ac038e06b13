//! The box's HTTP contract (ARCHITECTURE §5.2), one file per audience.

pub(crate) mod agents;
pub(crate) mod badges;
pub(crate) mod charter;
pub(crate) mod events;
pub(crate) mod frames;
pub(crate) mod head;
pub(crate) mod newcomers;
pub(crate) mod safe;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod staff;
pub(crate) mod tablets;
pub(crate) mod work;

use std::str::FromStr;

use preau_shared::{refusal::Refusal, rig::reply::Problem};

/// An identifier in a path; any other text names nothing.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Refusal::NotFound).detail("an identifier is 32 hexadecimal digits"))
}
