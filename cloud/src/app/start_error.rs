//! Why the coordinator does not start.

use std::{io, path::PathBuf};

use preau_shared::rig::{shelves::ShelfError, tls::TlsError, writer::StoreError};

use crate::{
    broker::embedded::BrokerError,
    enrolment::{AuthorityError, EnrolmentError},
    filter::FilterError,
};

/// Why the coordinator does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be made or locked.
    #[error("{0}: {1}")]
    Folder(PathBuf, io::Error),
    /// Another coordinator runs in it.
    #[error("{0}: another preau-cloud runs in this folder: stop it, or choose another folder")]
    Running(PathBuf),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// The broker does not start.
    #[error("{0}")]
    Broker(String),
    /// The authority's files cannot be used.
    #[error("{0}")]
    Authority(String),
    /// The database cannot be used.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The shelves cannot be used.
    #[error("the store: {0}")]
    Shelf(#[from] ShelfError),
    /// The server of the database is named wrongly.
    #[error("store: {0}")]
    Server(String),
    /// Certificates and keys do not fit.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file of the door cannot be made.
    #[error("admin: {0}")]
    Admin(io::Error),
}

impl From<AuthorityError> for StartError {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error.to_string())
    }
}

impl From<EnrolmentError> for StartError {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::Store(error) => error.into(),
            EnrolmentError::Shelf(error) => error.into(),
            EnrolmentError::Authority(error) => error.into(),
            EnrolmentError::Refused
            | EnrolmentError::Wait(_)
            | EnrolmentError::Malformed(_)
            | EnrolmentError::NotFound(_) => Self::Authority(error.to_string()),
        }
    }
}

impl StartError {
    /// Whether it passes by itself: the database is out of reach.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Store(error) | Self::Shelf(ShelfError::Store(error)) => {
                matches!(error, StoreError::Away(_) | StoreError::Unsure(_))
            }
            Self::Shelf(_)
            | Self::Folder(..)
            | Self::Running(_)
            | Self::Listen(_)
            | Self::Broker(_)
            | Self::Authority(_)
            | Self::Server(_)
            | Self::Tls(_)
            | Self::Admin(_) => false,
        }
    }
}

impl From<FilterError> for StartError {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::Tls(error) => error.into(),
            FilterError::Listen(..) | FilterError::Front(_) => Self::Listen(error.to_string()),
        }
    }
}

impl From<BrokerError> for StartError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error.to_string())
    }
}
