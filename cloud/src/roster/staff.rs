//! Teachers and heads: the pupils' register knows none, so the DSI names them.

use data_encoding::BASE64URL_NOPAD;
use preau_shared::{
    animals::Herd,
    dice::Dice,
    documents::{
        Badge, Class, Edit, Kind, Person, Scalar, School,
        staff::{Number, give},
    },
    ids::{ClassId, PersonId, Uai},
    journal::{CredentialKind, Entry},
    replica::Shelf,
    rig::{
        shelves,
        slow::{SlowError, slow_hash},
    },
    time::Stamp,
    wire::Role,
};
use serde::{Deserialize, Serialize};

use super::{
    desk::{Desk, DeskError, views},
    evidence::folded,
    preview::NewBadge,
    short::Shorts,
    training::nobody_real,
};
use crate::store::Tx;

/// People in one list.
pub(crate) const MAX_STAFF: usize = 100;
const MAX_NAME_BYTES: usize = 200;
/// As a box asks of those who choose their own.
const PIN_DIGITS: std::ops::RangeInclusive<usize> = 6..=12;
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=128;
/// Random bytes of a secret that nobody knows.
const NOBODYS_BYTES: usize = 32;
const ACCOUNT_BYTES: std::ops::RangeInclusive<usize> = 1..=64;

/// One member of staff, of `POST /api/v1/staff`.
#[derive(Clone, Deserialize)]
pub(crate) struct StaffLine {
    /// Given name.
    pub(crate) given_name: String,
    /// Family name.
    pub(crate) family_name: String,
    /// The label of an open class; none or empty for a head without one.
    #[serde(default)]
    pub(crate) class_name: Option<String>,
    /// Teacher or head.
    pub(crate) role: Role,
    /// Name of an account.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// The account's password; the PIN when absent.
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// Digits asked for beside the badge.
    #[serde(default)]
    pub(crate) pin: Option<String>,
}

impl std::fmt::Debug for StaffLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaffLine({:?})", self.role)
    }
}

/// What became of a line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StaffMade {
    /// For life.
    pub(crate) person_id: PersonId,
    /// Given name.
    pub(crate) given_name: String,
    /// Family name.
    pub(crate) family_name: String,
    /// The class's label.
    pub(crate) class: String,
    /// Teacher or head.
    pub(crate) role: Role,
    /// False when the person was there already.
    pub(crate) created: bool,
}

/// Answer to the list.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StaffAnswer {
    /// One a line.
    pub(crate) people: Vec<StaffMade>,
    /// The badges drawn, told this once.
    pub(crate) badges: Vec<NewBadge>,
}

/// A line after its secrets were hashed.
pub(super) struct Ready {
    pub(super) line: StaffLine,
    credentials: Vec<(CredentialKind, String, String)>,
}

impl Desk {
    /// Makes these people, or finds them by name and role; they join their classes, and get badge and credentials.
    ///
    /// # Errors
    /// [`DeskError::Entry`] says which line is wrong; nothing is written then. [`DeskError::Training`]: a training room has
    /// the staff that was invented with it.
    pub(crate) async fn add_staff(&self, uai: Uai, lines: Vec<StaffLine>) -> Result<StaffAnswer, DeskError> {
        nobody_real(&uai)?;
        if lines.len() > MAX_STAFF {
            return Err(DeskError::Entry { entry: lines.len(), what: "at most 100 people at a time" });
        }
        for (at, line) in lines.iter().enumerate() {
            check(line).map_err(|what| DeskError::Entry { entry: at.saturating_add(1), what })?;
        }
        let ready = hash_all(self, lines).await?;
        let desk = self.clone();
        self.store.commit(move |connection| desk.add_staff_in(connection, &uai, &ready)).await
    }

    pub(super) fn add_staff_in(&self, connection: &Tx, uai: &Uai, ready: &[Ready]) -> Result<StaffAnswer, DeskError> {
        let (shelf, now) = (Shelf::School(uai.clone()), self.clock.stamp());
        if shelves::document(connection, &shelf, &School::doc(uai))?.is_none() {
            return Err(DeskError::NoSchool);
        }
        let mut answer = StaffAnswer { people: Vec::new(), badges: Vec::new() };
        for (at, one) in ready.iter().enumerate() {
            let class = self.class_of(connection, &shelf, (at, &one.line))?;
            let (person, created) = self.staff_member(connection, &shelf, now, &one.line)?;
            if let Some(class) = &class {
                let joins = Edit::of(Class::doc(class.0)).with(format!("teacher:{person}"), Scalar::Flag(true));
                self.edit(connection, &shelf, now, &joins)?;
            }
            for (kind, phc, login) in &one.credentials {
                let (phc, login) = (phc.clone(), login.clone());
                let entry = Entry::Credential { person, kind: *kind, phc, login };
                shelves::journal(connection, &self.author, &shelf, now, &entry)?;
            }
            if !created && !one.credentials.is_empty() {
                // Whatever she or a head chose at a box before: what is given now holds.
                let mut number = [0; 16];
                self.dice.fill(&mut number);
                self.edit(connection, &shelf, now, &give(Person::doc(person), Number(number), now))?;
            }
            let label = class.map(|(_, label)| label).unwrap_or_default();
            self.staff_badge(connection, (&shelf, now), (person, &one.line, &label), &mut answer.badges)?;
            answer.people.push(StaffMade {
                person_id: person,
                given_name: one.line.given_name.clone(),
                family_name: one.line.family_name.clone(),
                class: label,
                role: one.line.role,
                created,
            });
        }
        Ok(answer)
    }

    /// The newest open class of that label.
    fn class_of(
        &self,
        connection: &Tx,
        shelf: &Shelf,
        (at, line): (usize, &StaffLine),
    ) -> Result<Option<(ClassId, String)>, DeskError> {
        let Some(asked) = line.class_name.as_deref().filter(|name| !name.trim().is_empty()) else { return Ok(None) };
        let label = folded(asked);
        let found = views(connection, shelf, Kind::Class, Class::from_fields)?
            .into_iter()
            .filter(|class| !class.deleted && folded(&class.name) == label)
            .max_by(|a, b| a.school_year.cmp(&b.school_year));
        match found {
            Some(class) => Ok(Some((class.id, class.name))),
            None => {
                Err(DeskError::Entry { entry: at.saturating_add(1), what: "class_name: no open class of this label" })
            }
        }
    }

    fn staff_member(
        &self,
        connection: &Tx,
        shelf: &Shelf,
        now: Stamp,
        line: &StaffLine,
    ) -> Result<(PersonId, bool), DeskError> {
        let same = |person: &Person| {
            person.role != Role::Pupil
                && folded(&person.family_name) == folded(&line.family_name)
                && folded(&person.given_name) == folded(&line.given_name)
        };
        let known = views(connection, shelf, Kind::Person, Person::from_fields)?.into_iter().find(same);
        let created = known.is_none();
        let person = match known {
            Some(known) => Person { role: line.role, deleted: false, ..known },
            None => {
                let mut pseudonym = [0; 16];
                self.dice.fill(&mut pseudonym);
                Person {
                    id: PersonId::draw(self.dice.as_ref()),
                    pseudonym,
                    given_name: line.given_name.trim().to_owned(),
                    family_name: line.family_name.trim().to_owned(),
                    role: line.role,
                    level: String::new(),
                    animal: Herd::default().give(self.dice.as_ref()),
                    deleted: false,
                }
            }
        };
        self.edit(connection, shelf, now, &person.edit())?;
        Ok((person.id, created))
    }

    fn staff_badge(
        &self,
        connection: &Tx,
        (shelf, now): (&Shelf, Stamp),
        (person, line, class): (PersonId, &StaffLine, &str),
        badges: &mut Vec<NewBadge>,
    ) -> Result<(), DeskError> {
        let has_one = views(connection, shelf, Kind::Badge, Badge::from_fields)?
            .iter()
            .any(|badge| badge.person == person && !badge.void && badge.expires.is_none());
        if !has_one {
            // Its holder signs in at a page, too, where a short code is not taken.
            let (badge, payload, _) = self.draw_badge(person, shelf, &mut Shorts::default());
            self.edit(connection, shelf, now, &badge.edit())?;
            badges.push(NewBadge {
                person_id: person,
                given_name: line.given_name.clone(),
                class: class.to_owned(),
                level: String::new(),
                role: line.role,
                animal: String::new(),
                badge_id: badge.id,
                payload,
                short_code: String::new(),
            });
        }
        Ok(())
    }
}

fn check(line: &StaffLine) -> Result<(), &'static str> {
    let named = |name: &str| !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES;
    if !named(&line.given_name) || !named(&line.family_name) {
        return Err("given_name, family_name: 1 to 200 bytes");
    }
    if line.role == Role::Pupil {
        return Err("role: teacher or head (pupils come by the roster)");
    }
    if line.pin.as_ref().is_some_and(|pin| !PIN_DIGITS.contains(&pin.len()) || !pin.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err("pin: 6 to 12 digits");
    }
    if line.account.as_ref().is_some_and(|account| !ACCOUNT_BYTES.contains(&account.len())) {
        return Err("account: 1 to 64 bytes");
    }
    if line.password.as_ref().is_some_and(|password| !PASSWORD_BYTES.contains(&password.len())) {
        return Err("password: 8 to 128 bytes");
    }
    Ok(())
}

/// Hashes the secrets of these lines. A slow hash takes tens of milliseconds on purpose: not on the runtime's threads.
pub(super) async fn hash_all(desk: &Desk, lines: Vec<StaffLine>) -> Result<Vec<Ready>, DeskError> {
    let dice = desk.dice.clone();
    let hash = move || lines.into_iter().map(|line| hashed(dice.as_ref(), line)).collect();
    let ready: Result<Vec<Ready>, SlowError> =
        tokio::task::spawn_blocking(hash).await.map_err(|_| DeskError::Stored)?;
    ready.map_err(|_| DeskError::Stored)
}

fn hashed(dice: &dyn Dice, line: StaffLine) -> Result<Ready, SlowError> {
    let mut credentials = Vec::new();
    if let Some(pin) = &line.pin {
        credentials.push((CredentialKind::Pin, slow_hash(pin, dice)?, String::new()));
    }
    if let Some(account) = &line.account {
        // Without a secret the account waits for an activation code: until then it is of a secret that nobody knows.
        let mut nobodys = [0; NOBODYS_BYTES];
        dice.fill(&mut nobodys);
        let nobodys = BASE64URL_NOPAD.encode(&nobodys);
        let phc = slow_hash(line.password.as_ref().or(line.pin.as_ref()).unwrap_or(&nobodys), dice)?;
        credentials.push((CredentialKind::Password, phc.clone(), account.clone()));
        credentials.push((CredentialKind::Account, phc, account.clone()));
    }
    Ok(Ready { line, credentials })
}
