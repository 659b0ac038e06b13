//! Documents on disk. Tables `replica_documents`, `replica_changes`, `replica_digests`, `replica_waiting`.
//!
//! A document is its saved state and the changes since. Its settled fields are kept beside, so that reading one needs no
//! Automerge; they are made anew from the document when the rules that settle them have changed.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Author, ShelfError};
use crate::{
    documents::{DocId, Document, DocumentError, Edit, Fields, Kind, MAX_DOCUMENT_BYTES, Writer, chunk::Chunk, needed},
    keys::sha256,
    replica::Shelf,
    rig::writer::StoreError,
};

/// Changes since the saved state before a new one is saved.
const FOLD_AT_CHANGES: usize = 64;
/// … or so many bytes of them.
const FOLD_AT_BYTES: usize = 16 * 1024;
/// Changes of a shelf that may wait for others.
pub(super) const MAX_WAITING: u64 = 1_000;
/// Version of the rules by which fields are settled; raised with them.
const FIELDS_VERSION: i64 = 1;
const UNREADABLE: StoreError = StoreError::Unreadable("a document");

/// A document taken from its shelf.
pub(super) struct Taken {
    row: Option<i64>,
    document: Document,
    heads: Vec<u8>,
    snapshot_bytes: usize,
    tail_count: usize,
    tail_bytes: usize,
    fresh: Vec<Vec<u8>>,
}

impl Taken {
    /// Applies a change that was checked; false when it must wait for another.
    pub(super) fn apply(&mut self, chunk: &Chunk, bytes: &[u8]) -> Result<bool, DocumentError> {
        let before = self.document.heads();
        match self.document.apply_chunk(chunk, bytes) {
            Ok(()) => {
                if self.document.heads() != before {
                    self.fresh.push(bytes.to_vec());
                }
                Ok(true)
            }
            Err(DocumentError::MissingDependency) => Ok(false),
            Err(why) => Err(why),
        }
    }
}

/// Takes a document from its shelf; an empty one when it is not there.
pub(super) fn take(conn: &Connection, shelf: &Shelf, doc: &DocId) -> Result<Taken, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT doc, snapshot, heads, tail_count, tail_bytes FROM replica_documents
         WHERE shelf = ?1 AND kind = ?2 AND id = ?3",
    )?;
    type Found = (i64, Option<Vec<u8>>, Vec<u8>, usize, usize);
    let found: Option<Found> = statement
        .query_row(params![shelf.as_key(), doc.kind.code(), doc.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, size(row, 3)?, size(row, 4)?))
        })
        .optional()?;
    let Some((row, snapshot, heads, tail_count, tail_bytes)) = found else {
        let document = Document::new(doc.kind);
        let heads = Vec::new();
        return Ok(Taken {
            row: None,
            document,
            heads,
            snapshot_bytes: 0,
            tail_count: 0,
            tail_bytes: 0,
            fresh: vec![],
        });
    };
    let mut statement = conn.prepare_cached("SELECT bytes FROM replica_changes WHERE doc = ?1 ORDER BY place")?;
    let tail: Vec<Vec<u8>> = statement.query_map([row], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let document = Document::load(doc.kind, snapshot.as_deref(), &tail).map_err(|_| UNREADABLE)?;
    let snapshot_bytes = snapshot.map_or(0, |bytes| bytes.len());
    Ok(Taken { row: Some(row), document, heads, snapshot_bytes, tail_count, tail_bytes, fresh: Vec::new() })
}

fn size(row: &Row<'_>, at: usize) -> rusqlite::Result<usize> {
    Ok(usize::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

/// Puts a document back with its fresh changes; gives its fields, or none when nothing changed.
pub(super) fn put_back(
    conn: &Connection,
    shelf: &Shelf,
    doc: &DocId,
    mut taken: Taken,
) -> Result<Option<Fields>, ShelfError> {
    if taken.fresh.is_empty() {
        return Ok(None);
    }
    let heads = taken.document.heads().concat();
    let fields = taken.document.fields();
    let encoded = postcard::to_stdvec(&fields).map_err(|_| UNREADABLE)?;
    let row = match taken.row {
        Some(row) => row,
        None => create(conn, shelf, doc)?,
    };
    let fresh_bytes: usize = taken.fresh.iter().map(Vec::len).sum();
    let count = taken.tail_count.saturating_add(taken.fresh.len());
    let bytes = taken.tail_bytes.saturating_add(fresh_bytes);
    if count >= FOLD_AT_CHANGES || bytes >= FOLD_AT_BYTES {
        let snapshot = taken.document.save();
        if snapshot.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge.into());
        }
        conn.prepare_cached("DELETE FROM replica_changes WHERE doc = ?1")?.execute([row])?;
        conn.prepare_cached(
            "UPDATE replica_documents SET snapshot = ?2, tail_count = 0, tail_bytes = 0 WHERE doc = ?1",
        )?
        .execute(params![row, snapshot])?;
    } else {
        let mut insert = conn.prepare_cached("INSERT INTO replica_changes (doc, place, bytes) VALUES (?1, ?2, ?3)")?;
        for (place, change) in (taken.tail_count..).zip(taken.fresh.drain(..)) {
            insert.execute(params![row, i64::try_from(place).unwrap_or(i64::MAX), change])?;
        }
        conn.prepare_cached("UPDATE replica_documents SET tail_count = ?2, tail_bytes = ?3 WHERE doc = ?1")?.execute(
            params![row, i64::try_from(count).unwrap_or(i64::MAX), i64::try_from(bytes).unwrap_or(i64::MAX)],
        )?;
    }
    conn.prepare_cached("UPDATE replica_documents SET heads = ?2, fields = ?3, fields_version = ?4 WHERE doc = ?1")?
        .execute(params![row, heads, encoded, FIELDS_VERSION])?;
    let (was, is) = (mixed(doc, &taken.heads), mixed(doc, &heads));
    let mut sum = digest(conn, shelf)?;
    for ((sum, was), is) in sum.iter_mut().zip(was).zip(is) {
        *sum ^= was ^ is;
    }
    conn.prepare_cached("INSERT OR REPLACE INTO replica_digests (shelf, digest) VALUES (?1, ?2)")?
        .execute(params![shelf.as_key(), sum])?;
    Ok(Some(fields))
}

fn create(conn: &Connection, shelf: &Shelf, doc: &DocId) -> Result<i64, ShelfError> {
    conn.prepare_cached(
        "INSERT INTO replica_documents (shelf, kind, id, heads, fields, fields_version)
         VALUES (?1, ?2, ?3, x'', x'', 0)",
    )?
    .execute(params![shelf.as_key(), doc.kind.code(), doc.id])?;
    Ok(conn.last_insert_rowid())
}

/// A document's part of the digest; nothing while it has no heads.
fn mixed(doc: &DocId, heads: &[u8]) -> [u8; 32] {
    if heads.is_empty() {
        return [0; 32];
    }
    let mut bytes = vec![doc.kind.code()];
    bytes.extend(doc.id);
    bytes.extend(heads);
    sha256(&bytes)
}

/// The digest of a shelf: the exclusive or, over its documents, of SHA-256 of name and sorted heads. Replicas that hold
/// the same changes have the same digest.
///
/// # Errors
/// When the store cannot be read.
pub fn digest(conn: &Connection, shelf: &Shelf) -> Result<[u8; 32], ShelfError> {
    let mut statement = conn.prepare_cached("SELECT digest FROM replica_digests WHERE shelf = ?1")?;
    Ok(statement.query_row([shelf.as_key()], |row| row.get(0)).optional()?.unwrap_or([0; 32]))
}

/// Makes an edit of this author; gives the change and the fields after it, or none when nothing changed.
pub(super) fn edit(
    conn: &Connection,
    author: &Author,
    shelf: &Shelf,
    edit: &Edit,
) -> Result<Option<(Vec<u8>, Fields)>, ShelfError> {
    if *shelf == Shelf::Territory && author.writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "the territory shelf is the coordinator's".into() });
    }
    // The kept fields say whether there is anything to do; most edits of an import have nothing.
    let held = document(conn, shelf, &edit.doc)?.unwrap_or_default();
    if needed(edit.doc.kind, &held, edit)?.is_empty() {
        return Ok(None);
    }
    let mut taken = take(conn, shelf, &edit.doc)?;
    if taken.snapshot_bytes.saturating_add(taken.tail_bytes) > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge.into());
    }
    let Some(change) = taken.document.edit(author.origin.actor(), author.writer, edit)? else { return Ok(None) };
    taken.fresh.push(change.clone());
    Ok(put_back(conn, shelf, &edit.doc, taken)?.map(|fields| (change, fields)))
}

/// The fields of a document; none when it is not on this shelf.
///
/// # Errors
/// When the store cannot be read.
pub fn document(conn: &Connection, shelf: &Shelf, doc: &DocId) -> Result<Option<Fields>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT fields, fields_version FROM replica_documents WHERE shelf = ?1 AND kind = ?2 AND id = ?3",
    )?;
    let found: Option<(Vec<u8>, i64)> = statement
        .query_row(params![shelf.as_key(), doc.kind.code(), doc.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(bytes, version)| fields(conn, shelf, doc, (&bytes, version))).transpose()
}

/// All documents of a kind on a shelf, in the order of their identifiers.
///
/// # Errors
/// When the store cannot be read.
pub fn documents(conn: &Connection, shelf: &Shelf, kind: Kind) -> Result<Vec<(DocId, Fields)>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, fields, fields_version FROM replica_documents WHERE shelf = ?1 AND kind = ?2 ORDER BY id",
    )?;
    let rows = statement.query_map(params![shelf.as_key(), kind.code()], |row| {
        Ok((DocId::new(kind, row.get(0)?), row.get::<_, Vec<u8>>(1)?, row.get(2)?))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (doc, bytes, version) = row?;
        all.push((doc, fields(conn, shelf, &doc, (&bytes, version))?));
    }
    Ok(all)
}

fn fields(conn: &Connection, shelf: &Shelf, doc: &DocId, (bytes, version): (&[u8], i64)) -> Result<Fields, ShelfError> {
    if version == FIELDS_VERSION {
        return Ok(postcard::from_bytes(bytes).map_err(|_| UNREADABLE)?);
    }
    Ok(take(conn, shelf, doc)?.document.fields())
}

/// Documents that a run touches, each taken once.
#[derive(Default)]
pub(super) struct Desk(BTreeMap<DocId, Taken>);

impl Desk {
    /// Applies a change that was checked, or lets it wait.
    pub(super) fn apply(&mut self, conn: &Connection, shelf: &Shelf, change: &Change<'_>) -> Result<(), ShelfError> {
        let taken = match self.0.entry(*change.doc) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => place.insert(take(conn, shelf, change.doc)?),
        };
        if taken.apply(change.chunk, change.bytes)? { Ok(()) } else { wait(conn, shelf, change) }
    }

    /// Tries what waited for these documents, puts all back, and gives those that changed.
    pub(super) fn clear(
        mut self,
        conn: &Connection,
        shelf: &Shelf,
        mut refused: impl FnMut(&[u8], &DocumentError) -> Result<(), ShelfError>,
    ) -> Result<Vec<(DocId, Fields)>, ShelfError> {
        let mut changed = Vec::new();
        for (doc, mut taken) in std::mem::take(&mut self.0) {
            while retry(conn, shelf, (&doc, &mut taken), &mut refused)? {}
            if let Some(fields) = put_back(conn, shelf, &doc, taken)? {
                changed.push((doc, fields));
            }
        }
        Ok(changed)
    }
}

/// A change from outside that was read and checked.
pub(super) struct Change<'a> {
    pub(super) doc: &'a DocId,
    pub(super) writer: Writer,
    pub(super) chunk: &'a Chunk,
    pub(super) bytes: &'a [u8],
}

fn wait(conn: &Connection, shelf: &Shelf, change: &Change<'_>) -> Result<(), ShelfError> {
    let mut count = conn.prepare_cached("SELECT count(*) FROM replica_waiting WHERE shelf = ?1")?;
    let waiting: i64 = count.query_row([shelf.as_key()], |row| row.get(0))?;
    if super::line::number(waiting) >= MAX_WAITING {
        return Err(ShelfError::Waiting);
    }
    conn.prepare_cached("INSERT INTO replica_waiting (shelf, kind, id, by_box, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            shelf.as_key(),
            change.doc.kind.code(),
            change.doc.id,
            change.writer == Writer::Box,
            change.bytes
        ])?;
    Ok(())
}

/// Tries once what waits for this document; true when something went in.
fn retry(
    conn: &Connection,
    shelf: &Shelf,
    (doc, taken): (&DocId, &mut Taken),
    refused: &mut impl FnMut(&[u8], &DocumentError) -> Result<(), ShelfError>,
) -> Result<bool, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT place, by_box, bytes FROM replica_waiting WHERE shelf = ?1 AND kind = ?2 AND id = ?3 ORDER BY place",
    )?;
    let waiting: Vec<(i64, bool, Vec<u8>)> = statement
        .query_map(params![shelf.as_key(), doc.kind.code(), doc.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut moved = false;
    for (place, by_box, bytes) in waiting {
        let writer = if by_box { Writer::Box } else { Writer::Coordinator };
        let tried = crate::documents::check(doc.kind, writer, &bytes).and_then(|chunk| taken.apply(&chunk, &bytes));
        match tried {
            Ok(false) => continue,
            Ok(true) => moved = true,
            Err(why) => refused(&bytes, &why)?,
        }
        conn.prepare_cached("DELETE FROM replica_waiting WHERE place = ?1")?.execute([place])?;
    }
    Ok(moved)
}
