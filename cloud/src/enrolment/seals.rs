//! The coordinator's sealing keys: one file each beside the other secrets, two at most in use, changed every 90 days or
//! when somebody says so.
//!
//! A new key is drawn, told to every school by its document, and used towards a box once that box has used it
//! ([`Sealing`]). The older one opens until every box has used the newer, and for [`KEPT_FOR`] at least: a coordinator
//! restored from a backup of that age still has a key that boxes know. When the older key was stolen (`hurried`) it goes as soon as
//! every box has used the newer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use preau_shared::{
    dice::Dice,
    documents::{School, school},
    ids::{BoxId, Uai},
    journal::Entry,
    keys::KeyError,
    replica::{
        SealPublic, SealSecret, Sealing, Shelf, Side,
        sealing::{Held, KEPT, Numbered, keep_newest},
    },
    rig::{
        keep,
        shelves::{self, Author, ShelfError},
        task::Tasks,
        writer::StoreError,
    },
    time::Clock,
};
use tokio::time::{MissedTickBehavior, interval};

use super::{AuthorityError, EnrolmentError, gone::Crier};
use crate::{
    coordinator::project::Projection,
    store::{
        Database, Tx, boxes,
        seals::{self, SealKey},
    },
};

/// A key is replaced after so long.
pub(crate) const RENEWED_EVERY: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The one before is kept so long at least: as long as boxes keep what was acknowledged (ARCHITECTURE §2.4).
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// News of boxes' keys are looked for so often.
const TENDED_EVERY: Duration = Duration::from_secs(5);
/// Announcements are read again from so many places back: on a shared database they may become visible out of order.
const OVERLAP: i64 = 100;

/// What the keys stand on.
pub(crate) struct Ground {
    /// Folder of the authority.
    pub(crate) folder: PathBuf,
    /// Where numbers and public halves are kept.
    pub(crate) database: Database,
    /// Writes the schools' documents.
    pub(crate) author: Arc<Author>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) dice: Arc<dyn Dice>,
}

/// The sealing keys, and the hop of each box. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Seals(Arc<Inner>);

struct Inner {
    ground: Ground,
    own: RwLock<Numbered<SealSecret>>,
    boxes: RwLock<BTreeMap<BoxId, Numbered<SealPublic>>>,
    hops: Mutex<BTreeMap<BoxId, Arc<Sealing>>>,
    /// Seen and not yet written down.
    uses: Mutex<BTreeMap<BoxId, u32>>,
}

/// How far a key has come, for a page.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct KeyState {
    /// Which.
    pub(crate) number: u32,
    /// Whole days since it was drawn.
    pub(crate) age_days: u64,
    /// Boxes that were not yet seen to use it or a newer one.
    pub(crate) boxes_without: u64,
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seals")
    }
}

impl Seals {
    /// Reads the keys; draws the first.
    ///
    /// # Errors
    /// When the store or a file cannot be used; a missing file is named.
    pub(crate) async fn open(ground: Ground) -> Result<Self, EnrolmentError> {
        let rows = ground.database.read::<_, EnrolmentError>(|conn| Ok(seals::keys(conn)?)).await?;
        let this = Self(Arc::new(Inner {
            ground,
            own: RwLock::default(),
            boxes: RwLock::default(),
            hops: Mutex::default(),
            uses: Mutex::default(),
        }));
        for row in &rows {
            let path = this.path(row.number);
            match (row.withdrawn_at, read(&path)?) {
                (Some(_), None) => {}
                // Died between the two.
                (Some(_), Some(_)) => remove(&path)?,
                (None, Some(secret)) => drop(lock(&this.0.own).insert(row.number, secret)),
                (None, None) => tracing::error!(path = %path.display(), "a sealing key is missing: copy or restore it"),
            }
        }
        if lock(&this.0.own).is_empty() {
            if let Some(row) = rows.last() {
                return Err(AuthorityError::Damaged { path: this.path(row.number) }.into());
            }
            this.draw(1, false).await?;
        }
        this.learn(&mut 0).await?;
        Ok(this)
    }

    /// Number and public half of the newest key: what a new box is told.
    ///
    /// # Errors
    /// [`KeyError`] when there is none.
    pub(crate) fn newest(&self) -> Result<(u32, SealPublic), KeyError> {
        let own = self.0.own.read().unwrap_or_else(PoisonError::into_inner);
        let (number, secret) = own.last().ok_or(KeyError)?;
        Ok((*number, secret.public()?))
    }

    /// A box was admitted with its first key.
    pub(crate) fn admit(&self, box_id: BoxId, public: SealPublic) {
        lock(&self.0.boxes).entry(box_id).or_default().entry(0).or_insert(public);
    }

    /// A box was revoked.
    pub(crate) fn forget(&self, box_id: BoxId) {
        lock(&self.0.boxes).remove(&box_id);
        hold(&self.0.hops).remove(&box_id);
        hold(&self.0.uses).remove(&box_id);
    }

    /// The hop to a box.
    ///
    /// # Errors
    /// [`KeyError`] when no key of the box is known.
    pub(crate) fn hop(&self, box_id: BoxId) -> Result<Arc<Sealing>, KeyError> {
        if let Some(hop) = hold(&self.0.hops).get(&box_id) {
            return Ok(hop.clone());
        }
        let (looking, noting) = (Arc::downgrade(&self.0), Arc::downgrade(&self.0));
        let look = Arc::new(move || {
            let inner = looking.upgrade()?;
            let own = inner.own.read().unwrap_or_else(PoisonError::into_inner).clone();
            let theirs = inner.boxes.read().unwrap_or_else(PoisonError::into_inner).get(&box_id).cloned()?;
            Some(Held { own, theirs })
        });
        let proved = Arc::new(move |number| {
            if let Some(inner) = noting.upgrade() {
                hold(&inner.uses).insert(box_id, number);
            }
        });
        let hop = Arc::new(Sealing::new(Side::Coordinator, look, proved)?);
        Ok(hold(&self.0.hops).entry(box_id).or_insert(hop).clone())
    }

    /// How far each key in use has come, newest last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn states(&self) -> Result<Vec<KeyState>, EnrolmentError> {
        let now = self.0.ground.clock.stamp();
        let state = move |conn: &Tx, key: SealKey| {
            let age = u64::try_from(now.0.saturating_sub(key.drawn_at.0)).unwrap_or_default();
            let boxes_without = seals::still_without(conn, key.number)?;
            Ok::<_, StoreError>(KeyState { number: key.number, age_days: age / (24 * 60 * 60 * 1_000), boxes_without })
        };
        let read = self.0.ground.database.read(move |conn| {
            seals::keys(conn)?.into_iter().filter(|k| k.withdrawn_at.is_none()).map(|k| state(conn, k)).collect()
        });
        Ok(read.await?)
    }

    /// Draws a new key and tells every school. `hurried`: the one before was stolen.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing has changed. Schools that could not be told are told later.
    pub(crate) async fn rotate(&self, hurried: bool) -> Result<u32, EnrolmentError> {
        let rows = self.0.ground.database.read::<_, EnrolmentError>(|conn| Ok(seals::keys(conn)?)).await?;
        let number = rows.last().map_or(0, |row| row.number).saturating_add(1);
        self.draw(number, hurried).await?;
        self.tell().await?;
        Ok(number)
    }

    /// Keeps all up to date until the program stops.
    pub(crate) fn start(&self, tasks: &Tasks) {
        let (this, mut stop) = (self.clone(), tasks.stopping());
        tasks.spawn("sealing keys", async move {
            let mut every = interval(TENDED_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut place = 0;
            // What an earlier life could not tell.
            let (mut told, mut gone) = (false, BTreeSet::new());
            let Ground { database, author, clock, .. } = &this.0.ground;
            let crier = Crier { database: database.clone(), author: author.clone(), clock: clock.clone() };
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    () = stop.wait() => return,
                }
                if let Err(error) = this.tend(&mut place, &mut told).await {
                    tracing::error!(%error, "the sealing keys could not be kept up to date");
                }
                if let Err(error) = crier.tell(&mut gone).await {
                    tracing::error!(%error, "schools could not be told of revoked boxes");
                }
            }
        });
    }

    async fn tend(&self, place: &mut i64, told: &mut bool) -> Result<(), EnrolmentError> {
        if !std::mem::replace(told, true) {
            self.tell().await?;
        }
        self.learn(place).await?;
        let uses = std::mem::take(&mut *hold(&self.0.uses));
        if !uses.is_empty() {
            self.0.ground.database.commit::<_, StoreError>(move |conn| seals::used(conn, &uses)).await?;
        }
        let (now, database) = (self.0.ground.clock.stamp(), &self.0.ground.database);
        let mut live = database.read::<_, StoreError>(seals::keys).await?;
        live.retain(|key| key.withdrawn_at.is_none());
        let Some(newest) = live.pop() else { return Ok(()) };
        if newest.drawn_at.after(RENEWED_EVERY) < now {
            tracing::info!("the sealing key is 90 days old: a new one is drawn");
            return self.rotate(false).await.map(drop);
        }
        // More than two cannot be told apart by a box.
        let crowded = live.len().saturating_add(1) > KEPT;
        let due = newest.hurried || newest.drawn_at.after(KEPT_FOR) < now || crowded;
        if live.is_empty() || !due {
            return Ok(());
        }
        let number = newest.number;
        if database.read::<_, StoreError>(move |conn| seals::still_without(conn, number)).await? > 0 {
            return Ok(());
        }
        self.withdraw(&live).await
    }

    /// Ends these keys: row, memory, schools, file.
    async fn withdraw(&self, keys: &[SealKey]) -> Result<(), EnrolmentError> {
        let numbers: Vec<u32> = keys.iter().map(|key| key.number).collect();
        let (ended, now, author) = (numbers.clone(), self.0.ground.clock.stamp(), self.0.ground.author.clone());
        let act = move |conn: &Tx| {
            for number in ended {
                seals::withdraw(conn, number, now)?;
                let what = format!("sealing key {number} withdrawn");
                shelves::journal(conn, &author, &Shelf::Territory, now, &Entry::Audit { what, by: None })?;
            }
            Ok::<_, ShelfError>(())
        };
        self.0.ground.database.commit(act).await?;
        lock(&self.0.own).retain(|number, _| !numbers.contains(number));
        self.refresh();
        self.tell().await?;
        for number in numbers {
            remove(&self.path(number))?;
            tracing::info!(number, "every box uses the newer sealing key: this one is withdrawn");
        }
        Ok(())
    }

    /// File first, then row and journal, then use.
    async fn draw(&self, number: u32, hurried: bool) -> Result<(), EnrolmentError> {
        let secret = SealSecret::draw(&*self.0.ground.dice);
        let public = secret.public().map_err(AuthorityError::from)?;
        let path = self.path(number);
        keep::secret(&path, secret.as_bytes()).map_err(|why| AuthorityError::File { path, why })?;
        let (now, author) = (self.0.ground.clock.stamp(), self.0.ground.author.clone());
        let key = SealKey { number, public, drawn_at: now, hurried, withdrawn_at: None };
        let act = move |conn: &Tx| {
            seals::drawn(conn, &key)?;
            let what =
                format!("sealing key {number} drawn{}", if hurried { ", the one before is not trusted" } else { "" });
            shelves::journal(conn, &author, &Shelf::Territory, now, &Entry::Audit { what, by: None })?;
            Ok::<_, ShelfError>(())
        };
        self.0.ground.database.commit(act).await?;
        lock(&self.0.own).insert(number, secret);
        self.refresh();
        Ok(())
    }

    /// Brings the document of every school with a box up to date.
    async fn tell(&self) -> Result<(), EnrolmentError> {
        let rows = self.0.ground.database.read::<_, StoreError>(boxes::all).await?;
        let mut schools: Vec<Uai> =
            rows.into_iter().filter(|row| row.revoked_at.is_none()).map(|row| row.uai).collect();
        schools.dedup();
        for uai in schools {
            let (author, now) = (self.0.ground.author.clone(), self.0.ground.clock.stamp());
            let act = move |conn: &Tx| tell_school(conn, &author, &uai, now);
            match self.0.ground.database.commit(act).await {
                // Another coordinator holds that school and tells it.
                Ok(()) | Err(ShelfError::Store(StoreError::Elsewhere(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Learns what boxes announced.
    async fn learn(&self, place: &mut i64) -> Result<(), EnrolmentError> {
        let mut news = Vec::new();
        let mut after = place.saturating_sub(OVERLAP);
        loop {
            let page = self.0.ground.database.read::<_, StoreError>(move |conn| seals::announced(conn, after)).await?;
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            news.extend(page);
        }
        *place = after.max(*place);
        let changed: Vec<BoxId> = {
            let mut known = lock(&self.0.boxes);
            let fresh = |(_, box_id, number, public): seals::Announced| {
                let keys = known.entry(box_id).or_default();
                let new = keys.insert(number, public).is_none();
                keep_newest(keys);
                new.then_some(box_id)
            };
            news.into_iter().filter_map(fresh).collect()
        };
        let hops = hold(&self.0.hops).clone();
        changed.iter().filter_map(|box_id| hops.get(box_id)).for_each(|hop| hop.refresh());
        Ok(())
    }

    fn refresh(&self) {
        let hops: Vec<Arc<Sealing>> = hold(&self.0.hops).values().cloned().collect();
        hops.iter().for_each(|hop| hop.refresh());
    }

    fn path(&self, number: u32) -> PathBuf {
        self.0.ground.folder.join(format!("seal-{number}.key"))
    }
}

/// Makes a school's document tell the keys in use, and none that was withdrawn.
pub(super) fn tell_school(
    conn: &Tx,
    author: &Author,
    uai: &Uai,
    now: preau_shared::time::Stamp,
) -> Result<(), ShelfError> {
    let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(uai));
    let Some(fields) = shelves::document(conn, &shelf, &doc)? else { return Ok(()) };
    let mut keys = school::seal_keys(&fields);
    for key in seals::keys(conn)? {
        match key.withdrawn_at {
            None => drop(keys.insert(key.number, Some(key.public))),
            // What a school was never told need not be taken back.
            Some(_) => drop(keys.get_mut(&key.number).map(Option::take)),
        }
    }
    shelves::edit(conn, author, &shelf, now, &school::tell_seal_keys(uai, &keys), &Projection).map(drop)
}

fn read(path: &Path) -> Result<Option<SealSecret>, AuthorityError> {
    let bytes = keep::read(path).map_err(|why| AuthorityError::File { path: path.to_owned(), why })?;
    let damaged = |_| AuthorityError::Damaged { path: path.to_owned() };
    bytes.map(|bytes| bytes.try_into().map(SealSecret::from_bytes).map_err(damaged)).transpose()
}

fn remove(path: &Path) -> Result<(), AuthorityError> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(AuthorityError::File { path: path.to_owned(), why })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn lock<T>(of: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    of.write().unwrap_or_else(PoisonError::into_inner)
}

fn hold<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
