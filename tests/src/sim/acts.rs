//! What people do.

use anyhow::{Context as _, Result, ensure};
use preau_shared::{
    badge::BadgeHash,
    dice::Dice,
    documents::{Badge, Class, Edit, Person, Policy, Scalar, School, Tablet, badge, class, person::choose_secret},
    ids::{BadgeId, ClassId, PersonId, PolicyId, SessionId, TabletId, WipeId},
    journal::{CredentialKind, Entry, How, Pseudonym, Why, WipedBy},
    replica::{Shelf, Tombstone},
    second_factor::{Factor, SecretHash},
    wire::Role,
};

use super::{
    Fault, Place, World,
    node::{Act, Node, Step, is_full},
    truth::{self, Truth},
    wires::{self, id},
};

/// How many of each thing there are: few, so that everybody writes the same ones.
pub(super) const FEW: u8 = 3;

impl World {
    /// The documents of the schools, with the keys of their boxes.
    pub(super) fn founding(&self) -> Result<Vec<Act>> {
        let mut acts = Vec::new();
        for n in 0..self.plan.boxes {
            let uai = wires::school(&self.plan, n)?;
            let (name, slug) = ("Les Tilleuls".into(), "tilleuls".into());
            let box_keys = [(id(Place::Box(n)), wires::public(Place::Box(n))?)].into();
            let school =
                School { uai: uai.clone(), name, slug, latitude: None, longitude: None, deleted: false, box_keys };
            acts.push(Act::Edit(Shelf::School(uai), school.edit()));
        }
        Ok(acts)
    }

    pub(super) fn random_act(&mut self, place: Place) -> Result<()> {
        // Storms of sign-ins: several at once, now and then.
        let several = if self.acting.below(4) == 0 { self.acting.below(8) } else { 1 };
        for _ in 0..several.max(1) {
            if self.acts_left == 0 {
                return Ok(());
            }
            self.acts_left = self.acts_left.saturating_sub(1);
            let shelf = self.shelf_of(place)?;
            let (act, who) = draw(&mut self.truth, place, &shelf, &self.acting)?;
            self.act(place, &act, who)?;
        }
        Ok(())
    }

    pub(super) fn shelf_of(&self, place: Place) -> Result<Shelf> {
        Ok(Shelf::School(match place {
            Place::Cloud => wires::school(&self.plan, u8::try_from(self.acting.below(self.plan.boxes.into()))?)?,
            Place::Box(n) | Place::Twin(n) => wires::school(&self.plan, n)?,
        }))
    }

    /// One act; what is answered is a promise.
    pub(super) fn act(&mut self, place: Place, act: &Act, who: Option<u8>) -> Result<()> {
        if !self.node(place)?.is_alive() {
            return Ok(());
        }
        self.trace(|| format!("{place:?} {act:?}"));
        self.truth.remember(act);
        let (now, mut done) = (self.now, None);
        let act_in = |node: &mut Node, out: &mut Vec<Step>| {
            done = node.act(now, act, out)?;
            Ok(())
        };
        self.step(place, act_in)?;
        match done {
            Some(Ok(())) => {
                self.report.acts = self.report.acts.saturating_add(1);
                self.truth.promise(place, act, who)
            }
            Some(Err(error)) => {
                ensure!(is_full(&error), "{place:?} refused {act:?}: {error}");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The DSI erases a person, and the person's badge.
    pub(super) fn erase(&mut self) -> Result<()> {
        if !self.node(Place::Cloud)?.is_alive() {
            return Ok(());
        }
        let at = usize::try_from(self.acting.below(FEW.into()))?;
        let who = std::mem::replace(self.truth.people.get_mut(at).context("a person")?, self.truth.next_person);
        self.truth.next_person = self.truth.next_person.saturating_add(1);
        for shelf in self.schools()? {
            let tombstones = vec![
                Tombstone { doc: truth::person(who), pseudonym: Some([who; 16]) },
                Tombstone { doc: truth::badge(who), pseudonym: None },
            ];
            self.act(Place::Cloud, &Act::Erase(shelf, tombstones), None)?;
        }
        self.net.count(Fault::Erasure);
        Ok(())
    }

    /// Everybody knows everything: what is written now is what everybody must read.
    pub(super) fn last_words(&mut self) -> Result<()> {
        self.truth.last_words.clear();
        for n in 0..FEW {
            let boxes = self.standing_boxes();
            let count = u64::try_from(boxes.len())?.saturating_add(1);
            let at = usize::try_from(self.acting.below(count))?;
            let place = boxes.get(at).copied().unwrap_or(Place::Cloud);
            let shelf = self.shelf_of(place)?;
            let tablet = Tablet::doc(TabletId::from_bytes([n; 16]));
            let word = self.truth.word("last word");
            let edit = Edit::of(tablet).with("name", Scalar::Text(word.clone()));
            self.truth.last_words.insert((shelf.clone(), tablet), word);
            self.act(place, &Act::Edit(shelf, edit), None)?;
        }
        Ok(())
    }
}

/// An act that this place may do on this shelf, and whom it is about.
fn draw(truth: &mut Truth, place: Place, shelf: &Shelf, dice: &dyn Dice) -> Result<(Act, Option<u8>)> {
    let few = |dice: &dyn Dice| [u8::try_from(dice.below(FEW.into())).unwrap_or(0); 16];
    let who = *truth.people.get(usize::try_from(dice.below(FEW.into()))?).context("a person")?;
    let (tablet, person) = (TabletId::from_bytes(few(dice)), PersonId::from_bytes([who; 16]));
    let (class, badge_id) = (ClassId::from_bytes(few(dice)), BadgeId::from_bytes([who; 16]));
    let pseudonym = Pseudonym([who; 16]);
    let edit = |edit| Act::Edit(shelf.clone(), edit);
    let entry = |entry| Act::Entry(shelf.clone(), entry);
    let at_cloud = place == Place::Cloud;
    Ok(match dice.below(12) {
        0 => (edit(class::join(class, person)), None),
        1 => (edit(class::leave(class, person)), None),
        2 => (edit(badge::void(badge_id, &truth.marked(who))), None),
        3 => {
            let made = Badge {
                id: badge_id,
                person,
                hash: BadgeHash([who; 32]),
                void: false,
                void_reason: String::new(),
                expires: None,
                series: 0,
                short: None,
            };
            // A badge is made whole and not void; who makes it again would take nothing back.
            let mut made = made.edit();
            made.set.retain(|(key, _)| key == "person" || key == "hash");
            made.whole.clear();
            (edit(made), None)
        }
        4 => (edit(Edit::of(Tablet::doc(tablet)).with("name", Scalar::Text(truth.word("tablet")))), None),
        5 => (edit(Edit::of(Class::doc(class)).with("name", Scalar::Text(truth.word("class")))), None),
        6 | 7 if at_cloud => {
            let person = Person {
                id: person,
                pseudonym: [who; 16],
                given_name: truth.marked(who),
                family_name: truth.marked(who),
                role: Role::Pupil,
                level: "CP".into(),
                animal: "loutre".into(),
                deleted: false,
            };
            (edit(person.edit()), None)
        }
        8 if at_cloud => {
            let policy = Policy::doc(PolicyId::from_bytes(few(dice)));
            let name = Scalar::Text(truth.word("policy"));
            (Act::Edit(Shelf::Territory, Edit::of(policy).with("name", name)), None)
        }
        9 if at_cloud => {
            // Not about one of the people: a credential is replaced, never missed.
            let (kind, phc, login) = (CredentialKind::Pin, truth.word("phc"), String::new());
            (entry(Entry::Credential { person: PersonId::from_bytes([0xee; 16]), kind, phc, login }), None)
        }
        6 => {
            let (wipe, by) = (WipeId::draw(dice), if dice.below(2) == 0 { None } else { Some(who) });
            let freed = by.map_or(WipedBy::Receipt, |_| WipedBy::Checked(pseudonym));
            (entry(Entry::Wiped { wipe, tablet, by: freed }), by)
        }
        7 => (entry(Entry::Audit { what: truth.marked(who), by: Some(pseudonym) }), Some(who)),
        8 => (entry(Entry::SignOut { session: SessionId::draw(dice), tablet, why: Why::Person }), None),
        9 => {
            let mut secret = [who; 32];
            dice.fill(secret.split_at_mut(8).0);
            (edit(choose_secret(Person::doc(person), Factor::Pictures, Some(SecretHash(secret)))), None)
        }
        _ => {
            let session = SessionId::draw(dice);
            (entry(Entry::SignIn { session, tablet, people: vec![pseudonym], how: How::Badge }), Some(who))
        }
    })
}
