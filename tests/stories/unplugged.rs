//! The box is unplugged for a morning: guests work on, and everything is told and cleared when it is back.

use anyhow::{Result, ensure};
use preau_shared::{journal::Entry, replica::Shelf, rig::shelves};
use preau_tests::{
    browser::{Browser, Opening},
    cable::Cable,
    pilot::Pilot,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::screens::{
    DESK, TELEPHONE, enrol_tablet, morning, open_teacher_page, photograph_at, pictures, sign_in, sign_out,
};

/// Waits until the tablet keeps what it needs without the box: a verifier, and documents of its last class.
const KIT: &str = "
    const done = arguments[0];
    const look = () => {
        const asked = indexedDB.open('preau-tablet', 1);
        asked.onsuccess = () => {
            const got = asked.result.transaction('kept').objectStore('kept').get('unplugged');
            got.onsuccess = () => {
                asked.result.close();
                if (got.result && got.result.documents.length > 0) done(got.result);
                else setTimeout(look, 200);
            };
        };
    };
    look();";

/// What a page of this origin would find that somebody left.
const LEFT: &str = "
    const done = arguments[0];
    indexedDB.databases().then((all) => done([localStorage.length, sessionStorage.length, document.cookie, all.map((d) => d.name)]));";

async fn left(tablet: &Browser) -> Result<Value> {
    Ok(tablet.client().execute_async(LEFT, Vec::new()).await?)
}

/// Stays without the box in the box's journal.
fn stays(morning: &Pilot) -> Result<usize> {
    let uai = morning.text("/schools/0/uai");
    let file = morning.folder().join("pilot").join(uai).join("box.db");
    let rows = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let shelf = Shelf::School(uai.parse()?);
    let mut count = 0;
    for (origin, number) in shelves::entry_ids(&rows, &shelf)? {
        let entry = shelves::entries(&rows, &shelf, &origin, number - 1, 1)?;
        count += entry.iter().filter(|(_, _, entry)| matches!(entry, Entry::Unplugged { .. })).count();
    }
    Ok(count)
}

async fn types(tablet: &Browser, code: &str) -> Result<()> {
    for digit in code.chars() {
        let key = format!("//dialog//button[contains(@class, 'key') and normalize-space() = '{digit}']");
        tablet.client().find(fantoccini::Locator::XPath(&key)).await?.click().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_box_is_unplugged_for_a_morning() -> Result<()> {
    let morning = morning().await?;
    let (pupil, teacher) = (morning.people("pupil")?.remove(0), morning.people("teacher")?.remove(0));
    let (url, pictures) = (morning.text("/schools/0/box/url"), pictures()?);

    // Yesterday: the teacher noted the code, and a child worked here.
    let desk = Browser::open(Opening::default()).await?;
    open_teacher_page(&desk, url, &teacher.payload, &teacher.second_factor).await?;
    desk.touch("[data-key=unplugged]").await?;
    let code = desk.see("dialog .read-out").await?.text().await?.replace(' ', "");
    ensure!(code.len() == 6 && code.chars().all(|c| c.is_ascii_digit()), "the code is {code}");
    photograph_at(&desk, &[DESK, TELEPHONE], &pictures, "unplugged-code").await?;
    desk.close().await?;
    let cable = Cable::to(url).await?;
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, cable.url(), morning.text("/schools/0/enrolment_code"), "Tablette 01").await?;
    sign_in(&tablet, &pupil.payload).await?;
    sign_out(&tablet).await?;
    let kit = tablet.client().execute_async(KIT, Vec::new()).await?;
    for named in [pupil.given_name.as_str(), pupil.person_id.as_str(), code.as_str()] {
        ensure!(!kit.to_string().contains(named), "the tablet keeps {named}: {kit}");
    }

    // The cleaners pulled the plug, and the tablet starts.
    cable.pull();
    tablet.client().refresh().await?;
    tablet.see(".silent-box [data-key=unplugged]").await?;
    photograph_at(&tablet, &[DESK, TELEPHONE], &pictures, "unplugged-silent").await?;
    tablet.touch(".silent-box [data-key=unplugged]").await?;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    types(&tablet, wrong).await?;
    tablet.shows("Ce n'est pas le bon code", 1).await?;
    types(&tablet, &code).await?;
    tablet.shows("Sans la boîte, rien n'est gardé", 1).await?;
    photograph_at(&tablet, &[DESK, TELEPHONE], &pictures, "unplugged-guest").await?;
    tablet.see(".shelf .shortcut").await?;
    tablet.touch(".shelf .shortcut").await?;
    // The guest comes back from the document and leaves things behind.
    let page = tablet.another_page().await?;
    tablet.client().switch_to_window(page).await?;
    let leaves = "localStorage.setItem('note', 'moi'); document.cookie = 'note=moi; Path=/; Secure';";
    tablet.client().execute(leaves, vec![]).await?;
    tablet.touch(".sign-out").await?;

    // The next one finds nothing; the power fails while she is there.
    tablet.see(".silent-box [data-key=unplugged]").await?;
    ensure!(left(&tablet).await? == json!([0, 0, "", ["preau-tablet"]]), "{}", left(&tablet).await?);
    tablet.touch(".silent-box [data-key=unplugged]").await?;
    types(&tablet, &code).await?;
    tablet.shows("Sans la boîte, rien n'est gardé", 1).await?;
    tablet.client().execute("localStorage.setItem('note', 'moi')", vec![]).await?;
    tablet.client().refresh().await?;
    tablet.see(".silent-box [data-key=unplugged]").await?;
    ensure!(left(&tablet).await? == json!([0, 0, "", ["preau-tablet"]]), "{}", left(&tablet).await?);

    // Whoever has the pad open when the box is back has no use for it any more.
    tablet.touch(".silent-box [data-key=unplugged]").await?;
    tablet.see("dialog.unplugged").await?;

    // The plug is in again: both stays are told once, the tablet is cleared, and a child signs in as every day.
    cable.plug();
    tablet.see(".ready").await?;
    tablet.gone("dialog.unplugged").await?;
    let told = stays(&morning)?;
    ensure!(told == 2, "{told} stays are in the journal");
    sign_in(&tablet, &pupil.payload).await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    sign_out(&tablet).await?;
    ensure!(stays(&morning)? == 2, "a stay is told once");
    tablet.close().await
}
