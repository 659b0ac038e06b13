//! Runs on disk. Table `replica_runs`.
//!
//! Of each line the runs after its *base* are kept; what is before was cut ([`super::fold`]), or came as a snapshot. The
//! run that ends at the base stays without its payload, so that the chain goes on from it.

use super::{
    Author, ShelfError,
    desk::{Desk, Kept, Taking},
    erase,
    line::{self, KIND_ENTRY, KIND_OTHER, Line, number, sql},
    lives, quarantine,
};
use crate::{
    documents::{DocId, Writer},
    ids::BoxId,
    journal::Entry,
    replica::{
        Erasure, Item, Mark, Origin, Run, Shelf,
        run::{CLOSE_AT_BYTES, CLOSE_AT_ITEMS},
    },
    rig::{
        sql::{Row, Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// Runs read in one statement: what a batch takes, more or less.
const RUNS_AT_ONCE: u32 = 8;
/// Room for an item's names and lengths in a run.
const ITEM_FRAME_BYTES: usize = 40;

/// A numbered item of mine that stands in no run yet.
struct Pending {
    number: u64,
    committed: Stamp,
    item: Item,
}

/// Closes what this author wrote since into signed runs; gives the new marks.
///
/// # Errors
/// When the store fails.
pub fn close_runs<S: Sql + ?Sized>(conn: &S, author: &Author, now: Stamp) -> Result<Vec<Mark>, ShelfError> {
    lives::say_again(conn, author)?;
    let mut marks = Vec::new();
    for (shelf, mut line) in line::unclosed(conn, &author.origin)? {
        while line.held < line.last {
            let pending = pending(conn, &line)?;
            let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
                return Err(StoreError::Unreadable("items of a line").into());
            };
            let (numbers, stamps) = ((first.number, last.number), (first.committed, last.committed));
            let items: Vec<Item> = pending.into_iter().map(|pending| pending.item).collect();
            let run = Run::close(shelf.clone(), author.origin, numbers.0, line.chain, &items, &author.key)?;
            line.chain = store(conn, line.line, &run, (stamps.0, stamps.1, now))?;
            line.held = numbers.1;
            conn.execute(
                "DELETE FROM replica_items WHERE line = ?1 AND number BETWEEN ?2 AND ?3 AND kind = ?4",
                values![line.line, sql(numbers.0), sql(numbers.1), KIND_OTHER],
            )?;
        }
        line::advance(conn, line.line, line.held, &line.chain)?;
        marks.push(Mark { shelf, origin: author.origin, number: line.held, chain: line.chain });
    }
    Ok(marks)
}

/// The next items to close: as many as a run takes.
fn pending<S: Sql + ?Sized>(conn: &S, line: &Line) -> Result<Vec<Pending>, ShelfError> {
    let most = i64::try_from(CLOSE_AT_ITEMS).unwrap_or(i64::MAX);
    let rows = conn.query(
        "SELECT number, kind, salt, body, gone, committed FROM replica_items
         WHERE line = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        values![line.line, sql(line.held), most],
    )?;
    let (mut items, mut bytes) = (Vec::new(), 0_usize);
    for row in &rows {
        let body = row.bytes(3)?;
        bytes = bytes.saturating_add(body.len()).saturating_add(ITEM_FRAME_BYTES);
        if bytes > CLOSE_AT_BYTES && !items.is_empty() {
            break;
        }
        items.push(Pending { number: number(row.int(0)?), committed: Stamp(row.int(5)?), item: item_at(row, 1)? });
    }
    Ok(items)
}

/// Reads an item of mine from `kind, salt, body, gone`.
pub(super) fn item_at(row: &Row, at: usize) -> Result<Item, StoreError> {
    let [salt, body, gone] = [1_usize, 2, 3].map(|n| at.saturating_add(n));
    if row.int(at)? == KIND_ENTRY {
        return Ok(match row.opt_array(gone)? {
            Some(hash) => Item::Gone { hash, entry: true },
            None => Item::Entry { salt: row.array(salt)?, body: row.bytes(body)?.to_vec() },
        });
    }
    postcard::from_bytes(row.bytes(body)?).map_err(|_| StoreError::Unreadable("an item"))
}

/// Keeps a run; gives its hash. `stamps` are of its oldest and newest item and of now.
fn store<S: Sql + ?Sized>(
    conn: &S,
    line: i64,
    run: &Run,
    stamps: (Stamp, Stamp, Stamp),
) -> Result<[u8; 32], ShelfError> {
    let hash = run.hash();
    conn.execute(
        "INSERT INTO replica_runs (line, last, first, prev, root, hash, payload, signature, stored, oldest, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        values![
            line,
            sql(run.last()),
            sql(run.first),
            &run.prev,
            &run.root,
            &hash,
            &run.payload,
            &run.signature,
            stamps.2.0,
            stamps.0.0,
            stamps.1.0
        ],
    )?;
    Ok(hash)
}

/// A line goes on from this mark, whatever runs there were before. `head` is the run that ends there, if somebody has it.
pub(super) fn rest_on<S: Sql + ?Sized>(
    conn: &S,
    mark: &Mark,
    head: Option<&Run>,
    now: Stamp,
) -> Result<(), ShelfError> {
    let line = line::open(conn, &mark.shelf, &mark.origin)?;
    conn.execute("DELETE FROM replica_runs WHERE line = ?1", values![line.line])?;
    let nothing: &[u8] = &[];
    let (first, prev, root, signature) = head.map_or((mark.number, &mark.chain, &mark.chain, nothing), |run| {
        (run.first, &run.prev, &run.root, &run.signature)
    });
    conn.execute(
        "INSERT INTO replica_runs (line, last, first, prev, root, hash, payload, signature, stored, oldest, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7, ?8, ?8, ?8)",
        values![line.line, sql(mark.number), sql(first), prev, root, &mark.chain, signature, now.0],
    )?;
    conn.execute("UPDATE replica_lines SET base = ?2 WHERE line = ?1", values![line.line, sql(mark.number)])?;
    line::advance(conn, line.line, mark.number, &mark.chain)
}

/// Commits each run in a savepoint of its own; gives those that failed, with why. What follows one that failed on its
/// line is not tried. `coordinator` says on whose side an origin stands.
///
/// # Errors
/// When the store fails.
pub fn commit_each<S: Sql + ?Sized>(
    conn: &S,
    runs: Vec<Run>,
    coordinator: BoxId,
    with: &Taking<'_, S>,
) -> Result<Vec<(Run, ShelfError)>, ShelfError> {
    let mut refused: Vec<(Run, ShelfError)> = Vec::new();
    for run in runs {
        if refused.iter().any(|(r, _)| (&r.shelf, r.origin) == (&run.shelf, run.origin)) {
            continue;
        }
        let writer = if run.origin.box_id == coordinator { Writer::Coordinator } else { Writer::Box };
        conn.batch("SAVEPOINT run")?;
        match commit_run(conn, &run, writer, with) {
            Ok(_) => conn.batch("RELEASE run")?,
            Err(error) => {
                conn.batch("ROLLBACK TO run; RELEASE run")?;
                refused.push((run, error));
            }
        }
    }
    Ok(refused)
}

/// What a run brings beside changes.
#[derive(Default)]
struct Brought {
    /// Entries that are new here, with their names.
    entries: Vec<(Origin, u64, Entry)>,
    buried: Vec<Erasure>,
    /// Of which erased documents which changes were.
    traces: Vec<(DocId, Vec<[u8; 16]>)>,
    /// Numbers of what is of somebody erased.
    hashed: Vec<u64>,
}

/// Takes a run whose signature was verified: stores it, applies its changes, keeps its entries, projects both. A run
/// that is already held changes nothing. On an error the caller's act is rolled back.
///
/// `writer` says on whose side the run's origin stands.
///
/// # Errors
/// [`ShelfError::Gap`] and [`ShelfError::Fork`] when it does not follow what is held; [`ShelfError::Refused`] when an
/// item is bad or not the writer's to make; [`ShelfError::Stuck`] when nothing from outside is applied any more.
pub fn commit_run<S: Sql + ?Sized>(
    conn: &S,
    run: &Run,
    writer: Writer,
    with: &Taking<'_, S>,
) -> Result<Mark, ShelfError> {
    conn.guard(run.shelf.as_key())?;
    if run.origin.box_id == with.author.origin.box_id {
        lives::say_again(conn, with.author)?;
    }
    let line = line::open(conn, &run.shelf, &run.origin)?;
    if run.last() <= line.held {
        return held_already(conn, &line, run);
    }
    if run.first > line.held.saturating_add(1) {
        return Err(ShelfError::Gap { held: line.held });
    }
    let follows = run.first == line.held.saturating_add(1) && run.prev == line.chain;
    if !follows || run.origin == with.author.origin {
        return Err(ShelfError::Fork { held: line.held });
    }
    if run.shelf == Shelf::Territory && writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "the territory shelf is the coordinator's".into() });
    }
    let mut desk = Desk::new(conn, &run.shelf, with, Some((line.line, run.last())));
    let mut brought = Brought::default();
    for (place, item) in (run.first..).zip(&run.items()?) {
        let kept = match item {
            Item::Former { .. } => {
                let (incarnation, number, said) =
                    item.said_before().ok_or_else(|| refused("an item is said again badly"))?;
                let life = Origin { incarnation, ..run.origin };
                if life == run.origin {
                    return Err(refused("an item is said again by the life that said it"));
                }
                let former = lives::line_of(conn, &run.shelf, &life)?;
                // A copy of this disk may say again what this life wrote, but no number that it never gave.
                if life == with.author.origin && number > former.last {
                    return Err(ShelfError::Fork { held: line.held });
                }
                // A box that took a snapshot keeps no entries of before; the run that says them again it does.
                let of_before = if let Item::Entry { body, .. } = &said
                    && number <= former.held
                    && with.author.writer == Writer::Box
                {
                    Some(Entry::decode(body)?)
                } else {
                    None
                };
                match of_before {
                    Some(entry) if erase::is_about_the_erased(conn, &run.shelf, &entry)? => Kept::Hash,
                    Some(_) => Kept::Whole,
                    None => take_item(&mut desk, (&life, former.line, number), writer, &said, &mut brought)?,
                }
            }
            Item::Gone { .. } => {
                line::keep_entry(conn, line.line, place, item, with.now)?;
                Kept::Whole
            }
            Item::First { .. } | Item::Change { .. } | Item::Entry { .. } | Item::Erased(_) | Item::Traces { .. } => {
                take_item(&mut desk, (&run.origin, line.line, place), writer, item, &mut brought)?
            }
        };
        if kept == Kept::Hash {
            brought.hashed.push(place);
        }
    }
    let from = run.origin.to_string();
    let cleared = desk.clear(|bytes, why| quarantine::bytes(conn, &from, bytes, &why.to_string(), with.now))?;
    for (doc, fields) in &cleared.changed {
        with.project.document(conn, &run.shelf, doc, fields)?;
    }
    for (origin, number, entry) in &brought.entries {
        with.project.entry(conn, &run.shelf, origin, *number, with.now, entry)?;
    }
    let stored = match brought.hashed[..] {
        [] => None,
        _ => run.without(|number, _| brought.hashed.contains(&number))?,
    };
    let chain = store(conn, line.line, stored.as_ref().unwrap_or(run), (with.now, with.now, with.now))?;
    line::advance(conn, line.line, run.last(), &chain)?;
    erase::clear_late(conn, &run.shelf, &cleared.erased)?;
    // After everything of this run is held, so that what it says of them goes too.
    let mut late = cleared.late;
    for erasure in &brought.buried {
        late.extend(erase::hear(conn, &run.shelf, erasure, with)?);
    }
    for (doc, changes) in &brought.traces {
        late.extend(erase::learn(conn, &run.shelf, run.origin.box_id, (doc, changes), with)?);
    }
    erase::tell(conn, &run.shelf, &late, with.author, with.now)?;
    quarantine::taken(conn, &chain)?;
    Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: run.last(), chain })
}

/// Takes an item under the name that it has: whose it is, in which line, under which number.
fn take_item<S: Sql + ?Sized>(
    desk: &mut Desk<'_, '_, S>,
    (origin, line, number): (&Origin, i64, u64),
    writer: Writer,
    item: &Item,
    brought: &mut Brought,
) -> Result<Kept, ShelfError> {
    match item {
        Item::First { .. } => desk.first(origin, writer, item),
        Item::Change { bytes } => desk.change(origin, writer, bytes),
        Item::Entry { body, .. } => {
            let entry = Entry::decode(body)?;
            if !entry.may_come_from(writer) {
                return Err(refused("an entry is not this writer's"));
            }
            let (conn, shelf, now) = (desk.conn, desk.shelf, desk.with.now);
            if erase::is_about_the_erased(conn, shelf, &entry)? {
                line::keep_entry(conn, line, number, &item.gone(), now)?;
                return Ok(Kept::Hash);
            }
            if line::keep_entry(conn, line, number, item, now)? {
                brought.entries.push((*origin, number, entry));
            }
            Ok(Kept::Whole)
        }
        Item::Erased(_) if writer == Writer::Box => Err(refused("only the coordinator erases")),
        Item::Erased(erasure) => {
            brought.buried.push(erasure.clone());
            Ok(Kept::Whole)
        }
        Item::Traces { doc, changes } => {
            brought.traces.push((*doc, changes.clone()));
            Ok(Kept::Whole)
        }
        Item::Gone { .. } | Item::Former { .. } => Err(refused("an item stands for another that it cannot be")),
    }
}

fn refused(reason: &str) -> ShelfError {
    ShelfError::Refused { reason: reason.into() }
}

/// A run under numbers that are held must be the one that is held; of what was cut, nobody can tell.
fn held_already<S: Sql + ?Sized>(conn: &S, line: &Line, run: &Run) -> Result<Mark, ShelfError> {
    let row =
        conn.first("SELECT hash FROM replica_runs WHERE line = ?1 AND last = ?2", values![line.line, sql(run.last())])?;
    let held = row.map(|row| row.array(0)).transpose()?;
    if held == Some(run.hash()) || run.last() < line.base {
        Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: line.held, chain: line.chain })
    } else {
        Err(ShelfError::Fork { held: line.held })
    }
}

/// What follows a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Following {
    /// Runs in order; none when nothing follows.
    Runs(Vec<Run>),
    /// What follows was cut: the run at its end, without items; without a signature when nothing shows who signed it.
    Cut(Run),
}

/// Runs of an origin after a number, in order: as many as fit in `max_bytes`, but one at least.
///
/// # Errors
/// When the store cannot be read.
pub fn runs_after<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    max_bytes: usize,
) -> Result<Following, ShelfError> {
    let Some(line) = line::find(conn, shelf, origin)? else { return Ok(Following::Runs(Vec::new())) };
    if after < line.base {
        return Ok(Following::Cut(
            head(conn, (shelf, origin), line.line, line.base)?.ok_or(StoreError::Unreadable("a run"))?,
        ));
    }
    let (mut runs, mut bytes, mut from) = (Vec::<Run>::new(), 0_usize, after);
    loop {
        let next = kept_after(conn, line.line, (shelf, origin), from)?;
        let more = next.len() >= usize::try_from(RUNS_AT_ONCE).unwrap_or(usize::MAX);
        for run in next {
            bytes = bytes.saturating_add(run.payload.len());
            if bytes > max_bytes && !runs.is_empty() {
                return Ok(Following::Runs(runs));
            }
            from = run.last();
            runs.push(run);
        }
        if !more {
            return Ok(Following::Runs(runs));
        }
    }
}

/// The run of a line that ends at a number, without its items.
pub(super) fn head<S: Sql + ?Sized>(
    conn: &S,
    of: (&Shelf, &Origin),
    line: i64,
    number: u64,
) -> Result<Option<Run>, ShelfError> {
    // The signature stands in for the items, which may be gone.
    let row = conn.first(
        "SELECT first, last, prev, root, signature, signature FROM replica_runs WHERE line = ?1 AND last = ?2",
        values![line, sql(number)],
    )?;
    row.map(|row| Ok(Run { payload: Vec::new(), ..run_at(&row, of)? })).transpose()
}

/// Reads `first, last, prev, root, payload, signature`.
fn run_at(row: &Row, (shelf, origin): (&Shelf, &Origin)) -> Result<Run, ShelfError> {
    let (first, last) = (number(row.int(0)?), number(row.int(1)?));
    Ok(Run {
        shelf: shelf.clone(),
        origin: *origin,
        first,
        count: u32::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(u32::MAX),
        prev: row.array(2)?,
        root: row.array(3)?,
        payload: row.bytes(4)?.to_vec(),
        signature: row.bytes(5)?.to_vec(),
    })
}

/// The next few runs of a line that are kept whole.
pub(super) fn kept_after<S: Sql + ?Sized>(
    conn: &S,
    line: i64,
    (shelf, origin): (&Shelf, &Origin),
    after: u64,
) -> Result<Vec<Run>, ShelfError> {
    let rows = conn.query(
        "SELECT first, last, prev, root, payload, signature FROM replica_runs
         WHERE line = ?1 AND last > ?2 AND payload IS NOT NULL ORDER BY last LIMIT ?3",
        values![line, sql(after), RUNS_AT_ONCE],
    )?;
    rows.iter().map(|row| run_at(row, (shelf, origin))).collect()
}

/// The items of a line after a number that is the end of a run: of those that are kept, and of mine that stand in none.
pub(super) fn items_after<S: Sql + ?Sized>(
    conn: &S,
    line: &Line,
    (shelf, origin): (&Shelf, &Origin),
    after: u64,
) -> Result<Vec<Item>, ShelfError> {
    let (mut items, mut from) = (Vec::new(), after);
    loop {
        let runs = kept_after(conn, line.line, (shelf, origin), from)?;
        let Some(last) = runs.last() else { break };
        from = last.last();
        for run in &runs {
            items.extend(run.items()?);
        }
    }
    let rows = conn.query(
        "SELECT kind, salt, body, gone FROM replica_items WHERE line = ?1 AND number > ?2 ORDER BY number",
        values![line.line, sql(line.held.max(after))],
    )?;
    for row in &rows {
        items.push(item_at(row, 0)?);
    }
    Ok(items)
}
