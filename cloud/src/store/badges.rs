//! Table `badges` (projected from `Badge` documents): whose badge it is, on which shelf it stands, whether it is void.
//!
//! | column | meaning |
//! |---|---|
//! | `badge_id` | 16 bytes |
//! | `uai` | the shelf |
//! | `person_id` | whose |
//! | `void` | 1 when it opens nothing any more |

use preau_shared::{
    documents::Badge,
    ids::{BadgeId, PersonId, Uai},
    rig::writer::StoreError,
};
use rusqlite::{Connection, Row};

use super::{bytes16, optional, uai};

pub(super) const CREATE: &str = "
CREATE TABLE badges(
  badge_id  BLOB PRIMARY KEY,
  uai       TEXT NOT NULL,
  person_id BLOB NOT NULL,
  void      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX badges_by_person ON badges(person_id);
";

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadgeRow {
    /// Which badge.
    pub(crate) badge_id: BadgeId,
    /// Its shelf.
    pub(crate) uai: Uai,
    /// Whose it is.
    pub(crate) person_id: PersonId,
    /// Opens nothing any more.
    pub(crate) void: bool,
}

fn read(row: &Row<'_>) -> rusqlite::Result<BadgeRow> {
    Ok(BadgeRow {
        badge_id: BadgeId::from_bytes(bytes16(row.get_ref(0)?)?),
        uai: uai(row.get_ref(1)?)?,
        person_id: PersonId::from_bytes(bytes16(row.get_ref(2)?)?),
        void: row.get(3)?,
    })
}

/// Writes what the document says.
pub(crate) fn project(connection: &Connection, uai: &Uai, badge: &Badge) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO badges(badge_id, uai, person_id, void) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(badge_id) DO UPDATE SET uai = excluded.uai, person_id = excluded.person_id, void = excluded.void",
        )?
        .execute((badge.id.as_bytes(), uai.as_str(), badge.person.as_bytes(), badge.void))?;
    Ok(())
}

/// One badge.
pub(crate) fn find(connection: &Connection, badge_id: BadgeId) -> Result<Option<BadgeRow>, StoreError> {
    let sql = "SELECT badge_id, uai, person_id, void FROM badges WHERE badge_id = ?1";
    optional(connection.prepare_cached(sql)?.query_row([badge_id.as_bytes()], read))
}

/// Badges of one person, void ones too.
pub(crate) fn of_person(connection: &Connection, person_id: PersonId) -> Result<Vec<BadgeRow>, StoreError> {
    let sql = "SELECT badge_id, uai, person_id, void FROM badges WHERE person_id = ?1 ORDER BY badge_id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([person_id.as_bytes()], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}
