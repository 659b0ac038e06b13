//! Which document a change is of. Tables `replica_hashes`, `replica_waiting`, `replica_given_up`.
//!
//! A change names what it stands on by hash, and nothing else; so each change held is known by sixteen bytes of the hash
//! of shelf and change. One that stands on something unknown waits for it. Of one that waited in vain two names stay, its
//! own and that of what it stands on: it is believed should anybody hand it over after all, and it is known for what it is,
//! and what stands on it too, should it turn out to be of somebody erased.

use std::collections::BTreeSet;

use super::{
    ShelfError,
    erase::Late,
    library::{PLACE, Place, place_at},
    line::{number, sql},
    lives,
};
use crate::{
    documents::{Chunk, DocId, Writer, dress, strip},
    ids::BoxId,
    keys::sha256,
    replica::{Shelf, tombstone::MAX_ERASED_CHANGES},
    rig::sql::{Row, Sql, values},
    time::Stamp,
};

/// Names of changes that waited in vain: of a shelf, those among the newest so many.
const MAX_GIVEN_UP: i64 = 10_000;
const KEEP_NAME: &str = "INSERT INTO replica_hashes (name, doc) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
/// Changes of a shelf that may wait for others.
pub(super) const MAX_WAITING: u64 = 1_000;

/// The name of a change on a shelf.
pub(super) fn name(shelf: &Shelf, hash: &[u8; 32]) -> [u8; 16] {
    let mut bytes = shelf.as_key().as_bytes().to_vec();
    bytes.extend(hash);
    sha256(&bytes).first_chunk().copied().unwrap_or_default()
}

/// The row of a change that is held.
pub(super) fn find<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, hash: &[u8; 32]) -> Result<Option<Place>, ShelfError> {
    let row = conn.first(
        &format!("SELECT {PLACE} FROM replica_hashes h JOIN replica_documents d ON d.doc = h.doc WHERE h.name = ?1"),
        values![&name(shelf, hash)],
    )?;
    Ok(row.as_ref().map(place_at).transpose()?)
}

/// Remembers of which row a change is.
pub(super) fn keep<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, change: &[u8], row: i64) -> Result<(), ShelfError> {
    keep_hash(conn, shelf, &sha256(strip(change).unwrap_or_default()), row).map(|_| ())
}

/// … by the hash of the change; whether it was unknown.
pub(super) fn keep_hash<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    hash: &[u8; 32],
    row: i64,
) -> Result<bool, ShelfError> {
    Ok(conn.execute(KEEP_NAME, values![&name(shelf, hash), row])? > 0)
}

/// Whether a change was held here once, or came in a run of whoever made it and waited in vain.
pub(super) fn was_here<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    hash: &[u8; 32],
    doc: &DocId,
) -> Result<bool, ShelfError> {
    if let Some(place) = find(conn, shelf, hash)? {
        return Ok(place.doc == *doc);
    }
    let row = conn.first("SELECT place FROM replica_given_up WHERE name = ?1", values![&name(shelf, hash)])?;
    Ok(row.is_some())
}

/// The names of the changes that a document has, in all its epochs.
pub(super) fn names_of<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, doc: &DocId) -> Result<Vec<[u8; 16]>, ShelfError> {
    let rows = conn.query(
        "SELECT h.name FROM replica_hashes h JOIN replica_documents d ON d.doc = h.doc
         WHERE d.shelf = ?1 AND d.kind = ?2 AND d.id = ?3 ORDER BY h.name LIMIT ?4",
        values![shelf.as_key(), doc.kind.code(), &doc.id, i64::try_from(MAX_ERASED_CHANGES).unwrap_or(i64::MAX)],
    )?;
    Ok(rows.iter().map(|row| row.array(0)).collect::<Result<_, _>>()?)
}

/// Remembers changes of an erased document by their names; whether one was unknown.
pub(super) fn keep_names<S: Sql + ?Sized>(conn: &S, names: &[[u8; 16]], row: i64) -> Result<bool, ShelfError> {
    let mut news = 0;
    for name in names {
        news |= conn.execute(KEEP_NAME, values![name, row])?;
    }
    Ok(news > 0)
}

/// A change that waits for another.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) writer: Writer,
    /// In which line it came, and in the run that ends at which number; none when it was handed over alone.
    pub(super) run: Option<(i64, u64)>,
    /// Without its first eight bytes.
    pub(super) bytes: Vec<u8>,
}

/// Lets a change wait for one that it stands on. Gives the one that has waited longest when too many do: it waits no
/// longer.
pub(super) fn wait<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    dep: &[u8; 32],
    waiting: &Waiting,
    now: Stamp,
) -> Result<Option<Vec<u8>>, ShelfError> {
    conn.execute(
        "INSERT INTO replica_waiting (shelf, dep, by_box, bytes, line, number, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        values![
            shelf.as_key(),
            &name(shelf, dep),
            waiting.writer == Writer::Box,
            &waiting.bytes,
            waiting.run.map(|(line, _)| line),
            waiting.run.map(|(_, number)| sql(number)),
            now.0
        ],
    )?;
    let count = conn.one("SELECT count(*) FROM replica_waiting WHERE shelf = ?1", values![shelf.as_key()])?;
    if number(count.int(0)?) <= MAX_WAITING {
        return Ok(None);
    }
    let row = conn.first(
        "DELETE FROM replica_waiting WHERE place = (SELECT min(place) FROM replica_waiting WHERE shelf = ?1)
         RETURNING bytes, dep",
        values![shelf.as_key()],
    )?;
    row.map(|row| give_up(conn, shelf, &row)).transpose()
}

/// A change waits no longer; gives it. Two names stay.
fn give_up<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, row: &Row) -> Result<Vec<u8>, ShelfError> {
    let (bytes, dep): (_, [u8; 16]) = (row.bytes(0)?, row.array(1)?);
    let chunk = Chunk::read(&dress(bytes))?;
    conn.execute(
        "INSERT INTO replica_given_up (shelf, name, dep, actor) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
        values![shelf.as_key(), &name(shelf, &chunk.hash), &dep, &chunk.actor],
    )?;
    conn.execute(
        "DELETE FROM replica_given_up WHERE shelf = ?1 AND place <= (SELECT max(place) FROM replica_given_up) - ?2",
        values![shelf.as_key(), MAX_GIVEN_UP],
    )?;
    Ok(bytes.to_vec())
}

/// Those of these names that are of changes about which a box is believed, and that wait or waited in vain.
pub(super) fn waited_of<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    from: BoxId,
    names: &[[u8; 16]],
) -> Result<Vec<[u8; 16]>, ShelfError> {
    let believed = lives::believed(conn, shelf, from)?;
    let known = lives::known(conn, shelf)?.into_iter().filter(|life| believed.contains(&life.box_id));
    let lives: BTreeSet<[u8; 16]> = known.map(|life| life.actor()).collect();
    let mut made = BTreeSet::new();
    for (_, bytes) in all_waiting(conn, shelf)? {
        let chunk = Chunk::read(&dress(&bytes))?;
        if lives.contains(&chunk.actor) {
            made.insert(name(shelf, &chunk.hash));
        }
    }
    let mut known = Vec::new();
    for name in names {
        let given_up = conn.first("SELECT actor FROM replica_given_up WHERE name = ?1", values![name])?;
        let given_up = given_up.map(|row| row.array(0)).transpose()?;
        if made.contains(name) || given_up.is_some_and(|actor| lives.contains(&actor)) {
            known.push(*name);
        }
    }
    Ok(known)
}

/// What waited in vain for a change of an erased document is of that document; gives the names that are known from now on,
/// and of whom. All of them may stand in runs.
pub(super) fn claim_given_up<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Late, ShelfError> {
    let rows = conn.query(
        &format!(
            "SELECT {PLACE}, g.name FROM replica_given_up g JOIN replica_hashes h ON h.name IN (g.dep, g.name)
             JOIN replica_documents d ON d.doc = h.doc WHERE g.shelf = ?1 AND d.state = 2"
        ),
        values![shelf.as_key()],
    )?;
    let mut claimed = Late::new();
    for row in &rows {
        let (place, name): (Place, [u8; 16]) = (place_at(row)?, row.array(5)?);
        conn.execute(KEEP_NAME, values![&name, place.row])?;
        conn.execute("DELETE FROM replica_given_up WHERE name = ?1", values![&name])?;
        claimed.insert((place.doc, name));
    }
    Ok(claimed)
}

/// Everything that waits on a shelf, by its place.
pub(super) fn all_waiting<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<(i64, Vec<u8>)>, ShelfError> {
    let rows = conn
        .query("SELECT place, bytes FROM replica_waiting WHERE shelf = ?1 ORDER BY place", values![shelf.as_key()])?;
    rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?.to_vec()))).collect()
}

/// The end of the first run of a line of which something waits: up to there, not all that is held is in documents.
pub(super) fn first_waiting<S: Sql + ?Sized>(conn: &S, line: i64) -> Result<Option<u64>, ShelfError> {
    let row = conn.one("SELECT min(number) FROM replica_waiting WHERE line = ?1", values![line])?;
    Ok(row.opt_int(0)?.map(number))
}

/// What has waited since before a moment waits no longer; gives it.
pub(super) fn waited_in_vain<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    before: i64,
) -> Result<Vec<Vec<u8>>, ShelfError> {
    let rows = conn.query(
        "DELETE FROM replica_waiting WHERE shelf = ?1 AND since < ?2 RETURNING bytes, dep",
        values![shelf.as_key(), before],
    )?;
    rows.iter().map(|row| give_up(conn, shelf, row)).collect()
}

/// One waits no longer.
pub(super) fn wait_no_longer<S: Sql + ?Sized>(conn: &S, place: i64) -> Result<(), ShelfError> {
    conn.execute("DELETE FROM replica_waiting WHERE place = ?1", values![place])?;
    Ok(())
}

/// What waited for something that came.
pub(super) struct Released {
    /// In the order in which it came; it waits no longer.
    pub(super) waited: Vec<Waiting>,
    /// What was given up, of erased documents; it may stand in a run.
    pub(super) late: Late,
}

/// What waited for these changes, and for those that are known with them.
pub(super) fn released<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, came: &[[u8; 32]]) -> Result<Released, ShelfError> {
    let late = claim_given_up(conn, shelf)?;
    let names = came.iter().map(|hash| name(shelf, hash)).chain(late.iter().map(|(_, name)| *name));
    let any = conn.first("SELECT place FROM replica_waiting WHERE shelf = ?1 LIMIT 1", values![shelf.as_key()])?;
    if any.is_none() {
        return Ok(Released { waited: Vec::new(), late });
    }
    let mut released = Vec::new();
    for name in names {
        let rows = conn.query(
            "DELETE FROM replica_waiting WHERE shelf = ?1 AND dep = ?2 RETURNING place, by_box, bytes, line, number",
            values![shelf.as_key(), &name],
        )?;
        for row in &rows {
            let writer = if row.truth(1)? { Writer::Box } else { Writer::Coordinator };
            let run = row.opt_int(3)?.zip(row.opt_int(4)?.map(number));
            released.push((row.int(0)?, Waiting { writer, run, bytes: row.bytes(2)?.to_vec() }));
        }
    }
    released.sort_by_key(|(place, _)| *place);
    Ok(Released { waited: released.into_iter().map(|(_, waiting)| waiting).collect(), late })
}
