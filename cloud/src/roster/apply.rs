//! A person said yes: the plan becomes documents, badges and a way back, in one commit.

use std::collections::{BTreeMap, BTreeSet};

use preau_shared::{
    animals::Herd,
    badge::{Badge as Payload, key_at},
    documents::{Badge, Class, Edit, Kind, Person, Provisional, Scalar, badge, class, person, provisional},
    ids::{BadgeId, ClassId, PersonId, RosterId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::shelves,
    time::Stamp,
    wire::Role,
};

use super::{
    desk::{Desk, DeskError, person_on, views},
    evidence::folded,
    plan::{Arrival, Change, Line, Plan, Whence, plan},
    preview::{Applied, NewBadge},
    sheaf::{Sheaf, TakeBack},
    short::Shorts,
    standing::Standing,
};
use crate::store::Tx;
use crate::store::{
    people,
    rosters::{self, RosterState},
};

/// What the yes says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Yes {
    /// SHA-256 of the plan that was read, hexadecimal; when given, only that plan is applied.
    pub(crate) digest: Option<String>,
    /// Apply although the file looks partial.
    pub(crate) force: bool,
    /// Draw no short codes: nobody prints these badges.
    pub(crate) bare: bool,
}

impl Desk {
    /// Applies a roster. Applied again, it does nothing.
    ///
    /// # Errors
    /// [`DeskError::Outdated`] when the school changed since the plan was shown; [`DeskError::Suspicious`] without force.
    pub(crate) async fn apply(&self, id: RosterId, yes: Yes) -> Result<Applied, DeskError> {
        let desk = self.clone();
        let badges = if yes.bare { 0 } else { self.store.read(move |conn| desk.arriving(conn, id)).await? };
        let (desk, shorts) = (self.clone(), Shorts::make(self, badges).await?);
        self.store.commit(move |connection| desk.apply_in(connection, id, (&yes, shorts))).await
    }

    /// How many badges applying a roster would draw, at most.
    fn arriving(&self, connection: &Tx, id: RosterId) -> Result<usize, DeskError> {
        let Some(row) = rosters::find(connection, id)? else { return Ok(0) };
        let (RosterState::Planned, Some(lines)) = (row.state, &row.lines) else { return Ok(0) };
        let lines: Vec<Line> = serde_json::from_str(lines).map_err(|_| DeskError::Stored)?;
        let standing = self.standing(connection, &row.uai, &lines)?;
        Ok(plan(&lines, row.unread, &row.school_year, &standing).arrive.len())
    }

    fn apply_in(&self, connection: &Tx, id: RosterId, (yes, shorts): (&Yes, Shorts)) -> Result<Applied, DeskError> {
        let row = rosters::find(connection, id)?.ok_or(DeskError::NoRoster)?;
        let lines = match (row.state, &row.lines) {
            (RosterState::Applied, _) => {
                return Ok(Applied { id, again: true, arrived: 0, changed: 0, left: 0, badges: Vec::new() });
            }
            (RosterState::Undone, _) => return Err(DeskError::Outdated),
            (RosterState::Planned, None) => return Err(DeskError::NoRoster),
            (RosterState::Planned, Some(lines)) => lines,
        };
        let lines: Vec<Line> = serde_json::from_str(lines).map_err(|_| DeskError::Stored)?;
        let standing = self.standing(connection, &row.uai, &lines)?;
        let plan = plan(&lines, row.unread, &row.school_year, &standing);
        let named = yes.digest.as_ref().is_none_or(|d| *d == data_encoding::HEXLOWER.encode(&row.digest));
        if plan.digest() != row.digest || !named {
            return Err(DeskError::Outdated);
        }
        if plan.is_suspicious() && !yes.force {
            let (leaving, enrolled) = (plan.leave.len(), plan.enrolled);
            return Err(DeskError::Suspicious { leaving, enrolled, unread: plan.unread });
        }
        let now = self.clock.stamp();
        let mut work = Work::new(self, connection, &row.uai, (&plan, &standing, shorts));
        work.all(now)?;
        let (back, badges) = (work.back, work.badges);
        // A file that changed nothing does not stand between the last one that did and its undo.
        let undo = if back.fields.is_empty() && back.badges.is_empty() {
            None
        } else {
            Some(serde_json::to_string(&back).map_err(|_| DeskError::Stored)?)
        };
        rosters::applied(connection, id, undo.as_deref(), now)?;
        let what = format!(
            "roster {id} applied: {} arrived, {} changed, {} left",
            plan.arrive.len(),
            plan.change.len(),
            plan.leave.len()
        );
        shelves::journal(connection, &self.author, &Shelf::School(row.uai), now, &Entry::Audit { what, by: None })?;
        let (arrived, changed, left) = (plan.arrive.len(), plan.change.len(), plan.leave.len());
        Ok(Applied { id, again: false, arrived, changed, left, badges })
    }

    /// Draws a badge for this shelf: its document; its payload and its short code, told once.
    pub(super) fn draw_badge(&self, person: PersonId, shelf: &Shelf, shorts: &mut Shorts) -> (Badge, String, String) {
        let payload = Payload::draw(self.dice.as_ref());
        let (short_code, short) = shorts.take().unzip();
        let key = match shelf {
            Shelf::School(uai) => key_at(uai, &self.badge_key),
            Shelf::Territory => self.badge_key,
        };
        let badge = Badge {
            id: BadgeId::draw(self.dice.as_ref()),
            person,
            hash: payload.keyed_hash(&key),
            void: false,
            void_reason: String::new(),
            expires: None,
            series: 0,
            short,
        };
        (badge, payload.payload(), short_code.map(|code| code.in_groups()).unwrap_or_default())
    }
}

struct Work<'a> {
    desk: &'a Desk,
    connection: &'a Tx,
    uai: &'a Uai,
    shelf: Shelf,
    plan: &'a Plan,
    standing: &'a Standing,
    sheaf: Sheaf,
    back: TakeBack,
    badges: Vec<NewBadge>,
    shorts: Shorts,
    /// Classes of the file, by folded label.
    classes: BTreeMap<String, ClassId>,
    herds: BTreeMap<ClassId, Herd>,
    /// Valid badges of other schools' shelves, each read once.
    carried: BTreeMap<Uai, Vec<Badge>>,
}

impl<'a> Work<'a> {
    fn new(
        desk: &'a Desk,
        connection: &'a Tx,
        uai: &'a Uai,
        (plan, standing, shorts): (&'a Plan, &'a Standing, Shorts),
    ) -> Self {
        Self {
            desk,
            connection,
            uai,
            shelf: Shelf::School(uai.clone()),
            plan,
            standing,
            sheaf: Sheaf::default(),
            back: TakeBack::default(),
            badges: Vec::new(),
            shorts,
            classes: BTreeMap::new(),
            herds: BTreeMap::new(),
            carried: BTreeMap::new(),
        }
    }

    fn all(&mut self, now: Stamp) -> Result<(), DeskError> {
        let (plan, shelf) = (self.plan, self.shelf.clone());
        self.make_classes();
        for change in &plan.change {
            self.change(change)?;
        }
        for leaving in &plan.leave {
            self.take_out(leaving.person, &leaving.leaves);
            self.sheaf.add(Edit::of(Person::doc(leaving.person)).with("deleted", Scalar::Flag(true)));
            if self.standing.made.contains_key(&leaving.person) {
                self.sheaf.add(provisional::leave(leaving.person));
            }
        }
        for arrival in &plan.arrive {
            self.arrive(arrival)?;
        }
        for class in &plan.closing {
            self.sheaf.add(Edit::of(Class::doc(*class)).with("deleted", Scalar::Flag(true)));
        }
        for (person, evidence) in &plan.unchanged {
            self.prove(*person, evidence)?;
        }
        std::mem::take(&mut self.sheaf).write(self.desk, self.connection, (&shelf, now), &mut self.back)
    }

    fn make_classes(&mut self) {
        for class in &self.plan.classes {
            let id = class.known.unwrap_or_else(|| ClassId::draw(self.desk.dice.as_ref()));
            self.classes.insert(folded(&class.name), id);
            let herd = self.herds.entry(id).or_default();
            if let Some(known) = self.standing.classes.get(&id) {
                let people = known.members.iter().filter_map(|member| self.standing.people.get(member));
                let made = known.members.iter().filter_map(|member| self.standing.made.get(member));
                let animals = people.map(|known| &known.animal).chain(made.map(|made| &made.animal));
                animals.for_each(|animal| herd.meet(animal));
                let mut edit = Edit::of(Class::doc(id)).with("deleted", Scalar::Flag(false));
                if !class.level.is_empty() {
                    edit = edit.with("level", Scalar::Text(class.level.clone()));
                }
                self.sheaf.add(edit);
            } else {
                let new = Class {
                    id,
                    name: class.name.clone(),
                    level: class.level.clone(),
                    school_year: self.plan.school_year.clone(),
                    members: BTreeSet::new(),
                    teachers: BTreeSet::new(),
                    deleted: false,
                };
                self.sheaf.add(new.edit());
            }
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), DeskError> {
        self.take_out(change.person, &change.leaves);
        if change.moves {
            self.put_in(change.person, &change.line);
        }
        if change.renamed {
            self.sheaf.add(names(change.person, &change.line));
        }
        self.prove(change.person, &change.line.evidence)
    }

    fn arrive(&mut self, arrival: &Arrival) -> Result<(), DeskError> {
        let line = &arrival.line;
        let person = match (&arrival.from, arrival.made) {
            (Whence::Nowhere, Some(made)) => {
                self.recognise(made, line)?;
                made
            }
            (Whence::Nowhere, None) => {
                let person = PersonId::draw(self.desk.dice.as_ref());
                let mut pseudonym = [0; 16];
                self.desk.dice.fill(&mut pseudonym);
                let animal = self.new_person(person, pseudonym, None, line);
                self.new_badge(person, line, animal);
                person
            }
            (Whence::Back(person), _) => {
                self.sheaf.add(names(*person, line).with("deleted", Scalar::Flag(false)));
                let open = self.open_badges(&self.shelf.clone(), *person)?;
                if open.is_empty() {
                    let known = self.standing.people.get(person);
                    let animal = known.map(|known| known.animal.clone()).unwrap_or_default();
                    self.new_badge(*person, line, animal);
                }
                *person
            }
            (Whence::School(person, there), _) => {
                self.carry(*person, there, line)?;
                *person
            }
        };
        if let Some(made) = arrival.made.filter(|made| *made != person) {
            self.replace(made)?;
        }
        self.put_in(person, line);
        self.prove(person, &line.evidence)
    }

    /// A pupil whom a box made is on the roster now, under the identifier that she has: her badges, her place in the class
    /// and what journals call her stay. Her first document stays too, in the shade of this one, for when this is taken back.
    fn recognise(&mut self, made: PersonId, line: &Line) -> Result<(), DeskError> {
        let Some(known) = self.standing.made.get(&made) else { return Ok(()) };
        let animal = self.new_person(made, known.pseudonym, Some(known.animal.clone()), line);
        let shelf = self.shelf.clone();
        if let Some(fields) = shelves::document(self.connection, &shelf, &Provisional::doc(made))? {
            self.sheaf.add(person::choose_same(&fields, Person::doc(made)));
        }
        if self.open_badges(&shelf, made)?.is_empty() {
            self.new_badge(made, line, animal);
        }
        Ok(())
    }

    /// A pupil whom a box made turns out to be somebody whom the territory knows: that person stands in her place.
    fn replace(&mut self, made: PersonId) -> Result<(), DeskError> {
        self.take_out(made, &self.standing.classes_of(made));
        let mut badges = views(self.connection, &self.shelf, Kind::Badge, Badge::from_fields)?;
        badges.retain(|badge| badge.person == made && !badge.void);
        for old in badges {
            self.sheaf.add(badge::void(old.id, "replaced"));
        }
        self.sheaf.add(provisional::leave(made));
        Ok(())
    }

    /// A child of another school of the territory keeps person, animal and badges.
    fn carry(&mut self, person: PersonId, there: &Uai, line: &Line) -> Result<(), DeskError> {
        let other = Shelf::School(there.clone());
        let known = person_on(self.connection, &other, person)?;
        let mut drawn = [0; 16];
        self.desk.dice.fill(&mut drawn);
        let (pseudonym, animal) = known.map_or((drawn, None), |p| (p.pseudonym, Some(p.animal)));
        let animal = self.new_person(person, pseudonym, animal, line);
        if !self.carried.contains_key(there) {
            let badges = views(self.connection, &other, Kind::Badge, Badge::from_fields)?;
            self.carried.insert(there.clone(), badges);
        }
        let badges = self.carried.get(there).map(Vec::as_slice).unwrap_or_default();
        let own: Vec<Edit> = badges.iter().filter(|b| b.person == person && is_open(b)).map(Badge::edit).collect();
        if own.is_empty() {
            self.new_badge(person, line, animal);
        }
        for edit in own {
            self.sheaf.add(edit);
        }
        Ok(())
    }

    fn open_badges(&self, shelf: &Shelf, person: PersonId) -> Result<Vec<Badge>, DeskError> {
        let mut badges = views(self.connection, shelf, Kind::Badge, Badge::from_fields)?;
        badges.retain(|badge| badge.person == person && is_open(badge));
        Ok(badges)
    }

    /// Gives her animal: the one she had, or one that nobody of her class has.
    fn new_person(&mut self, id: PersonId, pseudonym: [u8; 16], animal: Option<String>, line: &Line) -> String {
        let class = self.classes.get(&folded(&line.class_name)).copied();
        let animal = match (animal, class.and_then(|class| self.herds.get_mut(&class))) {
            (Some(animal), Some(herd)) => {
                herd.meet(&animal);
                animal
            }
            (Some(animal), None) => animal,
            (None, Some(herd)) => herd.give(self.desk.dice.as_ref()),
            (None, None) => Herd::default().give(self.desk.dice.as_ref()),
        };
        let person = Person {
            id,
            pseudonym,
            given_name: line.given_name.clone(),
            family_name: line.family_name.clone(),
            role: Role::Pupil,
            level: line.level.clone(),
            animal,
            deleted: false,
        };
        self.sheaf.add(person.edit());
        person.animal
    }

    fn new_badge(&mut self, person: PersonId, line: &Line, animal: String) {
        let (badge, payload, short_code) = self.desk.draw_badge(person, &self.shelf, &mut self.shorts);
        self.sheaf.add(badge.edit());
        self.back.badges.push(badge.id);
        self.badges.push(NewBadge {
            person_id: person,
            given_name: line.given_name.clone(),
            class: line.class_name.clone(),
            level: line.level.clone(),
            role: Role::Pupil,
            animal,
            badge_id: badge.id,
            payload,
            short_code,
        });
    }

    fn put_in(&mut self, person: PersonId, line: &Line) {
        if let Some(id) = self.classes.get(&folded(&line.class_name)) {
            self.sheaf.add(class::join(*id, person));
        }
    }

    fn take_out(&mut self, person: PersonId, classes: &BTreeSet<ClassId>) {
        for id in classes {
            self.sheaf.add(class::leave(*id, person));
        }
    }

    fn prove(&mut self, person: PersonId, evidence: &people::Evidence) -> Result<(), DeskError> {
        let before = people::keep(self.connection, person, self.uai, evidence)?;
        if before.as_ref() != Some(evidence) {
            self.back.evidence.push((person, before));
        }
        Ok(())
    }
}

fn names(person: PersonId, line: &Line) -> Edit {
    let edit = Edit::of(Person::doc(person))
        .with("given_name", Scalar::Text(line.given_name.clone()))
        .with("family_name", Scalar::Text(line.family_name.clone()));
    if line.level.is_empty() { edit } else { edit.with("level", Scalar::Text(line.level.clone())) }
}

/// Whether a badge opens for as long as the child is at school: temporary ones do not count.
fn is_open(badge: &Badge) -> bool {
    !badge.void && badge.expires.is_none()
}
