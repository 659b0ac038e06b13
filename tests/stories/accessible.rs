//! Nobody meets a barrier that a program can find: WCAG 2.1 A and AA on the tablet's and the teacher's screens.

use std::path::Path;

use anyhow::{Result, ensure};
use preau_tests::{
    browser::{Browser, Opening},
    cable::Cable,
};

use crate::screens::{DESK, TELEPHONE, UPRIGHT, morning, open_teacher_page, photograph_at, pictures, sign_out};

/// Looks at a screen in each of its sizes, and leaves pictures of it.
pub(crate) async fn open_to_all(browser: &Browser, sizes: &[(u32, u32)], folder: &Path, screen: &str) -> Result<()> {
    for size in sizes {
        photograph_at(browser, &[*size], folder, screen).await?;
        let barriers = browser.barriers().await?;
        ensure!(barriers.is_empty(), "{screen} at {size:?}: {barriers:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tablet_is_open_to_all() -> Result<()> {
    let morning = morning().await?;
    let (pupil, teacher) = (morning.people("pupil")?.remove(0), morning.people("teacher")?.remove(0));
    let cable = Cable::to(morning.text("/schools/0/box/url")).await?;
    let (sizes, pictures) = ([UPRIGHT, DESK, TELEPHONE], pictures()?);
    let tablet = Browser::open(Opening::default()).await?;
    let look = async |screen: &str| open_to_all(&tablet, &sizes, &pictures, screen).await;

    tablet.goto(&format!("{}/tablette", morning.named(cable.url()))).await?;
    tablet.write("#code", morning.text("/schools/0/enrolment_code")).await?;
    tablet.write("#name", "Tablette 01").await?;
    look("enrol").await?;
    tablet.touch(".enrol .main").await?;
    tablet.see(".ready").await?;
    look("ready").await?;
    tablet.write("#badge", &teacher.payload).await?;
    tablet.see(".secret").await?;
    look("secret").await?;
    tablet.touch(".others .quiet").await?;
    tablet.write("#badge", &"AE".repeat(16)).await?;
    tablet.see(".problem").await?;
    look("problem").await?;
    tablet.touch(".problem .main").await?;
    tablet.write("#badge", &pupil.payload).await?;
    tablet.see(".shelves .shortcut").await?;
    look("environment").await?;
    tablet.touch(".settings").await?;
    look("settings").await?;
    tablet.touch("[data-key=strong]").await?;
    tablet.touch("[data-key=largest]").await?;
    look("settings-strong").await?;
    tablet.touch(".drawer .main").await?;
    look("environment-strong").await?;
    tablet.seconds(560).await?;
    tablet.see(".still-there").await?;
    look("still-there").await?;
    tablet.touch(".still-there .main").await?;
    sign_out(&tablet).await?;
    cable.pull();
    tablet.see(".silent-box").await?;
    look("silent").await?;
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_teachers_page_is_open_to_all() -> Result<()> {
    let morning = morning().await?;
    let teacher = morning.people("teacher")?.remove(0);
    let cable = Cable::to(morning.text("/schools/0/box/url")).await?;
    let (sizes, pictures) = ([TELEPHONE, DESK], pictures()?);
    let desk = Browser::open(Opening::default()).await?;
    let look = async |screen: &str| open_to_all(&desk, &sizes, &pictures, screen).await;

    desk.goto(&format!("{}/enseignant", cable.url())).await?;
    desk.see("#by-badge .main").await?;
    look("teacher-sign-in").await?;
    open_teacher_page(&desk, cable.url(), &teacher.payload, &teacher.second_factor).await?;
    look("classroom").await?;
    cable.pull();
    desk.see(".silent-box").await?;
    look("teacher-silent").await?;
    cable.plug();
    desk.see(".pupils").await?;
    desk.close().await
}
