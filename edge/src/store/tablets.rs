//! Table `tablets` (projected from `Tablet` documents). Joined here with `tablet_life` and `wipes`.

use std::collections::HashMap;

use preau_shared::{
    documents::tablet::Tablet,
    ids::{FilterId, PersonId, TabletId},
    rig::writer::StoreError,
    wire::{TabletCounts, TabletLine, TabletState},
};
use rusqlite::{Connection, params};

use super::{
    all, change, one,
    people::{self, Human},
    school, wipes,
};

pub(super) const CREATE: &str = "
    CREATE TABLE tablets(tablet BLOB PRIMARY KEY, name TEXT NOT NULL, serial TEXT NOT NULL, lost INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX tablets_by_serial ON tablets(serial);";

/// Writes what a document says; a deleted tablet leaves.
pub(crate) fn project(conn: &Connection, tablet: &Tablet) -> Result<(), StoreError> {
    let id = &tablet.id.as_bytes()[..];
    if tablet.deleted {
        change(conn, "DELETE FROM tablets WHERE tablet = ?1", [id])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT OR REPLACE INTO tablets(tablet, name, serial, lost) VALUES (?1, ?2, ?3, ?4)",
        params![id, tablet.name, tablet.serial, tablet.lost],
    )?;
    Ok(())
}

/// Whose it was said to be in which turn of the school's accounts; the columns of another turn mean nobody.
pub(super) const ADD_OWNER: &str = "
    ALTER TABLE tablets ADD COLUMN owner BLOB; ALTER TABLE tablets ADD COLUMN owner_turn INTEGER;
    CREATE INDEX tablets_by_owner ON tablets(owner) WHERE owner IS NOT NULL;";

/// The name under which it asks the filter; and a stamp of who has which, drawn anew at each change.
pub(super) const ADD_FILTER: &str = "
    ALTER TABLE tablets ADD COLUMN filter BLOB;
    ALTER TABLE offers ADD COLUMN tablets INTEGER NOT NULL DEFAULT 0;
    CREATE TRIGGER tablets_1 AFTER INSERT ON tablets BEGIN UPDATE offers SET tablets = random(); END;
    CREATE TRIGGER tablets_2 AFTER UPDATE ON tablets BEGIN UPDATE offers SET tablets = random(); END;
    CREATE TRIGGER tablets_3 AFTER DELETE ON tablets BEGIN UPDATE offers SET tablets = random(); END;";

/// Writes under which name it asks the filter; a tablet that left has no row.
pub(crate) fn project_filter(conn: &Connection, tablet: TabletId, name: Option<FilterId>) -> Result<(), StoreError> {
    change(
        conn,
        "UPDATE tablets SET filter = ?2 WHERE tablet = ?1",
        params![&tablet.as_bytes()[..], name.map(|name| *name.as_bytes())],
    )?;
    Ok(())
}

/// The name under which it asks the filter.
pub(crate) fn filter_name(conn: &Connection, tablet: TabletId) -> Result<Option<FilterId>, StoreError> {
    let name = one(conn, "SELECT filter FROM tablets WHERE tablet = ?1", [&tablet.as_bytes()[..]], |row| {
        row.get::<_, Option<[u8; 16]>>(0)
    })?;
    Ok(name.flatten().map(FilterId::from_bytes))
}

/// Tablets that no name was given yet.
pub(crate) fn without_filter_name(conn: &Connection) -> Result<Vec<TabletId>, StoreError> {
    all(conn, "SELECT tablet FROM tablets WHERE filter IS NULL", [], |row| Ok(TabletId::from_bytes(row.get(0)?)))
}

/// Every tablet by the name under which it asks the filter; one that is lost is not told apart from nobody.
pub(crate) fn by_filter_name(conn: &Connection) -> Result<HashMap<FilterId, TabletId>, StoreError> {
    let sql = "SELECT filter, tablet FROM tablets WHERE filter IS NOT NULL AND lost = 0";
    let named = |row: &rusqlite::Row<'_>| Ok((FilterId::from_bytes(row.get(0)?), TabletId::from_bytes(row.get(1)?)));
    Ok(all(conn, sql, [], named)?.into_iter().collect())
}

/// Writes whose it is; a tablet that left has no row.
pub(crate) fn project_owner(
    conn: &Connection,
    tablet: TabletId,
    owner: Option<(PersonId, i64)>,
) -> Result<(), StoreError> {
    let (owner, turn) = owner.unzip();
    change(
        conn,
        "UPDATE tablets SET owner = ?2, owner_turn = ?3 WHERE tablet = ?1",
        params![&tablet.as_bytes()[..], owner.map(|person| *person.as_bytes()), turn],
    )?;
    Ok(())
}

/// Whose it is now: a pupil who is known, in the turn that holds.
pub(crate) fn owner(conn: &Connection, tablet: TabletId) -> Result<Option<Human>, StoreError> {
    let sql = format!(
        "SELECT {} FROM tablets t JOIN school s ON s.one_account = t.owner_turn JOIN people p ON p.person = t.owner
         WHERE t.tablet = ?1 AND p.role = 'pupil'",
        people::COLUMNS
    );
    one(conn, &sql, [&tablet.as_bytes()[..]], people::read)
}

/// Tablets that are somebody's, in whatever turn.
pub(crate) fn owned(conn: &Connection) -> Result<Vec<TabletId>, StoreError> {
    let sql = "SELECT tablet FROM tablets WHERE owner IS NOT NULL ORDER BY tablet";
    all(conn, sql, [], |row| Ok(TabletId::from_bytes(row.get(0)?)))
}

/// The tablets that are hers now.
pub(crate) fn owned_by(conn: &Connection, person: PersonId) -> Result<Vec<TabletId>, StoreError> {
    let sql = "SELECT t.tablet FROM tablets t JOIN school s ON s.one_account = t.owner_turn
               WHERE t.owner = ?1 ORDER BY t.tablet";
    all(conn, sql, [&person.as_bytes()[..]], |row| Ok(TabletId::from_bytes(row.get(0)?)))
}

/// What is written on it.
pub(crate) fn name(conn: &Connection, tablet: TabletId) -> Result<Option<String>, StoreError> {
    one(conn, "SELECT name FROM tablets WHERE tablet = ?1", [&tablet.as_bytes()[..]], |row| row.get(0))
}

/// The tablet of this serial number.
pub(crate) fn by_serial(conn: &Connection, serial: &str) -> Result<Option<TabletId>, StoreError> {
    let sql = "SELECT tablet FROM tablets WHERE serial = ?1 ORDER BY tablet LIMIT 1";
    one(conn, sql, [serial], |row| Ok(TabletId::from_bytes(row.get(0)?)))
}

/// The one tablet with this name on it; none when two have it.
pub(crate) fn by_name(conn: &Connection, name: &str) -> Result<Option<TabletId>, StoreError> {
    let sql = "SELECT min(tablet) FROM tablets WHERE name = ?1 HAVING count(*) = 1";
    one(conn, sql, [name], |row| Ok(TabletId::from_bytes(row.get(0)?)))
}

/// The school's tablets by name, each with its state and what its last wipe lacks.
pub(crate) fn lines(conn: &Connection) -> Result<Vec<TabletLine>, StoreError> {
    let mut lines = all(
        conn,
        "SELECT t.tablet, t.name, coalesce(l.state, 'unknown'), coalesce(w.unconfirmed, ''), a.kind
         FROM tablets t LEFT JOIN tablet_life l ON l.tablet = t.tablet LEFT JOIN agents a ON a.tablet = t.tablet
         LEFT JOIN wipes w ON w.wipe = l.wipe AND l.state = 'wiping'
         ORDER BY t.name, t.tablet",
        [],
        |row| {
            Ok(TabletLine {
                tablet_id: TabletId::from_bytes(row.get(0)?),
                name: row.get(1)?,
                state: TabletState::from_word(&row.get::<_, String>(2)?).unwrap_or(TabletState::Unknown),
                unconfirmed: wipes::split(&row.get::<_, String>(3)?),
                owner: None,
                agent: row.get(4)?,
            })
        },
    )?;
    if school::one_account(conn)?.is_some() {
        for line in &mut lines {
            line.owner = owner(conn, line.tablet_id)?.map(|owner| owner.view());
        }
    }
    Ok(lines)
}

/// Tablets, counted for the DSI's page.
pub(crate) fn counts(conn: &Connection) -> Result<TabletCounts, StoreError> {
    let counts = one(
        conn,
        "SELECT count(*), coalesce(sum(l.state = 'in_use'), 0), coalesce(sum(l.state = 'wiping'), 0),
                coalesce(sum(t.lost), 0)
         FROM tablets t LEFT JOIN tablet_life l ON l.tablet = t.tablet",
        [],
        |row| Ok(TabletCounts { total: row.get(0)?, in_use: row.get(1)?, wiping: row.get(2)?, lost: row.get(3)? }),
    )?;
    Ok(counts.unwrap_or_default())
}
