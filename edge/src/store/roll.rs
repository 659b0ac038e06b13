//! Pupils by their badges, in memory, as long as the stamp of who is who stands (column `roll` of table [`super::offers`]):
//! a class that comes in reads people, classes, badges and what they understood once a change of them, not once a child.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use preau_shared::rig::writer::StoreError;

pub(super) const ADD: &str = "
    ALTER TABLE offers ADD COLUMN roll INTEGER NOT NULL DEFAULT 0;
    CREATE TRIGGER roll_1 AFTER INSERT ON people BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_2 AFTER UPDATE ON people BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_3 AFTER DELETE ON people BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_4 AFTER INSERT ON class_members BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_5 AFTER UPDATE ON class_members BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_6 AFTER DELETE ON class_members BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_7 AFTER INSERT ON badges BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_8 AFTER UPDATE ON badges BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_9 AFTER DELETE ON badges BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_10 AFTER INSERT ON terms_read BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_11 AFTER UPDATE ON terms_read BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_12 AFTER DELETE ON terms_read BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_13 AFTER INSERT ON quiet BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_14 AFTER UPDATE ON quiet BEGIN UPDATE offers SET roll = random(); END;
    CREATE TRIGGER roll_15 AFTER DELETE ON quiet BEGIN UPDATE offers SET roll = random(); END;";

/// Entries remembered: the pupils of a territory, should one box have them all.
const MAX_KEPT: usize = 8_192;

/// What was read under one stamp.
pub(crate) struct Kept<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Names of children, and hashes of what they know, are not written to a log.
impl<K, V> std::fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.kept().len())
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// What is known of this, or what `read` says; that is remembered if it is `worth` it.
    pub(crate) fn of(
        &self,
        key: K,
        read: impl FnOnce() -> Result<V, StoreError>,
        worth: impl FnOnce(&V) -> bool,
    ) -> Result<V, StoreError> {
        if let Some(value) = self.kept().get(&key) {
            return Ok(value.clone());
        }
        let value = read()?;
        if worth(&value) {
            let mut kept = self.kept();
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(key, value.clone());
        }
        Ok(value)
    }
}

impl<K, V> Kept<K, V> {
    fn kept(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use preau_shared::{
        badge::BadgeHash,
        documents::{Class, Person, badge::Badge},
        ids::{BadgeId, ClassId, PersonId},
        messages::Catalogue,
        wire::Role,
    };
    use rusqlite::Connection;

    use crate::store::{
        badges::{self, Shown, Way, holders_of},
        classes,
        offers::Offers,
        people::{self, Secrets},
        schema,
    };

    const LINA: PersonId = PersonId::from_bytes([1; 16]);
    const HASH: BadgeHash = BadgeHash([2; 32]);

    fn lina(given_name: &str) -> Person {
        Person {
            id: LINA,
            pseudonym: [3; 16],
            given_name: given_name.into(),
            family_name: String::new(),
            role: Role::Pupil,
            level: "CP".into(),
            animal: "fox".into(),
            deleted: false,
        }
    }

    fn badge(void: bool) -> Badge {
        let id = BadgeId::from_bytes([4; 16]);
        Badge { id, person: LINA, hash: HASH, void, void_reason: String::new(), expires: None, series: 0, short: None }
    }

    fn class(members: &[PersonId]) -> Class {
        Class {
            id: ClassId::from_bytes([5; 16]),
            name: "CP A".into(),
            level: "CP".into(),
            school_year: String::new(),
            members: members.iter().copied().collect(),
            teachers: [].into(),
            deleted: false,
        }
    }

    #[test]
    fn who_a_badge_is_of_is_what_the_database_says_also_after_a_change_taken_back() {
        let mut conn = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut conn).expect("tables");
        let offers = Offers::new(&Catalogue::load());
        let way = Way::Badges(vec![Shown::Code(HASH)]);
        // Name, whether she is of a class, whether her badge is void; none for a badge of nobody.
        let seen = |conn: &Connection| {
            let settled = offers.settled(conn).expect("settled");
            let once = holders_of(conn, &settled, &way).expect("read").pop().expect("one");
            let again = holders_of(conn, &settled, &way).expect("read").pop().expect("one");
            assert!(once == again, "what is remembered is what was read");
            let person = once.person.as_ref().map(|person| person.given_name.clone());
            person.map(|name| (name, once.enrolled, once.badge.is_some_and(|badge| badge.void)))
        };
        let taken_back = |act: &dyn Fn()| {
            conn.execute_batch("SAVEPOINT act").expect("an act");
            act();
            let during = seen(&conn);
            conn.execute_batch("ROLLBACK TO act; RELEASE act").expect("taken back");
            during
        };
        let named = |name: &str, enrolled, void| Some((name.to_owned(), enrolled, void));
        assert_eq!(seen(&conn), None);
        people::project(&conn, &lina("Lina"), Secrets::default()).expect("written");
        badges::project(&conn, &badge(false)).expect("written");
        assert_eq!(seen(&conn), named("Lina", false, false));
        classes::project(&conn, &class(&[LINA])).expect("written");
        assert_eq!(seen(&conn), named("Lina", true, false));
        let voids = || badges::project(&conn, &badge(true)).expect("written");
        assert_eq!(taken_back(&voids), named("Lina", true, true));
        assert_eq!(seen(&conn), named("Lina", true, false));
        let leaves = || classes::project(&conn, &class(&[])).expect("written");
        assert_eq!(taken_back(&leaves), named("Lina", false, false));
        let goes =
            || people::project(&conn, &Person { deleted: true, ..lina("Lina") }, Secrets::default()).expect("gone");
        assert_eq!(taken_back(&goes), None);
        people::project(&conn, &lina("Line"), Secrets::default()).expect("written");
        assert_eq!(seen(&conn), named("Line", true, false));
        voids();
        assert_eq!(seen(&conn), named("Line", true, true));
    }
}
