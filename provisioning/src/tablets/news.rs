//! What the virtual tablets tell the pilot, one JSON object a line.

use preau_shared::ids::Uai;
use serde::{Deserialize, Serialize};

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// One badge.
    Badge,
    /// Two badges on one tablet.
    Pair,
    /// A teacher's tap for a forgotten badge.
    LetIn,
}

/// What a look-up should give, and gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An address.
    Allowed,
    /// Refused by the filter.
    Blocked,
    /// No answer, or "ask later": an allowed name nobody can ask for while the Internet is away.
    Unanswered,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// A tablet is enrolled and free.
    Enrolled {
        /// The school.
        uai: Uai,
    },
    /// A sign-in was answered, or was not.
    SignIn {
        /// The school.
        uai: Uai,
        /// Which way in.
        how: How,
        /// The session opened, if one was.
        session: Option<String>,
        /// Why none was: a refusal's code, or `late`, `lost`.
        code: Option<String>,
        /// From the first request to the answer, in microseconds.
        latency_us: u64,
        /// Tries repeated because the box's process had gone.
        retries: u32,
    },
    /// A session ended and the tablet is free again.
    Freed {
        /// The school.
        uai: Uai,
    },
    /// A name was looked up.
    LookUp {
        /// The school.
        uai: Uai,
        /// What the child's policy says.
        expected: Verdict,
        /// What the box answered.
        found: Verdict,
    },
    /// Something is not as promised.
    Oddity {
        /// The school.
        uai: Uai,
        /// What.
        what: String,
    },
}

impl News {
    /// Writes it down.
    pub(crate) fn tell(&self) {
        if let Ok(value) = serde_json::to_value(self) {
            crate::out::Reader::Program.tell(&value);
        }
    }
}
