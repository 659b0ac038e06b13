//! Badges before a tablet's camera, in a real browser whose camera shows a film of drawn frames.
//!
//! What other sites keep in the browser is not a page's to clear: the agent of the tablet does.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use preau_shared::{badge::Badge, dice::Seeded};
use preau_tests::{
    browser::{BOXES, Browser, Opening},
    frames::{self, Class, Frame, codes, readers::Page},
    pilot::{Pilot, Somebody},
};
use qrcode::{EcLevel, QrCode, Version};
use serde_json::{Value, json};

use crate::screens::{enrol_tablet, sign_out};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
/// Two seconds of a film.
const TWO_SECONDS_FRAMES: usize = 20;

async fn morning() -> Result<Pilot> {
    Pilot::start(PREAU, &["--tablets", "0"]).await
}

/// A film that shows each of these for two seconds, again and again.
fn film(morning: &Pilot, scenes: &[Vec<Frame>]) -> Result<PathBuf> {
    let frames: Vec<Frame> =
        scenes.iter().flat_map(|scene| scene.iter().cycle().take(TWO_SECONDS_FRAMES)).cloned().collect();
    let path = morning.folder().join("badges.y4m");
    std::fs::write(&path, frames::film(&frames))?;
    Ok(path)
}

fn held(somebody: &Somebody, class: Class) -> Result<Vec<Frame>> {
    frames::burst(class, &somebody.payload, 1)
}

fn code(text: &str, level: EcLevel) -> Result<QrCode> {
    Ok(QrCode::with_error_correction_level(text, level)?)
}

/// What a child's page could leave behind: her name, in every drawer that a browser has.
const LEAVE_TRACES: &str = r#"
    const [name, done] = arguments;
    const opened = (asked) => new Promise((go, fail) => {
        asked.onsuccess = () => go(asked.result);
        asked.onerror = () => fail(asked.error);
    });
    (async () => {
        localStorage.setItem("cahier", name);
        sessionStorage.setItem("cahier", name);
        document.cookie = `cahier=${encodeURIComponent(name)}; Path=/; Secure; SameSite=Strict; Max-Age=86400`;
        (await opened(indexedDB.open(`cahier de ${name}`, 1))).close();
        await (await caches.open("cahier")).put("/cahier", new Response(name));
        await (await navigator.storage.getDirectory()).getFileHandle(name, { create: true });
        const page = document.querySelector("script[type=module]").src;
        await navigator.serviceWorker.register(new URL("../static/pulse.js", page));
    })().then(() => done(null), (cause) => done(String(cause)));
"#;
/// What a browser keeps for this page, drawer by drawer; the pages themselves, which open without a box, are no trace.
const TRACES: &str = r#"
    const [done] = arguments;
    (async () => {
        const files = [];
        for await (const file of (await navigator.storage.getDirectory()).keys()) files.push(file);
        return {
            "localStorage": Object.keys(localStorage),
            "sessionStorage": Object.keys(sessionStorage),
            "databases": (await indexedDB.databases()).map((database) => database.name),
            "caches": (await caches.keys()).filter((name) => !name.startsWith("preau-shell-")),
            "files": files,
            "service workers": (await navigator.serviceWorker.getRegistrations()).filter((worker) => !worker.active?.scriptURL.endsWith("/sw.js")).map((worker) => worker.scope),
        };
    })().then(done, (cause) => done(String(cause)));
"#;

/// What the browser keeps, cookies and open pages included.
async fn traces(tablet: &Browser) -> Result<Value> {
    let client = tablet.client();
    let mut traces = client.execute_async(TRACES, Vec::new()).await?;
    let cookies = client.get_all_cookies().await?;
    traces["cookies"] = cookies.iter().map(|cookie| cookie.name().to_owned()).collect();
    traces["pages"] = json!(client.windows().await?.len());
    Ok(traces)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_grader_signs_in_by_badge_and_the_next_one_finds_nothing() -> Result<()> {
    let morning = morning().await?;
    let pupils = morning.people("pupil")?;
    let mut first_graders = pupils.iter().filter(|pupil| pupil.level == "CP");
    let one = first_graders.next().context("a first-grader")?;
    let other = first_graders.find(|pupil| pupil.given_name != one.given_name).context("another")?;
    let film = film(&morning, &[held(one, Class::Tilted)?, held(other, Class::Noisy)?])?;
    // A site of the Internet that answers, whatever its name: the coordinator stands in for it.
    let internet = Some(morning.text("/cloud/url").trim_start_matches("https://").parse()?);
    let tablet = Browser::open(Opening { camera: Some(&film), internet, ..Opening::default() }).await?;
    let client = tablet.client();
    enrol_tablet(&tablet, &morning.page(), morning.text("/schools/0/enrolment_code"), "T 01").await?;

    // Whoever is seen first signs in: her animal, pictures of applications, the documents of her class.
    let name = tablet.see("#given-name").await?.text().await?;
    let (first, second) = if name == one.given_name { (one, other) } else { (other, one) };
    ensure!(name == first.given_name, "the screen says {name}");
    tablet.see(".faces .animal img").await?;
    tablet.see(".shelves").await?;
    let pictures = client.find_all(Locator::Css(".shelves .tiles .shortcut .picture")).await?.len();
    ensure!(pictures > 0, "a first-grader finds pictures: {}", tablet.text().await?);
    tablet.shows("Poésie de la semaine", 1).await?;
    tablet.around().await?;
    let history = client.execute("return history.length", Vec::new()).await?;
    tablet.touch(".shelves .rows .shortcut").await?;
    let page = tablet.another_page().await?;
    let document = client.current_url().await?;
    ensure!(
        document.scheme() == "https" && document.host_str().is_some_and(|host| !host.ends_with(BOXES)),
        "a document is at {document}"
    );
    client.switch_to_window(page).await?;
    let failed = client.execute_async(LEAVE_TRACES, vec![first.given_name.clone().into()]).await?;
    ensure!(failed.is_null(), "no trace could be left: {failed}");
    let token = client.execute("return sessionStorage.session", Vec::new()).await?;
    ensure!(token.is_string());

    // She leaves. Her badge is in the film all the time and does not count; the next one's does.
    sign_out(&tablet).await?;
    ensure!(tablet.see("#given-name").await?.text().await? == second.given_name);
    let clean = json!({
        "localStorage": [], "sessionStorage": ["session"], "databases": ["preau-tablet"], "caches": [], "files": [],
        "service workers": [], "cookies": [], "pages": 1,
    });
    let found = traces(&tablet).await?;
    ensure!(found == clean, "the next pupil finds {found:#}");
    ensure!(client.execute("return sessionStorage.session", Vec::new()).await? != token);

    // The back button leads nowhere: there is no page of hers to come back to.
    ensure!(client.execute("return history.length", Vec::new()).await? == history);
    client.back().await?;
    ensure!(!client.source().await?.contains(&first.given_name), "the back button shows {}", tablet.text().await?);
    client.forward().await?;
    ensure!(tablet.see("#given-name").await?.text().await? == second.given_name);
    ensure!(!client.source().await?.contains(&first.given_name), "she is still named: {}", tablet.text().await?);
    ensure!(traces(&tablet).await? == clean);
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_badge_left_before_the_camera_opens_nothing() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let film = film(&morning, &[held(&pupil, Class::Frontal)?])?;
    let tablet = Browser::open(Opening { camera: Some(&film), ..Opening::default() }).await?;
    enrol_tablet(&tablet, morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"), "T 02")
        .await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    sign_out(&tablet).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(tablet.client().find_all(Locator::Css("#given-name")).await?.is_empty());
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_others_is_told_kindly_and_goes_nowhere() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let (url, enrolment) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let foreign = codes(&[code("https://example.org/gagnez-une-tablette", EcLevel::M)?])?;
    let long = codes(&[code(&"A".repeat(4_296), EcLevel::L)?])?;
    let films = film(&morning, &[vec![foreign], vec![long]])?;
    let tablet = Browser::open(Opening { camera: Some(&films), ..Opening::default() }).await?;
    enrol_tablet(&tablet, url, enrolment, "T 03").await?;
    ensure!(tablet.see(".foreign").await?.text().await?.contains("pas un badge de l'école"));
    let asked =
        r#"return performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/v1/sessions")).length"#;
    let times = tablet.client().execute(asked, Vec::new()).await?;
    ensure!(times.as_u64() <= Some(2), "the box was asked {times} times about two codes of others");
    tablet.close().await?;

    // Among nine others, a badge is found.
    let mut all = vec![code(&pupil.payload, EcLevel::Q)?];
    for n in 1..10 {
        all.push(code(&format!("https://example.org/{n}"), EcLevel::Q)?);
    }
    let films = film(&morning, &[vec![codes(&all)?]])?;
    let tablet = Browser::open(Opening { camera: Some(&films), ..Opening::default() }).await?;
    enrol_tablet(&tablet, url, enrolment, "T 04").await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_pictures_are_read_as_nothing_or_as_what_they_say() -> Result<()> {
    let morning = morning().await?;
    let page = Page::open(morning.text("/schools/0/box/url")).await?;
    let badge = Badge::draw(&Seeded::new(7)).payload();
    let straight = codes(&[code(&badge, EcLevel::Q)?])?;

    let said = async |frame: &Frame| -> Result<BTreeSet<String>> {
        let readings = page.read(std::slice::from_ref(frame)).await?;
        Ok(readings.into_iter().flat_map(|reading| reading.texts).collect())
    };
    let half = straight.pixels.len() / 2;
    for (bytes, size) in [
        (&straight.pixels[..1], (640, 480)),
        (&straight.pixels[..half], (640, 480)),
        (&straight.pixels[..], (640, 481)),
        (&straight.pixels[..], (480, 640)),
        (&straight.pixels[..1], (1, 1)),
        (&[], (0, 0)),
    ] {
        let readings = page.read_bytes(&[bytes], size).await?;
        ensure!(readings.iter().all(|reading| reading.texts.is_empty()), "{size:?}: {readings:?}");
    }
    for (what, frame) in
        [("straight", straight.clone()), ("upside down", straight.turned()), ("mirrored", straight.mirrored())]
    {
        ensure!(said(&frame).await? == [badge.clone()].into(), "{what}");
    }
    let long = "A".repeat(4_296);
    let read = said(&codes(&[code(&long, EcLevel::L)?])?).await?;
    ensure!(read.iter().all(|text| *text == long), "something else than 4,296 letters");
    let ten: BTreeSet<String> = (0..10).map(|n| Badge::draw(&Seeded::new(n)).payload()).collect();
    let read = said(&codes(&ten.iter().map(|text| code(text, EcLevel::Q)).collect::<Result<Vec<_>>>()?)?).await?;
    ensure!(read == ten, "ten badges in a frame are read as {read:?}");
    // A code of eleven modules can be found in one corner of a badge: that kind is not read at all.
    let micro = QrCode::with_version("40192", Version::Micro(1), EcLevel::L)?;
    ensure!(said(&codes(&[micro])?).await?.is_empty());
    page.close().await
}
