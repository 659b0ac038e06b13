//! A training room (*salle de formation*): a school of its own sort, whose people are invented here and nowhere else.
//!
//! Its name says what it is ([`Uai::training`]), and so does everything that hangs on that name: certificates, topics, the
//! shelf, the key of its badges. No list of people is ever taken for it (`shared/decisions/0020-training-rooms.md`).

use std::collections::BTreeSet;

use preau_shared::{
    animals::Herd,
    dice::Dice,
    documents::{Class, Person, class},
    ids::{ClassId, PersonId, Uai},
    replica::Shelf,
    time::Stamp,
    wire::Role,
};
use serde::{Deserialize, Serialize};

use super::{
    desk::{Desk, DeskError},
    documents::DocumentLine,
    preview::NewBadge,
    school::{NewSchool, SchoolMade},
    short::Shorts,
    staff::{self, Ready, StaffLine},
};
use crate::store::{Tx, schools};

/// Everybody's family name, which no screen shows.
const FAMILY_NAME: &str = "Exemple";
/// Digits of a PIN.
const PIN_DIGITS: usize = 6;

/// Level, label, who teaches, who learns. The label stands on each badge, so that one that was cut out says what it is.
const CLASSES: [(&str, &str, &str, [&str; 8]); 3] = [
    ("CP", "CP formation", "Claire", ["Adam", "Bintou", "Chloé", "Driss", "Emma", "Fatou", "Gabin", "Hana"]),
    ("CE1", "CE1 formation", "Julien", ["Inès", "Jules", "Kenza", "Louis", "Maëlle", "Naïm", "Olivia", "Paul"]),
    ("CM2", "CM2 formation", "Sophie", ["Quentin", "Rose", "Sacha", "Thaïs", "Ugo", "Violette", "Yanis", "Zoé"]),
];
const HEAD: &str = "Martine";
/// What each class finds on its tablets.
const DOCUMENTS: [(&str, &str); 2] = [
    ("Poésie de la semaine", "https://fr.vikidia.org/wiki/Po%C3%A9sie"),
    ("Les volcans", "https://www.lumni.fr/dossier/les-volcans"),
];

/// `POST /api/v1/training-rooms`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewRoom {
    /// Name, as schools have one.
    pub(crate) name: String,
}

/// Answer to [`NewRoom`]: everything in it is told this once.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RoomMade {
    /// The room, as a school.
    #[serde(flatten)]
    pub(crate) school: SchoolMade,
    /// Everybody's badge.
    pub(crate) badges: Vec<NewBadge>,
    /// What its teachers and its head know.
    pub(crate) secrets: Vec<StaffSecret>,
}

/// What somebody of the invented staff knows.
#[derive(Clone, Serialize)]
pub(crate) struct StaffSecret {
    /// Whose.
    pub(crate) person_id: PersonId,
    /// Name of the account.
    pub(crate) account: String,
    /// Beside the badge, and as the account's password.
    pub(crate) pin: String,
}

impl std::fmt::Debug for StaffSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaffSecret({})", self.person_id)
    }
}

/// Refuses for a training room what would bring people into it.
pub(super) fn nobody_real(uai: &Uai) -> Result<(), DeskError> {
    if uai.is_training() { Err(DeskError::Training) } else { Ok(()) }
}

impl Desk {
    /// Makes a training room under the next free number, with its invented people, classes, badges and documents: a box
    /// that is claimed for it works at once.
    ///
    /// # Errors
    /// [`DeskError::Entry`] says which member is wrong.
    pub(crate) async fn add_training_room(&self, new: NewRoom) -> Result<RoomMade, DeskError> {
        let probe = Uai::training(1).ok_or(DeskError::Stored)?;
        // Judged as any school's; the number is drawn in the commit.
        NewSchool { uai: probe, name: new.name.clone(), slug: None, latitude: None, longitude: None }.check()?;
        let ready = staff::hash_all(self, staff_lines(self.dice.as_ref())).await?;
        let desk = self.clone();
        self.store.commit(move |connection| desk.add_training_room_in(connection, &new, &ready)).await
    }

    fn add_training_room_in(&self, connection: &Tx, new: &NewRoom, ready: &[Ready]) -> Result<RoomMade, DeskError> {
        let uai = free_number(connection)?;
        let (shelf, now) = (Shelf::School(uai.clone()), self.clock.stamp());
        let room = NewSchool { uai: uai.clone(), name: new.name.clone(), slug: None, latitude: None, longitude: None };
        let school = self.add_school_in(connection, room)?;
        let mut badges = Vec::new();
        for (level, label, _, names) in CLASSES {
            self.add_class(connection, (&shelf, now), (level, label, &names), &mut badges)?;
        }
        let staff = self.add_staff_in(connection, &uai, ready)?;
        badges.extend(staff.badges);
        let documents: Vec<DocumentLine> = CLASSES.iter().flat_map(|(_, label, ..)| documents_of(label)).collect();
        self.give_documents_in(connection, &uai, &documents)?;
        let secret = |(made, ready): (&staff::StaffMade, &Ready)| StaffSecret {
            person_id: made.person_id,
            account: ready.line.account.clone().unwrap_or_default(),
            pin: ready.line.pin.clone().unwrap_or_default(),
        };
        Ok(RoomMade { school, badges, secrets: staff.people.iter().zip(ready).map(secret).collect() })
    }

    fn add_class(
        &self,
        connection: &Tx,
        (shelf, now): (&Shelf, Stamp),
        (level, label, names): (&str, &str, &[&str]),
        badges: &mut Vec<NewBadge>,
    ) -> Result<(), DeskError> {
        let (dice, mut herd) = (self.dice.as_ref(), Herd::default());
        let room = Class {
            id: ClassId::draw(dice),
            name: label.to_owned(),
            level: level.to_owned(),
            school_year: String::new(),
            members: BTreeSet::new(),
            teachers: BTreeSet::new(),
            deleted: false,
        };
        self.edit(connection, shelf, now, &room.edit())?;
        for name in names {
            let pupil = Person {
                id: PersonId::draw(dice),
                pseudonym: *PersonId::draw(dice).as_bytes(),
                given_name: (*name).to_owned(),
                family_name: FAMILY_NAME.to_owned(),
                role: Role::Pupil,
                level: level.to_owned(),
                animal: herd.give(dice),
                deleted: false,
            };
            let (badge, payload, short_code) = self.draw_badge(pupil.id, shelf, &mut Shorts::default());
            for edit in [pupil.edit(), class::join(room.id, pupil.id), badge.edit()] {
                self.edit(connection, shelf, now, &edit)?;
            }
            badges.push(NewBadge {
                person_id: pupil.id,
                given_name: pupil.given_name,
                class: label.to_owned(),
                level: pupil.level,
                role: Role::Pupil,
                animal: pupil.animal,
                badge_id: badge.id,
                payload,
                short_code,
            });
        }
        Ok(())
    }
}

/// The first number that no room ever had, closed ones included: what hangs on a number is one room's.
fn free_number(connection: &Tx) -> Result<Uai, DeskError> {
    let taken: BTreeSet<Uai> = schools::all(connection)?.into_iter().map(|school| school.uai).collect();
    let free = (1..=u16::MAX).map_while(Uai::training).find(|uai| !taken.contains(uai));
    free.ok_or(DeskError::Entry { entry: 1, what: "this territory has as many training rooms as it can have" })
}

fn staff_lines(dice: &dyn Dice) -> Vec<StaffLine> {
    let line = |given_name: &str, level: &str, class: Option<&str>, role| StaffLine {
        given_name: given_name.to_owned(),
        family_name: FAMILY_NAME.to_owned(),
        class_name: class.map(str::to_owned),
        role,
        account: Some(format!("formation.{}", level.to_lowercase())),
        password: None,
        pin: Some(
            (0..PIN_DIGITS)
                .map(|_| char::from_digit(u32::try_from(dice.below(10)).unwrap_or(0), 10).unwrap_or('0'))
                .collect(),
        ),
    };
    let teachers = CLASSES.iter().map(|(level, label, name, _)| line(name, level, Some(label), Role::Teacher));
    teachers.chain([line(HEAD, "direction", None, Role::Head)]).collect()
}

fn documents_of(label: &str) -> Vec<DocumentLine> {
    let document = |(title, url): (&str, &str)| DocumentLine {
        class_name: label.to_owned(),
        title: title.to_owned(),
        url: url.to_owned(),
    };
    DOCUMENTS.into_iter().map(document).collect()
}
