//! The box's own sealing keys: one small file, the two newest, written before anybody hears of them.

use std::{
    io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use preau_shared::{
    dice::Dice,
    keys::KeyError,
    replica::{
        SealPublic, SealSecret,
        sealing::{KEPT, Numbered},
    },
    rig::keep,
};
use serde::{Deserialize, Serialize};

/// The file, in the folder of the identity.
pub(crate) const SEAL_KEYS: &str = "seal.json";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealsError {
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The file holds something else.
    #[error("{0}: not what a claim writes: restore it from the backup, or claim again with a new code")]
    Damaged(PathBuf),
    /// The provider refuses the key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// One key in the file.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    number: u32,
    /// The coordinator's newest key when this one was drawn: a newer one is the sign to draw another.
    beside: u32,
    /// 32 bytes, hexadecimal.
    secret: String,
}

/// The box's own sealing keys, newest last. Never empty.
pub(crate) struct OwnSeals {
    path: PathBuf,
    kept: Vec<Kept>,
}

impl OwnSeals {
    /// The keys in the file at `path` or, the first time, a new one of number 0.
    ///
    /// # Errors
    /// [`SealsError`] names the file.
    pub(crate) fn first(path: &Path, dice: &dyn Dice) -> Result<Self, SealsError> {
        if let Some(found) = Self::read(path)? {
            return Ok(found);
        }
        let mut new = Self { path: path.to_owned(), kept: Vec::new() };
        new.draw(0, dice)?;
        Ok(new)
    }

    /// The keys in the file; `None` when there is none.
    ///
    /// # Errors
    /// [`SealsError`] names the file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, SealsError> {
        let bytes = keep::read(path).map_err(|why| SealsError::File(path.to_owned(), why))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let kept: Vec<Kept> = serde_json::from_slice(&bytes).map_err(|_| SealsError::Damaged(path.to_owned()))?;
        let found = Self { path: path.to_owned(), kept };
        if found.secrets()?.is_empty() { Err(SealsError::Damaged(found.path)) } else { Ok(Some(found)) }
    }

    /// Every key by number.
    ///
    /// # Errors
    /// [`SealsError::Damaged`].
    pub(crate) fn secrets(&self) -> Result<Numbered<SealSecret>, SealsError> {
        let secret = |kept: &Kept| {
            let bytes = HEXLOWER.decode(kept.secret.as_bytes()).ok()?.try_into().ok()?;
            Some((kept.number, SealSecret::from_bytes(bytes)))
        };
        self.kept.iter().map(secret).collect::<Option<_>>().ok_or_else(|| SealsError::Damaged(self.path.clone()))
    }

    /// Number and public half of the newest.
    ///
    /// # Errors
    /// [`SealsError`].
    pub(crate) fn newest(&self) -> Result<(u32, SealPublic), SealsError> {
        let secrets = self.secrets()?;
        let (number, secret) = secrets.last().ok_or_else(|| SealsError::Damaged(self.path.clone()))?;
        Ok((*number, secret.public()?))
    }

    /// The coordinator's newest key when the newest of these was drawn.
    pub(crate) fn beside(&self) -> u32 {
        self.kept.last().map_or(0, |kept| kept.beside)
    }

    /// Draws a new key beside the coordinator's newest: durable when this returns.
    ///
    /// # Errors
    /// [`SealsError::File`]; then nothing has changed.
    pub(crate) fn draw(&mut self, beside: u32, dice: &dyn Dice) -> Result<(), SealsError> {
        let mut kept = self.kept.clone();
        let number = kept.last().map_or(0, |last| last.number.saturating_add(1));
        kept.push(Kept { number, beside, secret: HEXLOWER.encode(SealSecret::draw(dice).as_bytes()) });
        let older = kept.len().saturating_sub(KEPT);
        kept.drain(..older);
        let bytes = serde_json::to_vec(&kept).map_err(|_| SealsError::Damaged(self.path.clone()))?;
        keep::secret(&self.path, &bytes).map_err(|why| SealsError::File(self.path.clone(), why))?;
        self.kept = kept;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn the_two_newest_are_kept_and_secret() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, dice) = (dir.path().join(SEAL_KEYS), Seeded::new(1));
        let first = OwnSeals::first(&path, &dice).expect("drawn").newest().expect("key");
        let mut again = OwnSeals::first(&path, &dice).expect("kept");
        assert_eq!((again.newest().expect("the same"), first.0), (first, 0));
        again.draw(2, &dice).expect("drawn");
        again.draw(3, &dice).expect("drawn");
        let read = OwnSeals::read(&path).expect("readable").expect("there");
        assert_eq!(read.secrets().expect("secrets").keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((read.newest().expect("newest").0, read.beside()), (2, 3));
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        for wrong in ["[]", "{}", r#"[{"number":1,"beside":1,"secret":"00"}]"#] {
            std::fs::write(&path, wrong).expect("damage");
            assert!(matches!(OwnSeals::read(&path), Err(SealsError::Damaged(_))), "{wrong}");
        }
    }
}
