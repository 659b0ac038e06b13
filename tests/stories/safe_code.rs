//! The head has forgotten her code, the Internet is down, and nobody of the DSI answers: the envelope in the school's safe.

use anyhow::{Result, ensure};
use preau_tests::{
    browser::{Browser, Opening},
    pilot::Pilot,
};
use tokio::process::Command;

use crate::screens::{DESK, PREAU, TELEPHONE, morning, open_teacher_page, photograph_at, pictures};

const OWN: &str = "314159";
/// Gives the code to the box; until it answers, once more.
const ASK: &str = "
    const [code, done] = arguments;
    const body = JSON.stringify({ code, new_secret: '271828' });
    const ask = () => fetch('/api/v1/safe-code', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
        .then((answer) => answer.json()).then((said) => done(said.code)).catch(() => setTimeout(ask, 100));
    ask();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_opens_the_envelope_and_pulls_the_plug_and_all_hear_of_it() -> Result<()> {
    let morning = morning().await?;
    let (head, teacher) = (morning.people("head")?.remove(0), morning.people("teacher")?.remove(0));
    let (url, uai, pictures) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/uai"), pictures()?);
    let code = print_envelope(&morning, uai).await?;

    // It waits in the safe until the day comes; the box knows it before the line is cut.
    let (office, room) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    office.goto(&format!("{url}/enseignant")).await?;
    office.see("#by-safe").await?;
    morning.tell(&["wan", "down", uai]).await?;
    open_teacher_page(&room, url, &teacher.payload, &teacher.second_factor).await?;

    // The envelope alone opens nothing: the page says what to do, and waits.
    office.touch("#by-safe").await?;
    office.shows("n'a pas encore été rebranchée", 1).await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "safe-closed").await?;
    ensure!(office.see("dialog button[type=submit]").await?.attr("disabled").await?.is_some(), "it could be sent");
    // A restart of the program is no act.
    morning.tell(&["kill", "box", uai]).await?;
    ensure!(told(&office, &code).await? == "safe_closed", "a restart of the program opened the safe");

    // The plug: now the page takes the code. A wrong letter is told; a secret that anybody would try is not taken.
    morning.tell(&["plug", uai]).await?;
    office.shows("vient d'être rebranchée", 1).await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "safe-open").await?;
    gives(&office, "ABCD EFGH IJKL").await?;
    office.shows("Ce n'est pas le code de l'enveloppe", 1).await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "safe-wrong").await?;
    office.shows("vient d'être rebranchée", 1).await?;
    gives(&office, &code).await?;
    chooses(&office, "123456").await?;
    office.see("dialog [role=alert]:not([hidden])").await?;
    chooses(&office, OWN).await?;
    office.see("[data-key=staff]").await?;
    office.shows("a été remplacé avec l'enveloppe du coffre", 1).await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "safe-used").await?;

    // Every teacher hears of it, until she says that she saw it.
    room.shows("a été remplacé avec l'enveloppe du coffre", 1).await?;
    room.touch("[data-key^=\"seen\"]").await?;
    room.gone("[data-key^=\"seen\"]").await?;
    office.touch("[data-key^=\"seen\"]").await?;
    office.gone("[data-key^=\"seen\"]").await?;
    office.touch("[data-key=leave]").await?;

    // The code is spent: nothing is offered any more. What she chose opens, what she knew does not.
    office.see("#by-badge").await?;
    office.gone("#by-safe:not([hidden])").await?;
    office.write("#badge", &head.payload).await?;
    office.write("#pin", &head.second_factor).await?;
    office.touch("#by-badge .main").await?;
    office.shows("Ce n'est pas le bon code", 1).await?;
    open_teacher_page_as_head(&office, url, &head.payload).await?;

    // The line is back: the DSI hears that another envelope is due, and prints it.
    morning.tell(&["wan", "up", uai]).await?;
    let board = Browser::open(Opening::default()).await?;
    let password = std::fs::read_to_string(morning.text("/cloud/admin/password_file"))?;
    board.goto(morning.text("/cloud/url")).await?;
    board.write("#user", morning.text("/cloud/admin/user")).await?;
    board.write("#password", password.trim()).await?;
    board.touch("form button[type=submit]").await?;
    board.shows("L'enveloppe du coffre de cette école a servi", 1).await?;
    photograph_at(&board, &[DESK, TELEPHONE], &pictures, "board-safe").await?;
    let another = print_envelope(&morning, uai).await?;
    ensure!(another != code, "the same code again");
    board.shows("À jour", 2).await?;
    board.close().await?;
    room.close().await?;
    office.close().await
}

/// Draws a code as the DSI does, and reads it where no program could: the answer's PDF holds it in drawn letters, so the
/// same request is made once more by hand.
async fn print_envelope(morning: &Pilot, uai: &str) -> Result<String> {
    let (folder, paper) = (morning.folder().join("pilot"), morning.folder().join("envelope.pdf"));
    let printed = Command::new(PREAU)
        .args(["school", "safe-code", uai, "--out"])
        .arg(&paper)
        .arg("--dir")
        .arg(&folder)
        .output()
        .await?;
    ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    ensure!(std::fs::read(&paper)?.starts_with(b"%PDF-"), "no paper");
    let reach = preau::coordinator::Reach { dir: Some(folder), cloud: None, ca: None, token_file: None };
    let path = format!("/api/v1/schools/{uai}/safe-code");
    let answer = reach.open()?.call(hyper::Method::POST, &path, "application/json", None).await?;
    let drawn: serde_json::Value = answer.json()?;
    Ok(drawn["codes"][0]["code"].as_str().unwrap_or_default().to_owned())
}

/// What the box says to the code, asked past the page, as soon as it answers.
async fn told(page: &Browser, code: &str) -> Result<String> {
    let answer = page.client().execute_async(ASK, vec![code.into()]).await?;
    Ok(answer.as_str().unwrap_or_default().to_owned())
}

async fn gives(page: &Browser, code: &str) -> Result<()> {
    page.write("dialog #safe-code", code).await?;
    page.touch("dialog button[type=submit]").await
}

async fn chooses(page: &Browser, secret: &str) -> Result<()> {
    page.write("dialog #secret-new", secret).await?;
    page.write("dialog #secret-again", secret).await?;
    page.touch("dialog button[type=submit]").await
}

async fn open_teacher_page_as_head(page: &Browser, url: &str, badge: &str) -> Result<()> {
    page.goto(&format!("{url}/enseignant")).await?;
    page.write("#badge", badge).await?;
    page.write("#pin", OWN).await?;
    page.touch("#by-badge .main").await?;
    page.see("[data-key=staff]").await?;
    Ok(())
}
