//! Table `boxes` (native): every box that was ever admitted. Kept for good: revocation must outlive the certificate.
//!
//! | column | meaning |
//! |---|---|
//! | `box_id` | 16 bytes; certificate name, MQTT client id and origin |
//! | `uai` | its school, for life |
//! | `signing_key` | 32 bytes, Ed25519: checks its runs |
//! | `mqtt_ends` | end of its MQTT certificate, ms since 1970 |
//! | `admitted_at` | ms since 1970 |
//! | `revoked_at` | ms since 1970, or null |
//! | `last_contact` | last verified message, ms since 1970, kept coarsely so that a restart knows an age |

use preau_shared::{
    ids::{BoxId, Uai},
    keys::PublicKey,
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
    time::Stamp,
};

use super::{Tx, uai};

pub(super) const CREATE: &str = "
CREATE TABLE boxes(
  box_id       BLOB PRIMARY KEY,
  uai          TEXT NOT NULL,
  signing_key  BLOB NOT NULL,
  mqtt_ends    INTEGER NOT NULL,
  admitted_at  INTEGER NOT NULL,
  revoked_at   INTEGER,
  last_contact INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX boxes_by_school ON boxes(uai);
";

const COLUMNS: &str = "box_id, uai, signing_key, mqtt_ends, admitted_at, revoked_at, last_contact";

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoxRow {
    /// Which box.
    pub(crate) box_id: BoxId,
    /// Its school.
    pub(crate) uai: Uai,
    /// Checks its runs.
    pub(crate) signing_key: PublicKey,
    /// When its MQTT certificate ends.
    pub(crate) mqtt_ends: Stamp,
    /// When it was admitted.
    pub(crate) admitted_at: Stamp,
    /// When it was revoked.
    pub(crate) revoked_at: Option<Stamp>,
    /// Its last verified message, to the minute.
    pub(crate) last_contact: Option<Stamp>,
}

fn read(row: &Row) -> Result<BoxRow, StoreError> {
    Ok(BoxRow {
        box_id: BoxId::from_bytes(row.array(0)?),
        uai: uai(row, 1)?,
        signing_key: PublicKey(row.array(2)?),
        mqtt_ends: Stamp(row.int(3)?),
        admitted_at: Stamp(row.int(4)?),
        revoked_at: row.opt_int(5)?.map(Stamp),
        last_contact: row.opt_int(6)?.map(Stamp),
    })
}

/// Admits a box.
pub(crate) fn admit(conn: &Tx, row: &BoxRow) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO boxes(box_id, uai, signing_key, mqtt_ends, admitted_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        values![row.box_id.as_bytes(), row.uai.as_str(), &row.signing_key.0, row.mqtt_ends.0, row.admitted_at.0],
    )?;
    Ok(())
}

/// Every box, revoked ones too, by school.
pub(crate) fn all(conn: &Tx) -> Result<Vec<BoxRow>, StoreError> {
    conn.query(&format!("SELECT {COLUMNS} FROM boxes ORDER BY uai, box_id"), values![])?.iter().map(read).collect()
}

/// Every revoked box, with its school.
pub(crate) fn revoked(conn: &Tx) -> Result<Vec<(BoxId, Uai)>, StoreError> {
    let sql = "SELECT box_id, uai FROM boxes WHERE revoked_at IS NOT NULL ORDER BY uai, box_id";
    conn.query(sql, values![])?.iter().map(|row| Ok((BoxId::from_bytes(row.array(0)?), uai(row, 1)?))).collect()
}

/// What tells whether boxes were admitted or revoked: how many, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Newest {
    count: i64,
    admitted_at: i64,
    revoked: i64,
}

/// Where the list of boxes stands now.
pub(crate) fn newest(conn: &Tx) -> Result<Newest, StoreError> {
    let row = conn.one("SELECT count(*), coalesce(max(admitted_at), 0), count(revoked_at) FROM boxes", values![])?;
    Ok(Newest { count: row.int(0)?, admitted_at: row.int(1)?, revoked: row.int(2)? })
}

/// One box.
pub(crate) fn find(conn: &Tx, box_id: BoxId) -> Result<Option<BoxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM boxes WHERE box_id = ?1");
    conn.first(&sql, values![box_id.as_bytes()])?.as_ref().map(read).transpose()
}

/// Marks a box as revoked; a first revocation stands. Whether there is such a box.
pub(crate) fn revoke(conn: &Tx, box_id: BoxId, now: Stamp) -> Result<bool, StoreError> {
    let sql = "UPDATE boxes SET revoked_at = coalesce(revoked_at, ?2) WHERE box_id = ?1";
    Ok(conn.execute(sql, values![box_id.as_bytes(), now.0])? > 0)
}

/// Notes a contact.
pub(crate) fn contact(conn: &Tx, box_id: BoxId, now: Stamp) -> Result<(), StoreError> {
    conn.execute("UPDATE boxes SET last_contact = ?2 WHERE box_id = ?1", values![box_id.as_bytes(), now.0])?;
    Ok(())
}
