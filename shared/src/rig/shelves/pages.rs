//! Documents as they are, a page at a time: snapshot and repair.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ShelfError, compare,
    desk::{Desk, Taking},
    epochs, erase, hashes,
    library::{self, PLACE, Place, State, place_at},
    line, lives, quarantine, runs,
};
use crate::{
    documents::{DocId, Document, Fields, strip},
    journal::{CredentialKind, Entry},
    keys::sha256,
    replica::{
        Copy, Erasure, Item, Kept, Lacking, Loose, Mark, Origin, Page, Pull, Run, Sheet, Shelf, Wanted,
        page::{MAX_PAGE_BYTES, PAGE_BYTES},
    },
    rig::{
        sql::{Sql, values},
        writer::StoreError,
    },
};

/// Rows read in one statement.
const AT_ONCE: u32 = 64;
/// What one document may take of a page, so that it fits beside what came before it.
const ALONE_BYTES: usize = MAX_PAGE_BYTES - PAGE_BYTES;
/// What a tombstone costs on a page, beside the names of its changes.
const TOMBSTONE_BYTES: usize = 104;
/// What such a name costs.
const NAME_BYTES: usize = 16;
/// What an entry costs beside its body.
const ENTRY_BYTES: usize = 64;
/// Who is named for what was refused of a page.
const FROM: &str = "a page of documents";

/// Reads a page. The document after the cursor comes first; one that fits no page would end them all, so each is capped
/// long before.
///
/// # Errors
/// When the store cannot be read.
pub fn serve<S: Sql + ?Sized>(conn: &S, pull: Pull) -> Result<Page, ShelfError> {
    let shelf = &pull.shelf;
    let marks = marks_in_documents(conn, shelf)?;
    let mut sheet = Sheet::default();
    if pull.after.is_none() && pull.wanted == Wanted::Everything {
        sheet.entries = standing_entries(conn, shelf)?;
    }
    let of_one = |kept: &Kept| kept.body.len().saturating_add(ENTRY_BYTES);
    let mut bytes = sheet.entries.iter().map(of_one).fold(0, usize::saturating_add);
    let (mut after, mut next) = (pull.after, None);
    'documents: loop {
        let rows = rows_after(conn, shelf, &pull.wanted, after)?;
        if rows.is_empty() {
            break;
        }
        for of_doc in rows.chunk_by(|one, next| one.doc == next.doc) {
            let found = Found::read(conn, shelf, of_doc)?;
            let is_full = bytes >= PAGE_BYTES || bytes.saturating_add(found.bytes) > ALONE_BYTES;
            if is_full && after != pull.after {
                next = after;
                break 'documents;
            }
            bytes = bytes.saturating_add(found.bytes);
            sheet.copies.extend(found.copies);
            sheet.erased.extend(found.erased);
            after = of_doc.first().map(|place| place.doc);
        }
    }
    let mut heads = Vec::new();
    if pull.after.is_none() {
        for mark in &marks {
            let Some(line) = line::find(conn, shelf, &mark.origin)? else { continue };
            let head = runs::head(conn, (shelf, &mark.origin), line.line, mark.number)?;
            heads.extend(head.filter(|head| !head.signature.is_empty()));
        }
    }
    let page = Page::new(pull, &sheet, next, marks);
    let page = page.ok_or(StoreError::Unreadable("a page of documents: they are too large"))?;
    Ok(page.with_heads(heads))
}

/// What a page says of one document.
#[derive(Default)]
struct Found {
    copies: Vec<Copy>,
    erased: Option<Erasure>,
    bytes: usize,
}

impl Found {
    /// Reads it from its rows, the newest epoch first. Of epochs that were left behind the newest are told, as many as fit:
    /// of one that is not, whoever takes the page knows late edits only when they are carried over.
    fn read<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, rows: &[Place]) -> Result<Self, ShelfError> {
        let mut found = Self::default();
        for place in rows {
            if place.state == State::Erased {
                let erasure = erase::erasure(conn, shelf, place)?;
                found.bytes = erasure.changes.len().saturating_mul(NAME_BYTES).saturating_add(TOMBSTONE_BYTES);
                found.erased = Some(erasure);
                break;
            }
            let copy = copy(conn, *place)?;
            let bytes = found.bytes.saturating_add(copy.saved.len());
            if bytes > ALONE_BYTES {
                break;
            }
            found.bytes = bytes;
            found.copies.push(copy);
        }
        found.copies.reverse();
        Ok(found)
    }
}

/// How far each line is in the documents: before the first run of which something waits.
fn marks_in_documents<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<Mark>, ShelfError> {
    // Of a life of which nothing is held, but that others said something again of, the name alone.
    let held: BTreeSet<Origin> =
        line::marks(conn)?.into_iter().filter(|m| m.shelf == *shelf).map(|m| m.origin).collect();
    let silent = lives::known(conn, shelf)?.into_iter().filter(|life| !held.contains(life));
    let mut marks: Vec<Mark> =
        silent.map(|origin| Mark { shelf: shelf.clone(), origin, number: 0, chain: [0; 32] }).collect();
    for mut mark in line::marks(conn)?.into_iter().filter(|mark| mark.shelf == *shelf) {
        let Some(line) = line::find(conn, shelf, &mark.origin)? else { continue };
        if let Some(waits) = hashes::first_waiting(conn, line.line)? {
            let before = conn.first(
                "SELECT last, hash FROM replica_runs WHERE line = ?1 AND last < ?2 ORDER BY last DESC LIMIT 1",
                values![line.line, line::sql(waits)],
            )?;
            let Some(before) = before else { continue };
            (mark.number, mark.chain) = (line::number(before.int(0)?), before.array(1)?);
        }
        marks.push(mark);
    }
    Ok(marks)
}

/// The rows of the next documents, in order, all epochs of each: the newest first.
pub(super) fn rows_after<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    wanted: &Wanted,
    after: Option<DocId>,
) -> Result<Vec<Place>, ShelfError> {
    let only = match wanted {
        Wanted::Everything => String::new(),
        Wanted::Buckets(buckets) => {
            let numbers: Vec<String> = buckets.iter().map(u8::to_string).collect();
            format!("AND d.bucket IN ({})", numbers.join(","))
        }
    };
    let nothing: &[u8] = &[];
    let (kind, id) = after.as_ref().map_or((0, nothing), |doc| (doc.kind.code(), &doc.id));
    let rows = conn.query(
        &format!(
            "SELECT {PLACE} FROM replica_documents d
             WHERE d.shelf = ?1 AND d.state < 3 AND (d.kind > ?2 OR (d.kind = ?2 AND d.id > ?3)) {only}
             ORDER BY d.kind, d.id, d.epoch DESC LIMIT ?4"
        ),
        values![shelf.as_key(), kind, id, AT_ONCE],
    )?;
    let full = rows.len() >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
    let mut places: Vec<Place> = rows.iter().map(place_at).collect::<Result<_, _>>()?;
    // The last one's earlier epochs may be on the other side of the limit.
    if let (true, Some(first), Some(last)) = (full, places.first().map(|p| p.doc), places.last().map(|p| p.doc))
        && first != last
    {
        places.retain(|place| place.doc != last);
    }
    Ok(places)
}

fn copy<S: Sql + ?Sized>(conn: &S, place: Place) -> Result<Copy, ShelfError> {
    let taken = library::take(conn, place)?;
    let cut = if place.state == State::Past { Some(epochs::cut_of(conn, place.row)?) } else { None };
    Ok(Copy { doc: place.doc, epoch: place.epoch, cut, saved: taken.document.save() })
}

/// Entries that say how things are: the last of each credential.
fn standing_entries<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<Kept>, ShelfError> {
    let Some(me) = lives::owner(conn)? else { return Ok(Vec::new()) };
    let mut last: BTreeMap<([u8; 16], CredentialKind), Kept> = BTreeMap::new();
    let (mut line_after, mut number_after) = (-1, -1);
    loop {
        let rows = conn.query(
            "SELECT l.box, l.incarnation, i.number, i.salt, i.body, i.line FROM replica_items i
             JOIN replica_lines l ON l.line = i.line
             WHERE l.shelf = ?1 AND l.box = ?2 AND i.kind = 1 AND i.gone IS NULL
                AND (i.line > ?3 OR (i.line = ?3 AND i.number > ?4))
             ORDER BY i.line, i.number LIMIT ?5",
            values![shelf.as_key(), me.as_bytes(), line_after, number_after, AT_ONCE],
        )?;
        let Some(end) = rows.last() else { break };
        (line_after, number_after) = (end.int(5)?, end.int(2)?);
        for row in &rows {
            let body = row.bytes(4)?;
            if let Ok(Entry::Credential { person, kind, .. }) = Entry::decode(body) {
                let (origin, number) = (line::origin_at(row, 0)?, line::number(row.int(2)?));
                let kept = Kept { origin, number, salt: row.array(3)?, body: body.to_vec() };
                last.insert((*person.as_bytes(), kind), kept);
            }
        }
    }
    Ok(last.into_values().collect())
}

/// Merges a page from the coordinator; with `adopt`, what it held when it read the first page is held here from now on.
/// Gives what the coordinator's copies lack, when documents are compared. A document that cannot be merged, because
/// somebody said two things under one number, is noted and left as it is here: it must not keep the others away.
///
/// # Errors
/// [`ShelfError::Refused`] when the page cannot be read, or an entry on it; the act is rolled back.
pub fn take<S: Sql + ?Sized>(
    conn: &S,
    page: &Page,
    adopt: Option<&[Mark]>,
    with: &Taking<'_, S>,
) -> Result<Lacking, ShelfError> {
    let sheet = page.sheet().ok_or_else(|| ShelfError::Refused { reason: "a page cannot be read".into() })?;
    let shelf = &page.pull.shelf;
    conn.guard(shelf.as_key())?;
    for erasure in &sheet.erased {
        erase::hear(conn, shelf, erasure, with)?;
    }
    let (mut changed, mut came, mut lack) = (BTreeMap::new(), Vec::new(), Lacking::default());
    let compares = page.pull.wanted != Wanted::Everything;
    for copies in sheet.copies.chunk_by(|one, next| one.doc == next.doc) {
        let Some(current) = copies.iter().find(|copy| copy.cut.is_none()) else {
            // An epoch that was left behind is of use only beside the one after it.
            continue;
        };
        conn.batch("SAVEPOINT one_document")?;
        match take_copies(conn, shelf, copies, compares, with) {
            Ok(taken) => {
                conn.batch("RELEASE one_document")?;
                changed.extend(taken.changed);
                came.extend(taken.came);
                lack.changes.extend(taken.lack);
            }
            Err(ShelfError::Refused { reason }) => {
                conn.batch("ROLLBACK TO one_document; RELEASE one_document")?;
                let name = [[current.doc.kind.code()].as_slice(), &current.doc.id].concat();
                quarantine::bytes(conn, FROM, &name, &reason, with.now)?;
            }
            Err(why) => return Err(why),
        }
    }
    if compares {
        compare::unknown_there(conn, page, &sheet, &mut lack)?;
    }
    let mut desk = Desk::new(conn, shelf, with, None);
    desk.heard(came, changed);
    let cleared = desk.clear(|bytes, why| quarantine::bytes(conn, FROM, bytes, &why.to_string(), with.now))?;
    erase::clear_late(conn, shelf, &cleared.erased)?;
    for (doc, fields) in &cleared.changed {
        with.project.document(conn, shelf, doc, fields)?;
    }
    for kept in &sheet.entries {
        take_entry(conn, shelf, kept, with)?;
    }
    if !lack.changes.is_empty() {
        lack.lives = compare::makers(conn, shelf, &lack.changes)?;
    }
    if let Some(marks) = adopt {
        let head = |mark: &Mark| page.heads.iter().find(|run| run.hash() == mark.chain);
        lives::say_again(conn, with.author)?;
        marks.iter().try_for_each(|mark| adopt_mark(conn, mark, head(mark), with))?;
    }
    Ok(lack)
}

/// What the copies of one document brought.
#[derive(Default)]
struct Copies {
    changed: BTreeMap<DocId, Fields>,
    came: Vec<[u8; 32]>,
    lack: Vec<Loose>,
}

/// Takes all epochs of one document.
fn take_copies<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    copies: &[Copy],
    compares: bool,
    with: &Taking<'_, S>,
) -> Result<Copies, ShelfError> {
    let mut brought = Copies::default();
    for copy in copies {
        if let Some(place) = place_for(conn, shelf, copy, with)?.filter(|place| place.state != State::Forgotten) {
            brought.came.extend(merge(conn, shelf, copy, place, &mut brought.changed)?);
        }
        if compares && copy.cut.is_none() {
            brought.lack.extend(compare::lacking(conn, shelf, copy)?);
        }
    }
    Ok(brought)
}

/// The row that a copy is merged into; none when it is of no use here.
fn place_for<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    copy: &Copy,
    with: &Taking<'_, S>,
) -> Result<Option<Place>, ShelfError> {
    let current = library::current(conn, shelf, &copy.doc)?;
    if current.is_some_and(|current| current.state == State::Erased) {
        return Ok(None);
    }
    if copy.cut.is_some() {
        return epochs::past(conn, shelf, &copy.doc, copy.epoch).map(Some);
    }
    if let Some(current) = current.filter(|current| current.epoch < copy.epoch) {
        // It has no copy on the page: what it knew there has to be guessed.
        let told = epochs::told(conn, &library::take(conn, current)?, with.author)?;
        epochs::turn(conn, &current)?;
        epochs::note_cut(conn, current.row, &told)?;
    } else if current.is_some_and(|current| current.epoch > copy.epoch) {
        return library::epoch(conn, shelf, &copy.doc, copy.epoch);
    } else if current.is_some() {
        return Ok(current);
    }
    let place = library::create(conn, shelf, &copy.doc, copy.epoch, State::Current)?;
    epochs::note_begin(conn, place.row, with.now)?;
    Ok(Some(place))
}

/// Merges a copy into its row; gives what is new here.
fn merge<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    copy: &Copy,
    place: Place,
    changed: &mut BTreeMap<DocId, Fields>,
) -> Result<Vec<[u8; 32]>, ShelfError> {
    let mut taken = library::take(conn, place)?;
    let fresh = taken.document.merge_saved(&copy.saved)?;
    let mut came = Vec::new();
    for change in &fresh {
        hashes::keep(conn, shelf, change, taken.place.row)?;
        came.push(sha256(strip(change).unwrap_or_default()));
    }
    let fields = library::put_back(conn, &taken, &fresh)?;
    if copy.cut.is_some() {
        leave(conn, copy, place)?;
    } else if place.state == State::Current {
        changed.extend(fields.map(|fields| (copy.doc, fields)));
    }
    Ok(came)
}

/// An epoch is left behind here too. What the coordinator's copy holds of it was carried there, so that only what is
/// beyond it is left to carry.
fn leave<S: Sql + ?Sized>(conn: &S, copy: &Copy, place: Place) -> Result<(), ShelfError> {
    let mut theirs = Document::new(copy.doc.kind);
    theirs.merge_saved(&copy.saved)?;
    if place.state == State::Current {
        epochs::turn(conn, &place)?;
    }
    conn.execute("UPDATE replica_documents SET cut = NULL WHERE doc = ?1 AND carried = 0", values![place.row])?;
    epochs::note_cut(conn, place.row, &theirs.heads())
}

fn take_entry<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, kept: &Kept, with: &Taking<'_, S>) -> Result<(), ShelfError> {
    let entry = Entry::decode(&kept.body)?;
    let line = line::open(conn, shelf, &kept.origin)?;
    if kept.number <= line.held || erase::is_about_the_erased(conn, shelf, &entry)? {
        return Ok(());
    }
    let item = Item::Entry { salt: kept.salt, body: kept.body.clone() };
    if line::keep_entry(conn, line.line, kept.number, &item, with.now)? {
        with.project.entry(conn, shelf, &kept.origin, kept.number, with.now, &entry)?;
    }
    Ok(())
}

/// A snapshot is not older than its marks; what is held here beyond them stays.
fn adopt_mark<S: Sql + ?Sized>(
    conn: &S,
    mark: &Mark,
    head: Option<&Run>,
    with: &Taking<'_, S>,
) -> Result<(), ShelfError> {
    let line = line::open(conn, &mark.shelf, &mark.origin)?;
    if mark.origin == with.author.origin || line.held >= mark.number {
        return Ok(());
    }
    runs::rest_on(conn, mark, head, with.now)
}
