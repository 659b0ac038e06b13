//! The school's charter, as whoever sits at a tablet hears of it.

use serde::{Deserialize, Serialize};

/// In an environment: a charter that this person has not said that she understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterToTell {
    /// Which words.
    pub version: String,
    /// She never understood any: what is kept of her is told first.
    pub first: bool,
}

/// `GET /api/v1/sessions/current/charter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterShown {
    /// Which words: sixteen hexadecimal digits.
    pub version: String,
    /// The words.
    pub paragraphs: Vec<String>,
    /// Name of the recording that reads them aloud, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Nobody is asked any more.
    pub understood: bool,
}

/// `PUT /api/v1/sessions/current/charter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterUnderstood {
    /// Which words were read.
    pub version: String,
}
