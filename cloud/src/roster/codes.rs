//! QR codes of another system (*l'ENT*) are given to those whose they are, at all boxes of the school, and taken back in one
//! act. What arrives are hashes of their texts; what is kept are slow hashes of these.

use std::collections::BTreeMap;

use preau_shared::{
    badge::{Badge as Payload, ForeignCode, ShortHash, StandIn},
    documents::{Badge, Kind, Person, School, badge},
    ids::{BadgeId, ImportId, PersonId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::shelves,
    roster::{MAX_ROWS, codes::Whose},
    wire::Role,
};
use serde::{Deserialize, Serialize};

use super::{
    desk::{Desk, DeskError, views},
    short::stand_ins,
};
use crate::store::{Tx, code_imports, people};

/// One line of the file, as the command read it.
#[derive(Clone, Deserialize)]
pub(crate) struct CodeLine {
    /// The line of the file.
    line: u64,
    /// An identifier or a national number.
    id: String,
    /// What a tablet says of the code.
    code: String,
}

/// What the lines do, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CodesPlan {
    /// Names the import, to take it back; none while nothing was done.
    pub(crate) import: Option<ImportId>,
    /// Pupils who are given a code.
    pub(crate) gives: usize,
    /// Lines whose code was this pupil's already.
    pub(crate) known: usize,
    /// Lines that are left out, and why.
    pub(crate) refused: Vec<RefusedLine>,
}

/// A line that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RefusedLine {
    /// The line of the file.
    pub(crate) line: u64,
    /// `malformed`, `unknown` (nobody of this school), `staff`, `taken` (somebody else's), `void` (was made void before).
    pub(crate) why: &'static str,
}

/// What an import did is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CodesUndone {
    /// Which.
    pub(crate) import: ImportId,
    /// Codes that open nothing any more.
    pub(crate) voided: usize,
}

/// A line that can be looked up.
struct Ready {
    line: u64,
    whose: Whose,
    hash: ShortHash,
}

impl Desk {
    /// Shows what the lines would do; with `apply`, does it.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`]; [`DeskError::Entry`] beyond [`MAX_ROWS`] lines.
    pub(crate) async fn give_codes(&self, uai: Uai, lines: Vec<CodeLine>, apply: bool) -> Result<CodesPlan, DeskError> {
        if lines.len() > MAX_ROWS {
            return Err(DeskError::Entry { entry: lines.len(), what: "more lines than pupils of any school" });
        }
        let mut plan = CodesPlan::default();
        let (mut read, mut codes) = (Vec::new(), Vec::new());
        for CodeLine { line, id, code } in lines {
            match (Whose::parse(&id), ForeignCode::parse(&code)) {
                (Some(whose), Some(code)) => {
                    read.push((line, whose));
                    codes.push(StandIn::Foreign(code));
                }
                (_, _) => plan.refused.push(RefusedLine { line, why: "malformed" }),
            }
        }
        let hashes = stand_ins(self, codes).await?;
        let ready = read.into_iter().zip(hashes).map(|((line, whose), hash)| Ready { line, whose, hash }).collect();
        let desk = self.clone();
        if apply {
            self.store.commit(move |conn| desk.give_codes_in(conn, &uai, (ready, plan), true)).await
        } else {
            self.store.read(move |conn| desk.give_codes_in(conn, &uai, (ready, plan), false)).await
        }
    }

    fn give_codes_in(
        &self,
        conn: &Tx,
        uai: &Uai,
        (lines, mut plan): (Vec<Ready>, CodesPlan),
        apply: bool,
    ) -> Result<CodesPlan, DeskError> {
        let (shelf, now) = (Shelf::School(uai.clone()), self.clock.stamp());
        shelves::document(conn, &shelf, &School::doc(uai))?.ok_or(DeskError::NoSchool)?;
        let by_ine: BTreeMap<String, PersonId> = people::of_school(conn, uai)?
            .into_iter()
            .filter_map(|(person, evidence)| Some((evidence.ine?, person)))
            .collect();
        let people: BTreeMap<PersonId, Person> = views(conn, &shelf, Kind::Person, Person::from_fields)?
            .into_iter()
            .filter(|person| !person.deleted)
            .map(|person| (person.id, person))
            .collect();
        let mut known: BTreeMap<ShortHash, (PersonId, bool)> = BTreeMap::new();
        for badge in views(conn, &shelf, Kind::Badge, Badge::from_fields)? {
            if let Some(short) = badge.short {
                // A void one is found first at a box.
                known.entry(short).and_modify(|(_, void)| *void |= badge.void).or_insert((badge.person, badge.void));
            }
        }
        let mut drawn = Vec::new();
        for Ready { line, whose, hash } in lines {
            let person = match &whose {
                Whose::Person(person) => Some(*person),
                Whose::Ine(ine) => by_ine.get(&self.evidence_key.of_ine(ine)).copied(),
            };
            let person = person.and_then(|person| people.get(&person));
            let why = match (person, known.get(&hash)) {
                (None, _) => "unknown",
                (Some(person), _) if person.role != Role::Pupil => "staff",
                (Some(_), Some((_, true))) => "void",
                (Some(person), Some((whose, false))) if *whose != person.id => "taken",
                (Some(_), Some(_)) => {
                    plan.known = plan.known.saturating_add(1);
                    continue;
                }
                (Some(person), None) => {
                    plan.gives = plan.gives.saturating_add(1);
                    known.insert(hash, (person.id, false));
                    if apply {
                        drawn.push(self.code_of(person.id, hash));
                    }
                    continue;
                }
            };
            plan.refused.push(RefusedLine { line, why });
        }
        plan.refused.sort_by_key(|refused| refused.line);
        if drawn.is_empty() {
            return Ok(plan);
        }
        for badge in &drawn {
            self.edit(conn, &shelf, now, &badge.edit())?;
        }
        let import = ImportId::draw(self.dice.as_ref());
        let badges: Vec<BadgeId> = drawn.iter().map(|badge| badge.id).collect();
        code_imports::keep(conn, import, uai, &badges, now)?;
        let what = format!("codes of another system {import} given: {}", badges.len());
        shelves::journal(conn, &self.author, &shelf, now, &Entry::Audit { what, by: None })?;
        Ok(CodesPlan { import: Some(import), ..plan })
    }

    /// A code stands beside badges, as one that a box learned: it ends none of them and is ended by none.
    fn code_of(&self, person: PersonId, hash: ShortHash) -> Badge {
        Badge {
            id: BadgeId::draw(self.dice.as_ref()),
            person,
            hash: Payload::draw(self.dice.as_ref()).keyed_hash(&self.badge_key),
            void: false,
            void_reason: String::new(),
            expires: None,
            series: badge::BESIDE,
            short: Some(hash),
        }
    }

    /// Takes an import back: the codes that it gave are void, for good. Taken back again, it says the same.
    ///
    /// # Errors
    /// [`DeskError::NoRoster`] when this school had no such import.
    pub(crate) async fn take_codes_back(&self, uai: Uai, import: ImportId) -> Result<CodesUndone, DeskError> {
        let desk = self.clone();
        let undo = move |conn: &Tx| {
            let badges = code_imports::badges(conn, import, &uai)?.ok_or(DeskError::NoRoster)?;
            let (shelf, now) = (Shelf::School(uai.clone()), desk.clock.stamp());
            for id in &badges {
                // Whoever was erased meanwhile has none.
                if shelves::document(conn, &shelf, &Badge::doc(*id))?.is_some() {
                    desk.edit(conn, &shelf, now, &badge::void(*id, "import_undone"))?;
                }
            }
            let what = format!("codes of another system {import} taken back");
            shelves::journal(conn, &desk.author, &shelf, now, &Entry::Audit { what, by: None })?;
            Ok::<_, DeskError>(CodesUndone { import, voided: badges.len() })
        };
        self.store.commit(undo).await
    }
}
