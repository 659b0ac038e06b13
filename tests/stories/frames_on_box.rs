//! A tablet so old that its page cannot read a badge: where the DSI let it, the school's box reads for it, and nowhere else
//! does a frame leave the tablet.

use anyhow::{Context as _, Result, ensure};
use preau::admin;
use preau_tests::{
    browser::{Browser, Opening},
    frames::{self, Class, Frame},
    pilot::Pilot,
};
use tokio::process::Command;

use crate::screens::{enrol_tablet, morning, sign_in, sign_out};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");

/// A count on the box's metrics page.
async fn count(morning: &Pilot, name: &str) -> Result<u64> {
    let address = morning.text("/schools/0/box/metrics").trim_start_matches("http://").trim_end_matches("/metrics");
    let page = String::from_utf8(admin::get(address.parse()?, "/metrics").await?)?;
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("preau_{name} ")));
    Ok(line.with_context(|| format!("no {name} on {page}"))?.parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_box_reads_for_a_tablet_that_cannot_only_where_the_dsi_lets_it() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let badge: Vec<Frame> = frames::burst(Class::Frontal, &pupil.payload, 1)?;
    let film = morning.folder().join("badge.y4m");
    std::fs::write(&film, frames::film(&badge))?;
    let tablet = Browser::open(Opening { camera: Some(&film), without_wasm: true, ..Opening::default() }).await?;
    enrol_tablet(&tablet, url, code, "Vieille tablette").await?;
    let can = tablet.client().execute("return [typeof WebAssembly, typeof BarcodeDetector]", Vec::new()).await?;
    ensure!(can == serde_json::json!(["undefined", "undefined"]), "this page reads by itself: {can}");

    // The switch is off: it says that the camera is of no use here, and sends nothing. The card's letters open all the same.
    tablet.shows("Tu peux taper", 1).await?;
    sign_in(&tablet, &pupil.payload).await?;
    sign_out(&tablet).await?;
    ensure!((count(&morning, "frames_sent").await?, count(&morning, "frames_read").await?) == (0, 0));

    // The DSI turns it on: the tablet hears of it, sends grey frames, and the child is in by her badge.
    let said = Command::new(PREAU)
        .args(["school", "frames", morning.text("/schools/0/uai"), "on", "--dir"])
        .arg(morning.folder().join("pilot"))
        .output()
        .await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    tablet.client().refresh().await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    ensure!(count(&morning, "frames_read").await? > 0 && count(&morning, "frame_readers_left").await? == 0);
    tablet.close().await
}
