//! Reads a change chunk before Automerge does.
//!
//! Automerge panics, loops and grows on crafted bytes, and does not check a change's checksum. So a chunk is first read
//! here, whole, by a reader that only knows what we write: a plain change (type 1) of the binary format of Automerge
//! (<https://automerge.org/automerge-binary-format-spec/>), setting scalars under distinct keys of the root. Everything
//! is bounded by [`MAX_CHUNK_BYTES`] and [`MAX_OPS`] before it is unfolded.

use std::collections::BTreeSet;

use super::{Scalar, document::DocumentError, rule::MAX_KEY_BYTES};
use crate::keys::sha256;

/// Largest chunk.
pub(crate) const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Most fields set by one change.
pub(crate) const MAX_OPS: usize = 2_000;
/// Most earlier values that the fields of one change replace, and most dependencies and actors it names.
const MAX_PREDECESSORS: usize = 10_000;
pub(super) const MAX_ACTOR_BYTES: usize = 64;
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Magic and checksum, which a chunk starts with.
const FRONT_BYTES: usize = 8;
const TYPE_CHANGE: u8 = 1;
/// The action "set" of the format.
const ACTION_SET: u64 = 1;

/// Columns we write, by their numbers in the format.
mod column {
    pub(super) const KEY_TEXT: u64 = 0x15;
    pub(super) const INSERT: u64 = 0x34;
    pub(super) const ACTION: u64 = 0x42;
    pub(super) const VALUE_META: u64 = 0x56;
    pub(super) const VALUE: u64 = 0x57;
    pub(super) const PRED_COUNT: u64 = 0x70;
    pub(super) const PRED_ACTOR: u64 = 0x71;
    pub(super) const PRED_COUNTER: u64 = 0x73;
}

/// A field set by a change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    pub(crate) key: String,
    pub(crate) value: Scalar,
    /// The earlier values of the field that it replaces, by the number and the actor of the operation that set each.
    pub(crate) replaces: BTreeSet<(u64, Vec<u8>)>,
}

/// What a chunk says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) hash: [u8; 32],
    pub(crate) deps: Vec<[u8; 32]>,
    pub(crate) actor: [u8; 16],
    /// How many changes this actor has made of the document, this one included.
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    /// Where others write a time: which document and epoch a first change is of ([`super::DocId::mark`]), else 0.
    pub(crate) mark: i64,
    pub(crate) sets: Vec<Set>,
}

/// What stands where in the columns.
#[derive(Default)]
struct Columns<'a> {
    keys: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    pred_count: &'a [u8],
    pred_actor: &'a [u8],
    pred_counter: &'a [u8],
}

pub(super) const BAD: DocumentError = DocumentError::Malformed;

/// A chunk without magic and checksum, which say nothing that the rest does not; none when it is no chunk. SHA-256 of
/// this is the change's hash.
#[cfg(any(feature = "rig", test))]
pub(crate) fn strip(chunk: &[u8]) -> Option<&[u8]> {
    let rest = chunk.strip_prefix(&MAGIC)?.split_at_checked(FRONT_BYTES.saturating_sub(MAGIC.len()));
    rest.map(|(_, rest)| rest).filter(|rest| !rest.is_empty())
}

/// Gives a stripped chunk its magic and checksum again; whether it is a change at all, [`Chunk::read`] says.
#[cfg(any(feature = "rig", test))]
pub(crate) fn dress(stripped: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(stripped.len().saturating_add(FRONT_BYTES));
    chunk.extend(MAGIC);
    chunk.extend(sha256(stripped).iter().take(FRONT_BYTES.saturating_sub(MAGIC.len())));
    chunk.extend(stripped);
    chunk
}

/// Whether these bytes call themselves a change. What else they are, [`Chunk::read`] says.
pub(super) fn is_change(bytes: &[u8]) -> bool {
    bytes.get(FRONT_BYTES) == Some(&TYPE_CHANGE)
}

impl Chunk {
    /// Reads a chunk.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_CHUNK_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let (hash, body) = open(bytes, TYPE_CHANGE)?;
        let mut at = Cursor(body);
        let deps = at.many(|at| at.array::<32>())?;
        let actor: [u8; 16] = at.sized(MAX_ACTOR_BYTES)?.try_into().map_err(|_| BAD)?;
        let (seq, start_op) = (at.uleb()?, at.uleb()?);
        let (mark, message) = (at.sleb()?, at.uleb()?);
        if message != 0 || start_op == 0 {
            return Err(BAD);
        }
        let mut actors: Vec<&[u8]> = vec![&actor];
        actors.extend(at.many(|at| at.sized(MAX_ACTOR_BYTES))?);
        let columns = columns(&mut at)?;
        if !at.0.is_empty() {
            return Err(BAD);
        }
        let sets = columns.sets(&actors)?;
        Ok(Self { hash, deps, actor, seq, start_op, mark, sets })
    }
}

/// Checks the envelope of a chunk of this type, nothing following it; gives the hash of the chunk and its body.
pub(super) fn open(bytes: &[u8], wanted: u8) -> Result<([u8; 32], &[u8]), DocumentError> {
    let mut at = Cursor(bytes);
    let (magic, checksum, kind) = (at.array::<4>()?, at.array::<4>()?, at.byte()?);
    if magic != MAGIC || kind != wanted {
        return Err(BAD);
    }
    let hashed = bytes.get(FRONT_BYTES..).ok_or(BAD)?;
    let length = at.size()?;
    if length != at.0.len() {
        return Err(BAD);
    }
    let hash = sha256(hashed);
    if hash.get(..4) == Some(checksum.as_slice()) { Ok((hash, at.0)) } else { Err(DocumentError::Checksum) }
}

fn columns<'a>(at: &mut Cursor<'a>) -> Result<Columns<'a>, DocumentError> {
    let mut last = None;
    let specs = at.many(|at| Ok((at.uleb()?, at.size()?)))?;
    let mut columns = Columns::default();
    for (spec, length) in specs {
        if last.is_some_and(|last| last >= spec) {
            return Err(BAD);
        }
        last = Some(spec);
        let data = at.take(length)?;
        let place = match spec {
            column::KEY_TEXT => &mut columns.keys,
            column::INSERT => &mut columns.insert,
            column::ACTION => &mut columns.action,
            column::VALUE_META => &mut columns.value_meta,
            column::VALUE => &mut columns.value,
            column::PRED_COUNT => &mut columns.pred_count,
            column::PRED_ACTOR => &mut columns.pred_actor,
            column::PRED_COUNTER => &mut columns.pred_counter,
            _ => return Err(DocumentError::NotFlat),
        };
        *place = data;
    }
    Ok(columns)
}

impl Columns<'_> {
    fn sets(&self, actors: &[&[u8]]) -> Result<Vec<Set>, DocumentError> {
        let actions = runs(self.action, MAX_OPS, Cursor::uleb)?;
        let count = actions.len();
        if count == 0 {
            return Err(BAD);
        }
        if actions.iter().any(|action| *action != ACTION_SET) || Cursor(self.insert).any_true(count)? {
            return Err(DocumentError::NotFlat);
        }
        let keys = runs(self.keys, MAX_OPS, Cursor::text)?;
        let metas = runs(self.value_meta, MAX_OPS, Cursor::uleb)?;
        let replaces = runs(self.pred_count, MAX_OPS, Cursor::uleb)?;
        let mut replaced = self.replaced(actors)?.into_iter();
        if [keys.len(), metas.len(), replaces.len()] != [count; 3] {
            return Err(BAD);
        }
        if keys.iter().collect::<BTreeSet<_>>().len() != count {
            return Err(BAD);
        }
        let mut values = Cursor(self.value);
        let mut sets = Vec::with_capacity(count);
        for ((key, meta), replaces) in keys.into_iter().zip(metas).zip(replaces) {
            let replaces = usize::try_from(replaces).map_err(|_| BAD)?;
            let these: BTreeSet<_> = replaced.by_ref().take(replaces).collect();
            if these.len() != replaces {
                return Err(BAD);
            }
            sets.push(Set { key: key.to_owned(), value: values.scalar(meta)?, replaces: these });
        }
        if values.0.is_empty() && replaced.next().is_none() { Ok(sets) } else { Err(BAD) }
    }

    /// The operations replaced, of all fields one after the other; their numbers are kept as differences.
    fn replaced(&self, actors: &[&[u8]]) -> Result<Vec<(u64, Vec<u8>)>, DocumentError> {
        let who = runs(self.pred_actor, MAX_PREDECESSORS, Cursor::uleb)?;
        let steps = runs(self.pred_counter, MAX_PREDECESSORS, Cursor::sleb)?;
        if who.len() != steps.len() {
            return Err(BAD);
        }
        let (mut number, mut replaced) = (0_i64, Vec::with_capacity(who.len()));
        for (who, step) in who.into_iter().zip(steps) {
            number = number.checked_add(step).ok_or(BAD)?;
            let actor = usize::try_from(who).ok().and_then(|who| actors.get(who)).ok_or(BAD)?;
            replaced.push((u64::try_from(number).map_err(|_| BAD)?, actor.to_vec()));
        }
        Ok(replaced)
    }
}

/// Unfolds a run-length column without nulls, to `most` values at most.
fn runs<'a, T: Clone>(
    column: &'a [u8],
    most: usize,
    read: impl Fn(&mut Cursor<'a>) -> Result<T, DocumentError>,
) -> Result<Vec<T>, DocumentError> {
    let mut at = Cursor(column);
    let mut values = Vec::new();
    while !at.0.is_empty() {
        let length = at.sleb()?;
        let count = usize::try_from(length.unsigned_abs()).map_err(|_| BAD)?;
        if count == 0 || values.len().saturating_add(count) > most {
            return Err(if count == 0 { DocumentError::NotFlat } else { DocumentError::TooLarge });
        }
        if length > 0 {
            let value = read(&mut at)?;
            values.resize(values.len().saturating_add(count), value);
        } else {
            for _ in 0..count {
                values.push(read(&mut at)?);
            }
        }
    }
    Ok(values)
}

/// What is left to read.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], DocumentError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BAD)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DocumentError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(BAD)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DocumentError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Unsigned LEB128 below 2^63, so that no reader after us overflows.
    pub(super) fn uleb(&mut self) -> Result<u64, DocumentError> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BAD)
    }

    /// Signed LEB128.
    pub(super) fn sleb(&mut self) -> Result<i64, DocumentError> {
        let mut value = 0_i64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let width = shift + 7;
                let negative = byte & 0x40 != 0 && width < 64;
                return Ok(if negative { value | (-1_i64 << width) } else { value });
            }
        }
        // A tenth byte holds the sign alone.
        match self.byte()? {
            0 => Ok(value),
            0x7f => Ok(value | i64::MIN),
            _ => Err(BAD),
        }
    }

    pub(super) fn size(&mut self) -> Result<usize, DocumentError> {
        usize::try_from(self.uleb()?).map_err(|_| BAD)
    }

    pub(super) fn sized(&mut self, most: usize) -> Result<&'a [u8], DocumentError> {
        let length = self.size()?;
        if length > most { Err(BAD) } else { self.take(length) }
    }

    fn text(&mut self) -> Result<&'a str, DocumentError> {
        std::str::from_utf8(self.sized(MAX_KEY_BYTES)?).map_err(|_| BAD)
    }

    /// A counted list; each element takes at least a byte, so that its count is bounded by what is left.
    pub(super) fn many<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, DocumentError>,
    ) -> Result<Vec<T>, DocumentError> {
        let count = self.size()?;
        if count > self.0.len() {
            return Err(BAD);
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// Whether a column of `count` flags holds a true one. It alternates runs of false and true, false first.
    fn any_true(mut self, count: usize) -> Result<bool, DocumentError> {
        if self.0.is_empty() {
            return Ok(false);
        }
        let run = self.size()?;
        Ok(run != count || !self.0.is_empty())
    }

    /// A value whose type stands in the low four bits of `meta` and its length in the others.
    fn scalar(&mut self, meta: u64) -> Result<Scalar, DocumentError> {
        let length = usize::try_from(meta >> 4).map_err(|_| BAD)?;
        let bytes = self.take(length)?;
        match (meta & 0x0f, length) {
            (1, 0) => Ok(Scalar::Flag(false)),
            (2, 0) => Ok(Scalar::Flag(true)),
            (4, _) => {
                let mut number = Cursor(bytes);
                let value = number.sleb()?;
                if number.0.is_empty() { Ok(Scalar::Int(value)) } else { Err(BAD) }
            }
            (6, _) => std::str::from_utf8(bytes).map(|text| Scalar::Text(text.to_owned())).map_err(|_| BAD),
            (7, _) => Ok(Scalar::Bytes(bytes.to_vec())),
            _ => Err(DocumentError::NotFlat),
        }
    }
}
