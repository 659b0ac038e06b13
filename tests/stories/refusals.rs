//! What should not work says what, where and what to do, and nothing is lost by it.

use std::{net::TcpListener, path::Path};

use anyhow::{Context as _, Result, ensure};
use preau_tests::{
    pilot::Pilot,
    tablet::{self, Tablet},
};
use tokio::process::Command;

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pilot_meets_visitors_who_should_not_come_in() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (url, ca) = (pilot.text("/schools/0/box/url"), Path::new(pilot.text("/schools/0/box/ca_file")));
    let mut tablet = Tablet::enrol(url, ca, pilot.text("/schools/0/enrolment_code"), "Tablette 1").await?;

    // A pupil of the other school; a code that is no badge; one that is far too long.
    let elsewhere = std::fs::read_to_string(pilot.text("/schools/1/badges_file"))?;
    let payload = elsewhere.lines().nth(1).and_then(|l| l.split(',').nth(6)).context("a badge of the other school")?;
    for (badge, code) in [
        (payload, "badge_unknown"),
        ("https://example.org/", "badge_malformed"),
        (&"A".repeat(9_000), "badge_malformed"),
    ] {
        let refused = tablet.show(badge).await?.err();
        ensure!(refused.as_deref() == Some(code), "{badge:.40}: {refused:?}");
    }
    let session = tablet.show(&pilot.people("pupil")?[0].payload).await?.map_err(anyhow::Error::msg)?;
    let second = tablet.show(&pilot.people("pupil")?[1].payload).await?.err();
    ensure!(second.as_deref() == Some("tablet_not_free"), "{second:?}");
    tablet.leave(&session).await?;

    // Five megabytes of rubbish to every endpoint of the coordinator; it answers, and goes on answering.
    let rubbish = vec![b'x'; 5 * 1024 * 1024];
    let (cloud, ca) = (pilot.text("/cloud/url"), Path::new(pilot.text("/cloud/ca_file")));
    let token = std::fs::read_to_string(pilot.text("/cloud/admin/token_file"))?;
    let bearer = format!("Bearer {}", token.trim());
    let school = pilot.text("/schools/0/uai");
    let id = "00".repeat(16);
    for path in [
        "/login".to_owned(),
        "/api/v1/schools".to_owned(),
        format!("/api/v1/rosters?uai={school}&school_year=2026-2027"),
        format!("/api/v1/rosters/{id}/apply"),
        format!("/api/v1/rosters/{id}/undo"),
        format!("/api/v1/staff?uai={school}"),
        format!("/api/v1/documents?uai={school}"),
        format!("/api/v1/badges/{id}/void"),
        "/api/v1/boxes".to_owned(),
        format!("/api/v1/boxes/{id}/revoke"),
        "/api/v1/claims".to_owned(),
        format!("/api/v1/claims/{id}/confirm"),
        "/nowhere".to_owned(),
    ] {
        let client = tablet::client(cloud, ca)?;
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = client.send("POST".parse()?, &path, &headers, Some(rubbish.clone())).await;
        let answer = answer.with_context(|| path.clone())?;
        ensure!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        ensure!(tablet::code(&answer) != "none", "{path}: a problem has a code");
    }
    let answer = tablet::client(cloud, ca)?.send("GET".parse()?, "/healthz", &[], None).await?;
    ensure!(answer.status == 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named() -> Result<()> {
    let (taken, home) = (TcpListener::bind("127.0.0.1:0")?, tempfile::tempdir()?);
    let at = taken.local_addr()?;
    let config =
        format!("listen = \"{at}\"\nmqtt = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nterritory = \"belfort\"\n");
    std::fs::write(home.path().join("preau-cloud.toml"), config)?;
    let said = Command::new(PREAU).args(["cloud", "serve", "--dir"]).arg(home.path()).output().await?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    ensure!(said.status.code() == Some(1), "{words}");
    ensure!(words.contains(&at.to_string()) && words.contains("in use"), "{words}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_nobody_claimed_says_how_to() -> Result<()> {
    let home = tempfile::tempdir()?;
    let said = Command::new(PREAU).args(["edge", "serve", "--dir"]).arg(home.path()).output().await?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    ensure!(said.status.code() == Some(1) && words.contains("claim CODE"), "{words}");
    Ok(())
}
