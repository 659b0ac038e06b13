//! What the box and the coordinator must agree on. It knows nobody, and is pure unless the feature `rig` is on.
//!
//! | module | its one idea |
//! |---|---|
//! | [`ids`], [`time`], [`dice`] | names, stamps and randomness as values |
//! | [`keys`], [`badge`], [`second_factor`] | signatures and proofs; what a QR code holds; what a pupil knows |
//! | [`settings`] | how a screen suits somebody |
//! | [`staff_codes`] | codes that staff hold on paper |
//! | [`terms`] | a school's charter |
//! | [`refusal`], [`messages`] | expected answers that are not a yes; every sentence a person reads |
//! | [`animals`], `print` | the drawing beside a name; badges on paper |
//! | [`wire`] | bodies of the HTTP contracts, MQTT topics |
//!
//! Glossary: *UAI*, a school's national number; *ONDE*, the ministry's register of pupils; *ENT*, the pupils' online
//! workspace; *DSI*, the city's IT department; *badge*, a pupil's printed QR code.

pub mod animals;
pub mod badge;
pub mod blocklist;
pub mod dice;
pub mod dns;
pub mod documents;
pub mod ids;
pub mod journal;
pub mod keys;
pub mod messages;
pub mod policy;
#[cfg(feature = "print")]
pub mod print;
pub mod refusal;
pub mod replica;
#[cfg(feature = "rig")]
pub mod rig;
pub mod roster;
pub mod second_factor;
pub mod settings;
pub mod staff_codes;
pub mod terms;
pub mod time;
pub mod wire;
