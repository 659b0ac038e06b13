//! What clients of a school were told, by identifier: all of it must be found again, once.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

/// A badge of the round's people.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) badge_id: String,
    pub(super) payload: String,
}

/// Everything told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Sessions opened.
    pub(super) sign_ins: BTreeSet<String>,
    /// Sessions ended by their tablet.
    pub(super) sign_outs: BTreeSet<String>,
    /// Receipts taken.
    pub(super) wipes: BTreeSet<String>,
    /// Badges drawn by the head and not void, oldest first.
    pub(super) drawn: Vec<Card>,
    /// Badges made void, oldest first; by the head or by the DSI.
    pub(super) void: Vec<Card>,
    /// Those that the head made void, each an entry of the box's journal.
    pub(super) void_by_head: BTreeSet<String>,
    /// How many badges were drawn in all.
    pub(super) drawn_in_all: u64,
    /// Sign-ins that may have been done without a word.
    pub(super) untold: u64,
    /// What should not have been said.
    pub(super) odd: Vec<String>,
}

/// Counts of what was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    sign_ins: u64,
    sign_outs: u64,
    wipes: u64,
    drawn: u64,
    void: u64,
}

/// The ledger of a school, and the gate through which its people write.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: Mutex<Told>,
    /// Its write half is held while nobody may write.
    gate: Arc<RwLock<()>>,
    on_the_way: AtomicU64,
}

/// A request on its way.
pub(super) struct OnTheWay<'l> {
    count: &'l AtomicU64,
    _gate: Option<RwLockReadGuard<'l, ()>>,
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ledger {
    /// What was told. Never held across a wait.
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Waits until writing is allowed; it stays so while the answer lives. A witness does not wait.
    pub(super) async fn request(&self, witness: bool) -> OnTheWay<'_> {
        let gate = if witness { None } else { Some(self.gate.read().await) };
        self.on_the_way.fetch_add(1, Ordering::Relaxed);
        OnTheWay { count: &self.on_the_way, _gate: gate }
    }
    /// Waits for the requests on their way; nobody writes while the answer is held.
    pub(super) async fn close(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }
    /// Requests at this moment.
    pub(super) fn on_the_way(&self) -> u64 {
        self.on_the_way.load(Ordering::Relaxed)
    }
    /// Counts.
    pub(super) fn counts(&self) -> Counts {
        let told = self.told();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Counts {
            sign_ins: count(told.sign_ins.len()),
            sign_outs: count(told.sign_outs.len()),
            wipes: count(told.wipes.len()),
            drawn: told.drawn_in_all,
            void: count(told.void.len()),
        }
    }
}

impl std::ops::Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            sign_ins: self.sign_ins + other.sign_ins,
            sign_outs: self.sign_outs + other.sign_outs,
            wipes: self.wipes + other.wipes,
            drawn: self.drawn + other.drawn,
            void: self.void + other.void,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sign_ins, sign_outs, wipes, drawn, void } = self;
        write!(f, "{sign_ins} sign-ins, {sign_outs} sign-outs, {wipes} wipes, {drawn} new badges, {void} void badges")
    }
}
