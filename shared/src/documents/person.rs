//! A pupil or a member of staff. Who she is comes from the coordinator alone, what she chose for herself from a box;
//! national identifiers are never here.

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::{
    ids::PersonId,
    messages::Lang,
    second_factor::{Factor, SecretHash},
    settings::{Settings, TextSize},
    wire::Role,
};

pub(crate) const RULES: &[Rule] = &[
    Rule::new("pseudonym", Shape::Bytes(16)).merged(Merge::Once),
    Rule::new("given_name", Shape::Text(200)),
    Rule::new("family_name", Shape::Text(200)),
    Rule::new("role", Shape::Text(40)).merged(Merge::LeastRole),
    Rule::new("level", Shape::Text(100)),
    Rule::new("animal", Shape::Text(100)),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins),
];

/// What somebody chooses for herself at a box, whether a roster names her or not.
pub(crate) const CHOSEN: &[Rule] = &[
    // Keyed hashes, one for each sort of second factor; empty while there is none.
    Rule::new(Factor::Pictures.as_str(), Shape::Bytes(32)).by_box(),
    Rule::new(Factor::Digits.as_str(), Shape::Bytes(32)).by_box(),
    // How a screen suits her.
    Rule::new("lang", Shape::Text(20)).by_box(),
    Rule::new("text_size", Shape::Text(20)).by_box(),
    Rule::new("contrast", Shape::Flag).by_box(),
    Rule::new("still", Shape::Flag).by_box(),
    Rule::new("mute", Shape::Flag).by_box(),
];

/// A person of a school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// For life.
    pub id: PersonId,
    /// The only name journals know; random.
    pub pseudonym: [u8; 16],
    /// First name, as on the register.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// What the person may do.
    pub role: Role,
    /// *Niveau*: `CP`, `CM2`, …; empty for staff.
    pub level: String,
    /// The animal shown beside the name, for those who do not read yet.
    pub animal: String,
    /// No longer of this school.
    pub deleted: bool,
}

impl Person {
    /// Names a person's document.
    pub const fn doc(id: PersonId) -> DocId {
        DocId::new(Kind::Person, *id.as_bytes())
    }

    /// Reads a person; none when the document is another's, or lacks a pseudonym or a role.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        if doc.kind != Kind::Person {
            return None;
        }
        Some(Self {
            id: PersonId::from_bytes(doc.id),
            pseudonym: fields.sixteen("pseudonym")?,
            given_name: fields.word("given_name"),
            family_name: fields.word("family_name"),
            role: role(fields.text("role")?)?,
            level: fields.word("level"),
            animal: fields.word("animal"),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this.
    pub fn edit(&self) -> Edit {
        Edit::of(Self::doc(self.id))
            .with_bytes("pseudonym", &self.pseudonym)
            .with_text("given_name", &self.given_name)
            .with_text("family_name", &self.family_name)
            .with_text("role", self.role.as_str())
            .with_text("level", &self.level)
            .with_text("animal", &self.animal)
            .with_flag("deleted", self.deleted)
    }
}

/// A pupil's second factor of this sort, if she chose one.
pub fn secret(fields: &Fields, factor: Factor) -> Option<SecretHash> {
    fields.bytes(factor.as_str())?.try_into().ok().map(SecretHash)
}

/// The second factor of this sort, of the pupil whose document this is, is another one, or none any more.
pub fn choose_secret(doc: DocId, factor: Factor, secret: Option<SecretHash>) -> Edit {
    Edit::of(doc).with_bytes(factor.as_str(), secret.as_ref().map_or(&[][..], |hash| &hash.0))
}

/// What somebody chose for her screens; a word that this version does not know is none.
pub fn settings(fields: &Fields) -> Settings {
    Settings {
        lang: fields.text("lang").and_then(Lang::from_tag),
        text: fields.text("text_size").and_then(TextSize::from_word).unwrap_or_default(),
        contrast: fields.flag("contrast"),
        still: fields.flag("still"),
        mute: fields.flag("mute"),
    }
}

/// She whose document this is chooses what suits her.
pub fn choose_settings(doc: DocId, settings: &Settings) -> Edit {
    Edit::of(doc)
        .with_text("lang", settings.lang.map_or("", Lang::tag))
        .with_text("text_size", settings.text.as_str())
        .with_flag("contrast", settings.contrast)
        .with_flag("still", settings.still)
        .with_flag("mute", settings.mute)
}

/// All that somebody chose for herself, said in another document of hers.
pub fn choose_same(fields: &Fields, doc: DocId) -> Edit {
    let chosen = CHOSEN.iter().filter_map(|rule| Some((rule.key.to_owned(), fields.get(rule.key)?.clone())));
    chosen.fold(Edit::of(doc), |edit, (key, value)| edit.with(key, value))
}

const ROLES: [Role; 3] = [Role::Pupil, Role::Teacher, Role::Head];

pub(super) fn role(word: &str) -> Option<Role> {
    ROLES.into_iter().find(|role| role.as_str() == word)
}

/// The rights of a role's word, to settle concurrent roles: unknown roles have none.
pub(crate) fn rank(word: &str) -> usize {
    ROLES.iter().position(|role| role.as_str() == word).map_or(0, |at| at.saturating_add(1))
}
