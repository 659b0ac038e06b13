//! What the box says of itself: upwards with every message, and on its own page.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use preau_shared::{
    replica::vitals::Vitals,
    rig::{
        reader::Reader,
        shelves::{self, Author, ShelfError},
    },
    time::{Clock, ClockQuality, Stamp},
    wire::TabletCounts,
};

use crate::store::{sessions, tablets, work::disk};

#[derive(Debug)]
struct State {
    clock: ClockQuality,
    blocklist_version: Option<String>,
    last_error: Option<String>,
    link_error: Option<String>,
    disk_error: Option<String>,
    /// By what is in trouble: a list that is fetched, a door that cannot be opened.
    troubles: BTreeMap<String, String>,
}

impl State {
    /// The error that matters most to whoever reads one line: a failing disk, then a room, then the link, then
    /// what else is in trouble.
    fn worst_error(&self) -> Option<String> {
        let errors = [&self.disk_error, &self.last_error, &self.link_error];
        errors.into_iter().find_map(Clone::clone).or_else(|| self.troubles.values().next().cloned())
    }
}

/// What the rooms of the box report of their health. No names and no sites are in it.
#[derive(Debug)]
pub(crate) struct Health(Mutex<State>);

impl Health {
    /// A box whose clock is trusted so far.
    pub(crate) fn new(clock: ClockQuality) -> Self {
        Self(Mutex::new(State {
            clock,
            blocklist_version: None,
            last_error: None,
            link_error: None,
            disk_error: None,
            troubles: BTreeMap::new(),
        }))
    }
    /// How far the wall clock is trusted, which says `now`.
    pub(crate) fn clock(&self, now: Stamp) -> ClockQuality {
        if now.is_plausible() { self.state().clock } else { ClockQuality::Unknown }
    }
    /// The filter uses this list.
    pub(crate) fn set_blocklist(&self, version: Option<String>) {
        self.state().blocklist_version = version;
    }
    /// Something went wrong, in words with its remedy; `None` when it is over.
    pub(crate) fn set_error(&self, error: Option<String>) {
        self.state().last_error = error;
    }
    /// What the link to the coordinator says went wrong, or that it is over.
    pub(crate) fn set_link_error(&self, error: Option<String>) {
        self.state().link_error = error;
    }
    /// Something of the box is in trouble while the rest goes on, in words with the remedy; `None` when it is over.
    pub(crate) fn set_trouble(&self, what: &str, error: Option<String>) {
        let troubles = &mut self.state().troubles;
        match error {
            Some(error) => troubles.insert(what.to_owned(), error),
            None => troubles.remove(what),
        };
    }
    /// The disk refuses to write.
    pub(crate) fn disk_failed(&self) {
        self.state().disk_error = Some("the disk refuses to write: replace the box's disk".into());
    }
    /// It writes again.
    pub(crate) fn mended(&self) {
        self.state().disk_error = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The box's state as it stands now.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn tell(reader: &Reader, author: &Author, clock: &dyn Clock, health: &Health) -> Result<Vitals, ShelfError> {
    let (counts, signed_in, exposure, works) = reader.read(|conn| {
        let exposure = shelves::exposure(conn, &author.origin)?;
        Ok::<_, ShelfError>((tablets::counts(conn)?, sessions::signed_in(conn)?, exposure, disk::standing(conn)?))
    })?;
    let quality = health.clock(clock.stamp());
    let ms = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let state = health.state();
    let vitals = Vitals {
        tablets: counts,
        signed_in,
        written: exposure.written,
        unsynced: exposure.entries,
        oldest_unsynced_age_ms: exposure.oldest.map(|oldest| ms(clock.stamp().since(oldest))),
        lag_ms: exposure.lag.map(ms),
        clock: quality,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        blocklist_version: state.blocklist_version.clone(),
        last_error: state.worst_error(),
        unsynced_files: works.files,
    };
    Ok(vitals.bounded())
}

/// What is said while the store cannot even be read: the error, and zeros.
pub(crate) fn unreadable(error: &ShelfError, health: &Health) -> Vitals {
    let state = health.state();
    Vitals {
        tablets: TabletCounts::default(),
        signed_in: 0,
        written: 0,
        unsynced: 0,
        oldest_unsynced_age_ms: None,
        lag_ms: None,
        clock: state.clock,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        blocklist_version: state.blocklist_version.clone(),
        last_error: Some(format!("the box's database cannot be read ({error}): restore the last backup")),
        unsynced_files: 0,
    }
    .bounded()
}
