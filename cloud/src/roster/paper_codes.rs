//! Codes on paper for a school's staff: the one in its safe, for a head who forgot her secret (*code du coffre*), and those
//! that a secret of her own is chosen with (*code d'activation*). Each is told once; only its slow hash is kept.

use std::collections::BTreeSet;

use preau_shared::{
    dice::Dice,
    documents::{
        DocId, Edit, Kind, Person, School, safe,
        staff::{self, Kept, Number, Standing},
    },
    ids::{PersonId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::{
        shelves,
        slow::{SlowError, slow_hash},
    },
    staff_codes::{ACTIVATION_LASTS, SafeCode, draw_activation},
    time::Stamp,
    wire::Role,
};
use serde::Serialize;

use super::desk::{Desk, DeskError, views};
use crate::store::Tx;

/// A code that was just drawn for somebody.
#[derive(Clone, Serialize)]
pub(crate) struct CodeDrawn {
    /// Whose.
    pub(crate) person_id: PersonId,
    /// Given name.
    pub(crate) given_name: String,
    /// Family name.
    pub(crate) family_name: String,
    /// Teacher or head.
    pub(crate) role: Role,
    /// The code, told this once.
    pub(crate) code: String,
}

impl std::fmt::Debug for CodeDrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CodeDrawn({})", self.person_id)
    }
}

/// What was drawn for a school.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CodesDrawn {
    /// Its name, for the paper.
    pub(crate) school: String,
    /// When.
    pub(crate) drawn_at_ms: i64,
    /// When they end; none for what lies in a safe.
    pub(crate) ends_at_ms: Option<i64>,
    /// One a person.
    pub(crate) codes: Vec<CodeDrawn>,
}

/// For whom activation codes are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum For {
    /// Those of the staff who have not chosen a secret of their own yet.
    Newcomers,
    /// All of the staff: what anybody chose is void.
    Everybody,
    /// These.
    These(BTreeSet<PersonId>),
}

/// What is drawn: how, and the edit that keeps it.
#[derive(Debug, Clone, Copy)]
struct Sort {
    draw: fn(&dyn Dice) -> String,
    edit: fn(DocId, &Kept) -> Edit,
    what: &'static str,
    lasts: bool,
}

const SAFE: Sort = Sort {
    draw: |dice| SafeCode::draw(dice).as_str().to_owned(),
    edit: safe::put_in_safe,
    what: "the code of the safe drawn, the one before is void",
    lasts: false,
};
const ACTIVATION: Sort = Sort {
    draw: draw_activation,
    edit: staff::activate,
    what: "activation codes drawn, the secrets before are void",
    lasts: true,
};

impl Desk {
    /// Draws the code of the school's safe anew, for each of its heads; the one before opens nothing any more.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`]; [`DeskError::NoStaff`] when the school has no head.
    pub(crate) async fn draw_safe_codes(&self, uai: Uai) -> Result<CodesDrawn, DeskError> {
        let heads = self.staff_of(&uai, |person, _| person.role == Role::Head).await?;
        self.draw_codes(uai, heads, SAFE).await
    }

    /// Draws activation codes: what the people knew before is void, and each chooses a secret of her own with hers.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`]; [`DeskError::NoStaff`] when there is nobody, or somebody named is not of the staff.
    pub(crate) async fn draw_activations(&self, uai: Uai, whom: For) -> Result<CodesDrawn, DeskError> {
        let wanted = whom.clone();
        let people = self.staff_of(&uai, move |person, standing| match &wanted {
            For::Newcomers => !matches!(standing, Standing::Own(_)),
            For::Everybody => true,
            For::These(these) => these.contains(&person.id),
        });
        let people = people.await?;
        if let For::These(these) = whom
            && these.len() != people.len()
        {
            return Err(DeskError::NoStaff);
        }
        self.draw_codes(uai, people, ACTIVATION).await
    }

    async fn staff_of(
        &self,
        uai: &Uai,
        wanted: impl Fn(&Person, &Standing) -> bool + Send + 'static,
    ) -> Result<Vec<Person>, DeskError> {
        let shelf = Shelf::School(uai.clone());
        let read = move |conn: &Tx| {
            let view = |doc: &_, fields: &_| {
                Person::from_fields(doc, fields).filter(|person| {
                    let is_staff = person.role != Role::Pupil && !person.deleted;
                    is_staff && wanted(person, &staff::standing(fields))
                })
            };
            views(conn, &shelf, Kind::Person, view)
        };
        self.store.read(read).await
    }

    async fn draw_codes(&self, uai: Uai, mut people: Vec<Person>, sort: Sort) -> Result<CodesDrawn, DeskError> {
        people.sort_by(|one, next| {
            (&one.family_name, &one.given_name, one.id).cmp(&(&next.family_name, &next.given_name, next.id))
        });
        let dice = self.dice.clone();
        // A slow hash takes tens of milliseconds on purpose: not on the runtime's threads.
        let made = tokio::task::spawn_blocking(move || {
            let one = |person| {
                let code = (sort.draw)(dice.as_ref());
                let phc = slow_hash(&code, dice.as_ref())?;
                Ok((person, code, phc))
            };
            people.into_iter().map(one).collect::<Result<Vec<(Person, String, String)>, SlowError>>()
        });
        let made = made.await.map_err(|_| DeskError::Stored)?.map_err(|_| DeskError::Stored)?;
        let desk = self.clone();
        self.store.commit(move |conn| desk.keep_codes(conn, &uai, (made, sort))).await
    }

    fn keep_codes(
        &self,
        conn: &Tx,
        uai: &Uai,
        (made, sort): (Vec<(Person, String, String)>, Sort),
    ) -> Result<CodesDrawn, DeskError> {
        let (shelf, doc, now) = (Shelf::School(uai.clone()), School::doc(uai), self.clock.stamp());
        let fields = shelves::document(conn, &shelf, &doc)?.ok_or(DeskError::NoSchool)?;
        let school = School::from_fields(&doc, &fields).filter(|school| !school.deleted).ok_or(DeskError::NoSchool)?;
        if made.is_empty() {
            return Err(DeskError::NoStaff);
        }
        let mut codes = Vec::new();
        for (person, code, phc) in made {
            let mut number = [0; 16];
            self.dice.fill(&mut number);
            let kept = Kept { number: Number(number), since: now, phc };
            self.edit(conn, &shelf, now, &(sort.edit)(Person::doc(person.id), &kept))?;
            let Person { id, given_name, family_name, role, .. } = person;
            codes.push(CodeDrawn { person_id: id, given_name, family_name, role, code });
        }
        let what = format!("{} ({})", sort.what, codes.len());
        shelves::journal(conn, &self.author, &shelf, now, &Entry::Audit { what, by: None })?;
        let ends: Option<Stamp> = sort.lasts.then(|| now.after(ACTIVATION_LASTS));
        Ok(CodesDrawn { school: school.name, drawn_at_ms: now.0, ends_at_ms: ends.map(|ends| ends.0), codes })
    }
}
