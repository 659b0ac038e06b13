//! Table `offers` (native, one row): a stamp that is drawn anew when catalogues or policies change. What levels and classes
//! are offered is read at every sign-in and changes a few times a year, so it is kept in memory while the stamp stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use preau_shared::{
    ids::ClassId,
    messages::{Catalogue, Lang},
    rig::writer::StoreError,
    terms::{Audience, Version, shipped},
    wire::PolicyView,
};
use rusqlite::Connection;

use super::{
    catalogue::{self, Shelves},
    one,
    policies::{self, Named},
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

/// Different parties remembered; a school has a few for each class.
const MAX_KEPT: usize = 256;

/// Whom an offer is for: the levels of a party, and its classes.
type Party = (BTreeSet<String>, BTreeSet<ClassId>);

/// What a party finds on a tablet, and the policy that it is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) shelves: Shelves,
    pub(crate) policy: PolicyView,
}

#[derive(Debug, Default)]
struct Kept {
    stamp: i64,
    offers: BTreeMap<Party, Arc<Offer>>,
}

/// Offers read of late.
#[derive(Debug)]
pub(crate) struct Offers {
    kept: Mutex<Kept>,
    /// Versions of the charters that come with the program.
    pub(crate) charters: BTreeMap<Audience, Version>,
}

impl Offers {
    /// Nothing read yet.
    pub(crate) fn new(words: &Catalogue) -> Self {
        let charters = Audience::ALL.map(|audience| (audience, shipped(words, Lang::Fr, audience).version()));
        Self { kept: Mutex::default(), charters: charters.into() }
    }

    /// What these levels and classes are offered, as this connection sees the database.
    pub(crate) fn of(&self, conn: &Connection, party: Party) -> Result<Arc<Offer>, StoreError> {
        let stamp = one(conn, "SELECT stamp FROM offers", [], |row| row.get(0))?;
        let stamp: i64 = stamp.ok_or(StoreError::Unreadable("the stamp of what is offered"))?;
        if let Some(offer) = self.at(stamp).offers.get(&party) {
            return Ok(Arc::clone(offer));
        }
        let (levels, classes) = &party;
        let shelves = catalogue::for_people(conn, levels, classes)?;
        let policy = strictest(policies::for_levels(conn, levels)?);
        let offer = Arc::new(Offer { shelves, policy });
        let mut kept = self.at(stamp);
        if kept.offers.len() >= MAX_KEPT {
            kept.offers.clear();
        }
        kept.offers.insert(party, Arc::clone(&offer));
        Ok(offer)
    }

    /// What is known under this stamp. An older or a newer one is another state of the database: its offers go.
    fn at(&self, stamp: i64) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.stamp != stamp {
            *kept = Kept { stamp, offers: BTreeMap::new() };
        }
        kept
    }
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
            let offer = offers.of(conn, party.clone()).expect("an offer");
            let title = offer.shelves.apps.first().map(|app| app.title.clone());
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
