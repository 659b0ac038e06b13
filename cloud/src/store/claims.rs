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
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
    time::Stamp,
};

use super::{Tx, uai};

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

fn read(row: &Row) -> Result<ClaimRow, StoreError> {
    let granted = match (row.opt_array(8)?, row.opt_text(9)?, row.opt_text(10)?) {
        (Some(box_id), Some(mqtt_chain), Some(lan_chain)) => Some(Granted {
            box_id: BoxId::from_bytes(box_id),
            mqtt_chain: mqtt_chain.to_owned(),
            lan_chain: lan_chain.to_owned(),
        }),
        (_, _, _) => None,
    };
    Ok(ClaimRow {
        claim_id: ClaimId::from_bytes(row.array(0)?),
        uai: uai(row, 1)?,
        automatic: row.truth(2)?,
        issued_at: Stamp(row.int(3)?),
        ends_at: Stamp(row.int(4)?),
        keys_hash: row.opt_array(5)?,
        request: row.opt_text(6)?.map(str::to_owned),
        confirmed_at: row.opt_int(7)?.map(Stamp),
        granted,
    })
}

/// A new code.
pub(crate) fn issue(conn: &Tx, code_hash: &[u8; 32], row: &ClaimRow) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO claims(code_hash, claim_id, uai, automatic, issued_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        values![code_hash, row.claim_id.as_bytes(), row.uai.as_str(), row.automatic, row.issued_at.0, row.ends_at.0],
    )?;
    Ok(())
}

/// The claim of a code.
pub(crate) fn by_code(conn: &Tx, code_hash: &[u8; 32]) -> Result<Option<ClaimRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM claims WHERE code_hash = ?1");
    conn.first(&sql, values![code_hash])?.as_ref().map(read).transpose()
}

/// One claim.
pub(crate) fn find(conn: &Tx, claim_id: ClaimId) -> Result<Option<ClaimRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM claims WHERE claim_id = ?1");
    conn.first(&sql, values![claim_id.as_bytes()])?.as_ref().map(read).transpose()
}

/// Claims that wait for a person, oldest first.
pub(crate) fn waiting(conn: &Tx, now: Stamp) -> Result<Vec<ClaimRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM claims WHERE keys_hash IS NOT NULL AND confirmed_at IS NULL AND box_id IS NULL
         AND ends_at > ?1 ORDER BY issued_at"
    );
    conn.query(&sql, values![now.0])?.iter().map(read).collect()
}

/// Binds a code to the box that spoke first.
pub(crate) fn bind(conn: &Tx, claim_id: ClaimId, keys_hash: &[u8; 32], request: &str) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET keys_hash = ?2, request = ?3 WHERE claim_id = ?1 AND keys_hash IS NULL";
    conn.execute(sql, values![claim_id.as_bytes(), keys_hash, request])?;
    Ok(())
}

/// Notes that a person confirmed the words.
pub(crate) fn confirm(conn: &Tx, claim_id: ClaimId, now: Stamp) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET confirmed_at = coalesce(confirmed_at, ?2) WHERE claim_id = ?1";
    conn.execute(sql, values![claim_id.as_bytes(), now.0])?;
    Ok(())
}

/// Notes what was granted.
pub(crate) fn grant(conn: &Tx, claim_id: ClaimId, granted: &Granted) -> Result<(), StoreError> {
    let sql = "UPDATE claims SET box_id = ?2, mqtt_chain = ?3, lan_chain = ?4 WHERE claim_id = ?1 AND box_id IS NULL";
    let values = values![claim_id.as_bytes(), granted.box_id.as_bytes(), &granted.mqtt_chain, &granted.lan_chain];
    conn.execute(sql, values)?;
    Ok(())
}

/// Drops what ended before `before`.
pub(crate) fn purge(conn: &Tx, before: Stamp) -> Result<(), StoreError> {
    conn.execute("DELETE FROM claims WHERE ends_at < ?1", values![before.0])?;
    Ok(())
}
