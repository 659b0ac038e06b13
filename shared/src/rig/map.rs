//! Files that are read where they stand: pages come when they are touched, are shared by every program that maps the same
//! file, and go when memory is short. The one room of this crate that needs `unsafe`.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

/// The bytes of a file.
pub(super) struct Mapped(Mmap);

impl Mapped {
    /// Maps all of it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        #[expect(
            unsafe_code,
            reason = "a mapped file must not change under whoever reads it: what is mapped here lies in a folder of the \
                      program's own, is written whole under another name and renamed into place, and is never written \
                      again (see lists)"
        )]
        // SAFETY: as the reason says; nobody but the program's own account writes in that folder.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
