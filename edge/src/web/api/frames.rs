//! Camera frames of tablets whose page cannot read them itself.

use std::time::Duration;

use axum::{
    Json as Answer,
    body::Bytes,
    extract::{Query, Request, State, rejection::QueryRejection},
};
use preau_shared::{refusal::Refusal, rig::reply::Problem, wire::FrameRead};
use serde::Deserialize;

use crate::{
    app::App,
    sign_in::frames::{Frame, Place},
    store::{Trouble, school},
    web::caller::{self, Tablet},
};

/// Where frames are sent.
pub(crate) const PATH: &str = "/api/v1/frames";
/// No badge is read in fewer lines than a code has, and the reader does not end on a picture of one.
const MIN_SIDE: u32 = 64;
const MAX_WIDE: u32 = 1_280;
const MAX_HIGH: u32 = 960;
/// Of the largest frame.
pub(crate) const MAX_BYTES: usize = 1_280 * 960;

/// A frame is here within this time: a tablet of the school is close.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(3);

/// Query of `POST /api/v1/frames`.
#[derive(Debug, Deserialize)]
pub(crate) struct Size {
    width: u32,
    height: u32,
}

/// A place for a frame, before its first byte is read: a stranger has none, and a tablet one at a time.
pub(crate) fn place(app: &App, request: &Request) -> Result<Place, Problem> {
    app.frames.knock();
    let tablet = caller::named(app, request.headers())?.ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
    app.frames.place(tablet).ok_or_else(|| Problem::new(Refusal::Overloaded).retry_after(1))
}

/// `POST /api/v1/frames?width=W&height=H`: W × H bytes of grey. No image format is read here: whoever unpacks pictures of
/// strangers unpacks their bombs, and the page has the pixels in its hand anyway.
pub(crate) async fn read(
    State(app): State<App>,
    _: Tablet,
    size: Result<Query<Size>, QueryRejection>,
    greys: Bytes,
) -> Result<Answer<FrameRead>, Problem> {
    if !app.reader.read(school::frames_on_box).map_err(Trouble::from)? {
        return Err(Problem::new(Refusal::FramesOff));
    }
    let Query(Size { width, height }) = size.map_err(|_| wrong("`width` and `height` are needed, in pixels".into()))?;
    if width > MAX_WIDE || height > MAX_HIGH {
        let problem = Problem::new(Refusal::TooLarge).with("max_width", MAX_WIDE).with("max_height", MAX_HIGH);
        return Err(problem);
    }
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(wrong(format!("`width` and `height` are {MIN_SIDE} pixels at least")));
    }
    let pixels = usize::try_from(u64::from(width) * u64::from(height)).unwrap_or(usize::MAX);
    if greys.len() != pixels {
        return Err(wrong(format!("{width} × {height} bytes of grey are expected, not {}", greys.len())));
    }
    let frame = Frame { wide: width, high: height, greys: greys.into() };
    Ok(Answer(app.frames.read(frame).await?))
}

fn wrong(detail: String) -> Problem {
    Problem::new(Refusal::Malformed).detail(detail)
}
