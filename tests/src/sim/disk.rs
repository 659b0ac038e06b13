//! Disks: SQLite in memory, used again and again, that fill up, break in the middle of an act, and are copied.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use preau_shared::{
    replica::{Mark, Shelf},
    rig::{
        shelves::{self, ShelfError},
        sql::{Row, Sql, Value},
        writer::StoreError,
    },
};
use rusqlite::{Connection, backup::Backup, config::DbConfig};

use super::rows;

/// Prepared statements that a disk keeps.
const STATEMENTS: usize = 256;

thread_local! {
    static POOL: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

/// A database that can be made to fail.
#[derive(Debug)]
pub(super) struct Base {
    conn: Option<Connection>,
    /// So many more statements succeed.
    left: Cell<Option<u32>>,
}

impl Base {
    fn conn(&self) -> Result<&Connection, StoreError> {
        self.conn.as_ref().ok_or(StoreError::Closed)
    }
    fn spend(&self) -> Result<(), StoreError> {
        match self.left.get() {
            None => Ok(()),
            Some(0) => Err(StoreError::Commit("the disk is full".into())),
            Some(left) => {
                self.left.set(Some(left.saturating_sub(1)));
                Ok(())
            }
        }
    }
}

impl Sql for Base {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        self.spend()?;
        Sql::execute(self.conn()?, sql, values)
    }
    fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        Sql::query(self.conn()?, sql, values)
    }
    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        // The words of a transaction, mostly: kept prepared.
        for word in sql.split(';').map(str::trim).filter(|word| !word.is_empty()) {
            Sql::execute(self.conn()?, word, &[])?;
        }
        Ok(())
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take()
            && wipe(&conn).is_ok()
        {
            POOL.with_borrow_mut(|pool| pool.push(conn));
        }
    }
}

fn wipe(conn: &Connection) -> rusqlite::Result<()> {
    if !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    let mut tables = conn.prepare_cached("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    conn.prepare_cached("BEGIN")?.execute([])?;
    for name in names {
        conn.prepare_cached(&format!("DELETE FROM {name}"))?.execute([])?;
    }
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

fn fresh() -> Result<Connection> {
    if let Some(conn) = POOL.with_borrow_mut(Vec::pop) {
        return Ok(conn);
    }
    let conn = Connection::open_in_memory()?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch("PRAGMA journal_mode=MEMORY; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;")?;
    conn.execute_batch(shelves::MIGRATION)?;
    conn.execute_batch(rows::TABLES)?;
    Ok(conn)
}

/// A disk; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    base: Arc<Mutex<Base>>,
    /// What is held, read once after each act that changed something.
    marks: Arc<Mutex<Option<Arc<[Mark]>>>>,
}

/// A disk as it was once.
#[derive(Debug)]
pub(super) struct Image(Base);

/// How an act ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    /// Nothing of it is left.
    RollBack,
    /// It fails after so many statements.
    Fail(u32),
}

impl Disk {
    pub(super) fn new() -> Result<Self> {
        let base = Base { conn: Some(fresh()?), left: Cell::new(None) };
        Ok(Self { base: Arc::new(Mutex::new(base)), marks: Arc::default() })
    }

    /// What is held durably.
    pub(super) fn marks(&self) -> Result<Arc<[Mark]>> {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(marks) = &*known {
            return Ok(Arc::clone(marks));
        }
        let marks: Arc<[Mark]> = shelves::marks(&*self.base())?.into();
        Ok(Arc::clone(known.insert(marks)))
    }

    fn forget_marks(&self) {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn base(&self) -> MutexGuard<'_, Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One act: all of it is done, or nothing.
    pub(super) fn act<T>(
        &self,
        end: End,
        act: impl FnOnce(&Base) -> Result<T, ShelfError>,
    ) -> Result<Result<T, ShelfError>> {
        let base = self.base();
        let before = base.conn()?.total_changes();
        base.batch("BEGIN")?;
        if let End::Fail(after) = end {
            base.left.set(Some(after));
        }
        let done = act(&base);
        base.left.set(None);
        let done = match (done, end) {
            (Ok(_), End::Fail(_)) => Err(StoreError::Commit("the disk is full".into()).into()),
            (done, _) => done,
        };
        let commits = done.is_ok() && end == End::Commit;
        base.batch(if commits { "COMMIT" } else { "ROLLBACK" })?;
        if commits && base.conn()?.total_changes() != before {
            self.forget_marks();
        }
        Ok(done)
    }

    pub(super) fn image(&self) -> Result<Image> {
        let mut copy = fresh()?;
        Backup::new(self.base().conn()?, &mut copy)?.step(-1)?;
        Ok(Image(Base { conn: Some(copy), left: Cell::new(None) }))
    }

    /// The disk is as it was.
    pub(super) fn rewind(&self, image: &Image) -> Result<()> {
        let mut base = self.base();
        self.forget_marks();
        let Some(conn) = base.conn.as_mut() else { return Ok(()) };
        Backup::new(image.0.conn()?, conn)?.step(-1)?;
        Ok(())
    }

    /// The bodies of entries that stand here.
    pub(super) fn bodies(&self, shelf: &Shelf) -> Result<BTreeSet<Vec<u8>>> {
        let rows = self.base().query(
            "SELECT i.body FROM replica_items i JOIN replica_lines l ON l.line = i.line
             WHERE l.shelf = ?1 AND i.kind = 1 AND i.gone IS NULL",
            &[Value::from(shelf.as_key())],
        )?;
        Ok(rows.iter().map(|row| row.bytes(0).map(<[u8]>::to_vec)).collect::<Result<_, _>>()?)
    }
}
