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
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row};

use super::{bytes16, bytes32, optional, uai};

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

fn read(row: &Row<'_>) -> rusqlite::Result<BoxRow> {
    Ok(BoxRow {
        box_id: BoxId::from_bytes(bytes16(row.get_ref(0)?)?),
        uai: uai(row.get_ref(1)?)?,
        signing_key: PublicKey(bytes32(row.get_ref(2)?)?),
        mqtt_ends: Stamp(row.get(3)?),
        admitted_at: Stamp(row.get(4)?),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Stamp),
        last_contact: row.get::<_, Option<i64>>(6)?.map(Stamp),
    })
}

/// Admits a box.
pub(crate) fn admit(connection: &Connection, row: &BoxRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO boxes(box_id, uai, signing_key, mqtt_ends, admitted_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((row.box_id.as_bytes(), row.uai.as_str(), &row.signing_key.0, row.mqtt_ends.0, row.admitted_at.0))?;
    Ok(())
}

/// Every box, revoked ones too, by school.
pub(crate) fn all(connection: &Connection) -> Result<Vec<BoxRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM boxes ORDER BY uai, box_id"))?;
    let rows = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// One box.
pub(crate) fn find(connection: &Connection, box_id: BoxId) -> Result<Option<BoxRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM boxes WHERE box_id = ?1"))?;
    optional(statement.query_row([box_id.as_bytes()], read))
}

/// Marks a box as revoked; a first revocation stands. Whether there is such a box.
pub(crate) fn revoke(connection: &Connection, box_id: BoxId, now: Stamp) -> Result<bool, StoreError> {
    let sql = "UPDATE boxes SET revoked_at = coalesce(revoked_at, ?2) WHERE box_id = ?1";
    Ok(connection.prepare_cached(sql)?.execute((box_id.as_bytes(), now.0))? > 0)
}

/// Notes a contact.
pub(crate) fn contact(connection: &Connection, box_id: BoxId, now: Stamp) -> Result<(), StoreError> {
    let sql = "UPDATE boxes SET last_contact = ?2 WHERE box_id = ?1";
    connection.prepare_cached(sql)?.execute((box_id.as_bytes(), now.0))?;
    Ok(())
}
