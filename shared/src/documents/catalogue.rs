//! A catalogue: what a level or a class finds on its tablets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    DocId, Edit, Fields, Kind, Scalar,
    policy::{level_words, levels_of},
    rule::{Merge, Rule, Shape},
};
use crate::ids::{CatalogueId, ClassId};

const LEVEL: &str = "level:";
const ITEM: &str = "item:";

pub(crate) const RULES: &[Rule] = &[
    Rule::new(LEVEL, Shape::Flag).merged(Merge::TrueWins),
    Rule::new("class", Shape::Bytes(16)),
    // One register an item, so that two changed items merge; the empty text is an item taken out.
    Rule::new(ITEM, Shape::Text(8 * 1024)),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins),
];

/// What a shortcut opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// An application.
    App,
    /// A page.
    Link,
    /// A document of the class.
    Document,
}

/// A shortcut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueItem {
    /// Its name inside the catalogue.
    pub key: String,
    /// What it opens.
    pub kind: ItemKind,
    /// What is written under it.
    pub title: String,
    /// Where it leads.
    pub url: String,
    /// Name of its picture.
    pub icon: String,
}

/// A catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// For life.
    pub id: CatalogueId,
    /// For which levels; the empty word is everybody else.
    pub levels: BTreeSet<String>,
    /// For one class only.
    pub class: Option<ClassId>,
    /// What it holds, in the order of the keys.
    pub items: Vec<CatalogueItem>,
    /// Gone.
    pub deleted: bool,
}

impl Catalogue {
    /// Names a catalogue's document.
    pub const fn doc(id: CatalogueId) -> DocId {
        DocId::new(Kind::Catalogue, *id.as_bytes())
    }

    /// Reads a catalogue; none when the document is of another kind. Items that cannot be read are left out.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        (doc.kind == Kind::Catalogue).then(|| Self {
            id: CatalogueId::from_bytes(doc.id),
            levels: levels_of(fields),
            class: fields.sixteen("class").map(ClassId::from_bytes),
            items: fields.prefixed(ITEM).filter_map(|(key, value)| item(key, value)).collect(),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this, items being exactly these.
    pub fn edit(&self) -> Edit {
        let class: &[u8] = self.class.as_ref().map_or(&[], |class| class.as_bytes());
        let mut edit = Edit::of(Self::doc(self.id))
            .with_set(LEVEL, level_words(&self.levels))
            .with_bytes("class", class)
            .with_flag("deleted", self.deleted);
        for item in &self.items {
            let text = serde_json::json!([item.kind, item.title, item.url, item.icon]).to_string();
            edit = edit.with_text(&format!("{ITEM}{}", item.key), &text);
        }
        edit.whole.push(ITEM);
        edit
    }
}

fn item(key: &str, value: &Scalar) -> Option<CatalogueItem> {
    let Scalar::Text(text) = value else { return None };
    let (kind, title, url, icon) = serde_json::from_str(text).ok()?;
    Some(CatalogueItem { key: key.to_owned(), kind, title, url, icon })
}
