//! Table `certificates` (native): every MQTT certificate that was issued to a box, until it ends. Made for the
//! revocation list of an outside broker: a box that renewed has several.
//!
//! | column | meaning |
//! |---|---|
//! | `serial` | serial number, as in the certificate |
//! | `box_id` | 16 bytes: whose |
//! | `ends` | end of the certificate, ms since 1970; the row goes then |

use preau_shared::{
    ids::BoxId,
    rig::{
        sql::{Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

pub(super) const CREATE: &str = "
CREATE TABLE certificates(
  serial BLOB PRIMARY KEY,
  box_id BLOB NOT NULL,
  ends   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// A certificate that must not be accepted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revoked {
    /// Serial number.
    pub(crate) serial: Vec<u8>,
    /// Whose.
    pub(crate) box_id: BoxId,
    /// Since when.
    pub(crate) since: Stamp,
}

/// Notes an issued certificate, and forgets those that ended before `now`.
pub(crate) fn issued<S: Sql + ?Sized>(
    conn: &S,
    serial: &[u8],
    box_id: BoxId,
    (ends, now): (Stamp, Stamp),
) -> Result<(), StoreError> {
    conn.execute("DELETE FROM certificates WHERE ends < ?1", values![now.0])?;
    let sql = "INSERT INTO certificates(serial, box_id, ends) VALUES (?1, ?2, ?3)";
    conn.execute(sql, values![serial, box_id.as_bytes(), ends.0])?;
    Ok(())
}

/// Certificates of revoked boxes that have not ended.
pub(crate) fn revoked<S: Sql + ?Sized>(conn: &S, now: Stamp) -> Result<Vec<Revoked>, StoreError> {
    let sql = "SELECT c.serial, c.box_id, b.revoked_at FROM certificates c JOIN boxes b ON b.box_id = c.box_id
               WHERE b.revoked_at IS NOT NULL AND c.ends >= ?1 ORDER BY c.serial";
    let rows = conn.query(sql, values![now.0])?;
    rows.iter()
        .map(|row| {
            Ok(Revoked {
                serial: row.bytes(0)?.to_vec(),
                box_id: BoxId::from_bytes(row.array(1)?),
                since: Stamp(row.int(2)?),
            })
        })
        .collect()
}
