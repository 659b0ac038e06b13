//! The box's plug is pulled: screens say so by themselves, and go on by themselves.

use anyhow::{Result, ensure};
use fantoccini::Locator;
use preau_tests::{
    browser::{Browser, Opening},
    cable::Cable,
};
use serde_json::Value;

use crate::screens::{enrol_tablet, morning, sign_in, sign_out};

/// Waits for the service worker, then tells what every cache of the page holds.
const CACHES: &str = "
    const done = arguments[0];
    const held = async () => {
        await navigator.serviceWorker.ready;
        const found = [];
        for (const name of await caches.keys())
            for (const request of await (await caches.open(name)).keys()) found.push([name, new URL(request.url).pathname]);
        return found;
    };
    held().then(done, (cause) => done([[String(cause), '']]));";

async fn caches(browser: &Browser) -> Result<Vec<(String, String)>> {
    Ok(serde_json::from_value(browser.client().execute_async(CACHES, Vec::new()).await?)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_without_its_box_says_so_and_comes_back_where_it_was() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let cable = Cable::to(morning.text("/schools/0/box/url")).await?;
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, cable.url(), morning.text("/schools/0/enrolment_code"), "Tablette 01").await?;
    let kept = caches(&tablet).await?;

    // Lina works: she keeps her screen, and a banner tells.
    sign_in(&tablet, &pupil.payload).await?;
    cable.pull();
    tablet.shows("La boîte de l'école ne répond pas", 1).await?;
    tablet.seconds(60).await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    cable.plug();
    tablet.gone("#notice:not([hidden])").await?;
    sign_out(&tablet).await?;

    // Nobody works: the box is drawn, and what was typed is still there afterwards.
    tablet.write("#badge", "AEMN").await?;
    cable.pull();
    tablet.see(".silent-box").await?;
    cable.plug();
    tablet.see(".ready").await?;
    ensure!(tablet.see("#badge").await?.prop("value").await?.as_deref() == Some("AEMN"));

    // The tablet starts while there is no box at all, and again when there is.
    cable.pull();
    tablet.client().refresh().await?;
    tablet.see(".silent-box").await?;
    cable.plug();
    tablet.see(".ready").await?;

    // A wipe left the shell alone, and nobody's stay added to it.
    ensure!(caches(&tablet).await? == kept, "the shell changed with a stay");
    for (cache, path) in &kept {
        let page = ["/tablette", "/enseignant"].contains(&path.as_str());
        ensure!(cache.starts_with("preau-shell-") && (page || path.starts_with("/static/")), "{cache} holds {path}");
        ensure!(!path.contains("/animals/"), "{path} tells who sat there");
    }
    ensure!(kept.len() > 20, "{kept:?}");
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_leaves_the_shell_alone_and_nothing_else() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, url, code, "Tablette 01").await?;
    let shell = caches(&tablet).await?;
    sign_in(&tablet, &pupil.payload).await?;
    let left_behind = "
        const done = arguments[0];
        localStorage.setItem('note', 'Lina');
        document.cookie = 'note=Lina; Path=/; Secure; SameSite=Strict';
        const asked = indexedDB.open('homework', 1);
        asked.onsuccess = async () => {
            asked.result.close();
            await (await caches.open('homework')).put('/homework', new Response('Lina'));
            done(null);
        };";
    tablet.client().execute_async(left_behind, Vec::new()).await?;
    ensure!(caches(&tablet).await?.len() == shell.len() + 1);
    sign_out(&tablet).await?;
    ensure!(caches(&tablet).await? == shell, "the wipe left a cache, or took the shell");
    let left = "
        const done = arguments[0];
        indexedDB.databases().then((all) => done([localStorage.length, document.cookie, all.map((d) => d.name)]));";
    let left = tablet.client().execute_async(left, Vec::new()).await?;
    ensure!(left == serde_json::json!([0, "", ["preau-tablet"]]), "{left}");
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_can_be_installed_and_run_nothing_of_elsewhere() -> Result<()> {
    let morning = morning().await?;
    let tablet = Browser::open(Opening::default()).await?;
    for (path, start) in [("/tablette", "/tablette"), ("/enseignant", "/enseignant")] {
        tablet.goto(&format!("{}{path}", morning.text("/schools/0/box/url"))).await?;
        tablet.client().find(Locator::Css("link[rel=manifest]")).await?;
        let read = "
            const done = arguments[0];
            fetch(document.querySelector('link[rel=manifest]').href).then(async (r) => done([await r.json(), r.headers.get('content-security-policy')]));";
        let answer: (Value, String) = serde_json::from_value(tablet.client().execute_async(read, Vec::new()).await?)?;
        ensure!(answer.0["start_url"] == start && answer.0["scope"] == "/", "{}", answer.0);
        ensure!(answer.1.contains("worker-src 'self'; manifest-src 'self'"), "{}", answer.1);
    }
    tablet.close().await
}
