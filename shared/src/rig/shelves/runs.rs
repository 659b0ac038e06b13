//! Runs on disk. Table `replica_runs`.
//!
//! Of each line the runs after its *base* are kept; what is before was cut ([`super::fold`]), or came as a snapshot. The
//! run that ends at the base stays without its payload, so that the chain goes on from it.

use super::{
    Author, ShelfError, anew,
    desk::{Desk, Kept, Taking},
    erase,
    line::{self, KIND_ENTRY, KIND_OTHER, Line, number, sql},
    quarantine,
};
use crate::{
    documents::Writer,
    journal::Entry,
    replica::{
        Item, Mark, Origin, Run, Shelf,
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
    anew::settle_former(conn, author, now)?;
    anew::write_again(conn, author, now)?;
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

/// A line goes on from this mark, whatever runs there were before.
pub(super) fn rest_on<S: Sql + ?Sized>(conn: &S, mark: &Mark, now: Stamp) -> Result<(), ShelfError> {
    let line = line::open(conn, &mark.shelf, &mark.origin)?;
    conn.execute("DELETE FROM replica_runs WHERE line = ?1", values![line.line])?;
    let nothing: &[u8] = &[];
    conn.execute(
        "INSERT INTO replica_runs (line, last, first, prev, root, hash, payload, signature, stored, oldest, newest)
         VALUES (?1, ?2, ?2, ?3, ?3, ?3, NULL, ?4, ?5, ?5, ?5)",
        values![line.line, sql(mark.number), &mark.chain, nothing, now.0],
    )?;
    conn.execute("UPDATE replica_lines SET base = ?2 WHERE line = ?1", values![line.line, sql(mark.number)])?;
    line::advance(conn, line.line, mark.number, &mark.chain)
}

/// Takes a run whose signature was verified: stores it, applies its changes, keeps its entries, projects both. A run
/// that is already held changes nothing; before one of a former life of this disk that went on otherwise, what is held of
/// it gives way, so that the mark is lower than before. On an error the caller's act is rolled back.
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
    let line = line::open(conn, &run.shelf, &run.origin)?;
    if run.last() <= line.held {
        return held_already(conn, &line, run);
    }
    if run.first > line.held.saturating_add(1) {
        return Err(ShelfError::Gap { held: line.held });
    }
    let mine = line::me(conn)?;
    let forks = run.first != line.held.saturating_add(1) || run.prev != line.chain || line.last > line.held;
    // A former life went on otherwise than this disk knows; the sender goes on from where they part.
    if forks
        && mine.is_some_and(|me| me.box_id == run.origin.box_id && me != run.origin)
        && anew::give_way(conn, (&run.shelf, &line), &run.origin, with)?
    {
        let line = line::open(conn, &run.shelf, &run.origin)?;
        return Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: line.held, chain: line.chain });
    }
    // And when a peer knows more of me than I do, this disk was restored, and a new incarnation is due.
    if forks || mine == Some(run.origin) {
        return Err(ShelfError::Fork { held: line.held });
    }
    if run.shelf == Shelf::Territory && writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "the territory shelf is the coordinator's".into() });
    }
    let items = run.items()?;
    let mut desk = Desk::new(conn, &run.shelf, with, Some((line.line, run.last())));
    let (mut entries, mut buried, mut hashed) = (Vec::new(), Vec::new(), Vec::new());
    for (place, item) in (run.first..).zip(&items) {
        let kept = match item {
            Item::First { .. } => desk.first(&run.origin, writer, item)?,
            Item::Change { bytes } => desk.change(&run.origin, writer, bytes)?,
            Item::Entry { body, .. } => {
                let entry = Entry::decode(body)?;
                if !entry.may_come_from(writer) {
                    return Err(ShelfError::Refused { reason: "an entry is not this writer's".into() });
                }
                if erase::is_about_the_erased(conn, &run.shelf, &entry)? {
                    Kept::Hash
                } else {
                    entries.push((place, entry));
                    Kept::Whole
                }
            }
            Item::Erased(_) if writer == Writer::Box => {
                return Err(ShelfError::Refused { reason: "only the coordinator erases".into() });
            }
            Item::Erased(tombstone) => {
                buried.push(*tombstone);
                Kept::Whole
            }
            Item::Gone { .. } => Kept::Whole,
        };
        if kept == Kept::Hash {
            hashed.push(place);
        }
        if let Item::Entry { .. } | Item::Gone { entry: true, .. } = item {
            let item = if kept == Kept::Hash { item.gone() } else { item.clone() };
            line::keep_entry(conn, line.line, place, &item, with.now)?;
            if run.origin.box_id == with.author.origin.box_id {
                anew::came_back(conn, &run.shelf, &item)?;
            }
        }
    }
    let from = run.origin.to_string();
    let cleared = desk.clear(|bytes, why| quarantine::bytes(conn, &from, bytes, &why.to_string(), with.now))?;
    for (doc, fields) in &cleared.changed {
        with.project.document(conn, &run.shelf, doc, fields)?;
    }
    for (number, entry) in &entries {
        with.project.entry(conn, &run.shelf, &run.origin, *number, with.now, entry)?;
    }
    let stored = run.without(|number, _| hashed.contains(&number))?;
    let chain = store(conn, line.line, stored.as_ref().unwrap_or(run), (with.now, with.now, with.now))?;
    line::advance(conn, line.line, run.last(), &chain)?;
    erase::clear_late(conn, &run.shelf, &cleared.erased)?;
    // After everything of this run is held, so that what it says of them goes too.
    for tombstone in &buried {
        erase::bury(conn, &run.shelf, tombstone, with.project)?;
    }
    if run.origin.box_id == with.author.origin.box_id {
        anew::write_again(conn, with.author, with.now)?;
    }
    quarantine::taken(conn, &chain)?;
    Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: run.last(), chain })
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
    /// What follows was cut: the end of it.
    Cut(Mark),
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
        let chain = line::chain_at(conn, shelf, origin, line.base)?.ok_or(StoreError::Unreadable("a run"))?;
        return Ok(Following::Cut(Mark { shelf: shelf.clone(), origin: *origin, number: line.base, chain }));
    }
    let (mut runs, mut bytes, mut from) = (Vec::<Run>::new(), 0_usize, after);
    loop {
        let next = kept_after(conn, line.line, (shelf, origin), from)?;
        if next.is_empty() {
            return Ok(Following::Runs(runs));
        }
        for run in next {
            bytes = bytes.saturating_add(run.payload.len());
            if bytes > max_bytes && !runs.is_empty() {
                return Ok(Following::Runs(runs));
            }
            from = run.last();
            runs.push(run);
        }
    }
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
    let read = |row: &Row| -> Result<Run, ShelfError> {
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
    };
    rows.iter().map(read).collect()
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
