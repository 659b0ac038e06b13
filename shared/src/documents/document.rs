//! One document. The only code that touches Automerge.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    ActorId, Automerge, Change, ChangeHash, ObjId, ROOT, ReadDoc, ScalarValue, Value,
    legacy::{Key, OpType},
    transaction::Transactable as _,
};

use super::{
    Edit, Fields, Kind, Scalar,
    chunk::Chunk,
    person,
    rule::{MAX_KEY_BYTES, MAX_UNKNOWN_BYTES, Merge, Writer, may_write, rule},
};

/// Largest saved document.
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
}

/// A document in memory.
#[derive(Debug, Clone)]
pub struct Document {
    kind: Kind,
    inner: Automerge,
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
        let wanted = needed(self.kind, &self.fields(), edit)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        for (key, value) in &wanted {
            permit(self.kind, writer, key, value)?;
        }
        let mut copy = self.inner.clone();
        copy.set_actor(ActorId::from(actor.as_slice()));
        let done = copy.transact(|tx| {
            for (key, value) in &wanted {
                let put = if self.chooses(key, value) { ScalarValue::Null } else { scalar_value(value) };
                tx.put(ROOT, key.as_str(), put)?;
            }
            Ok::<(), automerge::AutomergeError>(())
        });
        let hash = done.map_err(|_| DocumentError::Misfit)?.hash.ok_or(DocumentError::Misfit)?;
        let change = copy.get_change_by_hash(&hash).ok_or(DocumentError::Misfit)?;
        let bytes = if wanted.iter().any(|(key, value)| self.chooses(key, value)) {
            let bytes = replaced(&change, &wanted).ok_or(DocumentError::Misfit)?;
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
        Ok(Some(bytes))
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

    /// Applies a change that [`check`] has read.
    pub(crate) fn apply_chunk(&mut self, chunk: &Chunk, bytes: &[u8]) -> Result<(), DocumentError> {
        if self.inner.get_change_meta_by_hash(&ChangeHash(chunk.hash)).is_some() {
            return Ok(());
        }
        let deps: Vec<ChangeHash> = chunk.deps.iter().copied().map(ChangeHash).collect();
        if !self.inner.get_missing_deps(&deps).is_empty() {
            return Err(DocumentError::MissingDependency);
        }
        if !self.follows(chunk, &deps) {
            return Err(DocumentError::Misfit);
        }
        let base = &self.inner;
        // What unwinds only drops a copy: nothing half-done is ever seen.
        let apply = || -> Option<Automerge> {
            let mut copy = base.clone();
            let change = Change::from_bytes(bytes.to_vec()).ok()?;
            if change.hash().0 != chunk.hash || change.len() != chunk.sets.len() {
                return None;
            }
            copy.apply_changes([change]).ok()?;
            // Automerge takes some changes that it cannot read back; a document is what a restart will find.
            let again = Automerge::load(&copy.save()).ok()?;
            again.get_change_meta_by_hash(&ChangeHash(chunk.hash))?;
            (again.get_heads() == copy.get_heads()).then_some(again)
        };
        self.inner = catch_unwind(AssertUnwindSafe(apply)).ok().flatten().ok_or(DocumentError::Misfit)?;
        Ok(())
    }

    /// Whether a change is numbered, and replaces values, as an honest writer who knew just its dependencies would have
    /// it. This rests on the change, what it stands on and what its actor wrote before, so that every replica judges
    /// alike whatever else it holds.
    fn follows(&self, chunk: &Chunk, deps: &[ChangeHash]) -> bool {
        let metas = deps.iter().filter_map(|dep| self.inner.get_change_meta_by_hash(dep));
        let max_op = metas.map(|meta| meta.max_op).max().unwrap_or(0);
        let history = self.inner.get_changes_meta(&[]);
        let of_actor = history.iter().filter(|meta| meta.actor.to_bytes() == chunk.actor);
        let seq = of_actor.map(|meta| meta.seq).max().unwrap_or(0);
        chunk.start_op == max_op.saturating_add(1)
            && chunk.seq == seq.saturating_add(1)
            && chunk.sets.iter().all(|set| {
                let held = self.inner.get_all_at(ROOT, set.key.as_str(), deps).unwrap_or_default();
                let held: BTreeSet<(u64, Vec<u8>)> = held.into_iter().filter_map(|(_, id)| operation(&id)).collect();
                held == set.replaces
            })
    }

    /// Hashes of the changes nothing stands on, sorted: equal heads are equal documents.
    pub fn heads(&self) -> Vec<[u8; 32]> {
        let mut heads: Vec<[u8; 32]> = self.inner.get_heads().into_iter().map(|hash| hash.0).collect();
        heads.sort_unstable();
        heads
    }

    /// The whole document, to be read by [`Self::load`]. Equal documents may save to different bytes.
    pub fn save(&self) -> Vec<u8> {
        self.inner.save()
    }

    /// The fields, concurrent writings settled by the rule of each. Fields of a later version are left out.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        for key in self.inner.keys(ROOT) {
            let Some(rule) = rule(self.kind, &key) else { continue };
            let mut values: Vec<Scalar> = self
                .inner
                .get_all(ROOT, key.as_str())
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(value, _)| scalar(&value))
                .filter(|value| rule.shape.fits(value))
                .collect();
            // Automerge lists the value it chooses last.
            let Some(latest) = values.pop() else { continue };
            fields.insert(key, settle(rule.merge, latest, &values));
        }
        fields
    }
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

/// Reads a change from outside and checks that this writer may make it. Nothing of Automerge runs.
pub(crate) fn check(kind: Kind, writer: Writer, bytes: &[u8]) -> Result<Chunk, DocumentError> {
    let chunk = Chunk::read(bytes)?;
    for set in &chunk.sets {
        permit(kind, writer, &set.key, &set.value)?;
        if !set.replaces.is_empty() && rule(kind, &set.key).is_some_and(|rule| rule.merge == Merge::Once) {
            return Err(DocumentError::Field(shown(&set.key)));
        }
    }
    Ok(chunk)
}

fn permit(kind: Kind, writer: Writer, key: &str, value: &Scalar) -> Result<(), DocumentError> {
    if !may_write(writer, kind, key) {
        return Err(DocumentError::Forbidden(shown(key)));
    }
    let fits = match rule(kind, key) {
        Some(rule) if rule.merge == Merge::NeverUndone && *value == Scalar::Flag(false) => false,
        Some(rule) => rule.shape.fits(value),
        None => size(value) <= MAX_UNKNOWN_BYTES,
    };
    if fits && key.len() <= MAX_KEY_BYTES { Ok(()) } else { Err(DocumentError::Field(shown(key))) }
}

/// A key as an error tells it: the name of its family only, for what follows may name somebody.
fn shown(key: &str) -> String {
    key.split_inclusive(':').next().unwrap_or_default().chars().take(40).filter(|c| !c.is_control()).collect()
}

fn size(value: &Scalar) -> usize {
    match value {
        Scalar::Text(text) => text.len(),
        Scalar::Bytes(bytes) => bytes.len(),
        Scalar::Int(_) | Scalar::Flag(_) => 0,
    }
}

/// What of an edit the document does not say already.
pub(crate) fn needed(kind: Kind, held: &Fields, edit: &Edit) -> Result<Vec<(String, Scalar)>, DocumentError> {
    let mut wanted: BTreeMap<&str, Scalar> =
        edit.set.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    for prefix in &edit.whole {
        for (member, value) in held.prefixed(prefix) {
            let key = held.key_of(prefix, member);
            let Some(key) = key else { continue };
            let nothing = match value {
                Scalar::Text(_) => Scalar::Text(String::new()),
                Scalar::Int(_) => Scalar::Int(0),
                Scalar::Flag(_) => Scalar::Flag(false),
                Scalar::Bytes(_) => Scalar::Bytes(Vec::new()),
            };
            wanted.entry(key).or_insert(nothing);
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

fn settle(merge: Merge, latest: Scalar, others: &[Scalar]) -> Scalar {
    let among = |value: Scalar| if others.contains(&value) { value } else { latest.clone() };
    match merge {
        Merge::Latest | Merge::Once => latest,
        Merge::TrueWins | Merge::NeverUndone => among(Scalar::Flag(true)),
        Merge::FalseWins => among(Scalar::Flag(false)),
        Merge::LeastRole => {
            let rank = |value: &Scalar| if let Scalar::Text(role) = value { person::rank(role) } else { 0 };
            // The word breaks ties, so that every replica settles alike.
            let key = |value: &Scalar| (rank(value), format!("{value:?}"));
            others.iter().chain([&latest]).min_by_key(|value| key(value)).cloned().unwrap_or(latest)
        }
    }
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
