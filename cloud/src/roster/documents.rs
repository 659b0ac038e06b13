//! Documents of a class, by title and address: whoever signs in from that class finds them on the tablet.

use preau_shared::{
    documents::{Catalogue, CatalogueItem, Class, ItemKind, Kind, School},
    ids::{CatalogueId, ClassId, Uai},
    keys::sha256,
    replica::Shelf,
    rig::shelves,
};
use serde::{Deserialize, Serialize};

use super::desk::{Desk, DeskError, views};
use crate::store::Tx;

/// Lines in one list.
pub(crate) const MAX_LINES: usize = 200;
/// Documents of one class.
const MAX_OF_CLASS: usize = 20;
const MAX_TITLE_BYTES: usize = 200;
const MAX_URL_BYTES: usize = 2_000;

/// One document, of `POST /api/v1/documents`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DocumentLine {
    /// The label of an open class.
    pub(crate) class_name: String,
    /// What the tile says.
    pub(crate) title: String,
    /// Where it is: `https://…`.
    pub(crate) url: String,
}

/// Answer to the list.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DocumentsAnswer {
    /// Classes that changed.
    pub(crate) classes: usize,
    /// Documents given.
    pub(crate) documents: usize,
}

impl Desk {
    /// Gives each class named here these documents, instead of those it had.
    ///
    /// # Errors
    /// [`DeskError::Entry`] says which line is wrong; nothing is written then.
    pub(crate) async fn give_documents(
        &self,
        uai: Uai,
        lines: Vec<DocumentLine>,
    ) -> Result<DocumentsAnswer, DeskError> {
        if lines.len() > MAX_LINES {
            return Err(DeskError::Entry { entry: lines.len(), what: "at most 200 documents at a time" });
        }
        for (at, line) in lines.iter().enumerate() {
            check(line).map_err(|what| DeskError::Entry { entry: at.saturating_add(1), what })?;
        }
        let desk = self.clone();
        self.store.commit(move |connection| desk.give_documents_in(connection, &uai, &lines)).await
    }

    pub(super) fn give_documents_in(
        &self,
        connection: &Tx,
        uai: &Uai,
        lines: &[DocumentLine],
    ) -> Result<DocumentsAnswer, DeskError> {
        let (shelf, now) = (Shelf::School(uai.clone()), self.clock.stamp());
        if shelves::document(connection, &shelf, &School::doc(uai))?.is_none() {
            return Err(DeskError::NoSchool);
        }
        let classes: Vec<Class> = views(connection, &shelf, Kind::Class, Class::from_fields)?;
        let open = |name: &str| classes.iter().filter(|c| !c.deleted).find(|c| c.name == name);
        let mut answer = DocumentsAnswer { classes: 0, documents: lines.len() };
        for (at, line) in lines.iter().enumerate() {
            let entry = at.saturating_add(1);
            let class =
                open(&line.class_name).ok_or(DeskError::Entry { entry, what: "class_name: no open class has it" })?;
            let of_class: Vec<&DocumentLine> = lines.iter().filter(|l| l.class_name == line.class_name).collect();
            if of_class.len() > MAX_OF_CLASS {
                return Err(DeskError::Entry { entry, what: "at most 20 documents a class" });
            }
            if of_class.first().is_some_and(|first| std::ptr::eq(*first, line)) {
                self.edit(connection, &shelf, now, &catalogue_of(class.id, &of_class).edit())?;
                answer.classes = answer.classes.saturating_add(1);
            }
        }
        Ok(answer)
    }
}

/// A class has one catalogue of documents, found again by the class's own name.
fn catalogue_of(class: ClassId, lines: &[&DocumentLine]) -> Catalogue {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(format!("documents:{class}").as_bytes());
    let item = |(at, line): (usize, &&DocumentLine)| CatalogueItem {
        key: format!("{:02}", at.saturating_add(1)),
        kind: ItemKind::Document,
        title: line.title.trim().to_owned(),
        url: line.url.clone(),
        icon: "document".to_owned(),
    };
    Catalogue {
        id: CatalogueId::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]),
        levels: std::iter::once(String::new()).collect(),
        class: Some(class),
        items: lines.iter().enumerate().map(item).collect(),
        deleted: false,
    }
}

fn check(line: &DocumentLine) -> Result<(), &'static str> {
    if line.title.trim().is_empty() || line.title.len() > MAX_TITLE_BYTES {
        return Err("title: 1 to 200 bytes");
    }
    let address = line.url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if !address || line.url.len() > MAX_URL_BYTES || line.url.chars().any(|c| c.is_control() || c == ' ') {
        return Err("url: an https address of 2,000 bytes at most");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_are_given_to_children() {
        let line = |url: &str| DocumentLine { class_name: "CP".into(), title: "Poésie".into(), url: url.into() };
        assert_eq!(check(&line("https://fr.vikidia.org/wiki/Lune")), Ok(()));
        for bad in ["", "http://x", "https://", "https:///x", "javascript:alert(1)", "https://a b"] {
            assert!(check(&line(bad)).is_err(), "{bad}");
        }
    }
}
