//! Screens, in a real browser: the tablet's, the teacher's and the DSI's.

use std::path::Path;

use anyhow::{Result, ensure};
use preau_tests::{
    browser::{Browser, Opening},
    pilot::Pilot,
};

pub(crate) const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
/// The pages' sizes: desk, tablet upright, telephone.
pub(crate) const DESK: (u32, u32) = (1280, 800);
pub(crate) const UPRIGHT: (u32, u32) = (800, 1280);
pub(crate) const TELEPHONE: (u32, u32) = (390, 844);

/// A coordinator and two schools at work, with no tablet of their own.
pub(crate) async fn morning() -> Result<Pilot> {
    Pilot::start(PREAU, &["--tablets", "0"]).await
}

/// Where pictures of screens are left to be looked at.
pub(crate) fn pictures() -> Result<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_badge_opens_a_tablet_and_leaving_clears_it() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let pictures = pictures()?;

    let tablet = Browser::open(Opening::default()).await?;
    let shown = open_tablet_page_and_sign_in(&tablet, &morning.page(), code, &pupil.payload).await?;
    ensure!(shown == pupil.given_name, "the screen says {shown}");
    tablet.see(".shelves .shortcut").await?;
    photograph_at(&tablet, &[DESK, UPRIGHT], &pictures, "environment").await?;
    // A child who reloads the page, or whose browser was short of memory, is still there.
    tablet.client().refresh().await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    tablet.see(".shelves .shortcut").await?;

    let teacher = morning.people("teacher")?.remove(0);
    let desk = Browser::open(Opening::default()).await?;
    open_teacher_page(&desk, url, &teacher.payload, &teacher.second_factor).await?;
    photograph_at(&desk, &[TELEPHONE, DESK], &pictures, "classroom").await?;

    sign_out(&tablet).await?;
    photograph_at(&tablet, &[DESK, UPRIGHT], &pictures, "ready").await?;
    tablet.write("#badge", "AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA").await?;
    tablet.see(".problem").await?;
    desk.close().await?;
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dsi_sees_the_schools() -> Result<()> {
    let morning = morning().await?;
    let password = std::fs::read_to_string(morning.text("/cloud/admin/password_file"))?;
    let desk = Browser::open(Opening::default()).await?;
    open_dsi_page(&desk, morning.text("/cloud/url"), morning.text("/cloud/admin/user"), password.trim()).await?;
    let text = desk.text().await?;
    for school in [morning.text("/schools/0/name"), morning.text("/schools/1/name")] {
        ensure!(text.contains(school), "{school} is not on the page: {text}");
    }
    let (pictures, school) = (pictures()?, morning.text("/schools/1/uai"));
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "board").await?;
    // The page tells the truth by itself, without a reload: before, during and after.
    desk.shows("À jour", 2).await?;
    morning.tell(&["wan", "down", school]).await?;
    desk.shows("Hors contact", 1).await?;
    desk.shows("au dernier contact", 1).await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "board-down").await?;
    morning.tell(&["wan", "up", school]).await?;
    desk.shows("À jour", 2).await?;
    desk.close().await
}

/// Enrols this browser as a tablet, if it is not one yet, and waits for the badge reader.
pub(crate) async fn enrol_tablet(browser: &Browser, box_url: &str, code: &str, name: &str) -> Result<()> {
    browser.goto(&format!("{box_url}/tablette")).await?;
    browser.write("#code", code).await?;
    browser.write("#name", name).await?;
    browser.touch(".enrol .main").await?;
    browser.see(".ready").await?;
    Ok(())
}

/// Opens the tablet's page, enrols it, types a badge and returns the name on the screen.
async fn open_tablet_page_and_sign_in(
    browser: &Browser,
    box_url: &str,
    enrolment_code: &str,
    badge_payload: &str,
) -> Result<String> {
    enrol_tablet(browser, box_url, enrolment_code, "Tablette 01").await?;
    sign_in(browser, badge_payload).await
}

/// Types a badge at the reader and returns the name on the screen.
pub(crate) async fn sign_in(browser: &Browser, badge_payload: &str) -> Result<String> {
    browser.write("#badge", badge_payload).await?;
    Ok(browser.see("#given-name").await?.text().await?)
}

/// Touches « J'ai fini » and waits until the tablet is wiped and ready for the next child.
pub(crate) async fn sign_out(browser: &Browser) -> Result<()> {
    browser.touch(".sign-out").await?;
    browser.see(".ready").await?;
    let text = browser.text().await?;
    ensure!(!text.contains("Bonjour"), "the reader still greets somebody: {text}");
    Ok(())
}

/// Opens the teacher's page with badge and code, and waits for a class.
pub(crate) async fn open_teacher_page(browser: &Browser, box_url: &str, badge_payload: &str, pin: &str) -> Result<()> {
    browser.goto(&format!("{box_url}/enseignant")).await?;
    browser.write("#badge", badge_payload).await?;
    browser.write("#pin", pin).await?;
    browser.touch("#by-badge .main").await?;
    browser.see(".pupils").await?;
    Ok(())
}

/// Opens the DSI's page of the coordinator with its password.
async fn open_dsi_page(browser: &Browser, cloud_url: &str, user: &str, password: &str) -> Result<()> {
    browser.goto(cloud_url).await?;
    browser.write("#user", user).await?;
    browser.write("#password", password).await?;
    browser.touch("form button[type=submit]").await?;
    browser.gone("#password").await
}

/// Takes a picture at the sizes that the page is made for.
pub(crate) async fn photograph_at(browser: &Browser, sizes: &[(u32, u32)], folder: &Path, name: &str) -> Result<()> {
    for (width, height) in sizes {
        browser.resize(*width, *height).await?;
        browser.photograph(&folder.join(format!("{name}-{width}x{height}.png"))).await?;
    }
    Ok(())
}
