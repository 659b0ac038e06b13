//! What the bench of sign-ins is made of.
//!
//! | file | its one idea |
//! |---|---|
//! | [`mod@line`] | a kept-alive HTTP/1.1 connection over TLS, cheap for its client |
//! | [`crowd`] | tablets with keys, tokens and badges; bursts of sign-ins over shared connections |
//! | [`page`] | a tablet's page as a browser keeps it, over HTTP/2; storms, and tablets that wake |
//! | [`bare`] | the bare handler beside which a box is measured |
//! | [`disk`] | what an fsync takes, and how many a box made |
//! | [`school`] | a school of so many pupils with its box and enrolled tablets |

pub mod bare;
pub mod crowd;
pub mod disk;
pub mod line;
pub mod page;
pub mod school;
