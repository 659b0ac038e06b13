//! One document. The only code that touches Automerge: here what is written, applied and read; [`super::history`] has
//! what is asked of the past, [`super::epoch`] how a past is left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ObjId, ROOT, ReadDoc, ScalarValue, Value,
    legacy::{Key, OpType},
    transaction::{CommitOptions, Transactable as _},
};

use super::{
    Edit, Fields, Kind, Scalar,
    allow::{check, needed, permit_field},
    chunk::Chunk,
    merge::{Merge, settle},
    rule::{Writer, rule},
};

/// Largest document as [`Document::save`] gives it: four times what is begun anew, for what is written until then.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Why a change is not taken. The document is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Larger than a change or a document may be.
    #[error("the change, or the document with it, is too large")]
    TooLarge,
    /// Not a plain change chunk, or not well formed.
    #[error("the bytes are not a change")]
    Malformed,
    /// The checksum does not fit.
    #[error("the change was damaged")]
    Checksum,
    /// It does something else than set scalars at the root.
    #[error("the change does more than set fields")]
    NotFlat,
    /// A field of this kind of document may not hold that, or not again.
    #[error("the field {0} may not be set so")]
    Field(String),
    /// This writer may not write that field.
    #[error("the writer may not set the field {0}")]
    Forbidden(String),
    /// It stands on a change that is not here yet.
    #[error("a change it stands on is missing")]
    MissingDependency,
    /// Automerge refused it, or panicked.
    #[error("the change does not fit the document")]
    Misfit,
    /// Applying it took longer than a change may take.
    #[error("the change takes too long to apply")]
    TooSlow,
    /// A change that stays stands on one that is to be taken out.
    #[error("another change stands on one that is to be taken out")]
    StoodOn,
}

/// A document in memory.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) kind: Kind,
    pub(super) inner: Automerge,
}

/// A change from outside, read.
#[cfg(any(feature = "rig", test))]
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// What it says.
    pub(crate) chunk: Chunk,
    /// As it came, with magic and checksum.
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    /// An empty document.
    pub fn new(kind: Kind) -> Self {
        Self { kind, inner: Automerge::new() }
    }

    /// Reads a document back from our own store: a saved state and the changes since.
    ///
    /// # Errors
    /// [`DocumentError::Misfit`] when they cannot be read.
    pub fn load<C: AsRef<[u8]>>(kind: Kind, snapshot: Option<&[u8]>, changes: &[C]) -> Result<Self, DocumentError> {
        let load = || -> Option<Automerge> {
            let mut inner = match snapshot {
                Some(bytes) => Automerge::load(bytes).ok()?,
                None => Automerge::new(),
            };
            let parsed: Option<Vec<Change>> =
                changes.iter().map(|bytes| Change::from_bytes(bytes.as_ref().to_vec()).ok()).collect();
            inner.apply_changes(parsed?).ok()?;
            Some(inner)
        };
        let inner = catch_unwind(AssertUnwindSafe(load)).ok().flatten().ok_or(DocumentError::Misfit)?;
        Ok(Self { kind, inner })
    }

    /// Sets fields in one change of this actor; gives the change, or none when everything was so already.
    ///
    /// # Errors
    /// [`DocumentError::Field`] when a value is not what its field may hold, [`DocumentError::Forbidden`] when this
    /// writer may not set it, [`DocumentError::TooLarge`] for too much at once.
    pub fn edit(&mut self, actor: [u8; 16], writer: Writer, edit: &Edit) -> Result<Option<Vec<u8>>, DocumentError> {
        self.edit_marked(actor, writer, 0, edit)
    }

    /// [`Self::edit`] whose change carries a [`super::DocId::mark`]: a first change says of which document it is.
    ///
    /// # Errors
    /// As for [`Self::edit`].
    pub fn edit_marked(
        &mut self,
        actor: [u8; 16],
        writer: Writer,
        mark: i64,
        edit: &Edit,
    ) -> Result<Option<Vec<u8>>, DocumentError> {
        let wanted = needed(self.kind, &self.fields(), edit)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        for (key, value) in &wanted {
            permit_field(self.kind, writer, (key, value))?;
        }
        self.write(actor, mark, &wanted).map(Some)
    }

    /// Sets these fields in one change, which carries `mark` where others write a time; gives the change.
    pub(super) fn write(
        &mut self,
        actor: [u8; 16],
        mark: i64,
        wanted: &[(String, Scalar)],
    ) -> Result<Vec<u8>, DocumentError> {
        let mut copy = self.inner.clone();
        copy.set_actor(ActorId::from(actor.as_slice()));
        let options = |_: &()| CommitOptions::default().with_time(mark);
        let done = copy.transact_with(options, |tx| {
            for (key, value) in wanted {
                let put = if self.chooses(key, value) { ScalarValue::Null } else { scalar_value(value) };
                tx.put(ROOT, key.as_str(), put)?;
            }
            Ok::<(), AutomergeError>(())
        });
        let hash = done.map_err(|_| DocumentError::Misfit)?.hash.ok_or(DocumentError::Misfit)?;
        let change = copy.get_change_by_hash(&hash).ok_or(DocumentError::Misfit)?;
        let bytes = if wanted.iter().any(|(key, value)| self.chooses(key, value)) {
            let bytes = replaced(&change, wanted).ok_or(DocumentError::Misfit)?;
            copy = self.inner.clone();
            let change = Change::from_bytes(bytes.clone()).map_err(|_| DocumentError::Misfit)?;
            copy.apply_changes([change]).map_err(|_| DocumentError::Misfit)?;
            bytes
        } else {
            change.raw_bytes().to_vec()
        };
        // What is signed must be readable by everybody else.
        let chunk = Chunk::read(&bytes)?;
        let written = copy.get_change_meta_by_hash(&ChangeHash(chunk.hash)).is_some();
        if !written || chunk.sets.len() != wanted.len() {
            return Err(DocumentError::Misfit);
        }
        self.inner = copy;
        Ok(bytes)
    }

    /// Whether Automerge chooses this value among those in conflict. Asked to put it, it would not write, but delete the
    /// others; a change only ever sets fields, so that each can be judged. A stand-in is put instead, and the value
    /// takes its place in the finished change.
    fn chooses(&self, key: &str, value: &Scalar) -> bool {
        let chosen = self.inner.get(ROOT, key).ok().flatten().and_then(|(chosen, _)| scalar(&chosen));
        chosen.as_ref() == Some(value)
    }

    /// Applies a change from outside. A change already here changes nothing.
    ///
    /// # Errors
    /// See [`DocumentError`]; the document is then as before.
    pub fn apply(&mut self, writer: Writer, bytes: &[u8]) -> Result<(), DocumentError> {
        self.apply_chunk(&check(self.kind, writer, bytes)?, bytes)
    }

    /// Applies a change that was read and permitted.
    pub(crate) fn apply_chunk(&mut self, chunk: &Chunk, bytes: &[u8]) -> Result<(), DocumentError> {
        let mut step = Step::of(&self.inner);
        if step.is_held(chunk) {
            return Ok(());
        }
        step.judge(chunk)?;
        let base = &self.inner;
        // What unwinds only drops a copy: nothing half-done is ever seen.
        let apply = || -> Option<Automerge> {
            let mut copy = base.clone();
            copy.apply_changes([parsed(chunk, bytes)?]).ok()?;
            read_back(&copy, [chunk])
        };
        self.inner = catch_unwind(AssertUnwindSafe(apply)).ok().flatten().ok_or(DocumentError::Misfit)?;
        Ok(())
    }

    /// Applies changes that were read and permitted, in this order, and says of each what [`Self::apply_chunk`] would:
    /// what is refused harms no other. `at` hears the place of the change that is next, and the count of all before what
    /// they came to is read back once.
    #[cfg(any(feature = "rig", test))]
    pub(crate) fn apply_all(
        &mut self,
        changes: &[Received],
        at: &mut dyn FnMut(usize),
    ) -> Vec<Result<(), DocumentError>> {
        let base = &self.inner;
        let mut together = || -> Option<(Automerge, Vec<Result<(), DocumentError>>)> {
            let mut copy = base.clone();
            let mut numbers = Step::of(base).numbers;
            let mut said = Vec::with_capacity(changes.len());
            for (place, Received { chunk, bytes }) in changes.iter().enumerate() {
                at(place);
                let mut step = Step { inner: &copy, numbers };
                let judged = if step.is_held(chunk) { Ok(false) } else { step.judge(chunk).map(|()| true) };
                numbers = step.numbers;
                if judged == Ok(true) {
                    copy.apply_changes([parsed(chunk, bytes)?]).ok()?;
                }
                said.push(judged.map(drop));
            }
            at(changes.len());
            let taken = changes.iter().zip(&said).filter(|(_, said)| said.is_ok()).map(|(change, _)| &change.chunk);
            Some((read_back(&copy, taken)?, said))
        };
        if let Some((inner, said)) = catch_unwind(AssertUnwindSafe(&mut together)).ok().flatten() {
            self.inner = inner;
            return said;
        }
        // One of them is bad in a way that shows only inside Automerge.
        let one_by_one = changes.iter().enumerate().map(|(place, Received { chunk, bytes })| {
            at(place);
            self.apply_chunk(chunk, bytes)
        });
        one_by_one.collect()
    }

    /// Hashes of the changes nothing stands on, sorted: equal heads are equal documents.
    pub fn heads(&self) -> Vec<[u8; 32]> {
        let mut heads: Vec<[u8; 32]> = self.inner.get_heads().into_iter().map(|hash| hash.0).collect();
        heads.sort_unstable();
        heads
    }

    /// The fields, concurrent writings settled by the rule of each. Fields of a later version are left out.
    pub fn fields(&self) -> Fields {
        self.read(None, |key| rule(self.kind, key).is_some())
    }

    /// Every field, those of a later version too, of which the last writer's value is given.
    pub fn settled(&self) -> Fields {
        self.read(None, |_| true)
    }

    /// Every field as it was when these were the heads; hashes that are not here are passed over.
    pub fn settled_at(&self, heads: &[[u8; 32]]) -> Fields {
        self.read(Some(&self.held(heads)), |_| true)
    }

    /// Those of these changes that are here.
    pub(super) fn held(&self, hashes: &[[u8; 32]]) -> Vec<ChangeHash> {
        let here = |hash: &ChangeHash| self.inner.get_change_meta_by_hash(hash).is_some();
        hashes.iter().copied().map(ChangeHash).filter(here).collect()
    }

    fn read(&self, heads: Option<&[ChangeHash]>, wanted: impl Fn(&str) -> bool) -> Fields {
        let mut fields = Fields::default();
        let keys = match heads {
            Some(heads) => self.inner.keys_at(ROOT, heads),
            None => self.inner.keys(ROOT),
        };
        for key in keys.filter(|key| wanted(key)) {
            let held = match heads {
                Some(heads) => self.inner.get_all_at(ROOT, key.as_str(), heads),
                None => self.inner.get_all(ROOT, key.as_str()),
            };
            let rule = rule(self.kind, &key);
            let mut values: Vec<Scalar> = held
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(value, _)| scalar(&value))
                .filter(|value| rule.is_none_or(|rule| rule.shape.fits(value)))
                .collect();
            // Automerge lists the value it chooses last.
            let Some(latest) = values.pop() else { continue };
            fields.insert(key, settle(rule.map_or(Merge::Latest, |rule| rule.merge), latest, &values));
        }
        fields
    }
}

/// A state, and how many changes each actor made on the way to it: what the next change is judged by.
struct Step<'a> {
    inner: &'a Automerge,
    numbers: BTreeMap<Vec<u8>, u64>,
}

impl<'a> Step<'a> {
    fn of(inner: &'a Automerge) -> Self {
        let mut numbers = BTreeMap::new();
        for meta in inner.get_changes_meta(&[]) {
            let number: &mut u64 = numbers.entry(meta.actor.to_bytes().to_vec()).or_default();
            *number = meta.seq.max(*number);
        }
        Self { inner, numbers }
    }

    fn is_held(&self, chunk: &Chunk) -> bool {
        self.inner.get_change_meta_by_hash(&ChangeHash(chunk.hash)).is_some()
    }

    /// Whether what a change stands on is here, and whether it is numbered, and replaces values, as an honest writer who
    /// knew just that would have it. This rests on the change, what it stands on and what its actor wrote before, so that
    /// every replica judges alike whatever else it holds.
    fn judge(&mut self, chunk: &Chunk) -> Result<(), DocumentError> {
        let deps: Vec<ChangeHash> = chunk.deps.iter().copied().map(ChangeHash).collect();
        if deps.iter().any(|dep| self.inner.get_change_meta_by_hash(dep).is_none()) {
            return Err(DocumentError::MissingDependency);
        }
        let metas = deps.iter().filter_map(|dep| self.inner.get_change_meta_by_hash(dep));
        let max_op = metas.map(|meta| meta.max_op).max().unwrap_or(0);
        let seq = self.numbers.entry(chunk.actor.to_vec()).or_default();
        let follows = chunk.start_op == max_op.saturating_add(1)
            && chunk.seq == seq.saturating_add(1)
            && chunk.sets.iter().all(|set| {
                let held = self.inner.get_all_at(ROOT, set.key.as_str(), &deps).unwrap_or_default();
                let held: BTreeSet<(u64, Vec<u8>)> = held.into_iter().filter_map(|(_, id)| operation(&id)).collect();
                held == set.replaces
            });
        if !follows {
            return Err(DocumentError::Misfit);
        }
        *seq = chunk.seq;
        Ok(())
    }
}

/// Automerge's own reading of a change, which must be ours.
fn parsed(chunk: &Chunk, bytes: &[u8]) -> Option<Change> {
    let change = Change::from_bytes(bytes.to_vec()).ok()?;
    (change.hash().0 == chunk.hash && change.len() == chunk.sets.len()).then_some(change)
}

/// Automerge takes some changes that it cannot read back; a document is what a restart will find.
pub(super) fn read_back<'a>(inner: &Automerge, taken: impl IntoIterator<Item = &'a Chunk>) -> Option<Automerge> {
    let again = Automerge::load(&inner.save_nocompress()).ok()?;
    let whole = taken.into_iter().all(|chunk| again.get_change_meta_by_hash(&ChangeHash(chunk.hash)).is_some());
    (whole && again.get_heads() == inner.get_heads()).then_some(again)
}

/// The bytes of a change with these values in the place of its own.
fn replaced(change: &Change, wanted: &[(String, Scalar)]) -> Option<Vec<u8>> {
    let mut change = change.decode();
    for op in &mut change.operations {
        let (_, value) = wanted.iter().find(|(key, _)| op.key == Key::Map(key.as_str().into()))?;
        op.action = OpType::Put(scalar_value(value));
    }
    Some(Change::from(change).raw_bytes().to_vec())
}

/// Number and actor of the operation that set a value.
fn operation(id: &ObjId) -> Option<(u64, Vec<u8>)> {
    match id {
        ObjId::Id(number, actor, _) => Some((*number, actor.to_bytes().to_vec())),
        ObjId::Root => None,
    }
}

fn scalar(value: &Value<'_>) -> Option<Scalar> {
    let Value::Scalar(scalar) = value else { return None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "Automerge's own enum; what we never write is not a field")]
    match scalar.as_ref() {
        ScalarValue::Str(text) => Some(Scalar::Text(text.to_string())),
        ScalarValue::Int(number) => Some(Scalar::Int(*number)),
        ScalarValue::Boolean(flag) => Some(Scalar::Flag(*flag)),
        ScalarValue::Bytes(bytes) => Some(Scalar::Bytes(bytes.clone())),
        _ => None,
    }
}

fn scalar_value(value: &Scalar) -> ScalarValue {
    match value {
        Scalar::Text(text) => ScalarValue::Str(text.as_str().into()),
        Scalar::Int(number) => ScalarValue::Int(*number),
        Scalar::Flag(flag) => ScalarValue::Boolean(*flag),
        Scalar::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
    }
}
