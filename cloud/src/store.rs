//! What the coordinator remembers, in one SQLite file. One file per table: its columns, its creation, every statement
//! that names it.
//!
//! Two kinds of tables, said in each file's header: *projected* from documents (may be dropped and rebuilt) and *native*
//! (born here).

pub(crate) mod boxes;
pub(crate) mod claims;
pub(crate) mod people;
pub(crate) mod rosters;
pub(crate) mod schema;
pub(crate) mod schools;
pub(crate) mod sessions;
pub(crate) mod voids;

use preau_shared::{ids::Uai, rig::writer::StoreError};
use rusqlite::types::{FromSqlError, ValueRef};

/// Reads an identifier of 16 bytes.
pub(crate) fn bytes16(value: ValueRef<'_>) -> Result<[u8; 16], FromSqlError> {
    value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)
}

/// Reads 32 bytes: a hash or a public key.
pub(crate) fn bytes32(value: ValueRef<'_>) -> Result<[u8; 32], FromSqlError> {
    value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)
}

/// Reads a UAI.
pub(crate) fn uai(value: ValueRef<'_>) -> Result<Uai, FromSqlError> {
    value.as_str()?.parse().map_err(|_| FromSqlError::InvalidType)
}

/// `None` when there is no such row; every other error stays one.
pub(crate) fn optional<T>(row: Result<T, rusqlite::Error>) -> Result<Option<T>, StoreError> {
    use rusqlite::OptionalExtension as _;
    Ok(row.optional()?)
}
