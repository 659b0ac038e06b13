//! Table `offers` (native, one row): two stamps. One is drawn anew when what a school settles changes: catalogues, policies,
//! second factors, charters, accounts. The other when who is who changes: people, their classes, their badges, what
//! they understood, which class is silent. All of it is read at every sign-in and changes seldom, so what was read is kept in memory while its stamp stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use preau_shared::{
    badge::BadgeHash,
    ids::ClassId,
    journal::Pseudonym,
    messages::{Catalogue, Lang},
    rig::writer::StoreError,
    second_factor::Factor,
    terms::{Audience, Version, shipped},
    wire::{PolicyView, Shortcut, Written},
};
use rusqlite::Connection;
use serde::Serialize;

use super::{
    badges::Holder,
    catalogue, factors, one,
    policies::{self, Named},
    quiet,
    roll::Kept,
    school, terms,
};

/// Drawn, not counted: of two acts that change something, one may be taken back.
pub(super) const CREATE: &str = "
    CREATE TABLE offers(stamp INTEGER NOT NULL) STRICT;
    INSERT INTO offers(stamp) VALUES (random());
    CREATE TRIGGER offers_1 AFTER INSERT ON catalogues BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_2 AFTER UPDATE ON catalogues BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_3 AFTER DELETE ON catalogues BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_4 AFTER INSERT ON catalogue_items BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_5 AFTER UPDATE ON catalogue_items BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_6 AFTER DELETE ON catalogue_items BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_7 AFTER INSERT ON policies BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_8 AFTER UPDATE ON policies BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_9 AFTER DELETE ON policies BEGIN UPDATE offers SET stamp = random(); END;";

pub(super) const ALL_THAT_IS_SETTLED: &str = "
    CREATE TRIGGER offers_10 AFTER INSERT ON school BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_11 AFTER UPDATE ON school BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_12 AFTER DELETE ON school BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_13 AFTER INSERT ON factors BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_14 AFTER UPDATE ON factors BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_15 AFTER DELETE ON factors BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_16 AFTER INSERT ON terms BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_17 AFTER UPDATE ON terms BEGIN UPDATE offers SET stamp = random(); END;
    CREATE TRIGGER offers_18 AFTER DELETE ON terms BEGIN UPDATE offers SET stamp = random(); END;";

/// Different parties remembered; a school has a few for each class.
const MAX_KEPT: usize = 256;

/// Whom an offer is for: the levels of a party, and its classes.
type Party = (BTreeSet<String>, BTreeSet<ClassId>);

/// What a party finds on a tablet, and the policy that it is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) apps: Written<Vec<Shortcut>>,
    pub(crate) links: Written<Vec<Shortcut>>,
    pub(crate) documents: Written<Vec<Shortcut>>,
    pub(crate) policy: Written<PolicyView>,
}

impl Offer {
    fn read(conn: &Connection, (levels, classes): &Party) -> Result<Self, StoreError> {
        let found = catalogue::for_people(conn, levels, classes)?;
        Ok(Self {
            apps: written(found.apps)?,
            links: written(found.links)?,
            documents: written(found.documents)?,
            policy: written(strictest(policies::for_levels(conn, levels)?))?,
        })
    }
}

fn written<T: Serialize>(value: T) -> Result<Written<T>, StoreError> {
    Written::of(value).map_err(|_| StoreError::Unreadable("what a class is offered"))
}

/// What a school has settled, as it stood under one stamp.
#[derive(Debug)]
pub(crate) struct Settled {
    stamp: i64,
    /// The stamp of who is who.
    roll: i64,
    /// What pupils of a level are asked for besides their badge.
    pub(crate) factors: BTreeMap<String, Factor>,
    /// The turn in which the school works in one account per tablet; none while it works in many.
    pub(crate) one_account: Option<i64>,
    /// Versions of the charters that hold, its own before those that come with the program.
    pub(crate) charters: BTreeMap<Audience, Version>,
    offers: Arc<Mutex<BTreeMap<Party, Arc<Offer>>>>,
    /// Whether some class was silenced lately; if not, nobody asks whose.
    pub(crate) quiet: bool,
    /// Pupils by their badges, but where they sit; under both stamps.
    pub(crate) pupils: Kept<BadgeHash, Holder>,
    /// Whether somebody understood a version of the charter, as [`terms::has_read`] says it.
    pub(crate) understood: Kept<(Pseudonym, Version), Option<bool>>,
}

impl Settled {
    fn read(
        conn: &Connection,
        (stamp, roll): (i64, i64),
        shipped: &BTreeMap<Audience, Version>,
    ) -> Result<Self, StoreError> {
        let mut charters = shipped.clone();
        charters.extend(terms::own_versions(conn)?);
        let (factors, one_account) = (factors::every(conn)?, school::one_account(conn)?);
        let (offers, quiet) = (Arc::default(), !quiet::is_empty(conn)?);
        let (pupils, understood) = (Kept::default(), Kept::default());
        Ok(Self { stamp, roll, factors, one_account, charters, offers, quiet, pupils, understood })
    }

    /// The same under another stamp of who is who.
    fn with_roll(&self, conn: &Connection, roll: i64) -> Result<Self, StoreError> {
        let (factors, charters, offers) = (self.factors.clone(), self.charters.clone(), Arc::clone(&self.offers));
        let (stamp, one_account, quiet) = (self.stamp, self.one_account, !quiet::is_empty(conn)?);
        let (pupils, understood) = (Kept::default(), Kept::default());
        Ok(Self { stamp, roll, factors, one_account, charters, offers, quiet, pupils, understood })
    }

    /// What these levels and classes are offered.
    pub(crate) fn offer(&self, conn: &Connection, party: Party) -> Result<Arc<Offer>, StoreError> {
        if let Some(offer) = self.offers().get(&party) {
            return Ok(Arc::clone(offer));
        }
        let offer = Arc::new(Offer::read(conn, &party)?);
        let mut offers = self.offers();
        if offers.len() >= MAX_KEPT {
            offers.clear();
        }
        offers.insert(party, Arc::clone(&offer));
        Ok(offer)
    }

    fn offers(&self) -> MutexGuard<'_, BTreeMap<Party, Arc<Offer>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was settled when it was last read.
#[derive(Debug)]
pub(crate) struct Offers {
    last: Mutex<Option<Arc<Settled>>>,
    /// Versions of the charters that come with the program.
    shipped: BTreeMap<Audience, Version>,
}

impl Offers {
    /// Nothing read yet.
    pub(crate) fn new(words: &Catalogue) -> Self {
        let shipped = Audience::ALL.map(|audience| (audience, shipped(words, Lang::Fr, audience).version()));
        Self { last: Mutex::default(), shipped: shipped.into() }
    }

    /// What is settled, as this connection sees the database. Another stamp is another state of it, an older or a newer
    /// one: nothing of what was known holds there.
    pub(crate) fn settled(&self, conn: &Connection) -> Result<Arc<Settled>, StoreError> {
        let stamps = one(conn, "SELECT stamp, roll FROM offers", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (stamp, roll): (i64, i64) = stamps.ok_or(StoreError::Unreadable("the stamp of what is settled"))?;
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last().as_ref().filter(|settled| settled.stamp == stamp).map(Arc::clone);
        let settled = match known {
            Some(settled) if settled.roll == roll => return Ok(settled),
            Some(settled) => Arc::new(settled.with_roll(conn, roll)?),
            None => Arc::new(Settled::read(conn, (stamp, roll), &self.shipped)?),
        };
        *last() = Some(Arc::clone(&settled));
        Ok(settled)
    }
}

/// The stamps by which the filter knows that what it keeps in memory still stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// Of what a school settles, policies among it.
    pub(crate) settled: Option<i64>,
    /// Of who has which tablet ([`super::tablets`]).
    pub(crate) tablets: Option<i64>,
}

/// The stamps as they are now.
pub(crate) fn stamps(conn: &Connection) -> Result<Stamps, StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok(Stamps { settled: row.get(0)?, tablets: row.get(1)? });
    Ok(one(conn, "SELECT stamp, tablets FROM offers", [], read)?.unwrap_or_default())
}

/// The policy of several people on one tablet refuses what any of theirs refuses, under the name of the strictest.
fn strictest(policies: Vec<Named>) -> PolicyView {
    let name = policies.iter().max_by_key(|p| p.blocked.len()).map(|p| p.name.clone()).unwrap_or_default();
    let blocked: BTreeSet<String> = policies.into_iter().flat_map(|p| p.blocked).collect();
    PolicyView { name, blocked: blocked.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use preau_shared::{
        documents::{Catalogue, CatalogueItem, ItemKind, Policy},
        ids::{CatalogueId, PolicyId},
    };

    use super::*;
    use crate::store::schema;

    fn catalogue(title: &str) -> Catalogue {
        let item = CatalogueItem {
            key: "1".into(),
            kind: ItemKind::App,
            title: title.into(),
            url: "https://dessin.example".into(),
            icon: "pencil".into(),
        };
        let id = CatalogueId::from_bytes([1; 16]);
        Catalogue { id, levels: BTreeSet::new(), class: None, items: vec![item], deleted: false }
    }

    #[test]
    fn what_is_kept_is_what_the_database_says_also_after_a_change_taken_back() {
        let mut conn = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut conn).expect("tables");
        let offers = Offers::new(&preau_shared::messages::Catalogue::load());
        let party: Party = (["CP".to_owned()].into(), BTreeSet::new());
        let seen = |conn: &Connection| {
            let offer = offers.settled(conn).and_then(|now| now.offer(conn, party.clone())).expect("an offer");
            let title = offer.apps.first().map(|app| app.title.clone());
            (title, offer.policy.blocked.clone())
        };
        assert_eq!(seen(&conn), (None, vec![]));
        catalogue::project(&conn, &catalogue("Dessin")).expect("written");
        assert_eq!(seen(&conn).0.as_deref(), Some("Dessin"));
        conn.execute_batch("SAVEPOINT act").expect("an act");
        catalogue::project(&conn, &catalogue("Tableau")).expect("written");
        assert_eq!(seen(&conn).0.as_deref(), Some("Tableau"));
        conn.execute_batch("ROLLBACK TO act; RELEASE act").expect("taken back");
        assert_eq!(seen(&conn).0.as_deref(), Some("Dessin"));
        catalogue::project(&conn, &catalogue("Musique")).expect("written");
        assert_eq!(seen(&conn).0.as_deref(), Some("Musique"));
        let policy = Policy {
            id: PolicyId::from_bytes([2; 16]),
            name: "cycle 2".into(),
            levels: ["CP".to_owned()].into(),
            blocked: ["games".to_owned()].into(),
            allow: BTreeSet::new(),
            deny: BTreeSet::new(),
            deleted: false,
        };
        policies::project(&conn, &policy).expect("written");
        assert_eq!(seen(&conn).1, ["games"]);
    }
}
