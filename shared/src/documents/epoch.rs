//! Document epochs: a past that grew too long is left behind (ARCHITECTURE §2.1).
//!
//! Automerge keeps every value a field ever had. So the coordinator, and it alone, begins a document anew with the fields
//! it has at the *cut*: the next epoch, a history that shares nothing with the one before. Who edited the old epoch
//! without knowing of the cut made a *stale* edit. It is carried over *by value*: a field is set in the new epoch if it
//! still reads there as it did before the edit; if somebody wrote it since, the edit is told on the history page.

use std::collections::BTreeSet;

use super::{
    DocId, Document, DocumentError, Edit, Fields, Kind, Scalar, Writer,
    allow::permit_field,
    chunk::MAX_OPS,
    may_write,
    merge::{Merge, rights},
    rule::rule,
};

/// Keys and values that one change of a new epoch holds, in bytes: with what stands around them it is no larger than a
/// change may be.
const CHANGE_BYTES: usize = 32 * 1024;
/// What a field costs beside its key and value, at most.
const FIELD_BYTES: usize = 16;

/// A document begun anew.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// It, with its new history.
    pub document: Document,
    /// The change that opens the epoch; it stands on nothing.
    pub first: Vec<u8>,
    /// The changes after it, each standing on the one before; none unless the fields are more than one change may set.
    pub more: Vec<Vec<u8>>,
}

impl Document {
    /// Begins a document anew with exactly these fields, which are to be [`Self::settled`] of the epoch before: with
    /// those of a later version, so that nothing is lost. The same epoch, fields and actor give the same bytes.
    ///
    /// [`DocId::mark`] stands in each change where others write a time, so that no change is one of another epoch.
    ///
    /// # Errors
    /// [`DocumentError::Field`] for a value that its field may not hold, [`DocumentError::Misfit`] without any field.
    pub fn rebuilt(doc: &DocId, epoch: u32, fields: &Fields, actor: [u8; 16]) -> Result<Rebuilt, DocumentError> {
        let mut document = Self::new(doc.kind);
        let mut changes = Vec::new();
        for part in parts(doc.kind, fields)? {
            changes.push(document.write(actor, doc.mark(epoch), &part)?);
        }
        let mut changes = changes.into_iter();
        let first = changes.next().ok_or(DocumentError::Misfit)?;
        Ok(Rebuilt { document, first, more: changes.collect() })
    }
}

/// The fields in portions of one change each.
fn parts(kind: Kind, fields: &Fields) -> Result<Vec<Vec<(String, Scalar)>>, DocumentError> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for (key, value) in fields.iter() {
        permit_field(kind, Writer::Coordinator, (key, value))?;
        let cost = key.len().saturating_add(value.bytes_count()).saturating_add(FIELD_BYTES);
        if !part.is_empty() && (part.len() >= MAX_OPS || bytes.saturating_add(cost) > CHANGE_BYTES) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes = bytes.saturating_add(cost);
        part.push((key.to_owned(), value.clone()));
    }
    if !part.is_empty() {
        parts.push(part);
    }
    Ok(parts)
}

/// An edit of an epoch that was left behind, as what it did: the fields just before it and just after.
#[derive(Debug, Clone, Copy)]
pub struct Stale<'a> {
    /// [`Document::settled_at`] what the edit stands on.
    pub before: &'a Fields,
    /// … and with the edit.
    pub after: &'a Fields,
}

/// What becomes of a stale edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebased {
    /// What to write in the new epoch; none when it says so already, or nothing could be carried.
    pub edit: Option<Edit>,
    /// Fields that were written otherwise since, or are not this writer's: for the history page.
    pub overridden: Vec<String>,
}

/// Carries a stale edit over by value, into a document that reads `new` now, as far as this writer may write it. What
/// takes something away for ever (a badge's void) and the loss of a role are carried whatever was written since. Several
/// edits are carried one after the other, in the order in which they were made.
pub fn rebase(doc: DocId, writer: Writer, stale: Stale<'_>, new: &Fields) -> Rebased {
    let keys: BTreeSet<&str> = stale.before.iter().chain(stale.after.iter()).map(|(key, _)| key).collect();
    let mut edit = Edit::of(doc);
    let mut overridden = Vec::new();
    for key in keys {
        let (before, now) = (stale.before.get(key), new.get(key));
        let after = match (stale.after.get(key), before) {
            (Some(after), _) => after.clone(),
            (None, Some(before)) => before.emptied(),
            (None, None) => continue,
        };
        if same(before, Some(&after)) || same(now, Some(&after)) {
            continue;
        }
        let merge = rule(doc.kind, key).map_or(Merge::Latest, |rule| rule.merge);
        let carried = match merge {
            // Never written false, so this is its being made true.
            Merge::NeverUndone => true,
            Merge::Once => now.is_none(),
            Merge::LeastRole => same(now, before) || loses(before, &after, now),
            Merge::Latest | Merge::TrueWins | Merge::FalseWins => same(now, before),
        };
        if carried && may_write(writer, doc.kind, key) {
            edit = edit.with(key, after);
        } else {
            overridden.push(key.to_owned());
        }
    }
    Rebased { edit: Some(edit).filter(|edit| !edit.set.is_empty()), overridden }
}

/// Whether two readings of a field are the same; an absent field reads as empty, zero or false.
fn same(one: Option<&Scalar>, other: Option<&Scalar>) -> bool {
    let shown = |value: Option<&Scalar>| value.filter(|value| !value.is_default()).cloned();
    shown(one) == shown(other)
}

/// Whether an edit took rights away, and leaves fewer than there are now.
fn loses(before: Option<&Scalar>, after: &Scalar, now: Option<&Scalar>) -> bool {
    let after = rights(after);
    after < before.map_or(0, rights) && after < now.map_or(0, rights)
}
