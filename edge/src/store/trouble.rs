//! Why an act of the box did not happen: an expected refusal, or a failure of ours.

use preau_shared::{
    refusal::Refusal,
    rig::{reply::Problem, shelves::ShelfError, slow::SlowError, writer::StoreError},
    second_factor::Factor,
};

/// What the rooms of the box answer instead of a yes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// An expected answer, with what exactly was wrong where that helps.
    #[error("refused: {}", refusal.code())]
    Refused {
        /// Which.
        refusal: Refusal,
        /// For the person who must mend it.
        detail: Option<String>,
        /// When to come back, in seconds.
        retry_after_s: Option<u64>,
    },
    /// A pupil's second factor is missing or wrong.
    #[error("refused: {}", refusal.code())]
    Asks {
        /// Which.
        refusal: Refusal,
        /// What she is asked for.
        factor: Factor,
    },
    /// A wipe that is not done yet, with the steps that lack.
    #[error("the wipe lacks {0:?}")]
    Incomplete(Vec<String>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The replicated part of it.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, detail: None, retry_after_s: None }
    }
}

impl From<SlowError> for Trouble {
    fn from(error: SlowError) -> Self {
        Self::because(Refusal::Failed, error.to_string())
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Trouble {
    /// A refusal with what exactly was wrong.
    pub(crate) fn because(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self::Refused { refusal, detail: Some(detail.into()), retry_after_s: None }
    }

    /// A refusal that ends by itself.
    pub(crate) fn for_now(refusal: Refusal, retry_after_s: u64) -> Self {
        Self::Refused { refusal, detail: None, retry_after_s: Some(retry_after_s) }
    }

    /// Whether it is this refusal.
    pub(crate) fn is(&self, other: Refusal) -> bool {
        match self {
            Self::Refused { refusal, .. } | Self::Asks { refusal, .. } => *refusal == other,
            Self::Incomplete(_) | Self::Store(_) | Self::Shelf(_) => false,
        }
    }

    /// Whether the disk (not the request, not our code) is what failed: then classes go on from memory.
    pub(crate) fn is_disk(&self) -> bool {
        match self {
            Self::Store(error) => is_disk(error),
            Self::Shelf(error) => shelf_store(error).is_some_and(is_disk),
            Self::Refused { .. } | Self::Asks { .. } | Self::Incomplete(_) => false,
        }
    }
}

fn is_disk(error: &StoreError) -> bool {
    match error {
        StoreError::Commit(_) => true,
        StoreError::Sqlite(error) => error.sqlite_error_code().is_some_and(is_disk_code),
        StoreError::Full
        | StoreError::Closed
        | StoreError::Postgres(_)
        | StoreError::Away(_)
        | StoreError::Unsure(_)
        | StoreError::Elsewhere(_)
        | StoreError::Column { .. }
        | StoreError::Unreadable(_)
        | StoreError::Newer { .. } => false,
    }
}

fn is_disk_code(code: rusqlite::ErrorCode) -> bool {
    use rusqlite::ErrorCode as Code;
    [Code::DiskFull, Code::SystemIoFailure, Code::ReadOnly, Code::CannotOpen, Code::NoLargeFileSupport].contains(&code)
}

fn shelf_store(error: &ShelfError) -> Option<&StoreError> {
    if let ShelfError::Store(error) = error { Some(error) } else { None }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        if trouble.is_disk() {
            return Self::storage(&trouble);
        }
        match trouble {
            Trouble::Refused { refusal, detail, retry_after_s } => {
                let mut problem = Self::new(refusal);
                if let Some(detail) = detail {
                    problem = problem.detail(detail);
                }
                match retry_after_s {
                    Some(seconds) => problem.retry_after(seconds),
                    None => problem,
                }
            }
            Trouble::Asks { refusal, factor } => Self::new(refusal).with("factor", factor.as_str()),
            Trouble::Incomplete(steps) => Self::new(Refusal::WipeIncomplete).with("steps", steps),
            Trouble::Store(StoreError::Full) => Self::new(Refusal::Overloaded).retry_after(1),
            Trouble::Store(error) => Self::failed(&error),
            Trouble::Shelf(error) => Self::failed(&error),
        }
    }
}
