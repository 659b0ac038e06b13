//! The ties with the coordinator and the other boxes: what arrives becomes rows, what happened here is told.

pub(crate) mod lan;
pub(crate) mod project;
pub(crate) mod pump;
pub(crate) mod seals;
pub(crate) mod vitals;
