//! Camera frames decoded on the box, only where the DSI said so: in memory, one at a time, never stored, nothing logged.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use preau_shared::{
    badge::{Badge, ForeignCode},
    refusal::Refusal,
    wire::FrameRead,
};
use rxing::{
    BarcodeFormat, BinaryBitmap, DecodeHints, Luma8Source,
    common::HybridBinarizer,
    helpers::detect_in_luma_filtered_with_hints,
    multi::{MultipleBarcodeReader as _, qrcode::QRCodeMultiReader},
};
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

/// All codes of the frame at once; where no badge is among them, one code by smaller and tidied pictures as well.
fn read(frame: Frame) -> FrameRead {
    let Frame { wide, high, greys } = frame;
    let mut texts: BTreeSet<String> = BTreeSet::new();
    if let Ok(source) = Luma8Source::new_with_slice(&greys, wide, high) {
        let mut picture = BinaryBitmap::new(HybridBinarizer::new(source));
        let found = QRCodeMultiReader::new().decode_multiple_with_hints(&mut picture, &DecodeHints::default());
        texts.extend(found.unwrap_or_default().iter().map(|code| code.getText().to_owned()));
    }
    if !texts.iter().any(|text| Badge::parse(text).is_ok()) {
        let (kind, mut hints) = (Some(BarcodeFormat::QR_CODE), DecodeHints::default());
        let found = detect_in_luma_filtered_with_hints(greys, wide, high, kind, &mut hints);
        texts.extend(found.ok().map(|code| code.getText().to_owned()));
    }
    told(&texts)
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
