//! Table `admin_sessions` (native): browsers signed in at the DSI's page. Retention: until its end, 12 hours at most.
//!
//! | column | meaning |
//! |---|---|
//! | `token_hash` | SHA-256 of the cookie's token: the token itself is kept nowhere |
//! | `ends_at` | ms since 1970, by the coordinator's clock |

use preau_shared::{
    rig::{sql::values, writer::StoreError},
    time::Stamp,
};

use super::Tx;

pub(super) const CREATE: &str = "
CREATE TABLE admin_sessions(
  token_hash BLOB PRIMARY KEY,
  ends_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Sessions at once; the one that ends first makes room.
pub(crate) const MAX_SESSIONS: u32 = 200;

/// Opens a session, and drops those that have ended or are too many.
pub(crate) fn open(conn: &Tx, hash: &[u8; 32], ends: Stamp, now: Stamp) -> Result<(), StoreError> {
    conn.execute("DELETE FROM admin_sessions WHERE ends_at <= ?1", values![now.0])?;
    conn.execute(
        "DELETE FROM admin_sessions WHERE token_hash NOT IN
         (SELECT token_hash FROM admin_sessions ORDER BY ends_at DESC, token_hash LIMIT ?1)",
        values![MAX_SESSIONS.saturating_sub(1)],
    )?;
    conn.execute("INSERT INTO admin_sessions(token_hash, ends_at) VALUES (?1, ?2)", values![hash, ends.0])?;
    Ok(())
}

/// Whether a session is open.
pub(crate) fn is_open(conn: &Tx, hash: &[u8; 32], now: Stamp) -> Result<bool, StoreError> {
    let sql = "SELECT ends_at FROM admin_sessions WHERE token_hash = ?1 AND ends_at > ?2";
    Ok(conn.first(sql, values![hash, now.0])?.is_some())
}

/// Ends a session.
pub(crate) fn close(conn: &Tx, hash: &[u8; 32]) -> Result<(), StoreError> {
    conn.execute("DELETE FROM admin_sessions WHERE token_hash = ?1", values![hash])?;
    Ok(())
}
