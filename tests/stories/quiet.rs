//! « Chut ! » The teacher silences the tablets of her class by a tap.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fantoccini::Locator;
use preau_tests::browser::{Browser, Opening};

use crate::screens::{
    DESK, TELEPHONE, enrol_tablet, morning, open_teacher_page, photograph_at, pictures, sign_in, sign_out,
};

/// Something plays on the page; whether it is heard.
const SONG: &str = "
    const song = document.createElement('audio');
    song.id = 'song';
    document.body.append(song);";
const HEARD: &str = "return !document.querySelector('#song').muted";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_silences_the_class_through_a_reload_and_a_restart() -> Result<()> {
    let morning = morning().await?;
    let (url, code) =
        (morning.text("/schools/0/box/url").to_owned(), morning.text("/schools/0/enrolment_code").to_owned());
    let (head, school) = (morning.people("head")?.remove(0), morning.text("/schools/0/uai").to_owned());
    let pupils = morning.people("pupil")?;
    let (tablet, desk) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    let pictures = pictures()?;
    open_teacher_page(&desk, &url, &head.payload, &head.second_factor).await?;
    let class = desk.see(".classes [aria-selected=true] span").await?.text().await?;
    let lina = pupils.iter().find(|pupil| pupil.class == class).ok_or_else(|| anyhow::anyhow!("nobody in {class}"))?;
    enrol_tablet(&tablet, &url, &code, "Tablette 01").await?;
    sign_in(&tablet, &lina.payload).await?;
    tablet.see(".about").await?;
    tablet.client().execute(SONG, Vec::new()).await?;
    desk.shows("Tablette 01", 1).await?;

    // Within a second nothing sounds any more, and a pictogram says why.
    desk.touch("[data-key=silence]").await?;
    let tapped = Instant::now();
    tablet.see(".quiet-sign").await?;
    println!("silent {:?} after the tap", tapped.elapsed());
    ensure!(tapped.elapsed() < Duration::from_secs(2), "{:?}", tapped.elapsed());
    ensure!(tablet.client().execute(HEARD, Vec::new()).await? == false, "the song is still heard");
    photograph_at(&tablet, &[DESK, TELEPHONE], &pictures, "quiet").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "classroom-quiet").await?;

    // A reload and a restart of the box change nothing, and whoever sits down later is silent, too.
    tablet.client().refresh().await?;
    tablet.see(".quiet-sign").await?;
    morning.tell(&["kill", "box", &school]).await?;
    sign_out(&tablet).await?;
    sign_in(&tablet, &lina.payload).await?;
    tablet.see(".quiet-sign").await?;

    // She gives the sound back.
    desk.shows("Redonner le son", 1).await?;
    desk.touch("[data-key=silence]").await?;
    tablet.gone(".quiet-sign:not([hidden])").await?;
    ensure!(tablet.client().find_all(Locator::Css("html[data-quiet]")).await?.is_empty());
    desk.close().await?;
    tablet.close().await
}
