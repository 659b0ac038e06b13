//! Archives of block lists as UT1 publishes them: `blacklists/<category>/domains` in a tar (POSIX.1-1988 ustar, with the long
//! names of GNU and of POSIX.1-2001) packed by gzip (RFC 1952).
//!
//! They are read as a stream and never unpacked to a disk: names in an archive choose a category and nothing else. All the
//! same, one that holds a name which leads out of it, a device or the like was not made by who publishes lists, and is
//! refused as a whole; so is one that is larger, or has more files, than lists have.
//!
//! The tar is read here and not by a crate: those keep records of long names whole, and one may claim to be a gigabyte.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    ListsError,
    source::{BUFFER_BYTES, Bounded, MAX_USAGE_BYTES, MEMBERS, Take, lines},
    tar::{Entry, Kind, Tar},
};
use crate::blocklist::{Piece, TooManyCategories, Usage};

/// The most files, folders and links of an archive; UT1's has some 400.
const MAX_ENTRIES: usize = 10_000;
/// Links that are followed from one to the next.
const MAX_HOPS: usize = 8;

/// An archive cannot be read as block lists.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It ends too early, or its bytes are not what was packed, or it holds more than lists have.
    #[error("it cannot be read to its end ({0}). Get it again from where it is published")]
    Read(#[from] io::Error),
    /// A part of it is no tar.
    #[error("it is no tar, or damaged: {0}. Get it again from where it is published")]
    NotTar(&'static str),
    /// It has more than [`MAX_ENTRIES`] files.
    #[error(
        "it has more than {MAX_ENTRIES} files: this is no archive of block lists. Get it from where lists are published"
    )]
    TooMany,
    /// A name, or where a link leads, is not within it.
    #[error("it holds {0:?}, which leads out of it: do not use it, and get it from where lists are published")]
    Outside(String),
    /// It holds a device or the like.
    #[error(
        "it holds {0:?}, which is no file, folder or link: do not use it, and get it from where lists are published"
    )]
    Strange(String),
    /// Its categories are too many.
    #[error(transparent)]
    Categories(#[from] TooManyCategories),
}

/// Whether a file begins as gzip does (RFC 1952 §2.3.1).
pub(super) fn is_one(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut start)?;
    Ok(start == [0x1f, 0x8b])
}

/// Gives away all that an archive holds.
pub(super) fn walk(path: &Path, take: &mut Take<'_>) -> Result<(), ListsError> {
    let file = File::open(path).map_err(|error| ListsError::Open(path.to_owned(), error))?;
    read(file, take).map_err(|error| ListsError::Archive(path.to_owned(), error))
}

/// A path within the archive, part by part.
type Inside = Vec<String>;

/// Folders and links that were met.
#[derive(Default)]
struct Met {
    /// Folders with names in them, each with its category.
    folders: BTreeMap<Inside, String>,
    links: BTreeMap<Inside, Inside>,
}

fn read(packed: impl Read, take: &mut Take<'_>) -> Result<(), ArchiveError> {
    let packed = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, packed));
    let mut tar = Tar::new(BufReader::with_capacity(BUFFER_BYTES, Bounded::new(packed)));
    let (mut met, mut entries) = (Met::default(), 0_usize);
    while let Some(Entry { path, kind, size }) = tar.entry()? {
        entries = entries.saturating_add(1);
        if entries > MAX_ENTRIES {
            return Err(ArchiveError::TooMany);
        }
        let path = inside(&path, Inside::new(), false)?;
        match kind {
            Kind::File => tar.content(size, |content| met.file(&path, content, take))?,
            Kind::Folder => tar.content(size, |_| Ok(()))?,
            Kind::Symlink(to) => {
                let folder = path.split_last().map(|(_, folder)| folder.to_vec());
                met.links.insert(path, inside(&to, folder.unwrap_or_default(), true)?);
            }
            Kind::Link(to) => drop(met.links.insert(path, inside(&to, Inside::new(), true)?)),
            Kind::Other => return Err(ArchiveError::Strange(path.join("/"))),
        }
    }
    tar.end()?;
    for link in met.links.keys() {
        if let (Some(name), Some(category)) = (folder_of(link).last(), met.category(link)) {
            take(Piece::Alias { name, category })?;
        }
    }
    Ok(())
}

impl Met {
    /// A file: a category's names, or what it is for, or nothing of ours.
    fn file(&mut self, path: &Inside, content: &mut impl BufRead, take: &mut Take<'_>) -> Result<(), ArchiveError> {
        let Some((member, above)) = path.split_last() else { return Ok(()) };
        let Some(category) = above.last() else { return Ok(()) };
        if MEMBERS.contains(&member.as_str()) {
            take(Piece::File { category, file: &path.join("/") })?;
            lines(content, take)?;
            self.folders.insert(above.to_vec(), category.clone());
        } else if member == "usage" {
            let mut text = Vec::new();
            content.take(MAX_USAGE_BYTES).read_to_end(&mut text)?;
            take(Piece::Usage { category, usage: Usage::read(&String::from_utf8_lossy(&text)) })?;
        }
        Ok(())
    }

    /// The category that a link leads to.
    fn category(&self, link: &Inside) -> Option<&str> {
        let mut at = link;
        for _ in 0..MAX_HOPS {
            at = self.links.get(at)?;
            if let Some(category) = self.folders.get(folder_of(at)) {
                return Some(category);
            }
        }
        None
    }
}

fn folder_of(path: &Inside) -> &[String] {
    match path.split_last() {
        Some((member, above)) if MEMBERS.contains(&member.as_str()) => above,
        Some(_) | None => path,
    }
}

/// A path, or where a link leads `from` a folder. Only a link may go up, and never out of the archive.
fn inside(path: &[u8], from: Inside, up: bool) -> Result<Inside, ArchiveError> {
    let text = String::from_utf8_lossy(path);
    let outside = || ArchiveError::Outside(text.clone().into_owned());
    if text.starts_with('/') {
        return Err(outside());
    }
    let mut at = from;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if up => drop(at.pop().ok_or_else(outside)?),
            ".." => return Err(outside()),
            part => at.push(part.to_owned()),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests;
