//! Tables `catalogues` and `catalogue_items` (projected from `Catalogue` documents of both shelves).

use std::collections::BTreeSet;

use preau_shared::{
    documents::{Catalogue, ItemKind},
    ids::ClassId,
    rig::writer::StoreError,
    wire::Shortcut,
};
use rusqlite::{Connection, Row, params};

use super::{
    all, change,
    policies::{join, split},
};

pub(super) const CREATE: &str = "
    CREATE TABLE catalogues(catalogue BLOB PRIMARY KEY, levels TEXT NOT NULL, class BLOB) STRICT, WITHOUT ROWID;
    CREATE INDEX catalogues_by_class ON catalogues(class, catalogue);
    CREATE TABLE catalogue_items(catalogue BLOB NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
        url TEXT NOT NULL, icon TEXT NOT NULL, PRIMARY KEY(catalogue, key)) STRICT, WITHOUT ROWID;";

/// What somebody finds on a tablet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shelves {
    pub(crate) apps: Vec<Shortcut>,
    pub(crate) links: Vec<Shortcut>,
    pub(crate) documents: Vec<Shortcut>,
}

/// Writes what a document says; a deleted catalogue leaves.
pub(crate) fn project(conn: &Connection, catalogue: &Catalogue) -> Result<(), StoreError> {
    let id = &catalogue.id.as_bytes()[..];
    change(conn, "DELETE FROM catalogue_items WHERE catalogue = ?1", [id])?;
    change(conn, "DELETE FROM catalogues WHERE catalogue = ?1", [id])?;
    if catalogue.deleted {
        return Ok(());
    }
    change(
        conn,
        "INSERT INTO catalogues(catalogue, levels, class) VALUES (?1, ?2, ?3)",
        params![id, join(&catalogue.levels), catalogue.class.map(|c| *c.as_bytes())],
    )?;
    for item in &catalogue.items {
        change(
            conn,
            "INSERT OR REPLACE INTO catalogue_items(catalogue, key, kind, title, url, icon)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, item.key, kind_word(item.kind), item.title, item.url, item.icon],
        )?;
    }
    Ok(())
}

/// What these levels and classes find: a catalogue is for its levels, or for everybody when it names none, and one for a
/// class is for nobody else. In a mixed class the level decides.
pub(crate) fn for_people(
    conn: &Connection,
    levels: &BTreeSet<String>,
    classes: &BTreeSet<ClassId>,
) -> Result<Shelves, StoreError> {
    let mut found: Vec<[u8; 16]> = Vec::new();
    let suits = |named: &str| {
        let named = split(named);
        named.is_empty() || named.contains("") || !named.is_disjoint(levels)
    };
    let read = |row: &Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?));
    let of_no_class = "SELECT catalogue, levels FROM catalogues WHERE class IS NULL";
    let mut stood = all(conn, of_no_class, [], read)?;
    for class in classes {
        let sql = "SELECT catalogue, levels FROM catalogues WHERE class = ?1";
        stood.extend(all(conn, sql, [&class.as_bytes()[..]], read)?);
    }
    found.extend(stood.into_iter().filter(|(_, named)| suits(named)).map(|(id, _)| id));
    found.sort_unstable();
    let mut shelves = Shelves::default();
    for id in &found {
        add_items(conn, id, &mut shelves)?;
    }
    Ok(shelves)
}

fn add_items(conn: &Connection, catalogue: &[u8; 16], shelves: &mut Shelves) -> Result<(), StoreError> {
    let sql = "SELECT kind, title, url, icon FROM catalogue_items WHERE catalogue = ?1 ORDER BY key";
    let items = all(conn, sql, [&catalogue[..]], |row| {
        let shortcut = Shortcut { title: row.get(1)?, url: row.get(2)?, icon: row.get(3)? };
        Ok((row.get::<_, String>(0)?, shortcut))
    })?;
    for (kind, shortcut) in items {
        let shelf =
            match [ItemKind::App, ItemKind::Link, ItemKind::Document].into_iter().find(|k| kind_word(*k) == kind) {
                Some(ItemKind::App) => &mut shelves.apps,
                Some(ItemKind::Document) => &mut shelves.documents,
                Some(ItemKind::Link) | None => &mut shelves.links,
            };
        shelf.push(shortcut);
    }
    Ok(())
}

fn kind_word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::App => "app",
        ItemKind::Link => "link",
        ItemKind::Document => "document",
    }
}
