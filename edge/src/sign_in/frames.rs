//! Camera frames decoded on the box, only where the DSI said so: in memory, one at a time, never stored, nothing logged.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use preau_shared::{
    badge::{Badge, ForeignCode},
    refusal::Refusal,
    wire::FrameRead,
};
use rxing::{BarcodeFormat, DecodeHints, Point, helpers::detect_in_luma_filtered_with_hints};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
    time::timeout,
};

use crate::store::Trouble;

/// Frames held at once: one is read, the others wait.
const PLACES: usize = 4;
/// Who waits longer for her turn, or for her answer, is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);
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
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Default for Frames {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Frames {
    /// A place for one frame, from before its first byte until its answer; none when all are taken.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Reads a frame, in its turn, off the runtime's threads. A reader that stumbles over a frame found nothing in it.
    ///
    /// # Errors
    /// `overloaded` when it takes too long.
    pub(crate) async fn read(&self, frame: Frame) -> Result<FrameRead, Trouble> {
        let late = || Trouble::for_now(Refusal::Overloaded, 1);
        let turn = timeout(MAX_WAIT, Arc::clone(&self.turn).acquire_owned()).await;
        let turn = turn.map_err(|_| late())?.map_err(|_| late())?;
        let reading = task::spawn_blocking(move || {
            // The reader cannot be stopped: its turn ends with it, whether or not somebody still waits.
            let _turn = turn;
            read(frame)
        });
        // A panic ends at the task's boundary.
        Ok(timeout(MAX_WAIT, reading).await.map_err(|_| late())?.unwrap_or_default())
    }
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
