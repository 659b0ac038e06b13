//! The whole line on real parts: classes go on while the Internet is down, and everything arrives afterwards.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use preau_tests::{
    pilot::Pilot,
    tablet::{self, Tablet, Teacher},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
/// A run and its settling, on a busy machine.
const RUN: Duration = Duration::from_secs(150);

fn number(of: &Value, pointer: &str) -> u64 {
    of.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_morning_with_an_outage_loses_nothing() -> Result<()> {
    let mut pilot = Pilot::start(PREAU, &["--for", "45s"]).await?;
    let summary = pilot.event("summary", RUN).await?;
    println!("{summary:#}");
    ensure!(number(&summary, "/sign_ins/in_outage") > 50, "nobody signed in during the outage");
    ensure!(number(&summary, "/sign_ins/failed_in_outage") == 0);
    ensure!(number(&summary, "/entries/lost") == 0 && number(&summary, "/entries/doubled") == 0);
    for school in summary["schools"].as_array().context("schools")? {
        let (before, peak) = (number(school, "/outages/0/exposure_before"), number(school, "/outages/0/exposure_peak"));
        ensure!(peak > before + 20, "the exposure did not rise: {before} to {peak}");
        ensure!(number(school, "/outages/0/length_ms") >= 20_000);
        ensure!(number(school, "/outages/0/synced_ms") <= 5_000);
    }
    ensure!(summary["broken"] == json!([]), "{}", summary["broken"]);
    ensure!(pilot.end().await?, "exit 0 when every promise is kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_programs_come_back_with_all_they_acknowledged() -> Result<()> {
    let mut pilot = Pilot::start(PREAU, &["--for", "45s"]).await?;
    let school = pilot.text("/schools/0/uai").to_owned();
    for _ in 0..6 {
        pilot.event("sign_in", RUN).await?;
    }
    pilot.tell(&["kill", "box", &school]).await?;
    for _ in 0..4 {
        pilot.event("sign_in", RUN).await?;
    }
    pilot.tell(&["kill", "cloud"]).await?;
    let summary = pilot.event("summary", RUN).await?;
    println!("{summary:#}");
    ensure!(number(&summary, "/kills") == 2);
    ensure!(number(&summary, "/entries/lost") == 0 && number(&summary, "/entries/doubled") == 0);
    ensure!(summary["broken"] == json!([]), "{}", summary["broken"]);
    Ok(())
}

/// Shows the badge again and again until the box refuses it; how long after the box was in contact again.
async fn until_refused(tablet: &mut Tablet, badge: &str, admin: SocketAddr) -> Result<Duration> {
    let mut contact: Option<Instant> = None;
    loop {
        if contact.is_none() && preau::admin::box_state(admin).await?.wan.connected {
            contact = Some(Instant::now());
        }
        match tablet.show(badge).await? {
            Err(code) if code == "badge_void" => return Ok(contact.map_or(Duration::ZERO, |at| at.elapsed())),
            Err(code) => anyhow::bail!("refused by {code}"),
            Ok(session) => tablet.leave(&session).await?,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_badge_stays_void() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (url, ca) = (pilot.text("/schools/0/box/url"), Path::new(pilot.text("/schools/0/box/ca_file")));
    let school = pilot.text("/schools/0/uai");
    let (pupils, teacher) = (pilot.people("pupil")?, pilot.people("head")?.remove(0));
    let (lina, noe) = (&pupils[0], &pupils[1]);
    let mut tablet = Tablet::enrol(url, ca, pilot.text("/schools/0/enrolment_code"), "Tablette 1").await?;

    // The Internet is down; the DSI makes Lina's badge void; the box cannot know, and the class goes on.
    pilot.tell(&["wan", "down", school]).await?;
    let cloud = tablet::client(pilot.text("/cloud/url"), Path::new(pilot.text("/cloud/ca_file")))?;
    let token = std::fs::read_to_string(pilot.text("/cloud/admin/token_file"))?;
    let bearer = format!("Bearer {}", token.trim());
    let void = format!("/api/v1/badges/{}/void", lina.badge_id);
    let answer = cloud.send("POST".parse()?, &void, &[("authorization", &bearer)], Some(b"{}".to_vec())).await?;
    ensure!(answer.status == 200, "{}", tablet::code(&answer));
    let applied: Value = answer.json()?;
    ensure!(applied["boxes"][0]["applied_at_age_s"].is_null(), "the box cannot have it yet: {applied}");
    let session = tablet.show(&lina.payload).await?.map_err(anyhow::Error::msg)?;
    tablet.leave(&session).await?;

    // The line returns: the void goes down before anything else goes up.
    let admin =
        pilot.text("/schools/0/box/metrics").trim_start_matches("http://").trim_end_matches("/metrics").parse()?;
    pilot.tell(&["wan", "up", school]).await?;
    let took = timeout(Duration::from_secs(20), until_refused(&mut tablet, &lina.payload, admin)).await;
    println!(
        "a badge made void during the outage is refused {:?} after contact is back",
        took.context("still let in")??
    );

    // The head makes Noé's badge void at the box: at once, and across a kill.
    let head = Teacher::sign_in(url, ca, &teacher.payload, &teacher.second_factor).await?;
    let answer = head.act("POST", &format!("/api/v1/badges/{}/void", noe.badge_id), Some(json!({}))).await?;
    ensure!((200..300).contains(&answer.status), "{}", tablet::code(&answer));
    ensure!(tablet.show(&noe.payload).await?.is_err_and(|code| code == "badge_void"));
    pilot.tell(&["kill", "box", school]).await?;
    let mut tries = 0;
    let refused = loop {
        match tablet.show(&noe.payload).await {
            Ok(answer) => break answer,
            Err(error) if tries == 100 => return Err(error),
            // The supervisor is starting it again.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
        tries += 1;
    };
    ensure!(refused.is_err_and(|code| code == "badge_void"));
    Ok(())
}

/// A head voids a good part of the school's badges in one afternoon: the box obeys, and the DSI is told to ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_voids_in_a_day_are_obeyed_and_looked_at() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (url, ca) = (pilot.text("/schools/0/box/url"), Path::new(pilot.text("/schools/0/box/ca_file")));
    let (pupils, staff) = (pilot.people("pupil")?, pilot.people("head")?.remove(0));
    let head = Teacher::sign_in(url, ca, &staff.payload, &staff.second_factor).await?;
    for pupil in pupils.iter().take(pupils.len() / 4 + 5) {
        let answer = head.act("POST", &format!("/api/v1/badges/{}/void", pupil.badge_id), Some(json!({}))).await?;
        ensure!((200..300).contains(&answer.status), "{}", tablet::code(&answer));
    }
    let cloud = tablet::client(pilot.text("/cloud/url"), Path::new(pilot.text("/cloud/ca_file")))?;
    let token = std::fs::read_to_string(pilot.text("/cloud/admin/token_file"))?;
    let (bearer, school) = (format!("Bearer {}", token.trim()), pilot.text("/schools/0/uai"));
    let looked_at = async {
        loop {
            let path = format!("/api/v1/schools/{school}");
            let headers = [("authorization", bearer.as_str()), ("accept-language", "fr")];
            let found: Value = cloud.send("GET".parse()?, &path, &headers, None).await?.json()?;
            if found["state"] == "attention" {
                return Ok::<_, anyhow::Error>(found);
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let found = timeout(Duration::from_secs(20), looked_at).await.context("nobody is told")??;
    ensure!(found["last_error"].as_str().is_some_and(|words| words.contains("un badge sur cinq")), "{found}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_pilot_in_the_same_folder_is_told_so() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let second = tokio::process::Command::new(PREAU)
        .args(["pilot", "--for", "30s", "--dir"])
        .arg(pilot.folder().join("pilot"))
        .output()
        .await?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(second.status.code() == Some(1), "{said}");
    ensure!(said.contains("--dir"), "says what to do: {said}");
    Ok(())
}
