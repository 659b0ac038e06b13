//! What reads frames: the page's own worker in a real browser, the box's reader, and another library beside them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64;
use rxing::{BarcodeFormat, DecodeHints, helpers::detect_in_luma_filtered_with_hints};
use serde_json::{Value, json};

use super::{Frame, HEIGHT, WIDTH, grey};
use crate::browser::{Browser, Opening};

/// What a reader says of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What the codes say.
    pub texts: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// The worker that reads badges in our pages, as a box serves it.
#[derive(Debug)]
pub struct Page {
    browser: Browser,
}

/// Starts the worker beside the page's own modules.
const START: &str = r#"
    const done = arguments[arguments.length - 1];
    const main = document.querySelector("script[type=module]").src;
    window.worker = new Worker(new URL("../static/decode.js", main), { type: "module" });
    window.worker.onmessage = (message) => done(message.data);
    window.worker.onerror = () => done({});
"#;
/// Hands pictures over one by one; greys become the colours that a canvas has.
const READ: &str = r#"
    const [pictures, width, height, done] = arguments;
    const read = (pixels) => new Promise((go) => {
        window.worker.onmessage = (message) => go(message.data.texts);
        window.worker.postMessage({ pixels: pixels.buffer, width, height }, [pixels.buffer]);
    });
    (async () => {
        const readings = [];
        for (const picture of pictures) {
            const greys = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
            const pixels = new Uint8ClampedArray(greys.length * 4).fill(255);
            greys.forEach((grey, at) => pixels.fill(grey, 4 * at, 4 * at + 3));
            const began = performance.now();
            const texts = await read(pixels);
            readings.push({ texts, ms: performance.now() - began });
        }
        done(readings);
    })();
"#;

impl Page {
    /// Opens the tablet's page of a box and waits until its worker can read.
    ///
    /// # Errors
    /// When there is no browser, or the worker does not start.
    pub async fn open(box_url: &str) -> Result<Self> {
        let browser = Browser::open(Opening::default()).await?;
        browser.goto(&format!("{box_url}/tablette")).await?;
        let said = browser.client().execute_async(START, Vec::new()).await?;
        ensure!(said["ready"] == true, "the worker says {said}");
        Ok(Self { browser })
    }

    /// Reads frames in their order.
    ///
    /// # Errors
    /// When the browser or the worker does not answer.
    pub async fn read(&self, frames: &[Frame]) -> Result<Vec<Reading>> {
        let pictures: Vec<&[u8]> = frames.iter().map(|frame| frame.pixels.as_slice()).collect();
        self.read_bytes(&pictures, (WIDTH, HEIGHT)).await
    }

    /// Reads pictures that may have fewer or more bytes than their size says.
    ///
    /// # Errors
    /// When the browser or the worker does not answer.
    pub async fn read_bytes(&self, pictures: &[&[u8]], (width, height): (u16, u16)) -> Result<Vec<Reading>> {
        let pictures: Value = pictures.iter().map(|picture| BASE64.encode(picture)).collect();
        let said = self.browser.client().execute_async(READ, vec![pictures, json!(width), json!(height)]).await?;
        said.as_array().context("readings")?.iter().map(reading).collect()
    }

    /// Closes the browser.
    ///
    /// # Errors
    /// When its driver does not answer.
    pub async fn close(self) -> Result<()> {
        self.browser.close().await
    }
}

fn reading(said: &Value) -> Result<Reading> {
    let texts = said["texts"].as_array().with_context(|| format!("the worker says {said}"))?;
    let texts = texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect();
    Ok(Reading { texts, took: Duration::from_secs_f64(said["ms"].as_f64().context("a time")? / 1_000.0) })
}

/// The box's reader: rxing on the frame, on smaller ones and on tidied ones, then all of that again on its relief.
pub fn read_as_box(frame: &Frame) -> Option<String> {
    read_by_rxing(frame).or_else(|| read_by_rxing(&relief(frame)))
}

pub(super) fn read_by_rxing(frame: &Frame) -> Option<String> {
    let (pixels, size, kind) = (frame.pixels.clone(), (WIDTH.into(), HEIGHT.into()), Some(BarcodeFormat::QR_CODE));
    let found = detect_in_luma_filtered_with_hints(pixels, size.0, size.1, kind, &mut DecodeHints::default());
    found.ok().map(|code| code.getText().to_owned())
}

/// rqrr as it comes.
pub fn read_by_rqrr(frame: &Frame) -> Option<String> {
    let (wide, high) = (usize::from(WIDTH), usize::from(HEIGHT));
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(wide, high, |x, y| frame.pixels[y * wide + x]);
    picture.detect_grids().iter().find_map(|code| code.decode().ok()).map(|(_, text)| text)
}

/// Light and dark told from what stands around, as the page's `static/relief.js` tells them.
fn relief(frame: &Frame) -> Frame {
    let sums = summed(frame);
    let all = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let light = |at| 128.0 + 4.0 * (mean(&sums, at, 1) - mean(&sums, at, 10));
    Frame { pixels: all.map(|at| grey(light(at))).collect() }
}

/// The mean of a square around a place, so many pixels each way.
fn mean(sums: &[u32], (x, y): (u16, u16), by: u16) -> f32 {
    let (left, right) = (x.saturating_sub(by), (x + by + 1).min(WIDTH));
    let (top, bottom) = (y.saturating_sub(by), (y + by + 1).min(HEIGHT));
    let before = |x: u16, y: u16| sums[usize::from(y) * (usize::from(WIDTH) + 1) + usize::from(x)];
    let sum = before(right, bottom) + before(left, top) - before(right, top) - before(left, bottom);
    let area = (right - left) * (bottom - top);
    u16::try_from(sum / u32::from(area)).map_or(0.0, f32::from)
}

/// What stands above and to the left of each corner of each pixel, added up.
fn summed(frame: &Frame) -> Vec<u32> {
    let wide = usize::from(WIDTH) + 1;
    let mut sums = vec![0; wide * (usize::from(HEIGHT) + 1)];
    for (y, line) in frame.pixels.chunks(wide - 1).enumerate() {
        let mut so_far = 0;
        for (x, pixel) in line.iter().enumerate() {
            so_far += u32::from(*pixel);
            sums[(y + 1) * wide + x + 1] = sums[y * wide + x + 1] + so_far;
        }
    }
    sums
}
