//! What people do, and the simple reference of what must come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use preau_shared::{
    badge::BadgeHash,
    dice::{Dice, Seeded},
    documents::{Badge, Class, DocId, Edit, Person, Policy, Scalar, School, Tablet, badge, class},
    ids::{BadgeId, ClassId, PersonId, PolicyId, SessionId, TabletId, Uai, WipeId},
    journal::{Entry, How, Pseudonym, Why, WipedBy},
    replica::{Origin, Shelf},
    wire::Role,
};

use super::{
    Place, World,
    node::{Act, Done, Node, Step, id, public},
};

/// How many of each thing there are: few, so that everybody writes the same ones.
const FEW: u64 = 4;

/// The schools of the two boxes: mostly one school with two boxes.
#[derive(Debug, Clone)]
pub(super) struct Schools {
    of: [Uai; 2],
}

impl Schools {
    pub(super) fn draw(dice: &dyn Dice) -> Self {
        let [first, second] = ["0900001A", "0900002B"].map(|text| text.parse::<Uai>());
        let first = first.unwrap_or_else(|_| unreachable!("a UAI"));
        let second = if dice.below(4) == 0 { second.unwrap_or_else(|_| first.clone()) } else { first.clone() };
        Self { of: [first, second] }
    }
    pub(super) fn of(&self, link: u8) -> Uai {
        let [first, second] = &self.of;
        if link == 0 { first.clone() } else { second.clone() }
    }
    pub(super) fn shelves(&self) -> BTreeSet<Shelf> {
        self.of.iter().cloned().map(Shelf::School).collect()
    }
}

/// What was promised: answered entries, every value that was ever written to a field, voids.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) schools: Schools,
    pub(super) entries: BTreeMap<(Shelf, Origin, u64), Entry>,
    pub(super) written: BTreeMap<(Shelf, DocId, String), Vec<Scalar>>,
    pub(super) voided: BTreeSet<(Shelf, BadgeId)>,
    /// Said when everybody knew everything.
    pub(super) last_words: BTreeMap<(Shelf, DocId), String>,
    count: u64,
}

impl Truth {
    pub(super) fn new(schools: Schools) -> Self {
        Self {
            schools,
            entries: BTreeMap::new(),
            written: BTreeMap::new(),
            voided: BTreeSet::new(),
            last_words: BTreeMap::new(),
            count: 0,
        }
    }

    /// The documents of the schools with the keys of their boxes.
    pub(super) fn founding(&mut self, nodes: &[Node]) -> Vec<(Shelf, Edit)> {
        let mut schools: BTreeMap<Uai, School> = BTreeMap::new();
        for node in nodes.iter().filter(|n| n.place != Place::Cloud) {
            let school = schools.entry(node.uai.clone()).or_insert_with(|| School {
                uai: node.uai.clone(),
                name: "Les Tilleuls".into(),
                slug: "tilleuls".into(),
                latitude: None,
                longitude: None,
                deleted: false,
                box_keys: BTreeMap::new(),
            });
            if let Ok(key) = public(node.place) {
                school.box_keys.insert(id(node.place), key);
            }
        }
        let edits: Vec<_> = schools.into_iter().map(|(uai, s)| (Shelf::School(uai), s.edit())).collect();
        for (shelf, edit) in &edits {
            self.remember(shelf, edit);
        }
        edits
    }

    fn remember(&mut self, shelf: &Shelf, edit: &Edit) {
        for (key, value) in &edit.set {
            self.written.entry((shelf.clone(), edit.doc, key.clone())).or_default().push(value.clone());
        }
    }

    fn word(&mut self, what: &str) -> String {
        self.count = self.count.saturating_add(1);
        format!("{what} {}", self.count)
    }

    /// An act that this place may do on this shelf.
    fn draw(&mut self, place: Place, shelf: &Shelf, dice: &dyn Dice) -> Act {
        let few = |dice: &dyn Dice| [u8::try_from(dice.below(FEW)).unwrap_or(0); 16];
        let (tablet, person) = (TabletId::from_bytes(few(dice)), PersonId::from_bytes(few(dice)));
        let (class, badge_id) = (ClassId::from_bytes(few(dice)), BadgeId::from_bytes(few(dice)));
        let who = Pseudonym([7; 16]);
        let edit = |edit| Act::Edit(shelf.clone(), edit);
        let entry = |entry| Act::Entry(shelf.clone(), entry);
        match (place, dice.below(10)) {
            (_, 0) => edit(class::join(class, person)),
            (_, 1) => edit(class::leave(class, person)),
            (_, 2) => edit(badge::void(badge_id, &self.word("lost"))),
            (_, 3) => {
                let made = Badge {
                    id: badge_id,
                    person: PersonId::from_bytes(*badge_id.as_bytes()),
                    hash: BadgeHash([badge_id.as_bytes()[0]; 32]),
                    void: false,
                    void_reason: String::new(),
                    expires: None,
                };
                // A badge is made whole and not void; who makes it again would take nothing back.
                let mut made = made.edit();
                made.set.retain(|(key, _)| key == "person" || key == "hash");
                made.whole.clear();
                edit(made)
            }
            (_, 4) => edit(Edit::of(Tablet::doc(tablet)).with("name", Scalar::Text(self.word("tablet")))),
            (_, 5) => edit(Edit::of(Class::doc(class)).with("name", Scalar::Text(self.word("class")))),
            (Place::Cloud, 6) => edit(
                Person {
                    id: person,
                    pseudonym: *person.as_bytes(),
                    given_name: self.word("given"),
                    family_name: "Martin".into(),
                    role: Role::Pupil,
                    level: "CP".into(),
                    animal: "loutre".into(),
                    deleted: false,
                }
                .edit(),
            ),
            (Place::Cloud, 7) => {
                let policy = Policy::doc(PolicyId::from_bytes(few(dice)));
                let name = Scalar::Text(self.word("policy"));
                Act::Edit(Shelf::Territory, Edit::of(policy).with("name", name))
            }
            (_, 8) => entry(Entry::Wiped {
                wipe: WipeId::draw(dice),
                tablet,
                by: if dice.below(2) == 0 { WipedBy::Receipt } else { WipedBy::Checked(who) },
            }),
            (_, 9) => entry(Entry::SignOut { session: SessionId::draw(dice), tablet, why: Why::Person }),
            _ => entry(Entry::SignIn { session: SessionId::draw(dice), tablet, people: vec![who], how: How::Badge }),
        }
    }
}

impl World {
    pub(super) fn random_act(&mut self, place: Place) -> Result<()> {
        let dice: Arc<Seeded> = self.dice.clone();
        let shelf = match place {
            Place::Cloud => Shelf::School(self.truth.schools.of(u8::try_from(dice.below(2))?)),
            Place::Box(n) => Shelf::School(self.truth.schools.of(n)),
        };
        let act = self.truth.draw(place, &shelf, &*dice);
        self.act(place, &act)?;
        // Storms of sign-ins: several at once, now and then.
        if dice.below(4) == 0 {
            for _ in 0..dice.below(8) {
                let act = self.truth.draw(place, &shelf, &*dice);
                self.act(place, &act)?;
            }
        }
        Ok(())
    }

    fn act(&mut self, place: Place, act: &Act) -> Result<()> {
        if !self.node(place)?.is_alive() {
            return Ok(());
        }
        if let Act::Edit(shelf, edit) = act {
            // Remembered before it is answered: a program may die right after the commit.
            self.truth.remember(shelf, edit);
        }
        let now = self.now;
        let mut done = None;
        let act_in = |node: &mut Node, out: &mut Vec<Step>| {
            done = node.act(now, act, out)?;
            Ok(())
        };
        self.step(place, act_in)?;
        let Some(done) = done else { return Ok(()) };
        self.report.acts = self.report.acts.saturating_add(1);
        let origin = self.node(place)?.author.origin;
        match (act, done) {
            (Act::Entry(shelf, entry), Done::Entry(number)) => {
                self.truth.entries.insert((shelf.clone(), origin, number), entry.clone());
            }
            (Act::Edit(shelf, edit), Done::Edit) => {
                if edit.set.iter().any(|(key, value)| key == "void" && *value == Scalar::Flag(true)) {
                    self.truth.voided.insert((shelf.clone(), BadgeId::from_bytes(edit.doc.id)));
                }
            }
            (Act::Entry(..), Done::Edit) | (Act::Edit(..), Done::Entry(_)) => {}
        }
        Ok(())
    }

    /// Everybody knows everything: what is written now is what everybody must read.
    pub(super) fn last_words(&mut self) -> Result<()> {
        let places = [Place::Cloud, Place::Box(0), Place::Box(1)];
        for n in 0..FEW {
            let place = *places.get(usize::try_from(self.dice.below(3))?).context("a place")?;
            let shelf = Shelf::School(match place {
                Place::Cloud => self.truth.schools.of(u8::try_from(self.dice.below(2))?),
                Place::Box(n) => self.truth.schools.of(n),
            });
            let tablet = Tablet::doc(TabletId::from_bytes([u8::try_from(n)?; 16]));
            let word = self.truth.word("last word");
            let edit = Edit::of(tablet).with("name", Scalar::Text(word.clone()));
            self.truth.last_words.insert((shelf.clone(), tablet), word);
            self.act(place, &Act::Edit(shelf, edit))?;
        }
        Ok(())
    }
}
