//! Each session has a host of its own: what one child leaves there, no later child's page can find, wiped or not.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use preau_tests::{
    browser::{Browser, Opening},
    pilot::Pilot,
    tablet::Teacher,
};
use serde_json::{Value, json};

use crate::{
    kept_work::DRAWING,
    screens::{enrol_tablet, morning, sign_in, sign_out},
};

/// What a child's page could leave behind, in every drawer that a browser has, and for every host of the box's name; says
/// whether a worker that outlives the page could be left too.
const LEAVE: &str = r#"
    const done = arguments[arguments.length - 1];
    const opened = (asked) => new Promise((go, fail) => {
        asked.onsuccess = () => go(asked.result);
        asked.onerror = () => fail(asked.error);
    });
    (async () => {
        localStorage.setItem("cahier", "Lina");
        sessionStorage.setItem("cahier", "Lina");
        document.cookie = "cahier=Lina; Path=/; Secure; Max-Age=86400";
        document.cookie = `partout=Lina; Path=/; Secure; Max-Age=86400; Domain=${location.hostname.replace(/^[^.]*\./, "")}`;
        (await opened(indexedDB.open("cahier", 1))).close();
        await (await caches.open("cahier")).put("/cahier", new Response("Lina"));
        await (await navigator.storage.getDirectory()).getFileHandle("cahier", { create: true });
        return navigator.serviceWorker.register("/cahier.js").then(() => true, () => false);
    })().then(done, (cause) => done(String(cause)));
"#;
/// How much is left, drawer by drawer.
const FIND: &str = r#"
    const done = arguments[arguments.length - 1];
    (async () => {
        const files = [];
        for await (const file of (await navigator.storage.getDirectory()).keys()) files.push(file);
        return [localStorage.length, sessionStorage.length, document.cookie === "" ? 0 : document.cookie.split(";").length,
                (await indexedDB.databases()).length, (await caches.keys()).length, files.length,
                (await navigator.serviceWorker.getRegistrations()).length];
    })().then(done, (cause) => done(String(cause)));
"#;

/// Where the frame of the session is, and looks into it from now on.
async fn host_of(tablet: &Browser) -> Result<String> {
    tablet.see(".shelves .shortcut").await?;
    Ok(tablet.client().execute("return location.origin", Vec::new()).await?.as_str().unwrap_or_default().to_owned())
}

async fn found(tablet: &Browser) -> Result<Value> {
    Ok(tablet.client().execute_async(FIND, Vec::new()).await?)
}

/// An adult ends whatever runs on the school's one tablet and says that she looked at it: no wipe is done there.
async fn set_free(morning: &Pilot) -> Result<()> {
    let head = morning.people("head")?.remove(0);
    let (url, ca) = (morning.text("/schools/0/box/url"), Path::new(morning.text("/schools/0/box/ca_file")));
    let head = Teacher::sign_in(url, ca, &head.payload, &head.second_factor).await?;
    let classes: Value = head.act("GET", "/api/v1/classes?of=school", None).await?.json()?;
    let all = classes.as_array().or_else(|| classes["classes"].as_array()).context("the classes")?;
    let mut tablet = None;
    for class in all {
        let path = format!("/api/v1/classes/{}", class["class_id"].as_str().unwrap_or_default());
        let view: Value = head.act("GET", &path, None).await?.json()?;
        tablet = view["tablets"][0]["tablet_id"].as_str().map(str::to_owned).or(tablet);
        let pupils = view["pupils"].as_array().into_iter().flatten();
        for session in pupils.filter_map(|pupil| pupil["session"]["session_id"].as_str()) {
            let ended = head.act("POST", &format!("/api/v1/sessions/{session}/end"), None).await?;
            ensure!(ended.status < 300, "ending: {}", ended.status);
        }
    }
    let checked = format!("/api/v1/tablets/{}/checked", tablet.context("the tablet")?);
    let answer = head.act("POST", &checked, None).await?;
    ensure!(answer.status < 300, "checked: {}", answer.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_without_a_wipe_is_out_of_reach_of_the_next_child() -> Result<()> {
    let morning = morning().await?;
    let mut pupils = morning.people("pupil")?.into_iter();
    let (hers, his) = (pupils.next().context("a pupil")?, pupils.next().context("another")?);
    let (page, code) = (morning.page(), morning.text("/schools/0/enrolment_code"));
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, &page, code, "Tablette 01").await?;

    // A reload, and a box that fell over, find her on the same host; her page leaves all that it can.
    sign_in(&tablet, &hers.payload).await?;
    let her_host = host_of(&tablet).await?;
    ensure!(
        her_host.starts_with("https://s-") && her_host.ends_with(page.trim_start_matches("https://")),
        "{her_host}"
    );
    tablet.client().refresh().await?;
    ensure!(host_of(&tablet).await? == her_host, "a reload is another session");
    morning.tell(&["kill", "box", morning.text("/schools/0/uai")]).await?;
    tablet.client().refresh().await?;
    ensure!(host_of(&tablet).await? == her_host, "a fall of the box is another session");
    let left = tablet.client().execute_async(LEAVE, Vec::new()).await?;
    ensure!(left == json!(false), "a worker would outlive her page, or: {left}");
    ensure!(found(&tablet).await? == json!([1, 1, 2, 1, 1, 1, 0]), "{}", found(&tablet).await?);

    // The power goes before any wipe; an adult has the tablet free again. What she left is still there, and so it stays out
    // of reach: the box serves her host to nobody any more.
    tablet.goto("about:blank").await?;
    set_free(&morning).await?;
    tablet.goto(&her_host).await?;
    ensure!(tablet.text().await?.trim() == "404", "her page is served again: {}", tablet.text().await?);
    let kept = tablet.client().execute("return [localStorage.cahier, document.cookie]", Vec::new()).await?;
    ensure!(
        kept[0] == "Lina" && kept[1].as_str().unwrap_or_default().contains("partout"),
        "nothing was to be missed: {kept}"
    );

    // The next child finds nothing at all on his; what she left is then cleared as well.
    tablet.goto(&format!("{page}/tablette")).await?;
    tablet.see(".ready").await?;
    sign_in(&tablet, &his.payload).await?;
    let his_host = host_of(&tablet).await?;
    ensure!(his_host != her_host && his_host.starts_with("https://s-"), "{his_host}");
    ensure!(found(&tablet).await? == json!([0, 0, 0, 0, 0, 0, 0]), "he finds {}", found(&tablet).await?);
    ensure!(!tablet.client().source().await?.contains("Lina"));
    sign_out(&tablet).await?;
    for host in [her_host, his_host] {
        tablet.goto(&host).await?;
        ensure!(found(&tablet).await? == json!([0, 0, 0, 0, 0, 0, 0]), "{host} still holds {}", found(&tablet).await?);
    }
    tablet.close().await
}

/// Whatever runs in the frame tries what it has no right to; a line for each that goes.
const TRY: &str = r#"
    const done = arguments[arguments.length - 1];
    const gone = [];
    const tries = async (name, act) => { try { if ((await act()) !== false) gone.push(name); } catch {} };
    const silent = (message) => new Promise((go) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => go(true);
        parent.postMessage(message, "*", [port2]);
        setTimeout(() => go(false), 300);
    });
    (async () => {
        await tries("the page around", () => parent.document.title);
        await tries("its storage", () => parent.sessionStorage.length);
        await tries("its key", () => parent.indexedDB.open("preau-tablet"));
        await tries("its address", () => { parent.location.href = "about:blank"; });
        await tries("a request", () => fetch(location.protocol + "//" + location.host.replace(/^[^.]*\./, "") + "/api/v1/tablets/me"));
        await tries("a request at home", () => fetch("/api/v1/tablets/me"));
        await tries("the camera", () => navigator.mediaDevices.getUserMedia({ video: true }));
        await tries("a page", () => window.open("about:blank") !== null);
        await tries("a script", () => new Promise((go, fail) => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            window.ran ? go(true) : fail();
        }));
        for (const message of ["token", { ask: "token", id: 1 }, { ask: "works", id: 1 }, { ask: "open", shelf: "apps", at: 0 }, null, 7])
            await tries(`an answer to ${JSON.stringify(message)}`, () => silent(message));
    })().then(() => done(gone), (cause) => done([String(cause)]));
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_in_a_frame_reaches_neither_key_nor_token_nor_box() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, &morning.page(), morning.text("/schools/0/enrolment_code"), "Tablette 01").await?;
    sign_in(&tablet, &pupil.payload).await?;
    host_of(&tablet).await?;
    let gone = tablet.client().execute_async(TRY, Vec::new()).await?;
    ensure!(gone == json!([]), "a frame reaches {gone:#}");
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name, "her screen is gone");
    sign_out(&tablet).await?;
    tablet.close().await
}

/// Readers of what a frame asks, given what it should not.
const ASKED: &str = r#"
    const done = arguments[arguments.length - 1];
    const main = document.querySelector("script[type=module]").src;
    import(new URL("asked.js", main)).then(({ asked }) => {
        const huge = new Blob([new Uint8Array(10 * 1024 * 1024 + 1)]);
        const wrong = [
            undefined, null, 7, "works", [], {}, { ask: "works" }, { ask: "works", id: -1 }, { ask: "works", id: 0.5 }, { ask: "works", id: "1" },
            { ask: "read", id: 1 }, { ask: "read", id: 1, name: "" }, { ask: "read", id: 1, name: "a".repeat(201) }, { ask: "read", id: 1, name: ["a"] },
            { ask: "keep", id: 1, name: "a" }, { ask: "keep", id: 1, name: "a", file: "a" }, { ask: "keep", id: 1, name: "a", file: huge },
            { ask: "open", shelf: "apps" }, { ask: "open", shelf: "constructor", at: 0 }, { ask: "open", shelf: "apps", at: "0" }, { ask: "open", url: "about:blank" },
            { ask: "playing" }, { ask: "choosing", on: 1 }, { ask: "token", id: 1 }, { ask: "toString" },
        ].filter((message) => asked(message) !== null);
        const right = [
            { ask: "works", id: 0 }, { ask: "read", id: 1, name: "a" }, { ask: "keep", id: 1, name: "a", file: new Blob([]) },
            { ask: "open", shelf: "links", at: 3 }, { ask: "playing", on: true }, { ask: "here" },
        ].filter((message) => JSON.stringify(asked({ ...message, more: 1 })) !== JSON.stringify(message));
        done([wrong, right]);
    }).catch((cause) => done(String(cause)));
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_without_such_hosts_and_a_name_that_leads_nowhere_keep_nobody_from_her_work() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let code = morning.text("/schools/0/enrolment_code");
    let tablet = Browser::open(Opening::default()).await?;
    // By its address a box has no names below; everything stands on one page, and works.
    enrol_tablet(&tablet, morning.text("/schools/0/box/url"), code, "Tablette 01").await?;
    let read = tablet.client().execute_async(ASKED, Vec::new()).await?;
    ensure!(read == json!([[], []]), "read otherwise: {read:#}");
    sign_in(&tablet, &pupil.payload).await?;
    tablet.see(".shelves .shortcut").await?;
    ensure!(!tablet.within().await?, "a frame at an address");
    keeps_a_drawing(&tablet).await?;
    sign_out(&tablet).await?;
    tablet.close().await?;

    // A tablet that asks another resolver knows the box's name and none below: after a moment the same.
    let lost = Browser::open(Opening { sessions_nowhere: true, ..Opening::default() }).await?;
    enrol_tablet(&lost, &morning.page(), code, "Tablette 02").await?;
    sign_in(&lost, &pupil.payload).await?;
    lost.see(".shelves .shortcut").await?;
    ensure!(!lost.within().await?, "a frame of nowhere");
    lost.see(".works .work").await?;
    sign_out(&lost).await?;
    lost.close().await
}

/// Keeps a drawing and looks at it.
async fn keeps_a_drawing(tablet: &Browser) -> Result<()> {
    tablet.see(".works .keep").await?;
    tablet.client().execute_async(DRAWING, Vec::new()).await?;
    tablet.touch(".works .work").await?;
    tablet.see(".work-sheet canvas").await?;
    tablet.touch(".work-sheet .main").await
}
