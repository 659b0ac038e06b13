//! What is asked of a document's past: what somebody else lacks of it, a copy of all of it, or it without some changes.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{Automerge, ChangeHash, ReadDoc as _, SaveOptions};

use super::{
    Writer,
    allow::permit,
    chunk::{Chunk, is_change},
    document::{Document, DocumentError, MAX_DOCUMENT_BYTES, read_back},
    saved,
};

impl Document {
    /// The whole document, without changes that wait for others: for [`Self::load`], or for somebody else. Equal documents
    /// may save to different bytes.
    ///
    /// It is not deflated. Many of them in one zstd are a third of what each would be alone, and what is small on one disk
    /// because it deflates well would be large for everybody else.
    ///
    /// A document of one change, as most are when a school begins or after a rollover, is that change: a saved document
    /// names its heads, 32 bytes that no compression makes fewer.
    pub fn save(&self) -> Vec<u8> {
        let only = match self.hashes()[..] {
            [only] => self.inner.get_change_by_hash(&ChangeHash(only)),
            _ => None,
        };
        if let Some(change) = only {
            return change.raw_bytes().to_vec();
        }
        self.inner.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
    }

    /// Takes in every change of a document that the coordinator saved by [`Self::save`]; gives those that were not
    /// here, each after what it stands on.
    ///
    /// The bytes are walked before Automerge sees them, and each change inside is judged as the coordinator's.
    ///
    /// # Errors
    /// See [`DocumentError`]; the document is then as before.
    pub fn merge_saved(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, DocumentError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let theirs = if is_change(bytes) {
            let mut theirs = Self::new(self.kind);
            theirs.apply(Writer::Coordinator, bytes)?;
            theirs.inner
        } else {
            saved::scan(bytes)?;
            caught(|| Automerge::load(bytes).ok())?
        };
        let fresh = caught(|| Some(self.inner.get_changes_added(&theirs)))?;
        let mut chunks = Vec::with_capacity(fresh.len());
        for change in &fresh {
            let chunk = Chunk::read(change.raw_bytes())?;
            permit(self.kind, Writer::Coordinator, &chunk)?;
            if chunk.hash != change.hash().0 {
                return Err(DocumentError::Misfit);
            }
            chunks.push(chunk);
        }
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<Vec<u8>> = fresh.iter().map(|change| change.raw_bytes().to_vec()).collect();
        let base = &self.inner;
        let merge = || -> Option<Automerge> {
            let mut copy = theirs;
            if !base.is_empty() {
                copy = base.clone();
                copy.apply_changes(fresh).ok()?;
            }
            read_back(&copy, &chunks)
        };
        self.inner = caught(merge)?;
        Ok(changes)
    }

    /// The changes that somebody whose heads are these lacks, each after what it stands on. Heads that are not here are
    /// passed over.
    pub fn changes_since(&self, heads: &[[u8; 32]]) -> Vec<Vec<u8>> {
        let changes = self.inner.get_changes(&self.held(heads));
        changes.iter().map(|change| change.raw_bytes().to_vec()).collect()
    }

    /// Those of somebody's heads that are not here: with any, there is something to ask for.
    pub fn missing_from(&self, heads: &[[u8; 32]]) -> Vec<[u8; 32]> {
        let held: BTreeSet<ChangeHash> = self.held(heads).into_iter().collect();
        heads.iter().filter(|hash| !held.contains(&ChangeHash(**hash))).copied().collect()
    }

    /// Whether a change is here.
    pub fn holds(&self, hash: &[u8; 32]) -> bool {
        self.inner.get_change_meta_by_hash(&ChangeHash(*hash)).is_some()
    }

    /// The hash of every change, each after what it stands on.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        self.inner.get_changes_meta(&[]).iter().map(|meta| meta.hash.0).collect()
    }

    /// The document as it would be without these changes; those that are not here are passed over.
    ///
    /// # Errors
    /// [`DocumentError::StoodOn`] when a change that stays stands on one of them.
    pub fn without(&self, hashes: &[[u8; 32]]) -> Result<Self, DocumentError> {
        let out: BTreeSet<ChangeHash> = hashes.iter().copied().map(ChangeHash).collect();
        let mut kept = self.inner.get_changes(&[]);
        kept.retain(|change| !out.contains(&change.hash()));
        if kept.iter().any(|change| change.deps().iter().any(|dep| out.contains(dep))) {
            return Err(DocumentError::StoodOn);
        }
        let rebuild = || {
            let mut inner = Automerge::new();
            inner.apply_changes(kept).ok()?;
            Some(inner)
        };
        Ok(Self { kind: self.kind, inner: caught(rebuild)? })
    }
}

/// What Automerge makes of something; a panic of it is a misfit.
fn caught<T>(act: impl FnOnce() -> Option<T>) -> Result<T, DocumentError> {
    catch_unwind(AssertUnwindSafe(act)).ok().flatten().ok_or(DocumentError::Misfit)
}
