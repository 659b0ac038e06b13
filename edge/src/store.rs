//! What the box remembers, on disk: one file per table, every statement that names a table in that table's file.
//!
//! *Projected* tables are drawn from documents and may be dropped and rebuilt; *native* ones are born here. One thread
//! writes ([`preau_shared::rig::writer`]); readers stand beside it.

pub(crate) mod agents;
pub(crate) mod badges;
pub(crate) mod catalogue;
pub(crate) mod classes;
pub(crate) mod credentials;
pub(crate) mod enrolment_windows;
pub(crate) mod erased;
pub(crate) mod factors;
pub(crate) mod guest_hours;
pub(crate) mod journal;
pub(crate) mod offers;
pub(crate) mod people;
pub(crate) mod policies;
pub(crate) mod prints;
pub(crate) mod quiet;
pub(crate) mod roll;
pub(crate) mod safe_codes;
pub(crate) mod schema;
pub(crate) mod school;
pub(crate) mod seal;
pub(crate) mod seats;
pub(crate) mod sessions;
pub(crate) mod staff_secrets;
pub(crate) mod staff_sessions;
pub(crate) mod tablet_life;
pub(crate) mod tablets;
pub(crate) mod terms;
pub(crate) mod training;
pub(crate) mod trouble;
pub(crate) mod unplugged;
pub(crate) mod wipes;
pub(crate) mod work;
pub(crate) mod work_files;

pub(crate) use schema::migrate;
pub(crate) use trouble::Trouble;

use preau_shared::rig::writer::StoreError;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

/// One row, or none.
pub(crate) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    Ok(conn.prepare_cached(sql)?.query_row(params, read).optional()?)
}

/// All rows.
pub(crate) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?.collect::<Result<Vec<T>, _>>()?;
    Ok(rows)
}

/// Changes rows; how many.
pub(crate) fn change(conn: &Connection, sql: &str, params: impl Params) -> Result<usize, StoreError> {
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}
