//! Rows as a program makes them of documents and entries; and what must never be made a row again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use preau_shared::{
    documents::{DocId, Fields, Kind},
    journal::{Entry, Pseudonym},
    replica::{Origin, Shelf, Tombstone},
    rig::{
        shelves::{Project, ShelfError},
        sql::{Sql as _, values},
        writer::StoreError,
    },
    time::Stamp,
};

use super::{Plant, disk::Base};

pub(super) const TABLES: &str = "
CREATE TABLE sim_documents (
    shelf TEXT NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL, fields BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (shelf, kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE sim_entries (shelf TEXT NOT NULL, body BLOB NOT NULL, who BLOB NOT NULL, PRIMARY KEY (shelf, body))
    STRICT, WITHOUT ROWID;
";

/// What a program has known since its disk was last what it is.
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    pub(super) voids: BTreeSet<(Shelf, DocId)>,
    pub(super) erased: BTreeMap<(Shelf, DocId), Option<[u8; 16]>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    known: Known,
    /// Learned in the act that runs.
    staged: Known,
    broken: Option<String>,
}

/// Makes the rows. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    state: Arc<Mutex<State>>,
    plant: Option<Plant>,
    /// By the wall clock of the program, as it was last told.
    now: Arc<Mutex<i64>>,
}

impl Rows {
    pub(super) fn new(plant: Option<Plant>) -> Self {
        Self { plant, ..Self::default() }
    }

    fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn tick(&self, now: Stamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now.0;
    }

    /// The act ended; gives what it broke.
    pub(super) fn end(&self, committed: bool) -> Option<String> {
        self.with(|state| {
            let staged = std::mem::take(&mut state.staged);
            if committed {
                state.known.voids.extend(staged.voids);
                state.known.erased.extend(staged.erased);
                state.broken.take()
            } else {
                state.broken = None;
                None
            }
        })
    }

    /// The disk is another: this is what it says.
    pub(super) fn learn(&self, known: Known) {
        self.with(|state| state.known = known);
    }

    pub(super) fn known(&self) -> Known {
        self.with(|state| state.known.clone())
    }

    fn break_(&self, what: String) {
        self.with(|state| state.broken.get_or_insert(what).len());
    }
}

impl Project<Base> for Rows {
    fn document(&self, conn: &Base, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        let key = (shelf.clone(), *doc);
        let (was_void, erased) = self.with(|state| {
            let void = state.known.voids.contains(&key) || state.staged.voids.contains(&key);
            (void, state.known.erased.contains_key(&key) || state.staged.erased.contains_key(&key))
        });
        if erased {
            self.break_(format!("{doc:?} was erased and is written again (invariant 5)"));
        }
        if doc.kind == Kind::Badge {
            if fields.flag("void") {
                self.with(|state| state.staged.voids.insert(key));
            } else if was_void {
                self.break_(format!("{doc:?} was void and is not any more (invariant 4)"));
            }
        }
        let encoded = postcard::to_stdvec(fields).map_err(|_| StoreError::Unreadable("fields"))?;
        let now = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let later = if self.plant == Some(Plant::TrustClock) { "WHERE excluded.at >= sim_documents.at" } else { "" };
        conn.execute(
            &format!(
                "INSERT INTO sim_documents (shelf, kind, id, fields, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (shelf, kind, id) DO UPDATE SET fields = excluded.fields, at = excluded.at {later}"
            ),
            values![shelf.as_key(), doc.kind.code(), &doc.id, &encoded, now],
        )?;
        Ok(())
    }

    fn entry(&self, conn: &Base, shelf: &Shelf, _: &Origin, _: u64, _: Stamp, entry: &Entry) -> Result<(), ShelfError> {
        let named_here = entry.pseudonyms().first().map(|Pseudonym(who)| *who);
        let who = named_here.unwrap_or_default();
        let named = |known: &Known| {
            known.erased.iter().any(|((s, _), named)| s == shelf && named_here.is_some() && *named == named_here)
        };
        if self.with(|state| named(&state.known) || named(&state.staged)) {
            self.break_("an entry names somebody erased (invariant 5)".into());
        }
        conn.execute(
            "INSERT INTO sim_entries (shelf, body, who) VALUES (?1, ?2, ?3) ON CONFLICT (shelf, body) DO NOTHING",
            values![shelf.as_key(), &entry.encode()?, &who],
        )?;
        Ok(())
    }

    fn erased(&self, conn: &Base, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
        let doc = &tombstone.doc;
        conn.execute(
            "DELETE FROM sim_documents WHERE shelf = ?1 AND kind = ?2 AND id = ?3",
            values![shelf.as_key(), doc.kind.code(), &doc.id],
        )?;
        if let Some(who) = &tombstone.pseudonym {
            conn.execute("DELETE FROM sim_entries WHERE shelf = ?1 AND who = ?2", values![shelf.as_key(), who])?;
        }
        self.with(|state| {
            state.staged.erased.insert((shelf.clone(), *doc), tombstone.pseudonym);
        });
        Ok(())
    }
}
