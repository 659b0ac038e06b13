//! What one backup says. The format is JSON, compressed and sealed; its version is read before anything else.

use std::path::{Component, Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{ids::BoxId, time::Stamp};

/// Version of the form.
pub(super) const VERSION: u32 = 1;
/// Largest manifest, in bytes before compression: room for 20,000 files, or a database of 10 TB.
pub(super) const MAX_BYTES: usize = 48 * 1024 * 1024;

/// The keyed name of a piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub(super) [u8; 32]);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}
impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
impl Serialize for Name {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a name is 64 hexadecimal digits"))
    }
}
impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form.
    pub version: u32,
    /// Its place in the store: 1, 2, 3… Order is told by it, not by the clock.
    pub number: u64,
    /// Drawn; tells two backups of one number apart.
    pub id: u64,
    /// When it was made, by the clock of the machine that made it.
    pub made_at: Stamp,
    /// The folder.
    pub from: String,
    /// The box or coordinator that lives in it, when its database says so.
    pub owner: Option<BoxId>,
    /// The folder's own permission bits.
    pub mode: u32,
    /// Version of the program that made it.
    pub program: String,
    /// What the folder held; a folder before what is in it.
    pub entries: Vec<Entry>,
}

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Inside the folder, with `/`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub what: What,
}

/// Kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A folder.
    Folder,
    /// A plain file.
    File(Content),
    /// A SQLite database, copied while it was in use.
    Database {
        /// The copy.
        content: Content,
        /// Whether SQLite found nothing wrong in the copy.
        sound: bool,
    },
}

/// The bytes of a file, as pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Length.
    pub bytes: u64,
    /// Pieces that hold the names of its pieces, 256 each.
    pub lists: Vec<Name>,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.contents().map(|(_, content)| content.bytes).fold(0, u64::saturating_add)
    }
    /// Every file with its content.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Folder => None,
            What::File(content) | What::Database { content, .. } => Some((entry.path.as_str(), content)),
        })
    }
    /// Databases in which SQLite found something wrong when they were copied.
    pub fn unsound(&self) -> Vec<String> {
        let unsound = |entry: &&Entry| matches!(entry.what, What::Database { sound: false, .. });
        self.entries.iter().filter(unsound).map(|entry| entry.path.clone()).collect()
    }
}

impl Entry {
    /// Where it belongs under `root`; none when its path would lead out of it.
    pub(super) fn under(&self, root: &Path) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        (inside && !self.path.is_empty()).then(|| root.join(path))
    }
}
