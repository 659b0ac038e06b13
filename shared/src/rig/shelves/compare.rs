//! What two ends lack of each other's documents: found beside a page, handed over, and taken.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ShelfError,
    desk::{Desk, Taking},
    erase::{self, Late},
    hashes,
    library::{self, Place, State, Taken},
    lives, pages, quarantine,
};
use crate::{
    documents::{Chunk, DocId, Document, Writer, dress, strip},
    ids::BoxId,
    replica::{
        Copy, Erasure, Item, Lacking, Loose, Origin, Page, Sheet, Shelf, Wanted,
        page::{MAX_LOOSE, bucket},
    },
    rig::sql::Sql,
};

/// What a copy lacks of the document here.
pub(super) fn lacking<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, copy: &Copy) -> Result<Vec<Loose>, ShelfError> {
    let mut lacking = Vec::new();
    let same = library::epoch(conn, shelf, &copy.doc, copy.epoch)?;
    if let Some(place) = same.filter(|place| matches!(place.state, State::Current | State::Past)) {
        let mut theirs = Document::new(copy.doc.kind);
        theirs.merge_saved(&copy.saved)?;
        lacking = loose(conn, shelf, place, &theirs.heads())?;
    }
    // They know nothing of an epoch that was begun since.
    if let Some(current) = library::current(conn, shelf, &copy.doc)?.filter(|current| current.epoch > copy.epoch) {
        lacking.extend(loose(conn, shelf, current, &[])?);
    }
    Ok(lacking)
}

fn loose<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    place: Place,
    theirs: &[[u8; 32]],
) -> Result<Vec<Loose>, ShelfError> {
    let mine: Taken = library::take(conn, place)?;
    let (doc, epoch) = (mine.place.doc, mine.place.epoch);
    let strip = |change: Vec<u8>| strip(&change).map(<[u8]>::to_vec).ok_or(library::UNREADABLE);
    let left_behind = library::left_behind(conn, shelf, &place)?;
    let mut lacking = Vec::new();
    for change in mine.document.changes_since(theirs) {
        let is_first = Chunk::read(&change)?.deps.is_empty();
        let cut = if is_first { left_behind.clone() } else { Vec::new() };
        lacking.push(Loose { doc, epoch, cut, bytes: strip(change)? });
    }
    Ok(lacking)
}

/// What stands in the compared buckets here, and the page should have held and did not.
pub(super) fn unknown_there<S: Sql + ?Sized>(
    conn: &S,
    page: &Page,
    sheet: &Sheet,
    lack: &mut Lacking,
) -> Result<(), ShelfError> {
    let Wanted::Buckets(buckets) = &page.pull.wanted else { return Ok(()) };
    let shelf = &page.pull.shelf;
    let held: BTreeSet<DocId> = sheet.copies.iter().map(|copy| copy.doc).collect();
    let erased: BTreeSet<DocId> = sheet.erased.iter().map(|erasure| erasure.tombstone.doc).collect();
    let mut after = page.pull.after;
    loop {
        let rows = pages::rows_after(conn, shelf, &page.pull.wanted, after)?;
        let Some(last) = rows.last().map(|place| place.doc) else { return Ok(()) };
        let within = |doc: &DocId| page.next.is_none_or(|next| *doc <= next) && buckets.contains(&bucket(doc));
        for of_doc in rows.chunk_by(|one, next| one.doc == next.doc) {
            let Some(newest) = of_doc.first().filter(|newest| within(&newest.doc)) else { continue };
            match newest.state {
                State::Erased if !erased.contains(&newest.doc) => {
                    lack.erased.push(erase::erasure(conn, shelf, newest)?);
                }
                State::Current if !held.contains(&newest.doc) => lack.changes.extend(loose(conn, shelf, *newest, &[])?),
                State::Erased | State::Current | State::Past | State::Forgotten => {}
            }
        }
        if page.next.is_some_and(|next| next <= last) {
            return Ok(());
        }
        after = Some(last);
    }
}

/// The lives that made these changes, as far as they are known here.
pub(super) fn makers<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, changes: &[Loose]) -> Result<Vec<Origin>, ShelfError> {
    let mut actors = BTreeSet::new();
    for change in changes {
        actors.insert(Chunk::read(&dress(&change.bytes))?.actor);
    }
    let made = |life: &Origin| actors.contains(&life.actor());
    Ok(lives::known(conn, shelf)?.into_iter().filter(made).take(MAX_LOOSE).collect())
}

/// Takes changes that a box hands over because the copies here lack them: its own, judged as such, and others' that were
/// held here before, or were lost here: a coordinator that knows that it lost them believes its boxes. What somebody else
/// made otherwise cannot be proved, and goes aside.
///
/// # Errors
/// [`ShelfError::Refused`] for a change that is not the box's to make; the act is rolled back.
pub fn mend<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    from: BoxId,
    lacking: &Lacking,
    with: &Taking<'_, S>,
) -> Result<(), ShelfError> {
    conn.guard(shelf.as_key())?;
    let believed = lives::believed(conn, shelf, from)?;
    let told = lacking.lives.iter().filter(|life| believed.contains(&life.box_id));
    let lives: BTreeMap<[u8; 16], Origin> =
        lives::known(conn, shelf)?.iter().chain(told).map(|life| (life.actor(), *life)).collect();
    // Nobody else can have made one that is proved; which changes it names is not.
    let key = with.author.key.public();
    let mut late = Late::new();
    for Erasure { tombstone, proof, .. } in lacking.erased.iter().filter(|erasure| erasure.is_proved(shelf, &key)) {
        let erasure = Erasure { tombstone: *tombstone, changes: Vec::new(), proof: proof.clone() };
        late.extend(erase::hear(conn, shelf, &erasure, with)?);
    }
    let mut desk = Desk::new(conn, shelf, with, None);
    let sender = from.to_string();
    for Loose { doc, epoch, cut, bytes } in &lacking.changes {
        let chunk = Chunk::read(&dress(bytes))?;
        // What was held here once is known by its hash, whoever made it.
        let was_here = hashes::was_here(conn, shelf, &chunk.hash, doc)?;
        let life = lives.get(&chunk.actor);
        let Some(origin) = life.filter(|life| was_here || believed.contains(&life.box_id)) else {
            let why = "a change handed over is another's, and was never here";
            quarantine::bytes(conn, &sender, bytes, why, with.now)?;
            continue;
        };
        lives::line_of(conn, shelf, origin)?;
        let coordinators = origin.box_id == with.author.origin.box_id;
        let writer = if coordinators { Writer::Coordinator } else { Writer::Box };
        if chunk.deps.is_empty() {
            let first = Item::First { doc: *doc, epoch: *epoch, cut: cut.clone(), bytes: bytes.clone() };
            desk.first(origin, writer, &first)?;
        } else {
            desk.change(origin, writer, bytes)?;
        }
    }
    let cleared = desk.clear(|bytes, why| quarantine::bytes(conn, &sender, bytes, &why.to_string(), with.now))?;
    erase::clear_late(conn, shelf, &cleared.erased)?;
    late.extend(cleared.late);
    erase::tell(conn, shelf, &late, with.author, with.now)?;
    for (doc, fields) in &cleared.changed {
        with.project.document(conn, shelf, doc, fields)?;
    }
    Ok(())
}
