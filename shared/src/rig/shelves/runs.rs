//! Runs on disk. Tables `replica_runs`, `replica_quarantine`.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Author, Project, ShelfError,
    library::{Change, Desk},
    line::{self, KIND_CHANGE, Line, number, sql},
};
use crate::{
    documents::{DocId, Kind, Writer, check},
    journal::Entry,
    keys::sha256,
    replica::{
        Item, Mark, Origin, Run, Shelf,
        run::{CLOSE_AT_BYTES, CLOSE_AT_ITEMS},
    },
    rig::writer::StoreError,
    time::Stamp,
};

/// How long runs are kept after the peer has them, so that a peer restored from a backup learns them again.
pub(crate) const KEEP_ACKNOWLEDGED: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Refused runs kept for people to look at.
const MAX_QUARANTINED: i64 = 100;
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
pub fn close_runs(conn: &Connection, author: &Author, now: Stamp) -> Result<Vec<Mark>, ShelfError> {
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
            conn.prepare_cached(
                "DELETE FROM replica_items WHERE line = ?1 AND number BETWEEN ?2 AND ?3 AND kind = ?4",
            )?
            .execute(params![line.line, sql(numbers.0), sql(numbers.1), KIND_CHANGE])?;
        }
        line::advance(conn, line.line, line.held, &line.chain)?;
        marks.push(Mark { shelf, origin: author.origin, number: line.held, chain: line.chain });
    }
    Ok(marks)
}

/// The next items to close: as many as a run takes.
fn pending(conn: &Connection, line: &Line) -> Result<Vec<Pending>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT number, kind, doc_kind, doc_id, salt, body, committed FROM replica_items
         WHERE line = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let most = i64::try_from(CLOSE_AT_ITEMS).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![line.line, sql(line.held), most])?;
    let (mut items, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(5)?;
        bytes = bytes.saturating_add(body.len()).saturating_add(ITEM_FRAME_BYTES);
        if bytes > CLOSE_AT_BYTES && !items.is_empty() {
            break;
        }
        let item = if row.get::<_, i64>(1)? == KIND_CHANGE {
            let kind = Kind::from_code(row.get(2)?).ok_or(StoreError::Unreadable("a kind of document"))?;
            Item::Change { doc: DocId::new(kind, row.get(3)?), bytes: body }
        } else {
            Item::Entry { salt: row.get(4)?, body }
        };
        items.push(Pending { number: number(row.get(0)?), committed: Stamp(row.get(6)?), item });
    }
    Ok(items)
}

/// Keeps a run; gives its hash. `stamps` are of its oldest and newest item and of now.
fn store(conn: &Connection, line: i64, run: &Run, stamps: (Stamp, Stamp, Stamp)) -> Result<[u8; 32], ShelfError> {
    let hash = run.hash();
    conn.prepare_cached(
        "INSERT INTO replica_runs (line, last, first, prev, hash, payload, signature, stored, oldest, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        line,
        sql(run.last()),
        sql(run.first),
        run.prev,
        hash,
        run.payload,
        run.signature,
        stamps.2.0,
        stamps.0.0,
        stamps.1.0
    ])?;
    Ok(hash)
}

/// Takes a run whose signature was verified: stores it, applies its changes, keeps its entries, projects both. A run
/// that is already held changes nothing. On an error the caller's act is rolled back.
///
/// `writer` says on whose side the run's origin stands.
///
/// # Errors
/// [`ShelfError::Gap`] and [`ShelfError::Fork`] when it does not follow what is held; [`ShelfError::Refused`] when an
/// item is bad or not the writer's to make; [`ShelfError::Waiting`] when too much waits.
pub fn commit_run(
    conn: &Connection,
    run: &Run,
    writer: Writer,
    now: Stamp,
    project: &dyn Project,
) -> Result<Mark, ShelfError> {
    let line = line::open(conn, &run.shelf, &run.origin)?;
    if run.last() <= line.held {
        return held_already(conn, &line, run);
    }
    if run.first > line.held.saturating_add(1) {
        return Err(ShelfError::Gap { held: line.held });
    }
    if run.first != line.held.saturating_add(1) || run.prev != line.chain || line.last > line.held {
        return Err(ShelfError::Fork { held: line.held });
    }
    if line::me(conn)? == Some(run.origin) {
        // A peer knows more of me than I do: this disk was restored, and a new incarnation is due.
        return Err(ShelfError::Fork { held: line.held });
    }
    if run.shelf == Shelf::Territory && writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "the territory shelf is the coordinator's".into() });
    }
    let items = run.items()?;
    let mut desk = Desk::default();
    let mut entries = Vec::new();
    for (place, item) in (run.first..).zip(&items) {
        match item {
            Item::Change { doc, bytes } => {
                let chunk = check(doc.kind, writer, bytes)?;
                if chunk.actor != run.origin.actor() {
                    return Err(ShelfError::Refused { reason: "a change is not of the run's origin".into() });
                }
                desk.apply(conn, &run.shelf, &Change { doc, writer, chunk: &chunk, bytes })?;
            }
            Item::Entry { salt, body } => {
                let entry = Entry::decode(body)?;
                if !entry.may_come_from(writer) {
                    return Err(ShelfError::Refused { reason: "an entry is not this writer's".into() });
                }
                line::keep_entry(conn, line.line, place, (salt, body), now)?;
                entries.push((place, entry));
            }
        }
    }
    let from = run.origin.to_string();
    let changed =
        desk.clear(conn, &run.shelf, |bytes, why| quarantine_bytes(conn, &from, bytes, &why.to_string(), now))?;
    for (doc, fields) in &changed {
        project.document(conn, &run.shelf, doc, fields)?;
    }
    for (number, entry) in &entries {
        project.entry(conn, &run.shelf, &run.origin, *number, now, entry)?;
    }
    let chain = store(conn, line.line, run, (now, now, now))?;
    line::advance(conn, line.line, run.last(), &chain)?;
    conn.prepare_cached("DELETE FROM replica_quarantine WHERE hash = ?1")?.execute([chain])?;
    Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: run.last(), chain })
}

/// A run under numbers that are held must be the one that is held.
fn held_already(conn: &Connection, line: &Line, run: &Run) -> Result<Mark, ShelfError> {
    let mut statement = conn.prepare_cached("SELECT hash FROM replica_runs WHERE line = ?1 AND last = ?2")?;
    let hash: Option<[u8; 32]> =
        statement.query_row(params![line.line, sql(run.last())], |row| row.get(0)).optional()?;
    if hash == Some(run.hash()) {
        Ok(Mark { shelf: run.shelf.clone(), origin: run.origin, number: line.held, chain: line.chain })
    } else {
        Err(ShelfError::Fork { held: line.held })
    }
}

/// Runs of an origin after a number, in order: as many as fit in `max_bytes`, but one at least.
///
/// # Errors
/// [`ShelfError::Pruned`] when the first of them is no longer kept.
pub fn runs_after(
    conn: &Connection,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    max_bytes: usize,
) -> Result<Vec<Run>, ShelfError> {
    let Some(line) = line::find(conn, shelf, origin)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT first, last, prev, payload, signature FROM replica_runs WHERE line = ?1 AND last > ?2 ORDER BY last",
    )?;
    let mut rows = statement.query(params![line.line, sql(after)])?;
    let (mut runs, mut bytes) = (Vec::<Run>::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let (first, last) = (number(row.get(0)?), number(row.get(1)?));
        let Some(payload) = row.get::<_, Option<Vec<u8>>>(3)? else {
            if runs.is_empty() {
                return Err(ShelfError::Pruned { pruned: last });
            }
            break;
        };
        bytes = bytes.saturating_add(payload.len());
        if bytes > max_bytes && !runs.is_empty() {
            break;
        }
        runs.push(Run {
            shelf: shelf.clone(),
            origin: *origin,
            first,
            count: u32::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(u32::MAX),
            prev: row.get(2)?,
            payload,
            signature: row.get(4)?,
        });
    }
    Ok(runs)
}

/// Lets go of the payloads of runs that the peer has held for [`KEEP_ACKNOWLEDGED`]; for boxes. Gives how many.
///
/// # Errors
/// When the store fails.
pub fn prune(conn: &Connection, now: Stamp) -> Result<usize, ShelfError> {
    let before = now.0.saturating_sub(i64::try_from(KEEP_ACKNOWLEDGED.as_millis()).unwrap_or(i64::MAX));
    Ok(conn
        .prepare_cached(
            "UPDATE replica_runs SET payload = NULL WHERE payload IS NOT NULL AND stored < ?1
             AND last <= (SELECT acked FROM replica_lines l WHERE l.line = replica_runs.line)",
        )?
        .execute([before])?)
}

/// Keeps a refused run for people to look at. It leaves when it is taken after all.
///
/// # Errors
/// When the store fails.
pub fn quarantine(conn: &Connection, run: &Run, reason: &str, now: Stamp) -> Result<(), ShelfError> {
    let bytes = postcard::to_stdvec(run).map_err(|_| StoreError::Unreadable("a run"))?;
    shut(conn, (&run.origin.to_string(), &run.hash()), &bytes, reason, now)
}

/// Keeps refused bytes for people to look at; `from` names the sender.
///
/// # Errors
/// When the store fails.
pub fn quarantine_bytes(
    conn: &Connection,
    from: &str,
    bytes: &[u8],
    reason: &str,
    now: Stamp,
) -> Result<(), ShelfError> {
    shut(conn, (from, &sha256(bytes)), bytes, reason, now)
}

fn shut(
    conn: &Connection,
    (from, hash): (&str, &[u8; 32]),
    bytes: &[u8],
    reason: &str,
    now: Stamp,
) -> Result<(), ShelfError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO replica_quarantine (origin, hash, reason, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![from, hash, reason, bytes, now.0])?;
    conn.prepare_cached(
        "DELETE FROM replica_quarantine WHERE place <= (SELECT max(place) FROM replica_quarantine) - ?1",
    )?
    .execute([MAX_QUARANTINED])?;
    Ok(())
}

/// How many runs and changes are in quarantine.
///
/// # Errors
/// When the store cannot be read.
pub fn quarantined(conn: &Connection) -> Result<u64, ShelfError> {
    Ok(number(conn.prepare_cached("SELECT count(*) FROM replica_quarantine")?.query_row([], |row| row.get(0))?))
}
