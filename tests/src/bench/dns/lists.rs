//! The list in the form that each server reads: every name, and everything under it, is not.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{
    ground::{Ground, once},
    message,
};
use crate::bench::names::name;

/// Tables of a CDB file.
const TABLES: usize = 256;
/// Bytes of its beginning: where each table is, and how many places it has.
const BEGINNING: u32 = 2_048;

impl Ground {
    /// Lines of text, some for each name, after those of `head`.
    fn lines(&self, file: &str, head: &str, line: impl Fn(&str, &mut String)) -> Result<PathBuf> {
        let at = self.dir.join(file);
        once(&at, |to| {
            let (mut out, mut text) = (BufWriter::with_capacity(1 << 20, File::create(to)?), String::from(head));
            for n in 0..self.names {
                line(&name(n), &mut text);
                out.write_all(text.as_bytes())?;
                text.clear();
            }
            Ok(out.flush()?)
        })?;
        Ok(at)
    }

    /// unbound's local zones.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn local_zones(&self) -> Result<PathBuf> {
        self.lines("black.zones", "server:\n", |name, text| {
            text.extend(["local-zone: \"", name, ".\" always_nxdomain\n"]);
        })
    }

    /// dnsmasq's names that nobody is asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn local_names(&self) -> Result<PathBuf> {
        self.lines("black.local", "", |name, text| text.extend(["local=/", name, "/\n"]))
    }

    /// A response policy zone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn policy_zone(&self) -> Result<PathBuf> {
        let head =
            "$TTL 3600\n$ORIGIN black.rpz.\n@ SOA localhost. root.localhost. 1 3600 600 86400 3600\n@ NS localhost.\n";
        self.lines("black.rpz", head, |name, text| text.extend([name, " CNAME .\n*.", name, " CNAME .\n"]))
    }

    /// A constant database (CDB): names as they go over the wire.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn constant_database(&self) -> Result<PathBuf> {
        let at = self.dir.join("black.cdb");
        once(&at, |to| self.write_database(to))?;
        Ok(at)
    }

    fn write_database(&self, to: &Path) -> Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(to)?);
        let mut tables: Vec<Vec<(u32, u32)>> = vec![Vec::new(); TABLES];
        let mut place = BEGINNING;
        out.write_all(&vec![0; usize::try_from(BEGINNING)?])?;
        for n in 0..self.names {
            let key = message::wire(&name(n));
            let hash = key.iter().fold(5_381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(*byte));
            tables[usize::try_from(hash)? % TABLES].push((hash, place));
            let length = u32::try_from(key.len())?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&1_u32.to_le_bytes())?;
            out.write_all(&key)?;
            out.write_all(b"1")?;
            place += 8 + length + 1;
        }
        let mut beginning = Vec::new();
        for table in tables {
            let places = table.len() * 2;
            let mut slots = vec![(0, 0); places];
            for (hash, at) in table {
                let mut slot = usize::try_from(hash >> 8)? % places;
                while slots[slot].1 != 0 {
                    slot = (slot + 1) % places;
                }
                slots[slot] = (hash, at);
            }
            let places = u32::try_from(places)?;
            beginning.extend([place, places].map(u32::to_le_bytes).concat());
            for (hash, at) in slots {
                out.write_all(&[hash, at].map(u32::to_le_bytes).concat())?;
            }
            place += places * 8;
        }
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&beginning)?;
        Ok(out.flush()?)
    }
}
