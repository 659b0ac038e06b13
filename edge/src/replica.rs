//! The tie with the coordinator: what arrives becomes rows, what happened here is told.

pub(crate) mod project;
pub(crate) mod pump;
pub(crate) mod seals;
pub(crate) mod vitals;
