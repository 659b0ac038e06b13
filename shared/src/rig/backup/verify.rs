//! Proving that every backup can be read: each piece's tag and name, each manifest's seal, each list.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{BackupError, Progress, Store, Watch, disk, manifest::Name};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Backups that can be read whole.
    pub sound: Vec<u64>,
    /// Pieces read.
    pub pieces: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of pieces that no backup names; `forget` sweeps them.
    pub loose_bytes: u64,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// Files in the store that are not ours.
    pub strange: Vec<PathBuf>,
}

/// One damaged or missing file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
    /// What it was needed for: `backup 3: box.db`.
    pub hurts: Vec<String>,
}

/// Reads the whole store. Damage is told, not mended: the next backup writes damaged pieces anew where the folder still
/// holds their content.
///
/// # Errors
/// When the store cannot be listed; damage is no error.
pub fn verify(store: &Store, watch: Watch<'_>) -> Result<Verified, BackupError> {
    let mut found = Verified::default();
    let listed = store.list()?;
    found.damage.extend(listed.damaged.iter().map(|why| Damage::of(why, &store.root)));
    let (files, others) = store.piece_files()?;
    found.strange = others.into_iter().filter(|p| p.extension().is_none_or(|e| e != disk::UNFINISHED)).collect();
    let all = files.values().copied().fold(0, u64::saturating_add);
    let mut bad = BTreeMap::new();
    for (name, size) in &files {
        if let Err(why) = store.piece(name) {
            bad.insert(*name, Damage::of(&why, &store.root));
        }
        found.pieces = found.pieces.saturating_add(1);
        found.bytes = found.bytes.saturating_add(*size);
        watch(Progress { done: found.bytes, all });
    }
    let mut needed = BTreeSet::new();
    let mut lists: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for manifest in &listed.backups {
        let mut whole = true;
        for (path, content) in manifest.contents() {
            let hurt = format!("backup {}: {path}", manifest.number);
            for list in &content.lists {
                needed.insert(*list);
                if !lists.contains_key(list) {
                    let names = store.names(list).unwrap_or_else(|why| {
                        bad.entry(*list).or_insert_with(|| Damage::of(&why, &store.root));
                        Vec::new()
                    });
                    lists.insert(*list, names);
                }
                let names = lists.get(list).map(Vec::as_slice).unwrap_or_default();
                for name in std::iter::once(list).chain(names) {
                    needed.insert(*name);
                    if !files.contains_key(name) {
                        let gone = || {
                            Damage::of(&BackupError::Damaged(store.piece_path(name), "the file is gone"), &store.root)
                        };
                        bad.entry(*name).or_insert_with(gone);
                    }
                    if let Some(damage) = bad.get_mut(name) {
                        whole = false;
                        if !damage.hurts.contains(&hurt) {
                            damage.hurts.push(hurt.clone());
                        }
                    }
                }
            }
        }
        if whole {
            found.sound.push(manifest.number);
        }
    }
    found.damage.extend(bad.into_values());
    let loose = files.iter().filter(|(name, _)| !needed.contains(name)).map(|(_, size)| *size);
    found.loose_bytes = loose.fold(0, u64::saturating_add);
    Ok(found)
}

impl Damage {
    fn of(why: &BackupError, root: &std::path::Path) -> Self {
        let (path, what) = if let BackupError::Damaged(path, what) = why {
            (path.clone(), (*what).to_owned())
        } else if let BackupError::File(path, why) = why {
            (path.clone(), why.to_string())
        } else if let BackupError::Newer(path) = why {
            (path.clone(), "written by a later version of this program".to_owned())
        } else {
            (root.to_owned(), why.to_string())
        };
        Self { path, what, hurts: Vec::new() }
    }
}
