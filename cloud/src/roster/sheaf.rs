//! A sheaf of edits on one shelf, bound into one commit, with what takes it back.

use std::collections::BTreeMap;

use preau_shared::{
    documents::{DocId, Edit, Fields, Scalar},
    ids::{BadgeId, PersonId},
    replica::Shelf,
    rig::shelves,
    time::Stamp,
};
use serde::{Deserialize, Serialize};

use super::desk::{Desk, DeskError};
use crate::store::Tx;
use crate::store::people::Evidence;

/// A field that was changed: taken back only if it still says what the import wrote, so that later work stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Changed {
    pub(super) doc: DocId,
    pub(super) key: String,
    pub(super) before: Scalar,
    pub(super) after: Scalar,
}

/// How to take an import back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakeBack {
    pub(super) fields: Vec<Changed>,
    /// Badges that the import drew.
    pub(super) badges: Vec<BadgeId>,
    /// What was proved of each person before.
    pub(super) evidence: Vec<(PersonId, Option<Evidence>)>,
}

/// Edits by document: all that one act says of a document is one change of it.
#[derive(Debug, Default)]
pub(super) struct Sheaf(BTreeMap<DocId, Edit>);

impl Sheaf {
    /// Adds an edit; a later word on a field replaces an earlier one.
    pub(super) fn add(&mut self, edit: Edit) {
        let whole = self.0.entry(edit.doc).or_insert_with(|| Edit::of(edit.doc));
        for (key, value) in edit.set {
            whole.set.retain(|(known, _)| *known != key);
            whole.set.push((key, value));
        }
        whole.whole.extend(edit.whole);
    }

    /// Writes them all, and notes how each field was.
    pub(super) fn write(
        self,
        desk: &Desk,
        connection: &Tx,
        (shelf, now): (&Shelf, Stamp),
        back: &mut TakeBack,
    ) -> Result<(), DeskError> {
        for edit in self.0.into_values() {
            let before = shelves::document(connection, shelf, &edit.doc)?;
            note(before.as_ref(), &edit, back);
            desk.edit(connection, shelf, now, &edit)?;
        }
        Ok(())
    }
}

/// A new document is taken back by its `deleted` flag; an old one field by field.
fn note(before: Option<&Fields>, edit: &Edit, back: &mut TakeBack) {
    let changed =
        |key: &str, before: Scalar, after: Scalar| Changed { doc: edit.doc, key: key.to_owned(), before, after };
    match before {
        None => {
            if edit.set.iter().any(|(key, _)| key == "deleted") {
                back.fields.push(changed("deleted", Scalar::Flag(true), Scalar::Flag(false)));
            }
        }
        Some(fields) => {
            for (key, after) in &edit.set {
                let before = present(fields, key, after);
                if before != *after {
                    back.fields.push(changed(key, before, after.clone()));
                }
            }
        }
    }
}

/// What a field says now; absent reads as the empty value of the same kind.
pub(super) fn present(fields: &Fields, key: &str, like: &Scalar) -> Scalar {
    match like {
        Scalar::Text(_) => Scalar::Text(fields.text(key).unwrap_or_default().to_owned()),
        Scalar::Int(_) => Scalar::Int(fields.int(key).unwrap_or_default()),
        Scalar::Flag(_) => Scalar::Flag(fields.flag(key)),
        Scalar::Bytes(_) => Scalar::Bytes(fields.bytes(key).unwrap_or_default().to_vec()),
    }
}
