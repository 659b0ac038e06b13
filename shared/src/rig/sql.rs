//! The seam between what we remember and the database that holds it: a few statements, values and rows.
//!
//! A box keeps SQLite; the coordinator keeps SQLite or PostgreSQL. What both programs share, and all that the coordinator
//! keeps, is written once, in SQL that both understand:
//!
//! | instead of | we write |
//! |---|---|
//! | `INSERT OR REPLACE`, `OR IGNORE` | `ON CONFLICT (…) DO UPDATE SET … = excluded.…`, `DO NOTHING` |
//! | the last row's number | `RETURNING` |
//! | `max(a, b)` | `CASE WHEN a > b THEN a ELSE b END` |
//! | a sum as it comes | `CAST(sum(…) AS BIGINT)` (PostgreSQL widens it) |
//! | `x''`, `zeroblob(n)` in a statement | a value |
//! | `LIMIT -1` | no limit |
//! | a bare column in `DO UPDATE` | the column with its table's name |
//!
//! Parameters are `?1`, `?2`, …. A statement that fails inside an act ends the act: nothing is caught and gone on from
//! without a savepoint (PostgreSQL would refuse whatever follows).

use rusqlite::{
    Connection, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::writer::StoreError;

/// A database in the middle of an act or of a reading.
pub trait Sql {
    /// Runs a statement that gives no rows; gives how many rows it touched.
    ///
    /// # Errors
    /// What the database says.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError>;

    /// Runs a statement that gives rows, and takes them all: bound them with `LIMIT`.
    ///
    /// # Errors
    /// What the database says.
    fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError>;

    /// Runs statements one after another: savepoints, tables.
    ///
    /// # Errors
    /// What the database says; what went before stays done until the act is rolled back.
    fn batch(&self, sql: &str) -> Result<(), StoreError>;

    /// Whether this program may write a shelf, by its key. It always may where it has the database to itself; where
    /// several coordinators share one, it may while it holds the shelf's lease, and the answer stands until the act ends.
    ///
    /// # Errors
    /// What the database says.
    fn may_write(&self, _shelf: &str) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Asks [`Self::may_write`]; whatever writes to a shelf calls this in the same act.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`] when another coordinator holds the shelf.
    fn guard(&self, shelf: &str) -> Result<(), StoreError> {
        if self.may_write(shelf)? { Ok(()) } else { Err(StoreError::Elsewhere(shelf.to_owned())) }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// What the database says.
    fn first(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// The one row of a statement that always gives one, such as a count.
    ///
    /// # Errors
    /// What the database says, or [`StoreError::Unreadable`] when there is none.
    fn one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row, StoreError> {
        self.first(sql, values)?.ok_or(StoreError::Unreadable("a row that is always there"))
    }
}

/// A value that goes into a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A whole number; truth is 0 or 1.
    Int(i64),
    /// A measure.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The values of a statement, in the order of its parameters: `values![name, number, &bytes]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::rig::sql::Value::from($value)),*] };
}
pub use values;

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}
impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What stood in one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A measure.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row, taken out of the database. Columns count from 0.
///
/// Every reader errs with [`StoreError::Column`] when the column is not there or holds something else.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Cell>);

impl Row {
    /// A row of these columns; for whoever implements [`Sql`].
    #[must_use]
    pub const fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// Whether the column holds nothing.
    #[must_use]
    pub fn is_null(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Cell::Null))
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is none.
    pub fn int(&self, at: usize) -> Result<i64, StoreError> {
        self.opt_int(at)?.ok_or(StoreError::Column { at, wanted: "a whole number" })
    }

    /// A whole number, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn opt_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(at) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(value)) => Ok(Some(*value)),
            Some(Cell::Real(_) | Cell::Text(_) | Cell::Bytes(_)) | None => {
                Err(StoreError::Column { at, wanted: "a whole number" })
            }
        }
    }

    /// Whether a number is not 0.
    ///
    /// # Errors
    /// When it is no number.
    pub fn truth(&self, at: usize) -> Result<bool, StoreError> {
        Ok(self.int(at)? != 0)
    }

    /// A measure, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn opt_real(&self, at: usize) -> Result<Option<f64>, StoreError> {
        match self.0.get(at) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Real(value)) => Ok(Some(*value)),
            Some(Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_)) | None => {
                Err(StoreError::Column { at, wanted: "a measure" })
            }
        }
    }

    /// Text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self, at: usize) -> Result<&str, StoreError> {
        self.opt_text(at)?.ok_or(StoreError::Column { at, wanted: "text" })
    }

    /// Text, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn opt_text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(at) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(value)) => Ok(Some(value)),
            Some(Cell::Int(_) | Cell::Real(_) | Cell::Bytes(_)) | None => {
                Err(StoreError::Column { at, wanted: "text" })
            }
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        self.opt_bytes(at)?.ok_or(StoreError::Column { at, wanted: "bytes" })
    }

    /// Bytes, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn opt_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.0.get(at) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Bytes(value)) => Ok(Some(value)),
            Some(Cell::Int(_) | Cell::Real(_) | Cell::Text(_)) | None => {
                Err(StoreError::Column { at, wanted: "bytes" })
            }
        }
    }

    /// Exactly `N` bytes: an identifier, a hash, a key.
    ///
    /// # Errors
    /// When they are of another length.
    pub fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], StoreError> {
        self.bytes(at)?.try_into().map_err(|_| StoreError::Column { at, wanted: "bytes of a fixed length" })
    }

    /// Exactly `N` bytes, or nothing.
    ///
    /// # Errors
    /// When they are of another length.
    pub fn opt_array<const N: usize>(&self, at: usize) -> Result<Option<[u8; N]>, StoreError> {
        if self.is_null(at) { Ok(None) } else { self.array(at).map(Some) }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(value),
            Self::Real(value) => ValueRef::Real(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl Sql for Connection {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        Ok(self.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let width = statement.column_count();
        let mut found = statement.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cells: Result<Vec<Cell>, StoreError> = (0..width).map(|at| cell(row.get_ref(at)?)).collect();
            rows.push(Row::new(cells?));
        }
        Ok(rows)
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.execute_batch(sql)?)
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell, StoreError> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(value) => {
            Cell::Text(std::str::from_utf8(value).map_err(|_| StoreError::Unreadable("text"))?.to_owned())
        }
        ValueRef::Blob(value) => Cell::Bytes(value.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out_and_nothing_else() {
        let conn: &dyn Sql = &Connection::open_in_memory().expect("memory");
        conn.batch("CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n TEXT) STRICT").expect("table");
        let given = values![7_i64, 0.5, "é", &[1_u8, 2, 3], None::<&str>];
        assert_eq!(conn.execute("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)", given).expect("insert"), 1);
        let row = conn.one("SELECT i, r, s, b, n FROM t WHERE i = ?1", values![7_u8]).expect("row");
        assert_eq!((row.int(0).expect("i"), row.opt_real(1).expect("r")), (7, Some(0.5)));
        assert_eq!((row.text(2).expect("s"), row.bytes(3).expect("b")), ("é", &[1_u8, 2, 3][..]));
        assert_eq!((row.array::<3>(3).expect("b"), row.opt_array::<3>(4).expect("n")), ([1, 2, 3], None));
        assert!(row.truth(0).expect("i") && row.is_null(4));
        assert!(matches!(row.array::<4>(3), Err(StoreError::Column { at: 3, .. })));
        assert!(matches!(row.text(4), Err(StoreError::Column { at: 4, .. })));
        assert!(matches!(row.int(9), Err(StoreError::Column { at: 9, .. })));
        assert_eq!(conn.first("SELECT i FROM t WHERE i = ?1", values![8_i64]).expect("none"), None);
        assert!(conn.query("SELECT nothing", values![]).is_err(), "no such column");
    }
}
