//! The coordinator's API (ARCHITECTURE §5.3), one noun a file.

pub(super) mod badges;
pub(super) mod boxes;
pub(super) mod charter;
pub(super) mod codes;
pub(super) mod people;
pub(super) mod quarantine;
pub(super) mod rosters;
pub(super) mod schools;
pub(super) mod seals;
pub(super) mod tablets;
