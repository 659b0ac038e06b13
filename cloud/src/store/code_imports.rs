//! Table `code_imports` (native): which codes of another system an import gave, so that it can be taken back. Retention: with
//! the school; the badges that it names hold nobody's name.
//!
//! | column | meaning |
//! |---|---|
//! | `import` | 16 bytes |
//! | `uai` | the school |
//! | `badges` | the badges that stand for the codes: 16 bytes each, one after the other |
//! | `at` | when, ms since 1970 |

use preau_shared::{
    ids::{BadgeId, ImportId, Uai},
    rig::{sql::values, writer::StoreError},
    time::Stamp,
};

use super::Tx;

pub(super) const CREATE: &str = "
CREATE TABLE code_imports(
  import BLOB PRIMARY KEY,
  uai    TEXT NOT NULL,
  badges BLOB NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Keeps what an import gave.
pub(crate) fn keep(conn: &Tx, id: ImportId, uai: &Uai, badges: &[BadgeId], at: Stamp) -> Result<(), StoreError> {
    let bytes: Vec<u8> = badges.iter().flat_map(|badge| *badge.as_bytes()).collect();
    conn.execute(
        "INSERT INTO code_imports(import, uai, badges, at) VALUES (?1, ?2, ?3, ?4)",
        values![id.as_bytes(), uai.as_str(), &bytes, at.0],
    )?;
    Ok(())
}

/// The badges that an import of this school gave.
pub(crate) fn badges(conn: &Tx, id: ImportId, uai: &Uai) -> Result<Option<Vec<BadgeId>>, StoreError> {
    let sql = "SELECT badges FROM code_imports WHERE import = ?1 AND uai = ?2";
    let Some(row) = conn.first(sql, values![id.as_bytes(), uai.as_str()])? else { return Ok(None) };
    let chunks = row.bytes(0)?.as_chunks().0;
    Ok(Some(chunks.iter().map(|id| BadgeId::from_bytes(*id)).collect()))
}
