//! Block lists as the coordinator starts.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use preau_shared::{
    dice::Dice,
    policy::Lists,
    rig::lists::{self, ListsError},
};

/// Where the coordinator keeps compiled lists.
pub(super) fn home(dir: &Path) -> PathBuf {
    dir.join("blocklists")
}

/// The lists of the folder, or else those that were in use last. Compiling takes seconds for millions of names: call it
/// where waiting is allowed. Lists that cannot be read are lost, which closes the filter to whoever has a blocked category;
/// the reason is logged.
pub(super) fn load(folder: &Path, home: &Path, dice: &dyn Dice) -> Lists {
    let list = current(folder, home, dice).or_else(|error| match lists::in_use(home) {
        Ok(Some((_, last))) => {
            tracing::error!(%error, "the block lists cannot be read: the last ones stay in use");
            Ok(last)
        }
        Ok(None) | Err(_) => Err(error),
    });
    match list {
        Ok(list) => {
            let ((names, changed), (_, left_out)) = (list.counts(), list.bad_lines());
            tracing::info!(names, changed, left_out, version = list.version(), "block lists are there");
            Lists::Loaded(Arc::new(list))
        }
        Err(error) => {
            tracing::error!(%error, "block lists cannot be read: pupils see only names allowed one by one");
            Lists::Lost
        }
    }
}

/// The folder's, unless they lost half of the names of those in use.
fn current(folder: &Path, home: &Path, dice: &dyn Dice) -> Result<preau_shared::blocklist::BlockList, ListsError> {
    let name = lists::made_of(folder)?;
    let list = lists::prepare((folder, &name), home, dice)?;
    if let Ok(Some((used, last))) = lists::in_use(home)
        && used != name
        && list.counts().0 < last.counts().0 / 2
    {
        tracing::error!(
            from = last.counts().0,
            to = list.counts().0,
            "the new block lists lost half of their names: those before stay in use. Empty {} if this is meant",
            home.display()
        );
        return Ok(last);
    }
    lists::put_in_use(home, &name)?;
    Ok(list)
}
