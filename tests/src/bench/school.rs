//! An invented school, and edits as a school year brings them: both drawn by a seed, so that every run and every peer
//! sees the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use data_encoding::HEXLOWER;
use preau::invent;
use preau_shared::{
    badge,
    dice::Dice,
    documents::{Badge, Case, Class, DocId, Document, Edit, Kind, Person, Scalar, School, Tablet, Writer, class},
    ids::{BadgeId, BoxId, CaseId, ClassId, PersonId, TabletId, Uai},
    keys::PublicKey,
    wire::Role,
};
use serde_json::{Map, Value, json};

/// The school that the benches speak of.
pub const UAI: &str = "0900993R";
const LEVELS: [&str; 5] = ["CP", "CE1", "CE2", "CM1", "CM2"];
const ANIMALS: [&str; 16] = [
    "hérisson",
    "renard",
    "chouette",
    "dauphin",
    "écureuil",
    "girafe",
    "koala",
    "lapin",
    "loutre",
    "panda",
    "papillon",
    "pingouin",
    "tortue",
    "zèbre",
    "baleine",
    "coccinelle",
];

/// How large a school is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Pupils, each with a badge.
    pub pupils: usize,
    /// Classes, each with a teacher who has a badge.
    pub classes: usize,
    /// Tablets, fifteen to a case.
    pub tablets: usize,
}

impl Size {
    /// 196 documents: 87 people with their badges, 5 classes, 15 tablets in a case, the school itself.
    pub const USUAL: Self = Self { pupils: 81, classes: 5, tablets: 15 };
    /// The largest school of the territory.
    pub const LARGE: Self = Self { pupils: 500, classes: 20, tablets: 150 };
}

/// A school as edits that make each of its documents.
#[derive(Debug, Clone)]
pub struct Invented {
    /// Its number.
    pub uai: Uai,
    /// One edit a document, in the order in which the coordinator makes them.
    pub founding: Vec<Edit>,
}

impl Invented {
    /// Draws a school whose only box is `box_id`.
    ///
    /// # Errors
    /// Never, unless the constants here are wrong.
    pub fn draw(size: Size, (box_id, key): (BoxId, PublicKey), dice: &dyn Dice) -> Result<Self> {
        let uai: Uai = UAI.parse()?;
        let school = School {
            uai: uai.clone(),
            name: "École Simone Veil (Belfort)".into(),
            slug: "simone-veil".into(),
            latitude: Some(47.6397),
            longitude: Some(6.8638),
            deleted: false,
            box_keys: BTreeMap::from([(box_id, key)]),
        };
        let mut founding = vec![school.edit()];
        let mut classes: Vec<Class> = (0..size.classes).map(|n| empty_class(n, dice)).collect();
        for n in 0..size.pupils {
            let at = n % size.classes;
            let id = person(&mut founding, Role::Pupil, LEVELS[at % LEVELS.len()], dice);
            classes.get_mut(at).context("a class")?.members.insert(id);
        }
        for class in &mut classes {
            class.teachers.insert(person(&mut founding, Role::Teacher, "", dice));
        }
        person(&mut founding, Role::Head, "", dice);
        founding.extend(classes.iter().map(Class::edit));
        let mut case = None;
        for n in 0..size.tablets {
            if n % 15 == 0 {
                let made = Case { id: CaseId::draw(dice), name: format!("Valise {}", n / 15 + 1), deleted: false };
                founding.push(made.edit());
                case = Some(made.id);
            }
            founding.push(tablet(n, case, dice).edit());
        }
        Ok(Self { uai, founding })
    }

    /// Its documents.
    pub fn docs(&self) -> impl Iterator<Item = DocId> {
        self.founding.iter().map(|edit| edit.doc)
    }
}

fn empty_class(n: usize, dice: &dyn Dice) -> Class {
    let level = LEVELS[n % LEVELS.len()];
    let name = format!("{level} {}", ["A", "B", "C", "D"][(n / LEVELS.len()) % 4]);
    Class {
        id: ClassId::draw(dice),
        name,
        level: level.into(),
        school_year: "2026-2027".into(),
        members: BTreeSet::new(),
        teachers: BTreeSet::new(),
        deleted: false,
    }
}

fn person(founding: &mut Vec<Edit>, role: Role, level: &str, dice: &dyn Dice) -> PersonId {
    let (given_name, family_name) = invent::adult(dice);
    let mut pseudonym = [0; 16];
    dice.fill(&mut pseudonym);
    let animal = if role == Role::Pupil { pick(&ANIMALS, dice) } else { "" };
    let person = Person {
        id: PersonId::draw(dice),
        pseudonym,
        given_name,
        family_name,
        role,
        level: level.into(),
        animal: animal.into(),
        deleted: false,
    };
    let badge = Badge {
        id: BadgeId::draw(dice),
        person: person.id,
        hash: badge::Badge::draw(dice).keyed_hash(&[7; 32]),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    };
    founding.extend([person.edit(), badge.edit()]);
    person.id
}

fn tablet(n: usize, case: Option<CaseId>, dice: &dyn Dice) -> Tablet {
    let mut key = vec![0; 32];
    dice.fill(&mut key);
    Tablet {
        id: TabletId::draw(dice),
        name: format!("T-{:02}", n + 1),
        model: "Galaxy Tab Active5 (SM-X300)".into(),
        serial: format!("R52X{:08X}", dice.below(1 << 32)),
        case,
        key,
        lost: false,
        deleted: false,
    }
}

fn pick<'a>(from: &[&'a str], dice: &dyn Dice) -> &'a str {
    from[usize::try_from(dice.below(u64::try_from(from.len()).unwrap_or(1))).unwrap_or(0)]
}

/// An edit of one field of a document, as a school year brings them. It may say what the document says already.
pub fn one_field(doc: DocId, dice: &dyn Dice) -> Edit {
    let text = |key: &str, value: String| Edit::of(doc).with(key, Scalar::Text(value));
    match doc.kind {
        Kind::Person | Kind::Provisional => match dice.below(3) {
            0 => text("animal", pick(&ANIMALS, dice).to_owned()),
            1 => text("level", pick(&LEVELS, dice).to_owned()),
            _ => text("given_name", invent::adult(dice).0),
        },
        Kind::Class if dice.below(10) == 0 => class::join(ClassId::from_bytes(doc.id), PersonId::draw(dice)),
        Kind::Class => text("name", format!("{} {}", pick(&LEVELS, dice), dice.below(100))),
        // A badge for some days: until when, in milliseconds.
        Kind::Badge => Edit::of(doc).with("expires", Scalar::Int(1_760_000_000_000 + days(dice))),
        Kind::Tablet => text("name", format!("T-{:02}", dice.below(1_000))),
        Kind::Case => text("name", format!("Valise {}", dice.below(1_000))),
        Kind::School | Kind::Policy | Kind::Catalogue | Kind::Terms => {
            text("name", format!("École Simone Veil {}", dice.below(1_000)))
        }
    }
}

fn days(dice: &dyn Dice) -> i64 {
    i64::try_from(dice.below(400)).unwrap_or(0).saturating_mul(86_400_000)
}

/// The same documents outside of any store: what an edit's raw change is, and what a document reads as.
#[derive(Debug, Clone)]
pub struct Mirror {
    actor: [u8; 16],
    docs: BTreeMap<DocId, Document>,
    plain: BTreeMap<DocId, Map<String, Value>>,
}

impl Mirror {
    /// Nothing yet; `actor` writes.
    pub fn new(actor: [u8; 16]) -> Self {
        Self { actor, docs: BTreeMap::new(), plain: BTreeMap::new() }
    }

    /// Makes the edit; gives its raw change, or none when the document said so already.
    ///
    /// # Errors
    /// When the edit may not be made.
    pub fn edit(&mut self, edit: &Edit) -> Result<Option<Vec<u8>>> {
        let doc = self.docs.entry(edit.doc).or_insert_with(|| Document::new(edit.doc.kind));
        let change = doc.edit(self.actor, Writer::Coordinator, edit)?;
        let plain = self.plain.entry(edit.doc).or_insert_with(|| named(&edit.doc));
        plain.extend(edit.set.iter().map(|(key, value)| (key.clone(), json_value(value))));
        Ok(change)
    }

    /// Draws edits of one field until one changes something; gives it with its raw change.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn news(&mut self, doc: DocId, dice: &dyn Dice) -> Result<(Edit, Vec<u8>)> {
        loop {
            let edit = one_field(doc, dice);
            if let Some(change) = self.edit(&edit)? {
                return Ok((edit, change));
            }
        }
    }

    /// Every document as an application without a CRDT would keep it: a JSON object with its `_id` and each field that
    /// the product writes, identifiers and bytes in hexadecimal as in our other JSON.
    pub fn json(&self) -> Vec<Value> {
        self.plain.values().cloned().map(Value::Object).collect()
    }

    /// Every document, saved.
    pub fn saved(&self) -> Vec<Vec<u8>> {
        self.docs.values().map(Document::save).collect()
    }
}

fn named(id: &DocId) -> Map<String, Value> {
    let name = format!("{:?}:{}", id.kind, HEXLOWER.encode(&id.id)).to_lowercase();
    Map::from_iter([("_id".into(), json!(name))])
}

fn json_value(value: &Scalar) -> Value {
    match value {
        Scalar::Text(text) => json!(text),
        Scalar::Int(number) => json!(number),
        Scalar::Flag(flag) => json!(flag),
        Scalar::Bytes(bytes) => json!(HEXLOWER.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn the_usual_school_has_196_documents_and_its_seed_draws_it_again() {
        let who = (BoxId::from_bytes([1; 16]), PublicKey([2; 32]));
        let draw = |seed| Invented::draw(Size::USUAL, who, &Seeded::new(seed)).expect("a school");
        assert_eq!(draw(7).founding.len(), 196);
        assert_eq!(draw(7).founding, draw(7).founding);
        assert_ne!(draw(7).founding, draw(8).founding);
        let mut mirror = Mirror::new([3; 16]);
        for edit in draw(7).founding {
            mirror.edit(&edit).expect("it may be made").expect("it is news");
        }
        let dice = Seeded::new(1);
        for doc in draw(7).docs() {
            let before = mirror.json();
            mirror.news(doc, &dice).expect("news");
            assert_ne!(mirror.json(), before);
        }
    }
}
