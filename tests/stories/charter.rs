//! What the school's tablets tell a child: what is kept of her, and the school's charter. It stands beside her work and
//! never before it.

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use preau_tests::browser::{Browser, Opening};
use tokio::process::Command;

use crate::{
    accessible::open_to_all,
    screens::{DESK, PREAU, TELEPHONE, UPRIGHT, enrol_tablet, morning, pictures, sign_in, sign_out},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_reads_the_charter_once_and_whoever_does_not_works_all_the_same() -> Result<()> {
    let morning = morning().await?;
    let pupils = morning.people("pupil")?;
    let lina = pupils.iter().find(|pupil| pupil.level == "CP").context("a first-grader")?;
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, url, code, "Tablette 01").await?;
    let (sizes, pictures) = ([UPRIGHT, DESK, TELEPHONE], pictures()?);

    // The first time she is told what is kept of her. She ignores it: what she came for is there, under her finger.
    sign_in(&tablet, &lina.payload).await?;
    tablet.see(".beside").await?;
    tablet.shows("Ce que l'école garde de toi", 1).await?;
    open_to_all(&tablet, &sizes, &pictures, "told-beside").await?;
    tablet.resize(DESK.0, DESK.1).await?;
    tablet.touch(".shelves .shortcut").await?;
    let page = tablet.another_page().await?;
    tablet.client().close_window().await?;
    tablet.client().switch_to_window(page).await?;
    sign_out(&tablet).await?;

    // The next time it is there again. She puts it away until another day …
    sign_in(&tablet, &lina.payload).await?;
    tablet.touch(".beside .later").await?;
    ensure!(tablet.client().find_all(Locator::Css(".beside:not([hidden])")).await?.is_empty());
    sign_out(&tablet).await?;

    // … and then reads on, to the charter, which is read aloud, and says that she understood.
    sign_in(&tablet, &lina.payload).await?;
    tablet.touch(".beside .main").await?;
    tablet.shows("Je prends soin de la tablette", 1).await?;
    tablet.see(".beside .listen").await?;
    open_to_all(&tablet, &sizes, &pictures, "charter-beside").await?;
    tablet.touch(".beside .understood").await?;
    tablet.gone(".beside:not([hidden])").await?;
    sign_out(&tablet).await?;
    sign_in(&tablet, &lina.payload).await?;
    tablet.see(".lodging").await?;
    ensure!(tablet.client().find_all(Locator::Css(".beside:not([hidden])")).await?.is_empty(), "told twice");
    // From the pictogram always.
    tablet.touch(".about").await?;
    tablet.shows("Je prends soin de la tablette", 1).await?;
    open_to_all(&tablet, &sizes, &pictures, "told").await?;
    tablet.touch("dialog.told .main").await?;
    sign_out(&tablet).await?;

    // The school writes its own. A file that is no charter is refused with line and column.
    let file = morning.folder().join("charte.txt");
    let write = async || {
        let path = file.to_str().unwrap_or_default();
        let words = ["school", "charter", morning.text("/schools/0/uai"), path, "--level", "cycle2", "--dir"];
        Command::new(PREAU).args(words).arg(morning.folder().join("pilot")).output().await
    };
    std::fs::write(&file, b"On se lave les mains.\n\nOn part\xe2ge.")?;
    let refused = write().await?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && why.contains("line 3, column 8"), "{why}");
    std::fs::write(&file, "On se lave les mains.\n\nOn partage la tablette.")?;
    let written = write().await?;
    ensure!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));

    // It is told to her, without what she knows already, and nobody reads it aloud.
    for tries in 0.. {
        ensure!(tries < 50, "the school's own charter does not arrive");
        sign_in(&tablet, &lina.payload).await?;
        tablet.see(".lodging").await?;
        if !tablet.client().find_all(Locator::Css(".beside:not([hidden])")).await?.is_empty() {
            break;
        }
        sign_out(&tablet).await?;
    }
    tablet.shows("On partage la tablette", 1).await?;
    ensure!(tablet.client().find_all(Locator::Css(".beside .listen")).await?.is_empty(), "a button that says nothing");
    tablet.touch(".beside .understood").await?;
    tablet.gone(".beside:not([hidden])").await?;
    tablet.close().await
}
