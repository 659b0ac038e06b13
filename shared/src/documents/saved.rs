//! Reads a saved document before Automerge does.
//!
//! A saved document is all changes of a document in columns (chunk type 0 of
//! <https://automerge.org/automerge-binary-format-spec/>). A hundred bytes of it may stand for millions of operations, and
//! a deflated column for a thousand times its size. So it is first walked here: one chunk, no deflated column, nothing
//! outside the root, and no column that stands for more than [`MAX_ROWS`] values. What the operations say is judged
//! afterwards, on the changes that Automerge makes of them.

use super::{
    chunk::{BAD, Cursor, MAX_ACTOR_BYTES, open},
    document::DocumentError,
};

const TYPE_DOCUMENT: u8 = 0;
/// Most changes, operations, or any other rows of a saved document. One of 64 KB, at which a document is begun anew, has
/// about 30,000 at two bytes an edit.
const MAX_ROWS: u64 = 100_000;

/// Columns by their numbers in the format; those of changes, then those of operations.
mod column {
    pub(super) const CHANGES: [u64; 9] = [0x01, 0x03, 0x13, 0x23, 0x35, 0x40, 0x43, EXTRA_META, EXTRA];
    pub(super) const EXTRA_META: u64 = 0x56;
    pub(super) const EXTRA: u64 = 0x57;
    pub(super) const INSERT: u64 = 0x34;
    pub(super) const OPERATIONS: [u64; 10] = [0x15, 0x21, 0x23, INSERT, 0x42, 0x56, 0x57, 0x80, 0x81, 0x83];
}

/// Checks that these bytes are one saved document that is flat and unfolds to a bounded size.
pub(super) fn scan(bytes: &[u8]) -> Result<(), DocumentError> {
    let (_, body) = open(bytes, TYPE_DOCUMENT)?;
    let mut at = Cursor(body);
    let _actors = at.many(|at| at.sized(MAX_ACTOR_BYTES))?;
    let heads = at.many(|at| at.array::<32>())?.len();
    let changes = specs(&mut at, &column::CHANGES)?;
    let operations = specs(&mut at, &column::OPERATIONS)?;
    for (spec, length) in changes.into_iter().chain(operations) {
        bounded(spec, Cursor(at.take(length)?))?;
    }
    // Places of the heads among the changes, which older programs leave out.
    if !at.0.is_empty() {
        for _ in 0..heads {
            at.uleb()?;
        }
    }
    if at.0.is_empty() { Ok(()) } else { Err(BAD) }
}

fn specs(at: &mut Cursor<'_>, known: &[u64]) -> Result<Vec<(u64, usize)>, DocumentError> {
    let specs = at.many(|at| Ok((at.uleb()?, at.size()?)))?;
    if !specs.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(BAD);
    }
    if specs.iter().any(|(spec, _)| !known.contains(spec)) { Err(DocumentError::NotFlat) } else { Ok(specs) }
}

/// The low three bits of a column's number say what it holds.
fn bounded(spec: u64, column: Cursor<'_>) -> Result<(), DocumentError> {
    match spec & 0x07 {
        // Counts, actors, numbers, descriptions of values.
        0 | 1 | 2 | 6 => rows(column, |at| at.uleb().map(drop)),
        3 => rows(column, |at| at.sleb().map(drop)),
        4 => flags(column),
        5 => rows(column, |at| {
            let length = at.size()?;
            at.take(length).map(drop)
        }),
        // Raw values; their lengths stand in the column before.
        _ => Ok(()),
    }
}

/// Counts the values of a run-length column.
fn rows<'a>(
    mut at: Cursor<'a>,
    skip: impl Fn(&mut Cursor<'a>) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    let mut count = 0_u64;
    while !at.0.is_empty() {
        let length = at.sleb()?;
        let values = match length {
            0 => at.uleb()?,
            1.. => {
                skip(&mut at)?;
                length.unsigned_abs()
            }
            // Each stands there, so that they are no more than the bytes.
            ..0 => {
                for _ in 0..length.unsigned_abs() {
                    skip(&mut at)?;
                }
                length.unsigned_abs()
            }
        };
        count = within(count, values)?;
    }
    Ok(())
}

/// Counts the values of a column of flags.
fn flags(mut at: Cursor<'_>) -> Result<(), DocumentError> {
    let mut count = 0;
    while !at.0.is_empty() {
        count = within(count, at.uleb()?)?;
    }
    Ok(())
}

fn within(count: u64, more: u64) -> Result<u64, DocumentError> {
    Some(count.saturating_add(more)).filter(|count| *count <= MAX_ROWS).ok_or(DocumentError::TooLarge)
}
