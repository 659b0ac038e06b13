//! A tar as a stream of headers and contents: POSIX.1-1988 ustar, long names of GNU (`L`, `K`) and of POSIX.1-2001 (`x`).

use std::io::{self, BufReader, Read};

use super::archive::ArchiveError;

/// What a tar is made of, in bytes.
const BLOCK_BYTES: usize = 512;
/// The same, as sizes are counted.
const BLOCK: u64 = 512;
/// The longest record of long names, in bytes.
const MAX_RECORD_BYTES: u64 = 16 * 1024;

/// A tar that is being read.
pub(super) struct Tar<R>(BufReader<R>);

/// What stands before each content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// As it is written there; a longer one may have come before.
    path: Vec<u8>,
    link: Vec<u8>,
    /// Bytes of the content.
    size: u64,
    kind: u8,
}

/// What a header and the records before it say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// Bytes of the content.
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// Another name for where this leads, from its own folder.
    Symlink(Vec<u8>),
    /// Another name for this path of the archive.
    Link(Vec<u8>),
    /// A device or the like.
    Other,
}

/// Names too long for a header.
#[derive(Default)]
struct Long {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(from: BufReader<R>) -> Self {
        Self(from)
    }

    /// The next entry; its content follows, and is to be passed before the next one is asked for. None at the end.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut long = Long::default();
        while let Some(Header { path, link, size, kind }) = self.header()? {
            match kind {
                b'L' => long.path = Some(until_nul(&self.record(size)?).to_vec()),
                b'K' => long.link = Some(until_nul(&self.record(size)?).to_vec()),
                b'x' => long.extend(&self.record(size)?),
                b'g' => drop(self.record(size)?),
                _ => {
                    let (path, link) = (long.path.unwrap_or(path), long.link.unwrap_or(link));
                    let kind = match kind {
                        b'0' | b'7' | 0 if !path.ends_with(b"/") => Kind::File,
                        b'5' | b'0' | 0 => Kind::Folder,
                        b'1' => Kind::Link(link),
                        b'2' => Kind::Symlink(link),
                        _ => Kind::Other,
                    };
                    return Ok(Some(Entry { path, kind, size }));
                }
            }
        }
        Ok(None)
    }

    /// Lets the content of an entry be read, and passes over what is left of it.
    pub(super) fn content<T>(
        &mut self,
        size: u64,
        read: impl FnOnce(&mut io::Take<&mut BufReader<R>>) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let mut content = self.0.by_ref().take(size);
        let done = read(&mut content)?;
        let padding = size.next_multiple_of(BLOCK).saturating_sub(size);
        let left = content.limit().saturating_add(padding);
        let passed = io::copy(&mut self.0.by_ref().take(left), &mut io::sink())?;
        if passed < left { Err(cut()) } else { Ok(done) }
    }

    /// Reads to the end of the stream: what is behind the end of a tar says nothing, but its packing's own end tells whether
    /// all of it was right.
    pub(super) fn end(mut self) -> Result<(), ArchiveError> {
        io::copy(&mut self.0, &mut io::sink())?;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        let ended = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        self.0.read_exact(&mut block).map_err(|error| if ended(&error) { cut() } else { ArchiveError::Read(error) })?;
        read_header(&block)
    }

    fn record(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > MAX_RECORD_BYTES {
            return Err(ArchiveError::NotTar("a name in it is longer than names are"));
        }
        self.content(size, |content| {
            let mut record = Vec::new();
            content.read_to_end(&mut record)?;
            Ok(record)
        })
    }
}

impl Long {
    /// Reads `length key=value` lines (POSIX.1-2001 pax, extended header); the length counts its whole line.
    fn extend(&mut self, mut record: &[u8]) {
        while let Some((digits, _)) = split(record, b' ') {
            let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some((line, rest)) = length.and_then(|length| record.split_at_checked(length)) else { return };
            let Some((_, pair)) = split(line, b' ') else { return };
            let pair = pair.strip_suffix(b"\n").unwrap_or(pair);
            match split(pair, b'=') {
                Some((b"path", path)) => self.path = Some(path.to_vec()),
                Some((b"linkpath", link)) => self.link = Some(link.to_vec()),
                Some(_) | None => {}
            }
            record = rest;
        }
    }
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, from) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == at)?)?;
    Some((before, from.get(1..)?))
}

/// It ends where more should come.
fn cut() -> ArchiveError {
    ArchiveError::NotTar("it was not copied whole")
}

/// None for the block of zeros at the end.
fn read_header(block: &[u8; BLOCK_BYTES]) -> Result<Option<Header>, ArchiveError> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let field = |at: usize, bytes: usize| block.get(at..at.saturating_add(bytes)).unwrap_or_default();
    // The sum counts its own field as blanks.
    let bytes = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let sum = bytes.fold(0_u64, |sum, byte| sum.saturating_add(u64::from(byte)));
    if octal(field(148, 8)) != Some(sum) {
        return Err(ArchiveError::NotTar("a header's sum is wrong"));
    }
    let size = octal(field(124, 12)).ok_or(ArchiveError::NotTar("the size of a file in it is no number"))?;
    let mut path = until_nul(field(0, 100)).to_vec();
    // GNU's own headers have other things there.
    let prefix = if field(257, 6) == b"ustar\0" { until_nul(field(345, 155)) } else { &[] };
    if !prefix.is_empty() {
        path = [prefix, b"/", &path].concat();
    }
    let kind = field(156, 1).first().copied().unwrap_or_default();
    Ok(Some(Header { path, link: until_nul(field(157, 100)).to_vec(), size, kind }))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, perhaps between blanks, up to a NUL; none at all are zero.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = until_nul(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}
