//! What the coordinator remembers, in a SQLite file or in PostgreSQL ([`Database`]). One file per table: its columns, its
//! creation, every statement that names it, in SQL that both understand ([`preau_shared::rig::sql`]).
//!
//! Two kinds of tables, said in each file's header: *projected* from documents (may be dropped and rebuilt) and *native*
//! (born here).

pub(crate) mod boxes;
pub(crate) mod carries;
pub(crate) mod certificates;
pub(crate) mod claims;
pub(crate) mod code_imports;
pub(crate) mod database;
pub(crate) mod filter_names;
pub(crate) mod leases;
pub(crate) mod people;
mod postgres;
pub(crate) mod rosters;
pub(crate) mod safe_codes;
pub(crate) mod schema;
pub(crate) mod schools;
pub(crate) mod seals;
pub(crate) mod sessions;
pub(crate) mod voids;

use preau_shared::{
    ids::Uai,
    rig::{
        sql::{Row, Sql},
        writer::StoreError,
    },
};

pub(crate) use database::Database;
pub(crate) use postgres::Address;

/// What an act or a reading is given.
pub(crate) type Tx = dyn Sql;

/// Reads a UAI.
fn uai(row: &Row, at: usize) -> Result<Uai, StoreError> {
    row.text(at)?.parse().map_err(|_| StoreError::Unreadable("the number of a school"))
}

#[cfg(test)]
mod tests;
