//! Keeps the block lists those of their folder: looked through when the box starts, compiled anew when a file changes, and
//! put in place between two questions.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use preau_shared::{
    blocklist::BlockList,
    dice::Dice,
    policy::Lists,
    rig::{
        lists::{self, ListsError},
        task::Tasks,
    },
};

use super::Filter;
use crate::replica::vitals::Health;

/// The folder is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Where block lists come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Where they lie once they are compiled.
    pub(crate) home: PathBuf,
}

/// What a look at the folder showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Its files are those that were compiled.
    Same,
    /// They are others, and in force.
    Renewed,
    /// They have less than half of the names: the ones before stay in force until somebody says that it is meant.
    Shrunk { from: u64, to: u64 },
}

impl Source {
    /// The lists as the box starts: those that were in use last, or else the folder's. Compiling takes seconds for millions
    /// of names: call it where waiting is allowed. Lists that cannot be read are lost, which closes the filter to whoever
    /// has a blocked category; the reason is logged.
    pub(crate) fn load(&self, dice: &dyn Dice) -> Lists {
        let last = lists::in_use(&self.home).unwrap_or_else(|error| {
            tracing::warn!(%error, "the block lists that were in use cannot be read");
            None
        });
        let list = last.map_or_else(|| lists::compiled(&self.folder, &self.home, dice), |(_, list)| Ok(list));
        match list {
            Ok(list) => {
                told(&list);
                Lists::Loaded(Arc::new(list))
            }
            Err(error) => {
                tracing::error!(%error, "block lists cannot be read: pupils see only names allowed one by one");
                Lists::Lost
            }
        }
    }
}

/// Looks at the folder; other lists than those in use take their place.
pub(super) fn look(filter: &Filter, source: &Source, dice: &dyn Dice) -> Result<Look, ListsError> {
    let Source { folder, home } = source;
    let name = lists::made_of(folder)?;
    let now = filter.in_force().lists.clone();
    let in_use = lists::in_use(home).ok().flatten();
    let names = match &now {
        Lists::Loaded(_) if in_use.is_some_and(|(used, _)| used == name) => return Ok(Look::Same),
        Lists::Loaded(list) => list.counts().0,
        Lists::Lost | Lists::None => 0,
    };
    let list = lists::prepare((folder, &name), home, dice)?;
    if name != lists::made_of(folder)? {
        // Somebody is writing there: the next look sees all of it.
        return Ok(Look::Same);
    }
    let (found, _) = list.counts();
    if found < names / 2 {
        return Ok(Look::Shrunk { from: names, to: found });
    }
    lists::put_in_use(home, &name)?;
    told(&list);
    filter.set_lists(Lists::Loaded(Arc::new(list)));
    Ok(Look::Renewed)
}

/// Whether what is in force is what was compiled; what is not goes, and is compiled anew.
pub(super) fn check(filter: &Filter, source: &Source, dice: &dyn Dice) {
    let Lists::Loaded(list) = filter.in_force().lists.clone() else { return };
    let Err(error) = list.check() else { return };
    tracing::error!(%error, "a compiled block list is damaged: it is compiled anew");
    let forgotten = lists::in_use(&source.home).and_then(|used| match used {
        Some((name, _)) => lists::forget(&source.home, &name),
        None => Ok(()),
    });
    if let Err(error) = forgotten {
        tracing::warn!(%error, "the damaged block list cannot be removed");
    }
    filter.set_lists(source.load(dice));
}

/// Keeps the lists those of the folder until the stop.
pub(crate) fn follow(filter: Arc<Filter>, source: Source, (dice, health): (Arc<dyn Dice>, Arc<Health>), tasks: &Tasks) {
    let mut stop = tasks.stopping();
    tasks.spawn("block lists", async move {
        let mut checked = false;
        loop {
            let (filter, source, dice) = (Arc::clone(&filter), source.clone(), Arc::clone(&dice));
            let looked = tokio::task::spawn_blocking(move || {
                if !checked {
                    check(&filter, &source, dice.as_ref());
                }
                let looked = look(&filter, &source, dice.as_ref());
                (looked, filter.blocklist_version())
            });
            checked = true;
            if let Ok((looked, version)) = looked.await {
                health.set_blocklist(version);
                health.set_error(said(&looked));
            }
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    });
}

/// What the head and the DSI read of it.
fn said(looked: &Result<Look, ListsError>) -> Option<String> {
    match looked {
        Ok(Look::Same | Look::Renewed) => None,
        Ok(Look::Shrunk { from, to }) => Some(format!(
            "the new block lists have {to} names, those before have {from}: they stay in use. Put the missing files back, or \
             empty the folder of compiled lists and restart the box if this is meant"
        )),
        Err(error) => Some(format!("the block lists cannot be read: {error}. The last ones stay in use")),
    }
}

/// Says in the log what is in use.
pub(super) fn told(list: &BlockList) {
    let ((names, changed), (_, left_out)) = (list.counts(), list.bad_lines());
    tracing::info!(names, changed, left_out, version = list.version(), "block lists are there");
}

/// Where a box keeps compiled lists.
pub(crate) fn home(dir: &Path) -> PathBuf {
    dir.join("blocklists")
}
