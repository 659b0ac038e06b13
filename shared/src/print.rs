//! What is printed: badges and codes, as a PDF that any printer takes, made without a network.
//!
//! | module | its one idea |
//! |---|---|
//! | [`badges`] | cards and labels on sheets of A4 |
//! | [`slips`] | codes for staff, to cut out or to lay into a safe |
//! | `ink` | text that fits, QR codes, drawings: what stands on a page |
//!
//! Type is Andika, which SIL makes for those who learn to read (`print/andika/OFL.txt`).

pub mod badges;
mod ink;
pub mod slips;

pub use badges::{Card, Layout, Sheet, Style, print};

/// Why nothing was printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrintError {
    /// There is nothing to print.
    #[error("there is no badge to print")]
    Nothing,
    /// More than [`badges::MAX_CARDS`].
    #[error("at most {} badges are printed at once: print class by class", badges::MAX_CARDS)]
    TooMany,
    /// A payload that no QR code holds.
    #[error("the payload of a badge does not fit a QR code")]
    Payload,
    /// The maker of the PDF refused; a defect of ours.
    #[error("the page cannot be made: {0}")]
    Page(String),
}
