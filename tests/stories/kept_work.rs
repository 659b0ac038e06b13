//! A drawing that a pupil keeps: hers at the next tablet with the Internet down, and nothing for the next pupil.

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use preau_tests::{
    browser::{Browser, Opening},
    tablet::{self, Tablet},
};

use crate::screens::{DESK, UPRIGHT, enrol_tablet, morning, photograph_at, pictures, sign_in, sign_out};

/// A small picture of one colour (PNG).
pub(crate) const DRAWING: &str = "
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 64;
    canvas.getContext('2d').fillRect(8, 8, 48, 48);
    const done = arguments[arguments.length - 1];
    canvas.toBlob((blob) => {
        const given = new DataTransfer();
        given.items.add(new File([blob], 'mon chat.png', { type: 'image/png' }));
        const picker = document.querySelector('#keep-work');
        picker.files = given.files;
        picker.dispatchEvent(new Event('change'));
        done(null);
    }, 'image/png');";
/// What is left in the page.
const LEFT: &str = "
    const done = arguments[arguments.length - 1];
    Promise.all([caches.keys(), indexedDB.databases()]).then(([shells, all]) =>
        done([localStorage.length, sessionStorage.length, document.cookie, shells.filter((name) => !name.startsWith('preau-shell')).length,
              all.map((database) => database.name).sort(), document.body.innerText.includes('mon chat')]));";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drawing_is_kept_with_the_wan_cut_and_found_on_another_tablet_by_her_alone() -> Result<()> {
    let morning = morning().await?;
    let mut pupils = morning.people("pupil")?.into_iter();
    let (hers, his) = (pupils.next().context("a pupil")?, pupils.next().context("another")?);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let (one, two) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    enrol_tablet(&one, &morning.page(), code, "Tablette 01").await?;
    enrol_tablet(&two, &morning.page(), code, "Tablette 02").await?;
    let before = one.client().execute_async(LEFT, Vec::new()).await?;
    morning.tell(&["wan", "down", morning.text("/schools/0/uai")]).await?;

    // She keeps her drawing, looks at it, and leaves.
    sign_in(&one, &hers.payload).await?;
    one.see(".works .nothing").await?;
    one.client().execute_async(DRAWING, Vec::new()).await?;
    ensure!(one.see(".works .work .title").await?.text().await? == "mon chat.png");
    ensure!(one.see(".works .ent").await?.text().await?.contains("en attente d'envoi"));
    ensure!(!one.text().await?.contains("false"), "a part of the shelf that is not there is written out");
    one.touch(".works .work").await?;
    one.see(".work-sheet canvas").await?;
    photograph_at(&one, &[DESK, UPRIGHT], &pictures()?, "work-opened").await?;
    one.touch(".work-sheet .main").await?;
    photograph_at(&one, &[DESK, UPRIGHT], &pictures()?, "works").await?;
    let barriers = one.barriers().await?;
    ensure!(barriers.is_empty(), "{barriers:#?}");
    sign_out(&one).await?;
    ensure!(one.client().execute_async(LEFT, Vec::new()).await? == before, "something of hers is left");

    // It waits for her at another tablet; the next pupil at the first one finds nothing.
    sign_in(&two, &hers.payload).await?;
    ensure!(two.see(".works .work .title").await?.text().await? == "mon chat.png");
    sign_in(&one, &his.payload).await?;
    one.see(".works .nothing").await?;
    ensure!(one.client().find_all(Locator::Css(".works .work")).await?.is_empty(), "he sees her drawing");
    one.touch(".sign-out").await?;
    let ca_file = std::path::Path::new(morning.text("/schools/0/box/ca_file"));
    let mut third = Tablet::enrol(url, ca_file, code, "Tablette 03").await?;
    let session = third.show(&his.payload).await?.map_err(anyhow::Error::msg)?;
    let asked = third.ask("GET", "/api/v1/work/mon%20chat.png", session.token.as_deref(), None).await?;
    ensure!((asked.status, tablet::code(&asked).as_str()) == (404, "not_found"), "{}", asked.status);

    // She takes it away, and has it back.
    two.touch(".works .work").await?;
    two.touch(".work-sheet .quiet").await?;
    two.gone(".works .work").await?;
    two.touch(".works .undo").await?;
    two.see(".works .work").await?;
    one.close().await?;
    two.close().await
}
