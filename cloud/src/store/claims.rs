//! Table `claims` (native): one row per claim code. Retention: 30 days after the code's end.
//!
//! | column | meaning |
//! |---|---|
//! | `code_hash` | SHA-256 of the code: the code itself is written down nowhere |
//! | `claim_id` | 16 bytes |
//! | `uai` | the school it admits a box to |
//! | `automatic` | 1 when nobody needs to confirm the words (the pilot) |
//! | `issued_at`, `ends_at` | ms since 1970 |
//! | `keys_hash` | SHA-256 of the claiming box's three keys, once it spoke: the code is theirs from then on |
//! | `request` | the claim itself (public keys only), JSON of the wire, without the code |
//! | `confirmed_at` | ms since 1970, once a person confirmed the words |
//! | `box_id`, `mqtt_chain`, `lan_chain` | what was granted (certificates are public) |

use preau_shared::{
    ids::{BoxId, ClaimId, Uai},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row};

use super::{bytes16, bytes32, optional, uai};

pub(super) const CREATE: &str = "
CREATE TABLE claims(
  code_hash    BLOB PRIMARY KEY,
  claim_id     BLOB NOT NULL UNIQUE,
  uai          TEXT NOT NULL,
  automatic    INTEGER NOT NULL,
  issued_at    INTEGER NOT NULL,
  ends_at      INTEGER NOT NULL,
  keys_hash    BLOB,
  request      TEXT,
  confirmed_at INTEGER,
  box_id       BLOB,
  mqtt_chain   TEXT,
  lan_chain    TEXT
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str =
    "claim_id, uai, automatic, issued_at, ends_at, keys_hash, request, confirmed_at, box_id, mqtt_chain, lan_chain";

/// What a claim was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The new box.
    pub(crate) box_id: BoxId,
    /// Its MQTT certificate, PEM chain.
    pub(crate) mqtt_chain: String,
    /// Its local network's certificate, PEM chain.
    pub(crate) lan_chain: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimRow {
    /// Which claim.
    pub(crate) claim_id: ClaimId,
    /// The school.
    pub(crate) uai: Uai,
    /// Whether nobody needs to confirm.
    pub(crate) automatic: bool,
    /// When the code was made.
    pub(crate) issued_at: Stamp,
    /// When the code ends.
    pub(crate) ends_at: Stamp,
    /// Whose it is.
    pub(crate) keys_hash: Option<[u8; 32]>,
    /// The claim, JSON.
    pub(crate) request: Option<String>,
    /// When the words were confirmed.
    pub(crate) confirmed_at: Option<Stamp>,
    /// What was granted.
    pub(crate) granted: Option<Granted>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<ClaimRow> {
    let box_id = row.get_ref(8)?;
    let granted = match (box_id.as_blob_or_null()?, row.get(9)?, row.get(10)?) {
        (Some(_), Some(mqtt_chain), Some(lan_chain)) => {
            Some(Granted { box_id: BoxId::from_bytes(bytes16(box_id)?), mqtt_chain, lan_chain })
        }
        _ => None,
    };
    let keys = row.get_ref(5)?;
    Ok(ClaimRow {
        claim_id: ClaimId::from_bytes(bytes16(row.get_ref(0)?)?),
        uai: uai(row.get_ref(1)?)?,
        automatic: row.get(2)?,
        issued_at: Stamp(row.get(3)?),
        ends_at: Stamp(row.get(4)?),
        keys_hash: keys.as_blob_or_null()?.map(|_| bytes32(keys)).transpose()?,
        request: row.get(6)?,
        confirmed_at: row.get::<_, Option<i64>>(7)?.map(Stamp),
        granted,
    })
}

/// A new code.
pub(crate) fn issue(connection: &Connection, code_hash: &[u8; 32], row: &ClaimRow) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO claims(code_hash, claim_id, uai, automatic, issued_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute((
        code_hash,
        row.claim_id.as_bytes(),
        row.uai.as_str(),
        row.automatic,
        row.issued_at.0,
        row.ends_at.0,
    ))?;
    Ok(())
}

/// The claim of a code.
pub(crate) fn by_code(connection: &Connection, code_hash: &[u8; 32]) -> Result<Option<ClaimRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM claims WHERE code_hash = ?1"))?;
    optional(statement.query_row([code_hash], read))
}

/// One claim.
pub(crate) fn find(connection: &Connection, claim_id: ClaimId) -> Result<Option<ClaimRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM claims WHERE claim_id = ?1"))?;
    optional(statement.query_row([claim_id.as_bytes()], read))
}

/// Claims that wait for a person, oldest first.
pub(crate) fn waiting(connection: &Connection, now: Stamp) -> Result<Vec<ClaimRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM claims WHERE keys_hash IS NOT NULL AND confirmed_at IS NULL AND box_id IS NULL
         AND ends_at > ?1 ORDER BY issued_at"
    ))?;
    let rows = statement.query_map([now.0], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Binds a code to the box that spoke first.
pub(crate) fn bind(
    connection: &Connection,
    claim_id: ClaimId,
    keys_hash: &[u8; 32],
    request: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET keys_hash = ?2, request = ?3 WHERE claim_id = ?1 AND keys_hash IS NULL";
    connection.prepare_cached(sql)?.execute((claim_id.as_bytes(), keys_hash, request))?;
    Ok(())
}

/// Notes that a person confirmed the words.
pub(crate) fn confirm(connection: &Connection, claim_id: ClaimId, now: Stamp) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET confirmed_at = coalesce(confirmed_at, ?2) WHERE claim_id = ?1";
    connection.prepare_cached(sql)?.execute((claim_id.as_bytes(), now.0))?;
    Ok(())
}

/// Notes what was granted.
pub(crate) fn grant(connection: &Connection, claim_id: ClaimId, granted: &Granted) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET box_id = ?2, mqtt_chain = ?3, lan_chain = ?4 WHERE claim_id = ?1 AND box_id IS NULL";
    connection.prepare_cached(sql)?.execute((
        claim_id.as_bytes(),
        granted.box_id.as_bytes(),
        &granted.mqtt_chain,
        &granted.lan_chain,
    ))?;
    Ok(())
}

/// Drops what ended before `before`.
pub(crate) fn purge(connection: &Connection, before: Stamp) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM claims WHERE ends_at < ?1")?.execute([before.0])?;
    Ok(())
}
