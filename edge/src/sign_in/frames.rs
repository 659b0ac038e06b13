//! Camera frames decoded on the box, only where the DSI said so: in memory, one at a time, never stored, nothing logged.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use preau_shared::{
    badge::{Badge, ForeignCode},
    ids::TabletId,
    refusal::Refusal,
    wire::FrameRead,
};
use rxing::{BarcodeFormat, DecodeHints, Point, helpers::detect_in_luma_filtered_with_hints};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::store::Trouble;

/// Frames held at once, one of a tablet: one is read, the others wait.
const PLACES: usize = 4;
/// Who waits longer for her turn is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// A reading that takes longer is given up.
const MAX_READING: Duration = Duration::from_secs(5);
/// Readers that nobody waits for any more: the library cannot be stopped, and a thread not be killed. So many, and frames
/// are refused until one of them ends, or the box is started again.
pub(crate) const MOST_LEFT: usize = 2;
/// Codes that are told of one frame.
const MAX_CODES: usize = 10;

/// A frame: a byte of grey for each pixel, line by line.
pub(crate) struct Frame {
    pub(crate) wide: u32,
    pub(crate) high: u32,
    /// `wide` × `high` of them.
    pub(crate) greys: Vec<u8>,
}

/// Frames under way.
#[derive(Debug)]
pub(crate) struct Frames {
    senders: Arc<Mutex<BTreeSet<TabletId>>>,
    turn: Semaphore,
    left: Arc<AtomicUsize>,
    sent: AtomicUsize,
    read: AtomicUsize,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            senders: Arc::default(),
            turn: Semaphore::new(1),
            left: Arc::default(),
            sent: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
        }
    }
}

/// A place for one frame; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    senders: Arc<Mutex<BTreeSet<TabletId>>>,
    tablet: TabletId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tablet);
    }
}

impl Frames {
    /// A place for one frame of a tablet, from before its first byte until its answer; none when all are taken, or when it
    /// has one.
    pub(crate) fn place(&self, tablet: TabletId) -> Option<Place> {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let free = senders.len() < PLACES && senders.insert(tablet);
        free.then(|| Place { senders: Arc::clone(&self.senders), tablet })
    }

    /// Somebody sends a frame, whatever comes of it.
    pub(crate) fn knock(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames that were sent since the start, those of them that were read, and readers that nobody waits for: for the
    /// metrics page.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        (count(&self.sent), count(&self.read), count(&self.left))
    }

    /// Reads a frame, in its turn, on a thread of its own. A reader that stumbles over a frame found nothing in it.
    ///
    /// # Errors
    /// `overloaded` when it takes too long, or too many readers were left behind.
    pub(crate) async fn read(&self, frame: Frame) -> Result<FrameRead, Trouble> {
        let found = self.read_by(MAX_READING, move || read(frame)).await?;
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    async fn read_by(
        &self,
        most: Duration,
        read: impl FnOnce() -> FrameRead + Send + 'static,
    ) -> Result<FrameRead, Trouble> {
        let late = || Trouble::for_now(Refusal::Overloaded, 1);
        let turn = timeout(MAX_WAIT, self.turn.acquire()).await;
        let _turn = turn.map_err(|_| late())?.map_err(|_| late())?;
        if self.left.load(Ordering::Relaxed) >= MOST_LEFT {
            return Err(Trouble::for_now(Refusal::Overloaded, 60));
        }
        // Given up, or its asker hung up: the turn is free again, and the reader is counted until it ends.
        let watch = Watch::new(&self.left);
        let reading = start(watch.other(), read).map_err(|error| {
            tracing::warn!(%error, "no thread to read a frame");
            late()
        })?;
        // A panic ends with the thread.
        Ok(timeout(most, reading).await.map_err(|_| late())?.unwrap_or_default())
    }
}

/// One end of a reading, of two: of whoever waits, and of the reader. The first to go counts the other one as left behind,
/// the second takes that back.
struct Watch {
    left: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    waits: bool,
}

impl Watch {
    fn new(left: &Arc<AtomicUsize>) -> Self {
        Self { left: Arc::clone(left), is_over: Arc::default(), waits: true }
    }

    fn other(&self) -> Self {
        Self { left: Arc::clone(&self.left), is_over: Arc::clone(&self.is_over), waits: false }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.waits {
            self.left.fetch_add(1, Ordering::SeqCst);
        }
        if self.is_over.swap(true, Ordering::SeqCst) {
            self.left.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A thread of its own, which holds up neither the runtime's others nor the end of the program.
fn start(watch: Watch, read: impl FnOnce() -> FrameRead + Send + 'static) -> io::Result<oneshot::Receiver<FrameRead>> {
    let (done, hear) = oneshot::channel();
    thread::Builder::new().name("frame".into()).spawn(move || {
        let found = {
            let _watch = watch;
            read()
        };
        // Whoever asked may be gone.
        drop(done.send(found));
    })?;
    Ok(hear)
}

/// One code after the other: what was read is covered, so that the next one is found.
fn read(frame: Frame) -> FrameRead {
    let Frame { wide, high, mut greys } = frame;
    let mut texts: BTreeSet<String> = BTreeSet::new();
    for _ in 0..MAX_CODES {
        let (kind, mut hints) = (Some(BarcodeFormat::QR_CODE), DecodeHints::default());
        let Ok(code) = detect_in_luma_filtered_with_hints(greys.clone(), wide, high, kind, &mut hints) else { break };
        if !texts.insert(code.getText().to_owned()) {
            break;
        }
        cover(&mut greys, wide, code.getPoints());
    }
    told(&texts)
}

/// Paints white what lies between these points, and a third as much around it: they are the corners, or the middles of the
/// three finders.
fn cover(greys: &mut [u8], wide: u32, points: &[Point]) {
    let range = |of: fn(&Point) -> f32| {
        let (least, most) = points.iter().map(of).fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(x), b.max(x)));
        let around = (most - least) / 3.0;
        (least - around, most + around)
    };
    let ((left, right), (top, bottom)) = (range(|p| p.x), range(|p| p.y));
    let within = |at: usize, (least, most): (f32, f32)| {
        let at = u16::try_from(at).map_or(f32::MAX, f32::from);
        (least..=most).contains(&at)
    };
    let line = usize::try_from(wide).unwrap_or(usize::MAX).max(1);
    for (_, greys) in greys.chunks_mut(line).enumerate().filter(|(y, _)| within(*y, (top, bottom))) {
        greys.iter_mut().enumerate().filter(|(x, _)| within(*x, (left, right))).for_each(|(_, grey)| *grey = u8::MAX);
    }
}

/// Badges as they are; of any other code what a tablet says of it, for its text may be a password of another system.
fn told(texts: &BTreeSet<String>) -> FrameRead {
    let (badges, others): (Vec<&String>, Vec<&String>) = texts.iter().partition(|text| Badge::parse(text).is_ok());
    let left = MAX_CODES.saturating_sub(badges.len());
    FrameRead {
        badges: badges.into_iter().take(MAX_CODES).cloned().collect(),
        others: others
            .into_iter()
            .filter(|text| !text.is_empty())
            .take(left)
            .map(|t| ForeignCode::of(t).said())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What hangs is given up after any time.
    const SOON: Duration = Duration::from_millis(1);
    /// What answers has as long as a busy machine needs.
    const PATIENTLY: Duration = Duration::from_secs(60);

    /// The reader is over a moment before its end is counted.
    async fn left(frames: &Frames, expected: usize) {
        let counted = async {
            while frames.counts().2 != expected {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENTLY, counted).await.is_ok(), "{:?}", frames.counts());
    }

    #[tokio::test]
    async fn a_reader_that_hangs_frees_its_turn_is_counted_and_bounded() {
        let frames = Frames::default();
        let mut stuck = Vec::new();
        for n in 0..MOST_LEFT {
            let (free, wait) = mpsc::channel::<()>();
            let hangs = move || {
                let _ = wait.recv();
                FrameRead::default()
            };
            assert!(frames.read_by(SOON, hangs).await.is_err());
            stuck.push(free);
            assert_eq!(frames.counts().2, n + 1);
        }
        // So many, and nothing is read; once one of them ends, frames are read again.
        assert!(frames.read_by(PATIENTLY, FrameRead::default).await.is_err());
        stuck.pop();
        left(&frames, MOST_LEFT - 1).await;
    }

    #[tokio::test]
    async fn a_reader_that_panics_found_nothing_and_leaves_nothing_behind() {
        let frames = Frames::default();
        assert_eq!(frames.read_by(PATIENTLY, || panic!("stumbled")).await.ok(), Some(FrameRead::default()));
        let read = FrameRead { badges: vec!["A".into()], others: Vec::new() };
        let again = read.clone();
        assert_eq!(frames.read_by(PATIENTLY, move || again).await.ok(), Some(read));
        left(&frames, 0).await;
    }

    #[tokio::test]
    async fn whoever_hangs_up_gives_the_turn_back() {
        let frames = Frames::default();
        let (free, wait) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = wait.recv();
            FrameRead::default()
        };
        let asked = timeout(SOON, frames.read_by(PATIENTLY, hangs));
        assert!(asked.await.is_err());
        assert_eq!(frames.counts().2, 1);
        assert!(frames.read_by(PATIENTLY, FrameRead::default).await.is_ok());
        drop(free);
        left(&frames, 0).await;
    }

    #[test]
    fn a_tablet_has_one_place_and_all_of_them_four() {
        let frames = Frames::default();
        let tablet = |n| TabletId::from_bytes([n; 16]);
        let first = frames.place(tablet(1));
        assert!(first.is_some() && frames.place(tablet(1)).is_none());
        let others: Vec<Place> = (2..=4).filter_map(|n| frames.place(tablet(n))).collect();
        assert!(others.len() == 3 && frames.place(tablet(5)).is_none());
        drop(first);
        assert!(frames.place(tablet(5)).is_some());
    }
}
