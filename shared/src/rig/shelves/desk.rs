//! What comes from outside is applied to documents: each is taken once for all its changes of a run.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Author, Project, ShelfError, epochs,
    erase::Late,
    hashes::{self, Waiting},
    library::{self, Place, State, Taken},
    quarantine,
};
use crate::{
    documents::{Chunk, DocId, Document, Fields, Received, Writer, dress, permit},
    replica::{Item, Origin, Shelf},
    rig::{
        apply::{ApplyError, Bench},
        sql::Sql,
    },
    time::Stamp,
};

/// Who takes what comes, and with what.
pub struct Taking<'a, S: ?Sized> {
    /// Who writes here: what was edited in an epoch left behind is written again in its name.
    pub author: &'a Author,
    /// Rows made of documents and entries.
    pub project: &'a dyn Project<S>,
    /// Applies changes, for no longer than its limit.
    pub bench: &'a Bench,
    /// When this is.
    pub now: Stamp,
}

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is held as it came.
    Whole,
    /// It is of somebody erased: its hash is.
    Hash,
}

/// A document with changes that came for it.
struct Slot {
    taken: Taken,
    queue: Vec<Received>,
}

/// The documents that a run touches.
pub(super) struct Desk<'a, 'b, S: ?Sized> {
    pub(super) conn: &'a S,
    pub(super) shelf: &'a Shelf,
    pub(super) with: &'a Taking<'b, S>,
    slots: BTreeMap<i64, Slot>,
    /// Changes in the queues.
    queued: BTreeMap<[u8; 32], Place>,
    /// Changes held since the desk was made.
    came: Vec<[u8; 32]>,
    changed: BTreeMap<DocId, Fields>,
    /// Erased documents of which something came that may stand in a run.
    erased: BTreeSet<DocId>,
    /// What came of erased documents.
    late: Late,
    /// The line and the end of the run in hand.
    run: Option<(i64, u64)>,
}

/// What a desk leaves behind.
pub(super) struct Cleared {
    /// The documents that read otherwise now.
    pub(super) changed: BTreeMap<DocId, Fields>,
    /// Erased documents of which something came that may stand in a run.
    pub(super) erased: BTreeSet<DocId>,
    /// All that came of erased documents and was not known.
    pub(super) late: Late,
}

impl<'a, 'b, S: Sql + ?Sized> Desk<'a, 'b, S> {
    /// A desk for a run, of this line and with this end, or for what comes otherwise.
    pub(super) fn new(conn: &'a S, shelf: &'a Shelf, with: &'a Taking<'b, S>, run: Option<(i64, u64)>) -> Self {
        let (slots, queued, came, changed) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), BTreeMap::new());
        let (erased, late) = (BTreeSet::new(), Late::new());
        Self { conn, shelf, with, slots, queued, came, changed, erased, late, run }
    }

    /// Documents have got changes otherwise, and some read differently for it.
    pub(super) fn heard(&mut self, came: Vec<[u8; 32]>, changed: BTreeMap<DocId, Fields>) {
        self.came.extend(came);
        self.changed.extend(changed);
    }

    /// A change that says of which document it is.
    pub(super) fn first(&mut self, origin: &Origin, writer: Writer, item: &Item) -> Result<Kept, ShelfError> {
        let Item::First { doc, epoch, cut, bytes } = item else { return Ok(Kept::Whole) };
        let change = received(bytes)?;
        if !change.chunk.deps.is_empty() || change.chunk.mark != doc.mark(*epoch) {
            return Err(refused("a first change is not of the document that it names"));
        }
        by(origin, &change.chunk)?;
        permit(doc.kind, writer, &change.chunk)?;
        if *epoch > 0 && writer == Writer::Box {
            return Err(refused("only the coordinator begins an epoch"));
        }
        let place = match library::current(self.conn, self.shelf, doc)? {
            Some(place) if place.state == State::Erased => return self.drop_late(&change.chunk, place),
            Some(current) if *epoch == current.epoch => current,
            Some(current) if *epoch < current.epoch => epochs::past(self.conn, self.shelf, doc, *epoch)?,
            Some(current) => {
                self.settle()?;
                epochs::turn(self.conn, &current)?;
                self.begin(doc, *epoch)?
            }
            None => self.begin(doc, *epoch)?,
        };
        if let Some(left) = epoch.checked_sub(1) {
            let left = epochs::past(self.conn, self.shelf, doc, left)?;
            epochs::note_cut(self.conn, left.row, cut)?;
        }
        self.queue(place, change)?;
        Ok(Kept::Whole)
    }

    fn begin(&self, doc: &DocId, epoch: u32) -> Result<Place, ShelfError> {
        let place = library::create(self.conn, self.shelf, doc, epoch, State::Current)?;
        if epoch > 0 {
            epochs::note_begin(self.conn, place.row, self.with.now)?;
        }
        Ok(place)
    }

    /// A change of somebody erased: it is known from now on, and not kept.
    fn drop_late(&mut self, chunk: &Chunk, place: Place) -> Result<Kept, ShelfError> {
        if hashes::keep_hash(self.conn, self.shelf, &chunk.hash, place.row)? {
            self.late.insert((place.doc, hashes::name(self.shelf, &chunk.hash)));
        }
        self.came.push(chunk.hash);
        Ok(Kept::Hash)
    }

    /// A change that is found by what it stands on.
    pub(super) fn change(&mut self, origin: &Origin, writer: Writer, bytes: &[u8]) -> Result<Kept, ShelfError> {
        let change = received(bytes)?;
        by(origin, &change.chunk)?;
        self.place(writer, change, bytes)
    }

    fn place(&mut self, writer: Writer, change: Received, bytes: &[u8]) -> Result<Kept, ShelfError> {
        // Of somebody erased it may be known by its own name, though not what it stands on.
        if let Some(found) = self.find(&change.chunk.hash)?.filter(|found| found.state == State::Erased) {
            return self.drop_late(&change.chunk, found);
        }
        let (mut place, mut missing): (Option<Place>, _) = (None, None);
        for dep in &change.chunk.deps {
            match self.find(dep)? {
                Some(found) if found.state == State::Erased => return self.drop_late(&change.chunk, found),
                Some(found) if place.is_some_and(|place| place.row != found.row) => {
                    return Err(refused("a change stands on two documents"));
                }
                Some(found) => place = Some(found),
                None => missing = Some(dep),
            }
        }
        if let Some(dep) = missing {
            let waiting = Waiting { writer, run: self.run, bytes: bytes.to_vec() };
            if let Some(too_many) = hashes::wait(self.conn, self.shelf, dep, &waiting, self.with.now)? {
                // Comparing documents finds it again, should it be missed.
                let why = "what it stands on has not come, and too many changes wait";
                quarantine::note(self.conn, self.shelf.as_key(), &too_many, why, self.with.now)?;
            }
            return Ok(Kept::Whole);
        }
        let place = place.ok_or_else(|| refused("a change stands on nothing and names no document"))?;
        if change.chunk.mark != 0 && change.chunk.mark != place.doc.mark(place.epoch) {
            return Err(refused("a change is marked for another document"));
        }
        permit(place.doc.kind, writer, &change.chunk)?;
        self.queue(place, change)?;
        Ok(Kept::Whole)
    }

    fn find(&self, hash: &[u8; 32]) -> Result<Option<Place>, ShelfError> {
        match self.queued.get(hash) {
            Some(place) => Ok(Some(*place)),
            None => hashes::find(self.conn, self.shelf, hash),
        }
    }

    fn queue(&mut self, place: Place, change: Received) -> Result<(), ShelfError> {
        if place.state == State::Forgotten {
            // Whoever made it in an epoch that long gone has written it again. It is known from now on, and not kept.
            self.came.push(change.chunk.hash);
            hashes::keep_hash(self.conn, self.shelf, &change.chunk.hash, place.row)?;
            return Ok(());
        }
        let slot = match self.slots.entry(place.row) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Slot { taken: library::take(self.conn, place)?, queue: Vec::new() })
            }
        };
        if slot.taken.is_full() {
            return Err(crate::documents::DocumentError::TooLarge.into());
        }
        self.queued.insert(change.chunk.hash, place);
        slot.queue.push(change);
        Ok(())
    }

    /// Applies what is queued and puts the documents back.
    fn settle(&mut self) -> Result<(), ShelfError> {
        self.queued.clear();
        // An epoch left behind is carried into the current one, which must stand by then.
        let (current, past): (Vec<Slot>, Vec<Slot>) =
            std::mem::take(&mut self.slots).into_values().partition(|slot| slot.taken.place.state == State::Current);
        for mut slot in current.into_iter().chain(past) {
            let before = slot.taken.document.clone();
            let changes = slot.queue.clone();
            let said = self.with.bench.apply(&mut slot.taken.document, slot.queue).map_err(|why| match why {
                ApplyError::NotNow => ShelfError::Stuck,
            })?;
            let mut fresh = Vec::new();
            for (change, said) in changes.into_iter().zip(said) {
                said?;
                hashes::keep_hash(self.conn, self.shelf, &change.chunk.hash, slot.taken.place.row)?;
                self.came.push(change.chunk.hash);
                if !before.holds(&change.chunk.hash) {
                    fresh.push(change.bytes);
                }
            }
            self.put_back(&slot.taken, &before, &fresh)?;
        }
        Ok(())
    }

    fn put_back(&mut self, taken: &Taken, before: &Document, fresh: &[Vec<u8>]) -> Result<(), ShelfError> {
        let Some(fields) = library::put_back(self.conn, taken, fresh)? else { return Ok(()) };
        match taken.place.state {
            State::Current => {
                self.changed.insert(taken.place.doc, fields);
            }
            State::Past => {
                if let Some(fields) = epochs::carry(self.conn, self.shelf, taken, before, self.with)? {
                    self.changed.insert(taken.place.doc, fields);
                }
            }
            State::Erased | State::Forgotten => {}
        }
        Ok(())
    }

    /// Applies all, then what waited for it. A change that waited and is refused harms no other.
    pub(super) fn clear(
        mut self,
        mut refused: impl FnMut(&[u8], &ShelfError) -> Result<(), ShelfError>,
    ) -> Result<Cleared, ShelfError> {
        loop {
            self.settle()?;
            epochs::carry_what_waited(self.conn, self.shelf, self.with, &mut self.changed)?;
            let came = std::mem::take(&mut self.came);
            let hashes::Released { waited, late } = hashes::released(self.conn, self.shelf, &came)?;
            let ended = waited.is_empty() && late.is_empty();
            self.erased.extend(late.iter().map(|(doc, _)| *doc));
            self.late.extend(late);
            if ended {
                return Ok(Cleared { changed: self.changed, erased: self.erased, late: self.late });
            }
            for Waiting { writer, run, bytes } in waited {
                self.run = run;
                // One at a time, so that a bad one is alone.
                match self.place_alone(writer, &bytes) {
                    Ok(()) => {}
                    Err(why @ ShelfError::Refused { .. }) => refused(&bytes, &why)?,
                    Err(why) => return Err(why),
                }
            }
        }
    }

    fn place_alone(&mut self, writer: Writer, bytes: &[u8]) -> Result<(), ShelfError> {
        let change = received(bytes)?;
        let hash = change.chunk.hash;
        if self.place(writer, change, bytes)? == Kept::Hash {
            // When it came nobody knew of whom it is: it stands in a run.
            self.erased.extend(self.find(&hash)?.map(|place| place.doc));
        }
        self.settle()
    }
}

fn received(bytes: &[u8]) -> Result<Received, ShelfError> {
    let bytes = dress(bytes);
    Ok(Received { chunk: Chunk::read(&bytes)?, bytes })
}

/// A change is signed by whoever made it.
fn by(origin: &Origin, chunk: &Chunk) -> Result<(), ShelfError> {
    if chunk.actor == origin.actor() { Ok(()) } else { Err(refused("a change is not of the run's origin")) }
}

fn refused(reason: &str) -> ShelfError {
    ShelfError::Refused { reason: reason.into() }
}
