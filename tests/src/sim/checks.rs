//! What must be true: at every step, and when all is settled.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use preau_shared::{
    documents::{Badge, DocId, Fields, Kind, Scalar},
    replica::{Mark, Shelf},
    rig::shelves,
};
use rusqlite::Connection;

use super::{Place, World, node::Node};

const KINDS: [Kind; 8] = Kind::ALL;

impl World {
    /// What one end was told to be held, the other holds on its disk.
    pub(super) fn check_durable(&self, there: Place, marks: &[Mark]) -> Result<()> {
        self.node(there)?.holds(marks)
    }

    /// Everybody lives, is in contact, and holds the same marks; nothing is pending.
    pub(super) fn is_settled(&mut self) -> Result<bool> {
        Ok(self.differences()?.is_empty())
    }

    /// Why it is not settled, for the message.
    pub(super) fn differences(&mut self) -> Result<String> {
        let mut all = Vec::new();
        for node in &self.nodes {
            if !node.is_alive() {
                all.push(format!("{:?} is dead", node.place));
            }
            if node.peers().any(|p| !p.is_settled(self.now)) {
                all.push(format!("{:?} is out of contact", node.place));
            }
            if shelves::exposure(&node.disk(), &node.author.origin)?.entries > 0 && node.place != Place::Cloud {
                all.push(format!("{:?} is exposed", node.place));
            }
            let pending: i64 =
                node.disk().query_row("SELECT count(*) FROM replica_lines WHERE last > held", [], |r| r.get(0))?;
            if pending > 0 {
                all.push(format!("{:?} has items in no run", node.place));
            }
        }
        for (shelf, here, there) in self.pairs()? {
            let marks = |node: &Node| -> Result<Vec<Mark>> {
                Ok(shelves::marks(&node.disk())?.into_iter().filter(|m| m.shelf == shelf).collect())
            };
            if marks(here)? != marks(there)? {
                all.push(format!("{:?} and {:?} hold different runs on {shelf}", here.place, there.place));
            }
        }
        Ok(all.join(", "))
    }

    /// Every shelf with the coordinator and a box that both keep it.
    fn pairs(&self) -> Result<Vec<(Shelf, &Node, &Node)>> {
        let cloud = self.node(Place::Cloud)?;
        let boxes = self.nodes.iter().filter(|n| n.place != Place::Cloud);
        Ok(boxes
            .flat_map(|b| [Shelf::Territory, Shelf::School(b.uai.clone())].map(|shelf| (shelf, cloud, b)))
            .collect())
    }

    pub(super) fn check_all(&self) -> Result<()> {
        for node in &self.nodes {
            let here = || format!("at {:?}", node.place);
            self.check_entries(node).with_context(here)?;
            self.check_fields(node).with_context(here)?;
            check_rows(&node.disk()).with_context(here)?;
            ensure!(shelves::quarantined(&node.disk())? == 0, "something is in quarantine {}", here());
            ensure!(node.peers().all(|p| p.alerts().is_empty()), "an alert stands {}", here());
        }
        for (shelf, cloud, school_box) in self.pairs()? {
            let (a, b) = (cloud.disk(), school_box.disk());
            let at = || format!("{shelf} at {:?}", school_box.place);
            ensure!(shelves::digest(&a, &shelf)? == shelves::digest(&b, &shelf)?, "unequal heads: {}", at());
            ensure!(fields(&a, &shelf)? == fields(&b, &shelf)?, "unequal fields: {}", at());
            ensure!(shelves::entry_ids(&a, &shelf)? == shelves::entry_ids(&b, &shelf)?, "unequal entries: {}", at());
        }
        Ok(())
    }

    /// Every answered entry is there once, as it was written; every other one is of a program that died unanswered.
    fn check_entries(&self, node: &Node) -> Result<()> {
        for shelf in self.truth.schools.shelves() {
            if node.place != Place::Cloud && shelf != Shelf::School(node.uai.clone()) {
                continue;
            }
            let ids = shelves::entry_ids(&node.disk(), &shelf)?;
            ensure!(ids.is_sorted_by(|a, b| a < b), "an entry is there twice");
            for ((_, origin, number), entry) in self.truth.entries.iter().filter(|((s, _, _), _)| *s == shelf) {
                let found = shelves::entries(&node.disk(), &shelf, origin, number.saturating_sub(1), 1)?;
                ensure!(
                    found.first().is_some_and(|(n, _, e)| n == number && e == entry),
                    "entry {number} of {origin} was answered and is lost"
                );
            }
        }
        Ok(())
    }

    /// Every field says something that somebody wrote there; what was voided is void.
    fn check_fields(&self, node: &Node) -> Result<()> {
        let disk = node.disk();
        for (shelf, badge) in &self.truth.voided {
            if node.place == Place::Cloud || *shelf == Shelf::School(node.uai.clone()) {
                let found = shelves::document(&disk, shelf, &Badge::doc(*badge))?.context("a badge is lost")?;
                ensure!(found.flag("void"), "a void badge came back: {badge}");
            }
        }
        for ((shelf, doc, key), written) in &self.truth.written {
            let Some(found) = shelves::document(&disk, shelf, doc)? else { continue };
            let one = found.prefixed(key).find(|(rest, _)| rest.is_empty()).map(|(_, value)| value);
            let is_default = |v: &Scalar| {
                [Scalar::Text(String::new()), Scalar::Int(0), Scalar::Flag(false), Scalar::Bytes(vec![])].contains(v)
            };
            ensure!(
                one.is_none_or(|value| written.contains(value) || is_default(value)),
                "{shelf} {doc:?} {key} holds what nobody wrote: {one:?}"
            );
        }
        Ok(())
    }

    pub(super) fn check_last_words(&self) -> Result<()> {
        for node in &self.nodes {
            for ((shelf, doc), word) in &self.truth.last_words {
                if node.place == Place::Cloud || *shelf == Shelf::School(node.uai.clone()) {
                    let found = shelves::document(&node.disk(), shelf, doc)?.context("a tablet is lost")?;
                    ensure!(
                        found.text("name") == Some(word),
                        "the last word on {doc:?} was {word:?}, {:?} reads {:?}",
                        node.place,
                        found.text("name")
                    );
                }
            }
        }
        Ok(())
    }
}

fn fields(disk: &Connection, shelf: &Shelf) -> Result<BTreeMap<DocId, Fields>> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        all.extend(shelves::documents(disk, shelf, kind)?);
    }
    Ok(all)
}

/// Rows that were made on the way are what they would be if they were made now.
fn check_rows(disk: &Connection) -> Result<()> {
    let mut statement = disk.prepare("SELECT shelf, kind, id, fields FROM sim_documents")?;
    let mut rows = statement.query([])?;
    let mut count = 0_usize;
    while let Some(row) = rows.next()? {
        let (shelf, kind, id, said): (String, u8, [u8; 16], String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let shelf = Shelf::from_key(&shelf).context("a shelf")?;
        let doc = DocId::new(Kind::from_code(kind).context("a kind")?, id);
        let fields = shelves::document(disk, &shelf, &doc)?.context("a document is lost")?;
        ensure!(format!("{fields:?}") == said, "the row of {doc:?} is {said}, the document says {fields:?}");
        count = count.saturating_add(1);
    }
    let documents: usize =
        disk.query_row("SELECT count(*) FROM replica_documents", [], |r| r.get::<_, u32>(0))?.try_into()?;
    ensure!(count == documents, "{documents} documents, {count} rows");
    let (items, rows): (i64, i64) = disk.query_row(
        "SELECT (SELECT count(*) FROM replica_items WHERE kind = 1), (SELECT count(*) FROM sim_entries)",
        [],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    ensure!(items == rows, "{items} entries, {rows} rows");
    Ok(())
}
