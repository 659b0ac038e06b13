//! What must be true when all is quiet; and what is looked at on the way.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    documents::{DocId, Fields, Kind, Scalar},
    ids::BoxId,
    journal::Entry,
    replica::{Alert, Item, Mark, Origin, Run, Shelf},
    rig::{
        shelves::{self, Following, lost, quarantine},
        sql::{Row, Sql as _, values},
    },
};

use super::{
    Fault, Place, World,
    disk::Disk,
    hostile::FORGED,
    node::Node,
    rows::Known,
    truth::{self, MARKER, keeps},
    wires::id,
};

/// Most changes that may wait, on each of two shelves.
const MOST_WAITING: i64 = 2_000;
const MOST_IN_QUARANTINE: u64 = 100;

/// Every place where a text may stand: table and column.
const TEXTS: [(&str, &str); 8] = [
    ("replica_items", "body"),
    ("replica_documents", "fields"),
    ("replica_documents", "snapshot"),
    ("replica_changes", "bytes"),
    ("replica_waiting", "bytes"),
    ("replica_quarantine", "bytes"),
    ("sim_documents", "fields"),
    ("sim_entries", "body"),
];

impl World {
    /// Why it is not settled; empty when it is.
    pub(super) fn differences(&self) -> Result<String> {
        let mut all = Vec::new();
        let standing: Vec<&Node> = self.standing().collect();
        for node in &standing {
            if !node.is_alive() {
                all.push(format!("{:?} is dead", node.place));
            }
            for (link, peer) in node.peers() {
                let differs = |alert: &Alert| matches!(alert, Alert::DigestMismatch { .. });
                let is_pulling = peer.is_pulling() || peer.alerts().iter().any(differs);
                if self.counts(*link) && (!peer.is_settled(self.now) || is_pulling) {
                    all.push(format!("{:?} is not settled on link {link}", node.place));
                }
            }
        }
        if !all.is_empty() {
            return Ok(all.join(", "));
        }
        for node in &standing {
            let base = node.disk.base();
            if node.place != Place::Cloud && shelves::exposure(&*base, &node.author.origin)?.entries > 0 {
                all.push(format!("{:?} is exposed", node.place));
            }
            if base.first("SELECT line FROM replica_lines WHERE last > held LIMIT 1", values![])?.is_some() {
                all.push(format!("{:?} has items in no run", node.place));
            }
        }
        for (shelf, here, there) in self.pairs()? {
            if marks(here, &shelf)? != marks(there, &shelf)? {
                all.push(format!("{:?} and {:?} hold different runs on {shelf}", here.place, there.place));
            } else if shelves::digest(&*here.disk.base(), &shelf)? != shelves::digest(&*there.disk.base(), &shelf)? {
                all.push(format!("{:?} and {:?} have different heads on {shelf}", here.place, there.place));
            }
        }
        Ok(all.join(", "))
    }

    /// Every shelf with the coordinator and a box that both keep it.
    fn pairs(&self) -> Result<Vec<(Shelf, &Node, &Node)>> {
        let cloud = self.node(Place::Cloud)?;
        let boxes = self.standing().filter(|n| n.place != Place::Cloud);
        Ok(boxes
            .flat_map(|b| [Shelf::Territory, Shelf::School(b.uai.clone())].map(|shelf| (shelf, cloud, b)))
            .collect())
    }

    /// What is bounded stays so (invariant 11).
    pub(super) fn check_bounds(&self) -> Result<()> {
        for node in &self.nodes {
            let base = node.disk.base();
            let waiting = base.one("SELECT count(*) FROM replica_waiting", values![])?.int(0)?;
            ensure!(waiting <= MOST_WAITING, "{waiting} changes wait at {:?} (invariant 11)", node.place);
            let aside = quarantine::count(&*base)?;
            ensure!(aside <= MOST_IN_QUARANTINE, "{aside} in quarantine at {:?} (invariant 11)", node.place);
            for (_, peer) in node.peers() {
                let alerts = peer.alerts().len();
                ensure!(alerts <= preau_shared::replica::peer::MAX_REMEMBERED, "{alerts} alerts (invariant 11)");
            }
        }
        Ok(())
    }

    pub(super) fn check_all(&self) -> Result<()> {
        for node in self.standing() {
            let here = || format!("at {:?}", node.place);
            no_doubles(&node.disk).with_context(here)?;
            self.check_entries(node).with_context(here)?;
            self.check_fields(node).with_context(here)?;
            self.check_erased(node).with_context(here)?;
            self.check_forged(node).with_context(here)?;
            check_rows(node).with_context(here)?;
            self.check_alerts(node).with_context(here)?;
        }
        for (shelf, cloud, school) in self.pairs()? {
            let at = || format!("{shelf} at {:?} (invariant 6)", school.place);
            ensure!(readings(cloud, &shelf)? == readings(school, &shelf)?, "unequal documents: {}", at());
        }
        Ok(())
    }

    /// Every answered entry is at the coordinator, and where it was written unless that disk was another since.
    fn check_entries(&self, node: &Node) -> Result<()> {
        let shelves: BTreeSet<Shelf> = self.truth.entries.keys().map(|(shelf, _)| shelf.clone()).collect();
        for shelf in shelves.into_iter().filter(|shelf| keeps(node, shelf)) {
            let found = node.disk.bodies(&shelf)?;
            for ((_, body), said) in self.truth.entries.iter().filter(|((s, _), _)| *s == shelf) {
                let erased =
                    said.who.is_some_and(|who| self.truth.perhaps.contains(&(shelf.clone(), truth::person(who))));
                let due = node.place == Place::Cloud || said.by == node.place && !self.rewound.contains(&node.place);
                if due && !erased && !found.contains(body) && !self.is_lost(node, &shelf, body)? {
                    let entry = Entry::decode(body);
                    bail!("an entry of {:?} was answered and is lost: {entry:?}", said.by);
                }
            }
        }
        Ok(())
    }

    /// Whether the coordinator says itself that it lost an entry: it was restored from longer ago than boxes keep runs.
    fn is_lost(&self, node: &Node, shelf: &Shelf, body: &Vec<u8>) -> Result<bool> {
        let lost = lost::list(&*node.disk.base())?;
        for other in self.standing() {
            let rows = other.disk.base().query(
                "SELECT l.box, l.incarnation, i.number FROM replica_items i JOIN replica_lines l ON l.line = i.line
                 WHERE l.shelf = ?1 AND i.body = ?2",
                values![shelf.as_key(), body],
            )?;
            for row in &rows {
                let (name, life): ([u8; 16], i64) = (row.array(0)?, row.int(1)?);
                let number = u64::try_from(row.int(2)?)?;
                // What stood in no run of its own life was said again by a later one, in a run that may be lost.
                let origin = Origin { box_id: BoxId::from_bytes(name), incarnation: life.cast_unsigned() };
                let marks = node.disk.marks()?;
                let held = marks.iter().find(|mark| mark.shelf == *shelf && mark.origin == origin);
                let said_again = held.is_none_or(|mark| mark.number < number);
                let of = |l: &lost::Lost| {
                    let same = l.origin == origin && (l.first..=l.last).contains(&number);
                    same || said_again && l.origin.box_id == origin.box_id && l.origin != origin
                };
                if lost.iter().any(of) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Every field says something that somebody wrote there; what was voided is void.
    fn check_fields(&self, node: &Node) -> Result<()> {
        for (shelf, doc) in self.truth.voided.iter().filter(|(shelf, _)| keeps(node, shelf)) {
            ensure!(truth::void_at(node, shelf, doc)?, "a void badge is not void: {doc:?} on {shelf} (invariant 4)");
        }
        for ((shelf, doc), word) in self.truth.last_words.iter().filter(|((shelf, _), _)| keeps(node, shelf)) {
            let found = shelves::document(&*node.disk.base(), shelf, doc)?.context("a tablet is lost")?;
            ensure!(found.text("name") == Some(word), "the last word was {word:?}, it reads {:?}", found.text("name"));
        }
        let mut seen: Option<(Shelf, DocId, Option<Fields>)> = None;
        for ((shelf, doc, key), written) in self.truth.written.iter().filter(|((shelf, ..), _)| keeps(node, shelf)) {
            if seen.as_ref().is_none_or(|(s, d, _)| (s, d) != (shelf, doc)) {
                seen = Some((shelf.clone(), *doc, shelves::document(&*node.disk.base(), shelf, doc)?));
            }
            let Some((.., Some(found))) = &seen else { continue };
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

    /// Nothing is left of who was erased, in any table, in any run (invariant 5).
    fn check_erased(&self, node: &Node) -> Result<()> {
        let gone = |who: u8| {
            let shelves: Vec<&Shelf> = self.founded.iter().filter(|shelf| keeps(node, shelf)).collect();
            shelves.iter().all(|shelf| {
                let erased = |doc| self.truth.erased.contains(&((*shelf).clone(), doc));
                erased(truth::person(who)) && erased(truth::badge(who))
            })
        };
        let erased: BTreeSet<u8> = (0..self.truth.next_person).filter(|who| gone(*who)).collect();
        if erased.is_empty() {
            return Ok(());
        }
        let base = node.disk.base();
        for (table, column) in TEXTS {
            let sql = format!("SELECT {column} FROM {table} WHERE instr({column}, ?1) > 0");
            for row in base.query(&sql, values![MARKER.as_bytes()])? {
                check_text(row.bytes(0)?, &erased).with_context(|| format!("in {table}.{column}"))?;
            }
        }
        for mark in shelves::marks(&*base)? {
            let base_of = base.one(
                "SELECT base FROM replica_lines WHERE shelf = ?1 AND box = ?2 AND incarnation = ?3",
                values![mark.shelf.as_key(), mark.origin.box_id.as_bytes(), mark.origin.incarnation.cast_signed()],
            )?;
            let after = u64::try_from(base_of.int(0)?)?;
            let following = shelves::runs_after(&*base, &mark.shelf, &mark.origin, after, usize::MAX)?;
            let Following::Runs(runs) = following else { continue };
            for run in &runs {
                check_run(run, &erased).with_context(|| format!("in run {} of {}", run.first, run.origin))?;
            }
        }
        Ok(())
    }

    /// Nothing of what a stranger wrote and may not has got in (invariant 7).
    fn check_forged(&self, node: &Node) -> Result<()> {
        if self.stolen.is_empty() {
            return Ok(());
        }
        let base = node.disk.base();
        for (table, column) in TEXTS.into_iter().filter(|(table, _)| *table != "replica_quarantine") {
            let sql = format!("SELECT 1 FROM {table} WHERE instr({column}, ?1) > 0 LIMIT 1");
            let found = base.first(&sql, values![FORGED.as_bytes()])?;
            ensure!(found.is_none(), "what a stranger wrote stands in {table}.{column} (invariant 7)");
        }
        Ok(())
    }

    /// Nobody calls for help without a reason.
    fn check_alerts(&self, node: &Node) -> Result<()> {
        let disks = [Fault::Rollback, Fault::Clone];
        let disks = disks.iter().any(|fault| self.net.happened.contains_key(fault));
        let strangers = [Fault::Hostile, Fault::Revoked].iter().any(|fault| self.net.happened.contains_key(fault));
        for alert in node.peers().flat_map(|(_, peer)| peer.alerts()) {
            let fine = match alert {
                Alert::DigestMismatch { .. } | Alert::TooOld { .. } => false,
                Alert::CloneDetected { .. } | Alert::Superseded { .. } | Alert::Lost { .. } | Alert::Gap { .. } => {
                    disks || strangers
                }
                Alert::Quarantined { .. } | Alert::Refused { .. } => disks || strangers,
            };
            ensure!(fine, "an alert without a reason: {alert}");
        }
        let base = node.disk.base();
        // What waited for 120 days in vain is kept aside.
        let seasons = self.net.happened.contains_key(&Fault::Seasons);
        let fine = disks || strangers || seasons || quarantine::count(&*base)? == 0;
        ensure!(fine, "something is in quarantine without a reason");
        // A stranger may give up what the stolen box wrote.
        let stolen: Vec<_> = self.stolen.iter().map(|n| id(Place::Box(*n))).collect();
        let lost = lost::list(&*base)?.into_iter().find(|lost| !stolen.contains(&lost.origin.box_id));
        ensure!(disks || lost.is_none(), "something is noted as lost without a reason: {lost:?}");
        drop(base);
        // An edit in an epoch that was let go of, or on what stood on a disk that was taken away, waits for its 120 days.
        let in_vain = [Fault::Seasons, Fault::Clone].iter().any(|fault| self.net.happened.contains_key(fault));
        let missed = if in_vain { Vec::new() } else { self.missed(node)? };
        ensure!(missed.is_empty(), "changes still wait for others: {}", missed.join("; "));
        Ok(())
    }

    /// What the changes that wait at a node stand on, and who knows it. What a coordinator lost of an epoch left behind,
    /// and nobody keeps as runs, is of no use to it: the epoch after it stands.
    fn missed(&self, node: &Node) -> Result<Vec<String>> {
        let waiting = node.disk.base().query(
            "SELECT w.dep, w.number, l.box, l.incarnation FROM replica_waiting w
             LEFT JOIN replica_lines l ON l.line = w.line",
            values![],
        )?;
        let mut all = Vec::new();
        for row in &waiting {
            let (dep, number, name) = (row.bytes(0)?, row.opt_int(1)?, row.opt_bytes(2)?);
            let mut known = Vec::new();
            for other in &self.nodes {
                let place = other.disk.base().first(
                    "SELECT d.state, d.kind, d.id, d.epoch FROM replica_hashes h JOIN replica_documents d ON d.doc = h.doc
                     WHERE h.name = ?1",
                    values![dep],
                )?;
                known.extend(place.map(|row| (other.place, row)));
            }
            let is_past = |(_, row): &(Place, Row)| row.int(0).is_ok_and(|state| [1, 3].contains(&state));
            if !(self.rewound.contains(&Place::Cloud) && known.iter().any(is_past)) {
                all.push(format!("{number:?} of {name:02x?} on {dep:02x?}, known to {known:?}"));
            }
        }
        Ok(all)
    }
}

fn check_run(run: &Run, erased: &BTreeSet<u8>) -> Result<()> {
    for item in run.items()? {
        match item {
            Item::First { bytes, .. } | Item::Change { bytes } | Item::Entry { body: bytes, .. } => {
                check_text(&bytes, erased)?;
            }
            Item::Former { item, .. } => check_text(&item, erased)?,
            Item::Erased(_) | Item::Gone { .. } | Item::Traces { .. } => {}
        }
    }
    Ok(())
}

fn check_text(bytes: &[u8], erased: &BTreeSet<u8>) -> Result<()> {
    let marker = MARKER.as_bytes();
    for at in 0..bytes.len() {
        let Some(rest) = bytes.get(at..).and_then(|rest| rest.strip_prefix(marker)) else { continue };
        let digits: String = rest.iter().take_while(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
        let who: u8 = digits.parse().unwrap_or(u8::MAX);
        ensure!(!erased.contains(&who), "person {who} was erased, and is still named (invariant 5)");
    }
    Ok(())
}

fn marks(node: &Node, shelf: &Shelf) -> Result<Vec<Mark>> {
    Ok(node.disk.marks()?.iter().filter(|m| m.shelf == *shelf).cloned().collect())
}

type Reading = (i64, Vec<u8>, i64, i64, Vec<u8>, Vec<u8>);

/// Every document as it is read: name, epoch, state, heads, fields.
fn readings(node: &Node, shelf: &Shelf) -> Result<Vec<Reading>> {
    let rows = node.disk.base().query(
        "SELECT kind, id, CASE WHEN state = 2 THEN 0 ELSE epoch END, state, heads, fields FROM replica_documents
         WHERE shelf = ?1 AND state IN (0, 2) AND (state = 2 OR length(heads) > 0) GROUP BY kind, id, state ORDER BY kind, id",
        values![shelf.as_key()],
    )?;
    rows.iter()
        .map(|row| {
            let (heads, fields) = (row.bytes(4)?.to_vec(), row.bytes(5)?.to_vec());
            Ok((row.int(0)?, row.bytes(1)?.to_vec(), row.int(2)?, row.int(3)?, heads, fields))
        })
        .collect()
}

/// No entry stands twice, under whatever numbers.
pub(super) fn no_doubles(disk: &Disk) -> Result<()> {
    let base = disk.base();
    let twice = base.first(
        "SELECT i.body FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE i.kind = 1 AND i.gone IS NULL GROUP BY l.shelf, i.body HAVING count(*) > 1 LIMIT 1",
        values![],
    )?;
    let Some(twice) = twice else { return Ok(()) };
    let body = twice.bytes(0)?;
    let places = base.query(
        "SELECT l.box, l.incarnation, i.number FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE i.body = ?1",
        values![body],
    )?;
    let at = |row: &Row| -> Result<String> {
        let (name, life): ([u8; 16], i64) = (row.array(0)?, row.int(1)?);
        let origin = Origin { box_id: BoxId::from_bytes(name), incarnation: life.cast_unsigned() };
        Ok(format!("{} of {origin}", row.int(2)?))
    };
    let places: Vec<String> = places.iter().map(at).collect::<Result<_>>()?;
    bail!("an entry stands twice, as {}: {:?}", places.join(" and "), Entry::decode(body));
}

/// Rows that were made on the way are what they would be if they were made now.
fn check_rows(node: &Node) -> Result<()> {
    let base = node.disk.base();
    let other = base.first(
        "SELECT d.kind, d.id FROM replica_documents d LEFT JOIN sim_documents s
             ON s.shelf = d.shelf AND s.kind = d.kind AND s.id = d.id
         WHERE d.state = 0 AND length(d.heads) > 0 AND (s.fields IS NULL OR s.fields <> d.fields) LIMIT 1",
        values![],
    )?;
    if let Some(row) = other {
        let doc = DocId::new(Kind::from_code(u8::try_from(row.int(0)?)?).context("a kind")?, row.array(1)?);
        bail!("the row of {doc:?} is not what the document says (invariant 6)");
    }
    let left = base.first(
        "SELECT s.kind FROM sim_documents s WHERE NOT EXISTS (SELECT 1 FROM replica_documents d
             WHERE s.shelf = d.shelf AND s.kind = d.kind AND s.id = d.id AND d.state = 0) LIMIT 1",
        values![],
    )?;
    ensure!(left.is_none(), "a row without its document (invariant 6)");
    Ok(())
}

/// What a disk knows.
pub(super) fn known(disk: &Disk) -> Result<Known> {
    let base = disk.base();
    let mut known = Known::default();
    let rows = base.query(
        "SELECT shelf, kind, id, pseudonym, state FROM replica_documents WHERE state = 2 OR (state = 0 AND kind = 5)",
        values![],
    )?;
    for row in &rows {
        let shelf = Shelf::from_key(row.text(0)?).context("a shelf")?;
        let doc = DocId::new(Kind::from_code(u8::try_from(row.int(1)?)?).context("a kind")?, row.array(2)?);
        if row.int(4)? == 2 {
            known.erased.insert((shelf, doc), row.opt_array(3)?);
        } else if shelves::document(&*base, &shelf, &doc)?.is_some_and(|fields| fields.flag("void")) {
            known.voids.insert((shelf, doc));
        }
    }
    Ok(known)
}
