//! Documents on disk. Tables `replica_documents`, `replica_changes`.
//!
//! A document is its saved state and the changes since. Its settled fields are kept beside, so that reading one needs no
//! Automerge; they are made anew from the document when the rules that settle them have changed. A row is one epoch of
//! one document: the current one, one that was left behind, or what is left of an erased one.

use super::{Author, ShelfError, epochs, hashes, line::number, lives};
use crate::{
    documents::{DocId, Document, DocumentError, Edit, Fields, Kind, MAX_DOCUMENT_BYTES, Writer, needed},
    keys::sha256,
    replica::{
        Item, Shelf,
        page::{BUCKETS, bucket},
    },
    rig::{
        sql::{Row, Sql, values},
        writer::StoreError,
    },
};

/// Changes since the saved state before a new one is saved.
const FOLD_AT_CHANGES: usize = 64;
/// … or so many bytes of them.
const FOLD_AT_BYTES: usize = 16 * 1024;
/// Version of the rules by which fields are settled; raised with them.
const FIELDS_VERSION: i64 = 1;
pub(super) const UNREADABLE: StoreError = StoreError::Unreadable("a document");
const NOTHING: &[u8] = &[];
/// Documents read in one statement.
const PARTS_AT_ONCE: u32 = 1_000;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The epoch that is read and written.
    Current,
    /// One that was left behind; stale edits of it may still come.
    Past,
    /// A tombstone.
    Erased,
    /// One that was left behind so long ago that only the names of its changes are kept.
    Forgotten,
}

impl State {
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Current => 0,
            Self::Past => 1,
            Self::Erased => 2,
            Self::Forgotten => 3,
        }
    }
    fn from_code(code: i64) -> Result<Self, StoreError> {
        match code {
            0 => Ok(Self::Current),
            1 => Ok(Self::Past),
            2 => Ok(Self::Erased),
            3 => Ok(Self::Forgotten),
            _ => Err(UNREADABLE),
        }
    }
}

/// Where a change belongs: one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: i64,
    pub(super) doc: DocId,
    pub(super) epoch: u32,
    pub(super) state: State,
}

/// Columns of a [`Place`], in its order.
pub(super) const PLACE: &str = "d.doc, d.kind, d.id, d.epoch, d.state";

pub(super) fn place_at(row: &Row) -> Result<Place, StoreError> {
    let kind = u8::try_from(row.int(1)?).ok().and_then(Kind::from_code).ok_or(UNREADABLE)?;
    let epoch = u32::try_from(row.int(3)?).map_err(|_| UNREADABLE)?;
    let state = State::from_code(row.int(4)?)?;
    Ok(Place { row: row.int(0)?, doc: DocId::new(kind, row.array(2)?), epoch, state })
}

/// The current epoch of a document, or its tombstone.
pub(super) fn current<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, doc: &DocId) -> Result<Option<Place>, ShelfError> {
    let row = conn.first(
        &format!(
            "SELECT {PLACE} FROM replica_documents d
             WHERE d.shelf = ?1 AND d.kind = ?2 AND d.id = ?3 AND d.state IN (0, 2) ORDER BY d.epoch DESC LIMIT 1"
        ),
        values![shelf.as_key(), doc.kind.code(), &doc.id],
    )?;
    Ok(row.as_ref().map(place_at).transpose()?)
}

/// One epoch of a document.
pub(super) fn epoch<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    doc: &DocId,
    epoch: u32,
) -> Result<Option<Place>, ShelfError> {
    let row = conn.first(
        &format!(
            "SELECT {PLACE} FROM replica_documents d
             WHERE d.shelf = ?1 AND d.kind = ?2 AND d.id = ?3 AND d.epoch = ?4"
        ),
        values![shelf.as_key(), doc.kind.code(), &doc.id, epoch],
    )?;
    Ok(row.as_ref().map(place_at).transpose()?)
}

/// A new, empty row.
pub(super) fn create<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    doc: &DocId,
    epoch: u32,
    state: State,
) -> Result<Place, ShelfError> {
    let row = conn.one(
        "INSERT INTO replica_documents (shelf, kind, id, epoch, state, bucket, heads, fields, fields_version, carried)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 0, 1) RETURNING doc",
        values![shelf.as_key(), doc.kind.code(), &doc.id, epoch, state.code(), bucket(doc), NOTHING],
    )?;
    Ok(Place { row: row.int(0)?, doc: *doc, epoch, state })
}

/// A document taken from its shelf.
pub(super) struct Taken {
    pub(super) place: Place,
    pub(super) document: Document,
    heads: Vec<u8>,
    snapshot_bytes: usize,
    tail_count: usize,
    tail_bytes: usize,
}

/// Takes a document from its shelf.
pub(super) fn take<S: Sql + ?Sized>(conn: &S, place: Place) -> Result<Taken, ShelfError> {
    let found = conn.one(
        "SELECT snapshot, heads, tail_count, tail_bytes FROM replica_documents WHERE doc = ?1",
        values![place.row],
    )?;
    let snapshot = found.opt_bytes(0)?;
    let tail = conn.query("SELECT bytes FROM replica_changes WHERE doc = ?1 ORDER BY place", values![place.row])?;
    let tail: Vec<Vec<u8>> = tail.iter().map(|row| row.bytes(0).map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
    let document = Document::load(place.doc.kind, snapshot, &tail).map_err(|_| UNREADABLE)?;
    Ok(Taken {
        place,
        document,
        heads: found.bytes(1)?.to_vec(),
        snapshot_bytes: snapshot.map_or(0, <[u8]>::len),
        tail_count: size(&found, 2)?,
        tail_bytes: size(&found, 3)?,
    })
}

fn size(row: &Row, at: usize) -> Result<usize, StoreError> {
    Ok(usize::try_from(row.int(at)?).unwrap_or(0))
}

impl Taken {
    pub(super) fn is_full(&self) -> bool {
        self.snapshot_bytes.saturating_add(self.tail_bytes) > MAX_DOCUMENT_BYTES
    }

    /// Whether it reads otherwise than when it was taken.
    pub(super) fn is_changed(&self) -> bool {
        self.document.heads().concat() != self.heads
    }
}

/// Puts a document back with the changes it has got; gives its fields, or none when nothing changed.
pub(super) fn put_back<S: Sql + ?Sized>(
    conn: &S,
    taken: &Taken,
    fresh: &[Vec<u8>],
) -> Result<Option<Fields>, ShelfError> {
    if !taken.is_changed() {
        return Ok(None);
    }
    let row = taken.place.row;
    let fresh_bytes: usize = fresh.iter().map(Vec::len).sum();
    let count = taken.tail_count.saturating_add(fresh.len());
    let bytes = taken.tail_bytes.saturating_add(fresh_bytes);
    let is_full = taken.snapshot_bytes.saturating_add(bytes) > MAX_DOCUMENT_BYTES;
    if count >= FOLD_AT_CHANGES || bytes >= FOLD_AT_BYTES || is_full {
        save(conn, taken)?;
    } else {
        for (place, change) in (taken.tail_count..).zip(fresh) {
            conn.execute(
                "INSERT INTO replica_changes (doc, place, bytes) VALUES (?1, ?2, ?3)",
                values![row, i64::try_from(place).unwrap_or(i64::MAX), change],
            )?;
        }
        conn.execute(
            "UPDATE replica_documents SET tail_count = ?2, tail_bytes = ?3 WHERE doc = ?1",
            values![row, i64::try_from(count).unwrap_or(i64::MAX), i64::try_from(bytes).unwrap_or(i64::MAX)],
        )?;
    }
    read_anew(conn, taken).map(Some)
}

/// Keeps the whole document as it is, in one piece.
pub(super) fn save<S: Sql + ?Sized>(conn: &S, taken: &Taken) -> Result<(), ShelfError> {
    let snapshot = taken.document.save();
    if snapshot.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge.into());
    }
    conn.execute("DELETE FROM replica_changes WHERE doc = ?1", values![taken.place.row])?;
    conn.execute(
        "UPDATE replica_documents SET snapshot = ?2, tail_count = 0, tail_bytes = 0 WHERE doc = ?1",
        values![taken.place.row, &snapshot],
    )?;
    Ok(())
}

/// Writes down heads and fields of a document.
pub(super) fn read_anew<S: Sql + ?Sized>(conn: &S, taken: &Taken) -> Result<Fields, ShelfError> {
    let heads = taken.document.heads().concat();
    let fields = taken.document.fields();
    let encoded = postcard::to_stdvec(&fields).map_err(|_| UNREADABLE)?;
    conn.execute(
        "UPDATE replica_documents SET heads = ?2, fields = ?3, fields_version = ?4 WHERE doc = ?1",
        values![taken.place.row, &heads, &encoded, FIELDS_VERSION],
    )?;
    Ok(fields)
}

/// A row's part of the digest; nothing of an empty document, or of an epoch that was left behind.
pub(super) fn mixed(place: &Place, heads: &[u8]) -> [u8; 32] {
    let heads = match place.state {
        State::Current if heads.is_empty() => return [0; 32],
        State::Current => heads,
        State::Past | State::Forgotten => return [0; 32],
        State::Erased => b"erased".as_slice(),
    };
    let mut bytes = vec![place.doc.kind.code()];
    bytes.extend(place.doc.id);
    if place.state == State::Current {
        bytes.extend(place.epoch.to_le_bytes());
    }
    bytes.extend(heads);
    sha256(&bytes)
}

/// Folds the parts of all documents of a shelf, tombstones too, into something.
fn each_part<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    mut fold: impl FnMut(&Place, [u8; 32]),
) -> Result<(), ShelfError> {
    let (mut kind, mut id) = (0, vec![]);
    loop {
        let rows = conn.query(
            &format!(
                "SELECT {PLACE}, d.heads FROM replica_documents d WHERE d.shelf = ?1 AND d.state IN (0, 2)
                 AND (d.kind > ?2 OR (d.kind = ?2 AND d.id > ?3)) ORDER BY d.kind, d.id, d.epoch LIMIT ?4"
            ),
            values![shelf.as_key(), kind, &id, PARTS_AT_ONCE],
        )?;
        let mut last = None;
        for row in &rows {
            let place = place_at(row)?;
            // The epochs of an erased document are one tombstone.
            if last.replace(place.doc) != Some(place.doc) {
                fold(&place, mixed(&place, row.bytes(5)?));
            }
        }
        let full = rows.len() >= usize::try_from(PARTS_AT_ONCE).unwrap_or(usize::MAX);
        let Some(doc) = last.filter(|_| full) else { return Ok(()) };
        (kind, id) = (i64::from(doc.kind.code()), doc.id.to_vec());
    }
}

/// The digest of a shelf: the exclusive or, over its documents, of SHA-256 of name, epoch and sorted heads; tombstones
/// count. Replicas that hold the same changes have the same digest. It is made anew each time, from what is held now.
///
/// # Errors
/// When the store cannot be read.
pub fn digest<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<[u8; 32], ShelfError> {
    let mut sum = [0; 32];
    each_part(conn, shelf, |_, part| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum ^= part))?;
    Ok(sum)
}

/// The same, cut to eight bytes, for each of the 256 buckets of a shelf.
///
/// # Errors
/// When the store cannot be read.
pub fn sums<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<u64>, ShelfError> {
    let mut sums = vec![0; BUCKETS];
    each_part(conn, shelf, |place, part| {
        if let (Some(sum), Some(part)) = (sums.get_mut(usize::from(bucket(&place.doc))), part.first_chunk()) {
            *sum ^= u64::from_le_bytes(*part);
        }
    })?;
    Ok(sums)
}

/// Makes an edit of this author; gives the item and the fields after it, or none when nothing changed. Who is erased
/// stays erased, whatever is written.
pub(super) fn edit<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    shelf: &Shelf,
    edit: &Edit,
) -> Result<Option<(Item, Fields)>, ShelfError> {
    if *shelf == Shelf::Territory && author.writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "the territory shelf is the coordinator's".into() });
    }
    let place = current(conn, shelf, &edit.doc)?;
    if place.is_some_and(|place| place.state == State::Erased) {
        return Ok(None);
    }
    // The kept fields say whether there is anything to do; most edits of an import have nothing.
    let held = document(conn, shelf, &edit.doc)?.unwrap_or_default();
    if needed(edit.doc.kind, &held, edit)?.is_empty() {
        return Ok(None);
    }
    // What a former life left half-done is said before anything that stands on it.
    lives::say_again(conn, author)?;
    let mut taken = match place {
        Some(place) => take(conn, place)?,
        None => take(conn, create(conn, shelf, &edit.doc, 0, State::Current)?)?,
    };
    if taken.is_full() {
        return Err(DocumentError::TooLarge.into());
    }
    let first = taken.heads.is_empty();
    let epoch = taken.place.epoch;
    if first && epoch > 0 && author.writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "only the coordinator begins an epoch".into() });
    }
    let mark = if first { edit.doc.mark(epoch) } else { 0 };
    let Some(change) = taken.document.edit_marked(author.origin.actor(), author.writer, mark, edit)? else {
        return Ok(None);
    };
    let item =
        item(&edit.doc, epoch, &change, if first { Some(left_behind(conn, shelf, &taken.place)?) } else { None })?;
    hashes::keep(conn, shelf, &change, taken.place.row)?;
    Ok(put_back(conn, &taken, &[change])?.map(|fields| (item, fields)))
}

/// What the cut before this epoch knew.
pub(super) fn left_behind<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    place: &Place,
) -> Result<Vec<[u8; 32]>, ShelfError> {
    let Some(before) = place.epoch.checked_sub(1) else { return Ok(Vec::new()) };
    let before = epoch(conn, shelf, &place.doc, before)?;
    Ok(before.map(|before| epochs::cut_of(conn, before.row)).transpose()?.unwrap_or_default())
}

/// A change as it goes on the wire; `cut` is what a first change leaves behind.
pub(super) fn item(doc: &DocId, epoch: u32, change: &[u8], cut: Option<Vec<[u8; 32]>>) -> Result<Item, ShelfError> {
    let bytes = crate::documents::strip(change).ok_or(UNREADABLE)?.to_vec();
    Ok(match cut {
        Some(cut) => Item::First { doc: *doc, epoch, cut, bytes },
        None => Item::Change { bytes },
    })
}

/// The fields of a document; none when it is not on this shelf, or erased.
///
/// # Errors
/// When the store cannot be read.
pub fn document<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, doc: &DocId) -> Result<Option<Fields>, ShelfError> {
    let row = conn.first(
        &format!(
            "SELECT {PLACE}, d.fields, d.fields_version FROM replica_documents d
             WHERE d.shelf = ?1 AND d.kind = ?2 AND d.id = ?3 AND d.state = 0"
        ),
        values![shelf.as_key(), doc.kind.code(), &doc.id],
    )?;
    row.map(|row| fields(conn, &row)).transpose()
}

/// All documents of a kind on a shelf, in the order of their identifiers.
///
/// # Errors
/// When the store cannot be read.
pub fn documents<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, kind: Kind) -> Result<Vec<(DocId, Fields)>, ShelfError> {
    let rows = conn.query(
        &format!(
            "SELECT {PLACE}, d.fields, d.fields_version FROM replica_documents d
             WHERE d.shelf = ?1 AND d.kind = ?2 AND d.state = 0 ORDER BY d.id"
        ),
        values![shelf.as_key(), kind.code()],
    )?;
    rows.iter().map(|row| Ok((place_at(row)?.doc, fields(conn, row)?))).collect()
}

fn fields<S: Sql + ?Sized>(conn: &S, row: &Row) -> Result<Fields, ShelfError> {
    if row.int(6)? == FIELDS_VERSION {
        return Ok(postcard::from_bytes(row.bytes(5)?).map_err(|_| UNREADABLE)?);
    }
    Ok(take(conn, place_at(row)?)?.document.fields())
}

/// How many documents stand on a shelf, tombstones not counted.
///
/// # Errors
/// When the store cannot be read.
pub fn document_count<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, kind: Option<Kind>) -> Result<u64, ShelfError> {
    // No kind has the code 0, and none 255.
    let (least, most) = kind.map_or((0, u8::MAX), |kind| (kind.code(), kind.code()));
    let row = conn.one(
        "SELECT count(*) FROM replica_documents WHERE shelf = ?1 AND state = 0 AND kind >= ?2 AND kind <= ?3",
        values![shelf.as_key(), least, most],
    )?;
    Ok(number(row.int(0)?))
}
