//! What a teacher and a head do about badges and codes, at their page and at the tablet, in real browsers.

use anyhow::{Result, ensure};
use fantoccini::Locator;
use preau_tests::{
    browser::{Browser, Opening},
    pilot::Somebody,
};

use crate::screens::{
    DESK, TELEPHONE, UPRIGHT, enrol_tablet, morning, open_teacher_page, photograph_at, pictures, sign_out,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_code_costs_a_tap_and_a_forgotten_badge_two() -> Result<()> {
    let morning = morning().await?;
    let lina = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let (tablet, desk) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    let pictures = pictures()?;
    let head = morning.people("head")?.remove(0);
    open_teacher_page(&desk, url, &head.payload, &head.second_factor).await?;
    look_at_class(&desk, &lina).await?;

    // The head asks her level for three pictures.
    desk.touch("[data-key=codes]").await?;
    let level = format!("select[aria-label=\"{}\"]", lina.level);
    desk.see(&level).await?.select_by_value("pictures").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "codes").await?;
    desk.touch("dialog .main").await?;

    // She has none yet, and chooses: cat, dog, rabbit.
    enrol_tablet(&tablet, url, code, "Tablette 01").await?;
    tablet.write("#badge", &lina.payload).await?;
    tablet.see(".secret.choose").await?;
    photograph_at(&tablet, &[UPRIGHT], &pictures, "choose").await?;
    for _ in 0..2 {
        taps(&tablet, &[1, 2, 3]).await?;
    }
    tablet.see("#given-name").await?;
    sign_out(&tablet).await?;

    // She has forgotten it. After two misses an adult is called, and she is first in the list.
    tablet.write("#badge", &lina.payload).await?;
    for _ in 0..2 {
        tablet.see(".secret .slot:not(.full)").await?;
        taps(&tablet, &[5, 6, 7]).await?;
    }
    tablet.see(".call").await?;
    photograph_at(&tablet, &[UPRIGHT], &pictures, "call").await?;
    let first = desk.see(".pupils li:first-child.calling h3").await?.text().await?;
    ensure!(first.starts_with(&lina.given_name), "{first} is first in the list");
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "calling").await?;
    // One tap lets her in and has her choose anew.
    desk.touch(".pupils li:first-child [data-key^=code]").await?;
    tablet.see(".secret.choose").await?;
    for _ in 0..2 {
        taps(&tablet, &[8, 9, 10]).await?;
    }
    tablet.see("#given-name").await?;
    sign_out(&tablet).await?;

    // She has forgotten her badge: a badge for today, on the teacher's screen.
    let line = format!("[data-key=\"badge {}\"]", lina.person_id);
    desk.touch(&line).await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "badge-choices").await?;
    desk.touch("dialog .choice:first-of-type").await?;
    desk.see("dialog .code-drawing").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "badge-today").await?;
    let letters = desk.see("dialog .read-out").await?.text().await?;
    desk.touch("dialog .main").await?;
    // She copies the eight letters, then gives her pictures.
    tablet.write("#badge", &letters).await?;
    tablet.see(".secret .slot:not(.full)").await?;
    taps(&tablet, &[8, 9, 10]).await?;
    ensure!(tablet.see("#given-name").await?.text().await? == lina.given_name);
    desk.close().await?;
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn badges_are_printed_and_a_substitute_and_a_new_pupil_come() -> Result<()> {
    let morning = morning().await?;
    let lina = morning.people("pupil")?.remove(0);
    let url = morning.text("/schools/0/box/url");
    let desk = Browser::open(Opening::default()).await?;
    let pictures = pictures()?;
    let head = morning.people("head")?.remove(0);
    open_teacher_page(&desk, url, &head.payload, &head.second_factor).await?;
    look_at_class(&desk, &lina).await?;

    desk.touch("[data-key=badges]").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "print").await?;
    desk.touch("dialog button[type=submit]").await?;
    let said = desk.see("dialog header + p").await?;
    ensure!(said.text().await?.contains("anciens badges marchent"), "{}", said.text().await?);
    desk.touch("dialog .main").await?;

    desk.touch("[data-key=\"new pupil\"]").await?;
    desk.write("#given-name", "Zélie").await?;
    desk.touch("dialog button[type=submit]").await?;
    desk.see("dialog .code-drawing").await?;
    desk.touch("dialog .main").await?;
    desk.shows("Zélie", 1).await?;

    desk.touch("[data-key=substitute]").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "substitute").await?;
    desk.write("#given-name", "Mme Remplaçante").await?;
    desk.touch("dialog input[name=class]").await?;
    desk.touch("dialog input[value=friday]").await?;
    desk.touch("dialog button[type=submit]").await?;
    let pin = desk.see("dialog .read-out").await?.text().await?;
    ensure!(pin.len() == 6, "a PIN of six digits: {pin}");
    photograph_at(&desk, &[DESK], &pictures, "substitute-ready").await?;
    desk.touch("dialog .main").await?;
    desk.touch("[data-key=substitute]").await?;
    desk.see("dialog .level").await?;
    desk.shows("Mme Remplaçante", 1).await?;
    desk.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_sit_down_while_an_adult_lets_them() -> Result<()> {
    let morning = morning().await?;
    let lina = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let (tablet, desk) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    let head = morning.people("head")?.remove(0);
    open_teacher_page(&desk, url, &head.payload, &head.second_factor).await?;
    look_at_class(&desk, &lina).await?;
    enrol_tablet(&tablet, url, code, "Tablette 01").await?;

    desk.touch("[data-key=guests]").await?;
    desk.touch("dialog .choices button").await?;
    desk.see("[data-key=guests][aria-pressed=true]").await?;
    let pictures = pictures()?;
    tablet.see("[data-key^=guest]").await?;
    photograph_at(&tablet, &[UPRIGHT, TELEPHONE], &pictures, "guests").await?;
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "guests-open").await?;
    tablet.touch("[data-key^=guest]").await?;
    tablet.see("#given-name").await?;
    // After-school time is over: the adult closes, and the tablet is back at its reader, without the button.
    desk.touch("[data-key=guests]").await?;
    desk.touch("dialog .main").await?;
    desk.see("[data-key=guests][aria-pressed=false]").await?;
    tablet.see(".ready").await?;
    tablet.gone("[data-key^=guest]").await?;
    desk.close().await?;
    tablet.close().await
}

/// Turns the page to the class of this child.
async fn look_at_class(desk: &Browser, pupil: &Somebody) -> Result<()> {
    // The page draws itself again when something happened in the class: a tab that was found may be gone.
    let mut left = 5;
    while let Err(error) = touch_tab(desk, &pupil.class).await {
        left -= 1;
        ensure!(left > 0, "{error:#}");
    }
    desk.see(&format!("[data-key=\"badge {}\"]", pupil.person_id)).await?;
    Ok(())
}

async fn touch_tab(desk: &Browser, class: &str) -> Result<()> {
    for tab in desk.client().find_all(Locator::Css(".classes [role=tab]")).await? {
        if tab.text().await?.starts_with(class) {
            return Ok(tab.click().await?);
        }
    }
    Ok(())
}

/// Touches pictures of the pad, by their places.
async fn taps(tablet: &Browser, places: &[usize]) -> Result<()> {
    for place in places {
        tablet.touch(&format!(".secret .pictures .key:nth-child({place})")).await?;
    }
    Ok(())
}
