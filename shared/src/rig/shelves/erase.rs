//! Erasure: a document goes, with everything that was ever said of it, and leaves a tombstone (invariant 5).
//!
//! What goes: every epoch, its changes, the items of it in runs that are kept or not yet closed, what is in quarantine,
//! the bodies of journal entries that name the person, and the program's own rows. Numbers, chains and signatures stay,
//! because an item can be replaced by its hash. `secure_delete` overwrites what SQLite frees.

use std::collections::BTreeSet;

use super::{
    Author, Project, ShelfError, Taking, hashes,
    library::{self, Place, State},
    line::{self, KIND_ENTRY, number, sql},
    runs,
};
use crate::{
    documents::{Chunk, DocId, Person, Writer, dress},
    ids::BoxId,
    journal::Entry,
    keys::sha256,
    replica::{Erasure, Item, Run, Shelf, Tombstone, tombstone::MAX_ERASED_CHANGES},
    rig::{
        sql::{Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// Rows looked at in one statement.
const AT_ONCE: u32 = 500;

/// Changes that were found to be of erased documents after their tombstones, by their names.
pub(super) type Late = BTreeSet<(DocId, [u8; 16])>;

/// Erases a document everywhere: at once here, and wherever the shelf is replicated. The coordinator's alone. Once
/// erased, it changes nothing.
///
/// # Errors
/// [`ShelfError::Refused`] at a box; else when the store fails.
pub fn erase<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    shelf: &Shelf,
    now: Stamp,
    tombstone: Tombstone,
    project: &dyn Project<S>,
) -> Result<Option<u64>, ShelfError> {
    if author.writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "only the coordinator erases".into() });
    }
    conn.guard(shelf.as_key())?;
    if is_erased(conn, shelf, &tombstone.doc)? {
        return Ok(None);
    }
    let erasure = Erasure::sign(shelf, tombstone, hashes::names_of(conn, shelf, &tombstone.doc)?, &author.key);
    let Buried { late, .. } = bury(conn, shelf, &erasure, project)?;
    let number = line::append(conn, shelf, &author.origin, now, &Item::Erased(erasure))?;
    tell(conn, shelf, &late, author, now)?;
    Ok(Some(number))
}

/// The coordinator tells everybody which changes were of erased documents, as soon as it knows. It hands them on as
/// hashes, so that whoever gets what stands on them from somebody else could not know of whom that is.
pub(super) fn tell<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    late: &Late,
    author: &Author,
    now: Stamp,
) -> Result<(), ShelfError> {
    if author.writer == Writer::Box {
        return Ok(());
    }
    let late: Vec<&(DocId, [u8; 16])> = late.iter().collect();
    for of_one in late.chunk_by(|(one, _), (next, _)| one == next) {
        let place = of_one.first().map(|(doc, _)| library::current(conn, shelf, doc)).transpose()?.flatten();
        let Some(place) = place.filter(|place| place.state == State::Erased) else { continue };
        let told = erasure(conn, shelf, &place)?;
        for some in of_one.chunks(MAX_ERASED_CHANGES) {
            let changes = some.iter().map(|(_, name)| *name).collect();
            line::append(conn, shelf, &author.origin, now, &Item::Erased(Erasure { changes, ..told.clone() }))?;
        }
    }
    Ok(())
}

/// What comes of a tombstone.
struct Buried {
    /// It is new here.
    first: bool,
    late: Late,
}

/// Sets a tombstone and clears what it stands for.
fn bury<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    erasure: &Erasure,
    project: &dyn Project<S>,
) -> Result<Buried, ShelfError> {
    let Erasure { tombstone, changes, proof } = erasure;
    let doc = &tombstone.doc;
    match library::current(conn, shelf, doc)? {
        Some(place) if place.state == State::Erased => {
            return Ok(Buried { first: false, late: known_since(conn, shelf, changes, &place)? });
        }
        Some(_) => {}
        None if library::epoch(conn, shelf, doc, 0)?.is_some() => {}
        None => {
            library::create(conn, shelf, doc, 0, State::Erased)?;
        }
    }
    let nothing: &[u8] = &[];
    // Epochs left behind keep their rows too, so that late changes are known for what they are.
    conn.execute(
        "UPDATE replica_documents SET state = 2, snapshot = NULL, heads = ?4, fields = ?4, cut = NULL, carried = 1,
            tail_count = 0, tail_bytes = 0, pseudonym = ?5, proof = ?6
         WHERE shelf = ?1 AND kind = ?2 AND id = ?3",
        values![
            shelf.as_key(),
            doc.kind.code(),
            &doc.id,
            nothing,
            tombstone.pseudonym.as_ref().map(<[u8; 16]>::as_slice),
            proof
        ],
    )?;
    if let Some(place) = library::current(conn, shelf, doc)? {
        hashes::keep_names(conn, changes, place.row)?;
    }
    conn.execute(
        "DELETE FROM replica_changes WHERE doc IN
            (SELECT doc FROM replica_documents WHERE shelf = ?1 AND kind = ?2 AND id = ?3)",
        values![shelf.as_key(), doc.kind.code(), &doc.id],
    )?;
    conn.execute(
        "DELETE FROM replica_overridden WHERE shelf = ?1 AND kind = ?2 AND id = ?3",
        values![shelf.as_key(), doc.kind.code(), &doc.id],
    )?;
    let late = clear_waiting(conn, shelf)?;
    clear_late(conn, shelf, &late.iter().map(|(of, _)| *of).filter(|of| of != doc).collect())?;
    clear_entries(conn, shelf, tombstone)?;
    clear_runs(conn, shelf, tombstone)?;
    clear_pending(conn, shelf, tombstone)?;
    clear_quarantine(conn, shelf, tombstone)?;
    project.erased(conn, shelf, tombstone)?;
    Ok(Buried { first: true, late })
}

/// More changes are known to be of a document that is erased; and others with them.
fn known_since<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    changes: &[[u8; 16]],
    place: &Place,
) -> Result<Late, ShelfError> {
    if !hashes::keep_names(conn, changes, place.row)? {
        return Ok(Late::new());
    }
    let late = clear_waiting(conn, shelf)?;
    clear_late(conn, shelf, &late.iter().map(|(doc, _)| *doc).chain([place.doc]).collect())?;
    Ok(late)
}

/// A box hears a tombstone. Changes of its own that were on their way may be known as what they are to nobody who has
/// them: what they stand on went before it came there. So it says of which document they were.
pub(super) fn hear<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    erasure: &Erasure,
    with: &Taking<'_, S>,
) -> Result<Late, ShelfError> {
    let Buried { first, late } = bury(conn, shelf, erasure, with.project)?;
    if !first || with.author.writer != Writer::Box {
        return Ok(late);
    }
    let doc = erasure.tombstone.doc;
    let mut changes = hashes::names_of(conn, shelf, &doc)?;
    changes.retain(|name| !erasure.changes.contains(name));
    if !changes.is_empty() {
        line::append(conn, shelf, &with.author.origin, with.now, &Item::Traces { doc, changes })?;
    }
    Ok(late)
}

/// The coordinator hears from a box which changes were of a document that it erased. It believes a box about its own.
pub(super) fn learn<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    from: BoxId,
    (doc, changes): (&DocId, &[[u8; 16]]),
    with: &Taking<'_, S>,
) -> Result<Late, ShelfError> {
    let erased = library::current(conn, shelf, doc)?.filter(|place| place.state == State::Erased);
    let (Some(place), Writer::Coordinator) = (erased, with.author.writer) else { return Ok(Late::new()) };
    let own = hashes::waited_of(conn, shelf, from, changes)?;
    let mut late = known_since(conn, shelf, &own, &place)?;
    late.extend(own.into_iter().map(|name| (*doc, name)));
    Ok(late)
}

/// Whether an item is of an erased document, or names an erased person.
fn names<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone, item: &Item) -> Result<bool, ShelfError> {
    Ok(match item {
        Item::First { doc, .. } => *doc == tombstone.doc,
        Item::Change { bytes } => doc_of(conn, shelf, bytes)? == Some(tombstone.doc),
        Item::Entry { body, .. } => entry_names(body, tombstone),
        Item::Former { .. } => match item.said_before() {
            Some((_, _, said)) => names(conn, shelf, tombstone, &said)?,
            None => false,
        },
        Item::Erased(_) | Item::Gone { .. } | Item::Traces { .. } => false,
    })
}

/// Of which document a change is, as far as is known here.
fn doc_of<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, bytes: &[u8]) -> Result<Option<DocId>, ShelfError> {
    Ok(hashes::find(conn, shelf, &sha256(bytes))?.map(|place| place.doc))
}

fn entry_names(body: &[u8], tombstone: &Tombstone) -> bool {
    let is_here = |name: &[u8; 16]| body.windows(name.len()).any(|part| part == name);
    match Entry::decode(body) {
        Ok(entry) => {
            let named = entry.pseudonyms();
            tombstone.pseudonym.is_some_and(|pseudonym| named.iter().any(|named| named.0 == pseudonym))
                || entry.credential_of().map(Person::doc) == Some(tombstone.doc)
        }
        // Of a later version: an identifier is as long as a name can be.
        Err(_) => is_here(&tombstone.doc.id) || tombstone.pseudonym.as_ref().is_some_and(is_here),
    }
}

/// Whether an entry names somebody who is erased on this shelf.
pub(super) fn is_about_the_erased<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, entry: &Entry) -> Result<bool, ShelfError> {
    for pseudonym in entry.pseudonyms() {
        let found = conn.first(
            "SELECT doc FROM replica_documents WHERE shelf = ?1 AND pseudonym = ?2 AND state = 2 LIMIT 1",
            values![shelf.as_key(), &pseudonym.0],
        )?;
        if found.is_some() {
            return Ok(true);
        }
    }
    match entry.credential_of().map(Person::doc) {
        Some(doc) => Ok(library::current(conn, shelf, &doc)?.is_some_and(|place| place.state == State::Erased)),
        None => Ok(false),
    }
}

fn clear_entries<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
    let (mut line_after, mut number_after) = (-1, -1);
    loop {
        let rows = conn.query(
            "SELECT i.line, i.number, i.salt, i.body FROM replica_items i JOIN replica_lines l ON l.line = i.line
             WHERE l.shelf = ?1 AND i.kind = ?2 AND i.gone IS NULL AND (i.line > ?3 OR (i.line = ?3 AND i.number > ?4))
             ORDER BY i.line, i.number LIMIT ?5",
            values![shelf.as_key(), KIND_ENTRY, line_after, number_after, AT_ONCE],
        )?;
        let Some(last) = rows.last() else { return Ok(()) };
        (line_after, number_after) = (last.int(0)?, last.int(1)?);
        for row in &rows {
            let body = row.bytes(3)?;
            if entry_names(body, tombstone) {
                let item = Item::Entry { salt: row.array(2)?, body: body.to_vec() };
                line::entry_gone(conn, row.int(0)?, number(row.int(1)?), &item.hash())?;
            }
        }
    }
}

/// Changes that wait, or waited in vain, and are found to be of somebody erased: their names stay. They may stand in runs.
fn clear_waiting<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Late, ShelfError> {
    let mut waiting = hashes::all_waiting(conn, shelf)?;
    let mut late = Late::new();
    loop {
        let mut left = Vec::new();
        let claimed = hashes::claim_given_up(conn, shelf)?;
        let ended = (waiting.len(), claimed.is_empty());
        late.extend(claimed);
        for (place, bytes) in waiting {
            let chunk = Chunk::read(&dress(&bytes))?;
            let known = hashes::find(conn, shelf, &chunk.hash)?;
            let mut erased = known.filter(|found| found.state == State::Erased);
            for dep in &chunk.deps {
                erased = hashes::find(conn, shelf, dep)?.filter(|found| found.state == State::Erased).or(erased);
            }
            match erased {
                Some(found) => {
                    hashes::keep_hash(conn, shelf, &chunk.hash, found.row)?;
                    hashes::wait_no_longer(conn, place)?;
                    late.insert((found.doc, hashes::name(shelf, &chunk.hash)));
                }
                None => left.push((place, bytes)),
            }
        }
        if (left.len(), true) == ended {
            return Ok(late);
        }
        waiting = left;
    }
}

/// Something of erased documents was found to stand in runs.
pub(super) fn clear_late<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, docs: &BTreeSet<DocId>) -> Result<(), ShelfError> {
    docs.iter().try_for_each(|doc| clear_runs(conn, shelf, &Tombstone { doc: *doc, pseudonym: None }))
}

fn clear_runs<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
    let lines = conn.query(
        "SELECT line, box, incarnation FROM replica_lines WHERE shelf = ?1 ORDER BY line",
        values![shelf.as_key()],
    )?;
    for line in &lines {
        let (row, origin) = (line.int(0)?, line::origin_at(line, 1)?);
        let mut after = 0;
        loop {
            let kept = runs::kept_after(conn, row, (shelf, &origin), after)?;
            let Some(last) = kept.last() else { break };
            after = last.last();
            for run in &kept {
                if let Some(cleared) = without(conn, shelf, tombstone, run)? {
                    conn.execute(
                        "UPDATE replica_runs SET payload = ?3 WHERE line = ?1 AND last = ?2",
                        values![row, sql(run.last()), &cleared.payload],
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// A run without what is of an erased document.
fn without<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    tombstone: &Tombstone,
    run: &Run,
) -> Result<Option<Run>, ShelfError> {
    let mut failed = None;
    let cleared = run.without(|_, item| {
        names(conn, shelf, tombstone, item).unwrap_or_else(|why| {
            failed = Some(why);
            false
        })
    })?;
    failed.map_or(Ok(cleared), Err)
}

/// What was written here and stands in no run yet.
fn clear_pending<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
    let rows = conn.query(
        "SELECT i.line, i.number, i.body FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE l.shelf = ?1 AND i.kind <> ?2 AND i.number > l.held",
        values![shelf.as_key(), KIND_ENTRY],
    )?;
    for row in &rows {
        let item: Item = postcard::from_bytes(row.bytes(2)?).map_err(|_| StoreError::Unreadable("an item"))?;
        if names(conn, shelf, tombstone, &item)? {
            let gone = postcard::to_stdvec(&item.gone()).map_err(|_| StoreError::Unreadable("an item"))?;
            conn.execute(
                "UPDATE replica_items SET body = ?3 WHERE line = ?1 AND number = ?2",
                values![row.int(0)?, row.int(1)?, &gone],
            )?;
        }
    }
    Ok(())
}

/// What cannot be read, or stands on what is not here, is of nobody knows whom: it goes too.
fn clear_quarantine<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
    let rows = conn.query("SELECT place, bytes FROM replica_quarantine", &[])?;
    for row in &rows {
        let goes = match postcard::from_bytes::<Run>(row.bytes(1)?) {
            Ok(run) if run.shelf != *shelf => false,
            Ok(run) => may_name(conn, shelf, tombstone, &run)?,
            Err(_) => true,
        };
        if goes {
            conn.execute("DELETE FROM replica_quarantine WHERE place = ?1", values![row.int(0)?])?;
        }
    }
    Ok(())
}

/// Whether a run that was refused may say something of somebody erased.
pub(super) fn may_name_the_erased<S: Sql + ?Sized>(conn: &S, run: &Run) -> Result<bool, ShelfError> {
    for tombstone in tombstones(conn, &run.shelf)? {
        if may_name(conn, &run.shelf, &tombstone, run)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn may_name<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, tombstone: &Tombstone, run: &Run) -> Result<bool, ShelfError> {
    let Ok(items) = run.items() else { return Ok(true) };
    for item in &items {
        let stray = match item {
            Item::Change { bytes } => doc_of(conn, shelf, bytes)?.is_none(),
            Item::Former { .. } => true,
            Item::First { .. } | Item::Entry { .. } | Item::Erased(_) | Item::Gone { .. } | Item::Traces { .. } => {
                false
            }
        };
        if stray || names(conn, shelf, tombstone, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tombstones of a shelf.
fn tombstones<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<Tombstone>, ShelfError> {
    let rows = conn.query(
        &format!("SELECT {}, d.pseudonym FROM replica_documents d WHERE d.shelf = ?1 AND d.state = 2", library::PLACE),
        values![shelf.as_key()],
    )?;
    let read =
        |row: &crate::rig::sql::Row| Ok(Tombstone { doc: library::place_at(row)?.doc, pseudonym: row.opt_array(5)? });
    Ok(rows.iter().map(read).collect::<Result<_, StoreError>>()?)
}

/// A tombstone, as it is told.
pub(super) fn erasure<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, place: &Place) -> Result<Erasure, ShelfError> {
    let row = conn.one("SELECT pseudonym, proof FROM replica_documents WHERE doc = ?1", values![place.row])?;
    Ok(Erasure {
        tombstone: Tombstone { doc: place.doc, pseudonym: row.opt_array(0)? },
        changes: hashes::names_of(conn, shelf, &place.doc)?,
        proof: row.opt_bytes(1)?.unwrap_or_default().to_vec(),
    })
}

/// Whether a document is erased.
///
/// # Errors
/// When the store cannot be read.
pub fn is_erased<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, doc: &DocId) -> Result<bool, ShelfError> {
    Ok(library::current(conn, shelf, doc)?.is_some_and(|place| place.state == State::Erased))
}
