//! What must be so whatever a box said: held against the rows themselves.

use std::collections::BTreeMap;

use preau_shared::{
    documents::{Badge, Fields, Kind},
    replica::{Side, run::MAX_RUN_BYTES},
    rig::shelves,
};
use rusqlite::{Connection, types::Value};

use crate::world::{HOSTILE, Site, school};

/// Most that is kept of what was refused.
const MOST_ASIDE_BYTES: i64 = 100 * (64 + MAX_RUN_BYTES as i64 + 256);
/// Changes that may wait for others.
const MOST_WAITING: i64 = 1_000;

/// Every table of replication but that of what was refused, and what tells its rows apart from one another.
const TABLES: [&str; 11] = [
    "replica_self",
    "replica_lines",
    "replica_items",
    "replica_runs",
    "replica_documents",
    "replica_changes",
    "replica_hashes",
    "replica_waiting",
    "replica_overridden",
    "replica_holders",
    "replica_lost",
];

/// Rows as they stand.
pub(crate) type Rows = BTreeMap<&'static str, Vec<Vec<Value>>>;

pub(crate) fn rows(conn: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = conn.prepare_cached(sql).expect("sql");
    let columns = statement.column_count();
    let mut found = statement.query([]).expect("rows");
    let mut all = Vec::new();
    while let Some(row) = found.next().expect("row") {
        all.push((0..columns).map(|at| row.get(at).expect("column")).collect());
    }
    all
}

pub(crate) fn everything(site: &Site) -> Rows {
    site.store.with(|conn| TABLES.into_iter().map(|t| (t, rows(conn, &format!("SELECT * FROM {t}")))).collect())
}

/// How far each line is held.
pub(crate) fn marks(rows: &Rows) -> Vec<&[Value]> {
    rows["replica_lines"].iter().filter_map(|line| line.get(..7)).collect()
}

/// Whether documents, entries and runs are the same in both.
pub(crate) fn same_items(one: &Rows, other: &Rows) -> bool {
    let of =
        ["replica_documents", "replica_changes", "replica_hashes", "replica_items", "replica_runs", "replica_waiting"];
    of.iter().all(|table| one[table] == other[table])
}

fn number(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).expect("number")
}

/// What nobody but the coordinator, or another box, may change.
#[derive(PartialEq, Debug)]
pub(crate) struct Guarded {
    rows: BTreeMap<&'static str, Vec<Vec<Value>>>,
    school: Vec<(String, String)>,
    badges: Vec<([u8; 16], [u8; 16], [u8; 32])>,
}

fn hex(id: [u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of the coordinator: all that the hostile box may not touch.
pub(crate) fn guarded(site: &Site) -> Guarded {
    let h = format!("x'{}'", hex(*HOSTILE.as_bytes()));
    let me = format!("x'{}'", hex(*site.author.origin.box_id.as_bytes()));
    let kinds = [Kind::Person, Kind::Policy, Kind::Catalogue].map(|kind| kind.code().to_string()).join(",");
    let asked: [(&str, String); 9] = [
        ("who I am", "SELECT * FROM replica_self".into()),
        (
            "lines of others",
            format!(
                "SELECT shelf, box, incarnation, held, chain, base FROM replica_lines
                 WHERE (box <> {h} OR shelf <> '0900001A') AND (box <> {me} OR shelf <> '0900001A') AND held > 0
                 ORDER BY shelf, box, incarnation"
            ),
        ),
        (
            "runs of others",
            format!(
                "SELECT r.* FROM replica_runs r JOIN replica_lines l ON l.line = r.line
                 WHERE l.box <> {h} AND r.stored < 1000 ORDER BY r.line, r.last"
            ),
        ),
        (
            "entries of others",
            format!(
                "SELECT i.line, i.number, i.salt, i.body, i.gone FROM replica_items i
                 JOIN replica_lines l ON l.line = i.line
                 WHERE l.box <> {h} AND i.kind = 1 ORDER BY i.line, i.number"
            ),
        ),
        (
            "entries that were held",
            "SELECT line, number, salt, body, gone FROM replica_items WHERE kind = 1 AND committed < 1000
             ORDER BY line, number"
                .into(),
        ),
        (
            "documents of the coordinator",
            format!(
                "SELECT shelf, kind, id, epoch, state, heads, fields FROM replica_documents
                 WHERE shelf <> '0900001A' OR kind IN ({kinds}) ORDER BY shelf, kind, id, epoch"
            ),
        ),
        (
            "tombstones",
            "SELECT shelf, kind, id, epoch FROM replica_documents WHERE state = 2 ORDER BY 1, 2, 3, 4".into(),
        ),
        (
            "epochs",
            "SELECT shelf, kind, id, epoch, state FROM replica_documents WHERE epoch > 0 ORDER BY 1, 2, 3, 4".into(),
        ),
        (
            "what others hold and lost",
            format!(
                "SELECT 1, holder FROM replica_holders WHERE holder <> {h} UNION ALL SELECT 2, box FROM replica_lost WHERE box <> {h}"
            ),
        ),
    ];
    site.store.with(|conn| {
        let rows = asked.into_iter().map(|(what, sql)| (what, rows(conn, &sql))).collect();
        let of = |kind| shelves::documents(conn, &school(), kind).expect("documents");
        let told = |fields: &Fields, key: &str| fields.text(key).unwrap_or_default().to_owned();
        let school = of(Kind::School)
            .into_iter()
            .flat_map(|(doc, fields)| {
                let keys = fields.prefixed("box_key:").chain(fields.prefixed("seal_key:"));
                let keys: String = keys.map(|(key, value)| format!("{key}={value:?} ")).collect();
                let names = ["uai", "name", "slug"].map(|key| told(&fields, key)).join("/");
                (!keys.is_empty() || names != "//").then(|| (hex(doc.id), names + &keys))
            })
            .collect();
        let badges = of(Kind::Badge).into_iter().filter_map(|(doc, fields)| {
            let badge = Badge::from_fields(&doc, &fields)?;
            // A badge that was good may be voided; who was void stays void, and whose it is stays.
            (doc.id[0] <= 4).then_some((doc.id, *badge.person.as_bytes(), badge.hash.0))
        });
        Guarded { rows, school, badges: badges.collect() }
    })
}

/// The badges that are void.
pub(crate) fn void(site: &Site) -> Vec<[u8; 16]> {
    let badges = site.store.with(|conn| shelves::documents(conn, &school(), Kind::Badge)).expect("badges");
    badges.into_iter().filter(|(_, fields)| fields.flag("void")).map(|(doc, _)| doc.id).collect()
}

/// Everything that grows has its limit.
pub(crate) fn bounded(site: &Site) -> Result<(), String> {
    site.store.with(|conn| {
        let aside = number(conn, "SELECT count(*) FROM replica_quarantine");
        let bytes = number(conn, "SELECT coalesce(sum(length(bytes)), 0) FROM replica_quarantine");
        let waiting = number(conn, "SELECT count(*) FROM replica_waiting");
        if aside > 100 || bytes > MOST_ASIDE_BYTES || waiting > MOST_WAITING {
            return Err(format!("{aside} in quarantine with {bytes} bytes, {waiting} changes wait"));
        }
        Ok(())
    })
}

/// Every document can be read, and reads as its row says; all of them can be handed to a new box.
pub(crate) fn whole(site: &Site, side: Side) -> Result<(), String> {
    use preau_shared::{
        documents::Document,
        replica::{Pull, Shelf, Wanted},
        rig::shelves::pages,
    };
    for shelf in [Shelf::Territory, school()] {
        let mut after = None;
        loop {
            let pull = Pull { shelf: shelf.clone(), wanted: Wanted::Everything, after };
            let page = site.store.with(|conn| pages::serve(conn, pull)).map_err(|why| format!("{side:?}: {why}"))?;
            let sheet = page.sheet().ok_or("a page that was served cannot be read")?;
            for copy in sheet.copies {
                let mut document = Document::new(copy.doc.kind);
                document
                    .merge_saved(&copy.saved)
                    .map_err(|why| format!("{:?} cannot be handed on: {why}", copy.doc))?;
                if copy.cut.is_none() {
                    let row = site.store.with(|conn| shelves::document(conn, &shelf, &copy.doc)).expect("row");
                    if row != Some(document.fields()) {
                        return Err(format!("{:?} does not read as its row says", copy.doc));
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}

impl Guarded {
    /// What is not as it was.
    pub(crate) fn differs(&self, before: &Self) -> Option<String> {
        let rows = self.rows.iter().find(|(what, rows)| before.rows.get(*what) != Some(rows));
        let rows = rows.map(|(what, _)| format!("a box changed: {what}"));
        let school = (self.school != before.school).then(|| "a box changed: the school".to_owned());
        let badges = (self.badges != before.badges).then(|| "a box changed: whose a badge is".to_owned());
        rows.or(school).or(badges)
    }
}

/// How many rows a table has.
pub(crate) fn count(site: &Site, table: &str) -> usize {
    usize::try_from(site.store.with(|conn| number(conn, &format!("SELECT count(*) FROM {table}")))).expect("count")
}
