//! What may be written: judged before Automerge sees it, the same for what is written here and for what comes.

use std::collections::BTreeMap;

use super::{
    Edit, Fields, Kind, Scalar,
    chunk::Chunk,
    document::DocumentError,
    rule::{MAX_KEY_BYTES, MAX_UNKNOWN_BYTES, Merge, Writer, may_write, rule},
};

/// Reads a change from outside and checks that this writer may make it. Nothing of Automerge runs.
pub(crate) fn check(kind: Kind, writer: Writer, bytes: &[u8]) -> Result<Chunk, DocumentError> {
    let chunk = Chunk::read(bytes)?;
    permit(kind, writer, &chunk)?;
    Ok(chunk)
}

/// Whether this writer may make this change of a document of this kind.
pub(crate) fn permit(kind: Kind, writer: Writer, chunk: &Chunk) -> Result<(), DocumentError> {
    for set in &chunk.sets {
        permit_field(kind, writer, (&set.key, &set.value))?;
        if !set.replaces.is_empty() && rule(kind, &set.key).is_some_and(|rule| rule.merge == Merge::Once) {
            return Err(DocumentError::Field(shown(&set.key)));
        }
    }
    Ok(())
}

/// Whether this writer may set this field so.
pub(super) fn permit_field(kind: Kind, writer: Writer, (key, value): (&str, &Scalar)) -> Result<(), DocumentError> {
    if !may_write(writer, kind, key) {
        return Err(DocumentError::Forbidden(shown(key)));
    }
    let fits = match rule(kind, key) {
        Some(rule) if rule.merge == Merge::NeverUndone && *value == Scalar::Flag(false) => false,
        Some(rule) => rule.shape.fits(value),
        None => value.bytes_count() <= MAX_UNKNOWN_BYTES,
    };
    if fits && key.len() <= MAX_KEY_BYTES { Ok(()) } else { Err(DocumentError::Field(shown(key))) }
}

/// A key as an error tells it: the name of its family only, for what follows may name somebody.
fn shown(key: &str) -> String {
    key.split_inclusive(':').next().unwrap_or_default().chars().take(40).filter(|c| !c.is_control()).collect()
}

/// What of an edit the document does not say already.
pub(crate) fn needed(kind: Kind, held: &Fields, edit: &Edit) -> Result<Vec<(String, Scalar)>, DocumentError> {
    let mut wanted: BTreeMap<&str, Scalar> =
        edit.set.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    for prefix in &edit.whole {
        for (member, value) in held.prefixed(prefix) {
            if let Some(key) = held.key_of(prefix, member) {
                wanted.entry(key).or_insert(value.emptied());
            }
        }
    }
    let fresh = held.is_empty();
    let mut needed = Vec::new();
    for (key, value) in wanted {
        let keep = match (held.get(key), rule(kind, key).map(|rule| rule.merge)) {
            (Some(old), _) if *old == value => false,
            // A void badge stays void whatever an edit of all its fields says.
            (_, Some(Merge::NeverUndone)) if value.is_default() => false,
            (Some(_), Some(Merge::Once)) => return Err(DocumentError::Field(shown(key))),
            (None, _) if value.is_default() => fresh && matches!(value, Scalar::Text(_)),
            _ => true,
        };
        if keep {
            needed.push((key.to_owned(), value));
        }
    }
    Ok(needed)
}
