//! Gathers the facts: boxes and schools from the store, contact and vitals from the links.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    documents::Kind,
    ids::{BoxId, Uai},
    messages::{Catalogue, Lang},
    replica::{Alert, Mark, Shelf},
    rig::{
        replicate::LinkStatus,
        shelves::{self, ShelfError},
    },
    time::{Clock, Elapsed},
    wire::SchoolStatus,
};

use super::status::{BoxFacts, Contact, Now, SchoolFacts, Trouble, is_many_voids, school_status};
use crate::{
    coordinator::links::Links,
    store::{
        Database, Tx,
        boxes::{self, BoxRow},
        safe_codes, schools, voids,
    },
};

/// Facts are gathered at most so often, however many pages look.
pub(crate) const FRESH: Duration = Duration::from_millis(400);

type Gathered = Option<(Elapsed, Arc<Vec<SchoolFacts>>)>;

/// Where every school stands.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) store: Database,
    pub(crate) links: Links,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keep_alive: Duration,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The last gathering, shared by all that look.
    last: Arc<Mutex<Gathered>>,
    /// Entries of a shelf as counted when its marks summed up to the first number.
    counted: Arc<Mutex<BTreeMap<Uai, (u64, u64)>>>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fleet")
    }
}

impl Fleet {
    pub(crate) fn new(
        store: Database,
        links: Links,
        clock: Arc<dyn Clock>,
        keep_alive: Duration,
        catalogue: Arc<Catalogue>,
    ) -> Self {
        Self { store, links, clock, keep_alive, catalogue, last: Arc::default(), counted: Arc::default() }
    }

    /// Every open school as it stands now, by UAI.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn schools(&self, lang: Lang) -> Result<Vec<SchoolStatus>, ShelfError> {
        let facts = self.facts().await?;
        let now = Now { elapsed: self.clock.elapsed(), stamp: self.clock.stamp(), keep_alive: self.keep_alive };
        Ok(facts.iter().map(|school| school_status(school, now, (&self.catalogue, lang))).collect())
    }

    async fn facts(&self) -> Result<Arc<Vec<SchoolFacts>>, ShelfError> {
        let now = self.clock.elapsed();
        if let Some((at, facts)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && now.since(*at) < FRESH
        {
            return Ok(facts.clone());
        }
        let this = self.clone();
        let facts = Arc::new(self.store.read(move |conn| this.gather(conn)).await?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, facts.clone()));
        Ok(facts)
    }

    fn gather(&self, conn: &Tx) -> Result<Vec<SchoolFacts>, ShelfError> {
        let marks = shelves::marks(conn)?;
        let voids: BTreeMap<BoxId, u64> = voids::of_boxes(conn, self.clock.stamp())?.into_iter().collect();
        let mut of_school: BTreeMap<Uai, Vec<BoxFacts>> = BTreeMap::new();
        for row in boxes::all(conn)?.into_iter().filter(|row| row.revoked_at.is_none()) {
            let mut facts = self.of_box(&row, &marks);
            // In a training room trainees try it out.
            if let Some(void) = voids.get(&row.box_id)
                && !row.uai.is_training()
                && is_many_voids(*void, badges(conn, &row.uai)?)
            {
                facts.troubles.insert(Trouble::ManyVoids);
            }
            of_school.entry(row.uai).or_default().push(facts);
        }
        let safes = safe_codes::used(conn)?;
        let mut facts = Vec::new();
        for school in schools::open(conn)? {
            let entries = self.entries(conn, &school.uai, &marks)?;
            let boxes = of_school.remove(&school.uai).unwrap_or_default();
            let troubles = safes.contains(&school.uai).then_some(Trouble::SafeOpened).into_iter().collect();
            facts.push(SchoolFacts { uai: school.uai, name: school.name, boxes, entries, troubles });
        }
        Ok(facts)
    }

    fn of_box(&self, row: &BoxRow, marks: &[Mark]) -> BoxFacts {
        let link = self.links.status(&row.box_id).unwrap_or_default();
        BoxFacts {
            box_id: row.box_id,
            contact: contact(&link, row),
            held: held(row.box_id, &row.uai, marks),
            troubles: link.alerts.iter().map(trouble).collect::<BTreeSet<_>>(),
            snapshot_running: link.pulling,
            certificate_ends: Some(row.mqtt_ends),
            vitals: link.vitals,
        }
    }

    /// Entries are counted again only when something came.
    fn entries(&self, conn: &Tx, uai: &Uai, marks: &[Mark]) -> Result<u64, ShelfError> {
        let shelf = Shelf::School(uai.clone());
        let sum = marks.iter().filter(|mark| mark.shelf == shelf).map(|mark| mark.number).fold(0, u64::wrapping_add);
        let known = self.counted.lock().unwrap_or_else(PoisonError::into_inner).get(uai).copied();
        if let Some((_, count)) = known.filter(|(at, _)| *at == sum) {
            return Ok(count);
        }
        let count = shelves::entry_count(conn, &shelf, None)?;
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(uai.clone(), (sum, count));
        Ok(count)
    }
}

fn badges(conn: &Tx, uai: &Uai) -> Result<u64, ShelfError> {
    shelves::document_count(conn, &Shelf::School(uai.clone()), Some(Kind::Badge))
}

fn contact(link: &LinkStatus, row: &BoxRow) -> Contact {
    match (link.last_message, row.last_contact) {
        (Some(at), _) => Contact::At(at),
        (None, Some(stamp)) => Contact::BeforeStart(stamp),
        (None, None) => Contact::Never,
    }
}

/// How much of what the box wrote is held here, in all its lives; none when nothing is.
fn held(box_id: BoxId, uai: &Uai, marks: &[Mark]) -> Option<u64> {
    let shelf = Shelf::School(uai.clone());
    let own = marks.iter().filter(|mark| mark.origin.box_id == box_id && mark.shelf == shelf);
    own.map(|mark| mark.number).reduce(u64::wrapping_add)
}

fn trouble(alert: &Alert) -> Trouble {
    match alert {
        Alert::TooOld { .. } => Trouble::TooOld,
        Alert::CloneDetected { .. } | Alert::Superseded { .. } => Trouble::Clone,
        Alert::Lost { .. } => Trouble::Lost,
        Alert::DigestMismatch { .. } => Trouble::DigestMismatch,
        Alert::Quarantined { .. } | Alert::Refused { .. } => Trouble::Quarantine,
        Alert::Gap { .. } => Trouble::Gap,
    }
}
