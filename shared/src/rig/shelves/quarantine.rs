//! What was refused, kept for people to look at. Table `replica_quarantine`.

use super::{ShelfError, erase, line::number};
use crate::{
    keys::sha256,
    replica::Run,
    rig::{
        sql::{Row, Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// The newest so many are kept.
const MOST: i64 = 100;

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Whose it was, or who sent it.
    pub origin: String,
    /// Why it was not taken.
    pub reason: String,
    /// How large it is.
    pub bytes: u64,
    /// When it came, by the clock here.
    pub at: Stamp,
}

/// Keeps a refused run; without what it says, when that may be of somebody erased. It leaves when it is taken after all.
///
/// # Errors
/// When the store fails.
pub fn run<S: Sql + ?Sized>(conn: &S, run: &Run, reason: &str, now: Stamp) -> Result<(), ShelfError> {
    let payload = if erase::may_name_the_erased(conn, run)? { Vec::new() } else { run.payload.clone() };
    let kept = Run { payload, ..run.clone() };
    let bytes = postcard::to_stdvec(&kept).map_err(|_| StoreError::Unreadable("a run"))?;
    keep(conn, (&run.origin.to_string(), &run.hash()), &bytes, reason, now)
}

/// Keeps refused bytes; `from` names the sender.
///
/// # Errors
/// When the store fails.
pub fn bytes<S: Sql + ?Sized>(conn: &S, from: &str, bytes: &[u8], reason: &str, now: Stamp) -> Result<(), ShelfError> {
    keep(conn, (from, &sha256(bytes)), bytes, reason, now)
}

/// Notes refused bytes without keeping them: nobody knows of whom they are, and they stand in a run.
///
/// # Errors
/// When the store fails.
pub(super) fn note<S: Sql + ?Sized>(
    conn: &S,
    from: &str,
    bytes: &[u8],
    reason: &str,
    now: Stamp,
) -> Result<(), ShelfError> {
    keep(conn, (from, &sha256(bytes)), &[], reason, now)
}

fn keep<S: Sql + ?Sized>(
    conn: &S,
    (from, hash): (&str, &[u8; 32]),
    bytes: &[u8],
    reason: &str,
    now: Stamp,
) -> Result<(), ShelfError> {
    conn.execute(
        "INSERT INTO replica_quarantine (origin, hash, reason, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (hash) DO NOTHING",
        values![from, hash, reason, bytes, now.0],
    )?;
    conn.execute(
        "DELETE FROM replica_quarantine WHERE place <= (SELECT max(place) FROM replica_quarantine) - ?1",
        values![MOST],
    )?;
    Ok(())
}

/// A run with this hash was taken.
pub(super) fn taken<S: Sql + ?Sized>(conn: &S, hash: &[u8; 32]) -> Result<(), ShelfError> {
    conn.execute("DELETE FROM replica_quarantine WHERE hash = ?1", values![hash])?;
    Ok(())
}

/// How many are kept.
///
/// # Errors
/// When the store cannot be read.
pub fn count<S: Sql + ?Sized>(conn: &S) -> Result<u64, ShelfError> {
    Ok(number(conn.one("SELECT count(*) FROM replica_quarantine", values![])?.int(0)?))
}

/// All that are kept, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn list<S: Sql + ?Sized>(conn: &S) -> Result<Vec<Quarantined>, ShelfError> {
    let rows =
        conn.query("SELECT origin, reason, length(bytes), at FROM replica_quarantine ORDER BY place DESC", values![])?;
    let read = |row: &Row| -> Result<Quarantined, ShelfError> {
        let (origin, reason) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        Ok(Quarantined { origin, reason, bytes: number(row.int(2)?), at: Stamp(row.int(3)?) })
    };
    rows.iter().map(read).collect()
}
