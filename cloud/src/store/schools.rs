//! Table `schools` (projected from `School` documents).
//!
//! | column | meaning |
//! |---|---|
//! | `uai` | national number |
//! | `name`, `slug` | as shown; as in host names |
//! | `latitude`, `longitude` | degrees, or null |
//! | `deleted` | 1 when closed |

use preau_shared::{
    documents::School,
    ids::Uai,
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
};

use super::{Tx, uai};

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

fn read(row: &Row) -> Result<SchoolRow, StoreError> {
    Ok(SchoolRow {
        uai: uai(row, 0)?,
        name: row.text(1)?.to_owned(),
        slug: row.text(2)?.to_owned(),
        latitude: row.opt_real(3)?,
        longitude: row.opt_real(4)?,
        deleted: row.truth(5)?,
    })
}

/// Writes what the document says.
pub(crate) fn project(conn: &Tx, school: &School) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO schools(uai, name, slug, latitude, longitude, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(uai) DO UPDATE SET name = excluded.name, slug = excluded.slug, latitude = excluded.latitude,
         longitude = excluded.longitude, deleted = excluded.deleted",
        values![school.uai.as_str(), &school.name, &school.slug, school.latitude, school.longitude, school.deleted],
    )?;
    Ok(())
}

/// Every open school, by UAI.
pub(crate) fn open(conn: &Tx) -> Result<Vec<SchoolRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM schools WHERE deleted = 0 ORDER BY uai");
    conn.query(&sql, values![])?.iter().map(read).collect()
}

/// One school, open or closed.
pub(crate) fn find(conn: &Tx, uai: &Uai) -> Result<Option<SchoolRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM schools WHERE uai = ?1");
    conn.first(&sql, values![uai.as_str()])?.as_ref().map(read).transpose()
}

/// Every school, open or closed, by UAI.
pub(crate) fn all(conn: &Tx) -> Result<Vec<SchoolRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM schools ORDER BY uai");
    conn.query(&sql, values![])?.iter().map(read).collect()
}
