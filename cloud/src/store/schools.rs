//! Table `schools` (projected from `School` documents).
//!
//! | column | meaning |
//! |---|---|
//! | `uai` | national number |
//! | `name`, `slug` | as shown; as in host names |
//! | `latitude`, `longitude` | degrees, or null |
//! | `deleted` | 1 when closed |

use preau_shared::{documents::School, ids::Uai, rig::writer::StoreError};
use rusqlite::{Connection, Row};

use super::{optional, uai};

pub(super) const CREATE: &str = "
CREATE TABLE schools(
  uai       TEXT PRIMARY KEY,
  name      TEXT NOT NULL DEFAULT '',
  slug      TEXT NOT NULL DEFAULT '',
  latitude  REAL,
  longitude REAL,
  deleted   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "uai, name, slug, latitude, longitude, deleted";

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SchoolRow {
    /// National number.
    pub(crate) uai: Uai,
    /// Name.
    pub(crate) name: String,
    /// Name in host names.
    pub(crate) slug: String,
    /// Degrees north.
    pub(crate) latitude: Option<f64>,
    /// Degrees east.
    pub(crate) longitude: Option<f64>,
    /// Closed.
    pub(crate) deleted: bool,
}

fn read(row: &Row<'_>) -> rusqlite::Result<SchoolRow> {
    Ok(SchoolRow {
        uai: uai(row.get_ref(0)?)?,
        name: row.get(1)?,
        slug: row.get(2)?,
        latitude: row.get(3)?,
        longitude: row.get(4)?,
        deleted: row.get(5)?,
    })
}

/// Writes what the document says.
pub(crate) fn project(connection: &Connection, school: &School) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO schools(uai, name, slug, latitude, longitude, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT(uai) DO UPDATE SET name = excluded.name, slug = excluded.slug, latitude = excluded.latitude,
             longitude = excluded.longitude, deleted = excluded.deleted",
        )?
        .execute((
            school.uai.as_str(),
            &school.name,
            &school.slug,
            school.latitude,
            school.longitude,
            school.deleted,
        ))?;
    Ok(())
}

/// Every open school, by UAI.
pub(crate) fn open(connection: &Connection) -> Result<Vec<SchoolRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM schools WHERE deleted = 0 ORDER BY uai");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// One school, open or closed.
pub(crate) fn find(connection: &Connection, uai: &Uai) -> Result<Option<SchoolRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM schools WHERE uai = ?1"))?;
    optional(statement.query_row([uai.as_str()], read))
}
