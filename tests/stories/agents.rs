//! A tablet whose page is not alone: a program on it clears photos, downloads and applications, and both must have spoken
//! before the next child.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use preau_shared::wire::{StepOutcome, TabletState};
use preau_tests::{
    pilot::Pilot,
    tablet::{Agent, Tablet, Teacher},
};
use serde_json::{Value, json};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_waits_for_its_agent_and_an_adult_helps_where_it_fails() -> Result<()> {
    let morning = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let ca = Path::new(morning.text("/schools/0/box/ca_file"));
    let (pupil, teacher) = (morning.people("pupil")?.remove(0), morning.people("head")?.remove(0));
    let (mut one, mut other) =
        (Tablet::enrol(url, ca, code, "T 01").await?, Tablet::enrol(url, ca, code, "T 02").await?);
    let (mut agent, mut others) =
        (Agent::bind(url, ca, code, "T 01").await?, Agent::bind(url, ca, code, "T 02").await?);

    // Lina leaves. The page is done at once, and waits for the agent.
    let session = one.show(&pupil.payload).await?.map_err(anyhow::Error::msg)?;
    ensure!(agent.order().await?.is_none(), "nothing is cleared while a child works");
    one.leave(&session).await?;
    let me = one.myself().await?;
    ensure!(me.state == TabletState::Wiping && me.wipe.is_none() && me.unconfirmed.is_empty(), "{me:?}");
    ensure!(one.show(&pupil.payload).await? == Err("tablet_not_free".into()));

    // Another tablet's agent cannot speak for it.
    let order = agent.order().await?.context("an order")?;
    ensure!(order.steps.iter().map(|step| step.name.as_str()).eq(["downloads", "camera", "apps"]), "{order:?}");
    ensure!(others.report(&order, StepOutcome::Done).await? == (404, "wipe_unknown".into()));
    ensure!(one.myself().await?.state == TabletState::Wiping);

    // The agent is done: the tablet is free. Its report comes again, and is taken as the first time.
    ensure!(agent.report(&order, StepOutcome::Done).await?.0 == 204);
    ensure!(one.myself().await?.state == TabletState::Free);
    ensure!(agent.report(&order, StepOutcome::Done).await?.0 == 204);

    // The next child's wipe is not that one: yesterday's report frees nothing. Here the agent speaks first.
    let session = one.show(&pupil.payload).await?.map_err(anyhow::Error::msg)?;
    ensure!(agent.report(&order, StepOutcome::Done).await?.0 == 204, "of a wipe that is over");
    ensure!(one.myself().await?.state == TabletState::InUse);
    let token = session.token.clone().context("a token")?;
    let left = one.ask("DELETE", "/api/v1/sessions/current", Some(&token), None).await?;
    let page: preau_shared::wire::WipeOrder = left.json()?;
    ensure!(agent.report(&order, StepOutcome::Done).await?.0 == 204);
    let order = agent.order().await?.context("an order")?;
    ensure!(agent.report(&order, StepOutcome::Done).await?.0 == 202, "the page has not spoken");
    ensure!(agent.order().await?.is_none() && one.myself().await?.state == TabletState::Wiping);
    one.wipe(&page).await?;
    ensure!(one.myself().await?.state == TabletState::Free);

    // On the other tablet the agent fails: the screen and the teacher's list say what to look at, and her word frees it.
    let session = other.show(&pupil.payload).await?.map_err(anyhow::Error::msg)?;
    other.leave(&session).await?;
    let order = others.order().await?.context("an order")?;
    ensure!(others.report(&order, StepOutcome::Failed).await? == (409, "wipe_incomplete".into()));
    let me = other.myself().await?;
    ensure!(me.state == TabletState::Wiping && me.unconfirmed == ["downloads", "camera", "apps"], "{me:?}");
    let desk = Teacher::sign_in(url, ca, &teacher.payload, &teacher.second_factor).await?;
    let classes: Value = desk.act("GET", "/api/v1/classes", None).await?.json()?;
    let class = classes[0]["class_id"].as_str().context("a class")?;
    let view: Value = desk.act("GET", &format!("/api/v1/classes/{class}"), None).await?.json()?;
    let tablets = view["tablets"].as_array().context("tablets")?;
    let line = tablets.iter().find(|line| line["name"] == "T 02").context("the tablet")?;
    ensure!(line["unconfirmed"] == json!(["downloads", "camera", "apps"]) && line["agent"] == "freekiosk", "{line}");
    let id = line["tablet_id"].as_str().context("its name")?;
    let checked = desk.act("POST", &format!("/api/v1/tablets/{id}/checked"), None).await?;
    ensure!(checked.status < 300 && other.myself().await?.state == TabletState::Free);

    // Nobody waits any more for a program that was taken away.
    let released = desk.act("DELETE", &format!("/api/v1/tablets/{id}/agent"), None).await?;
    ensure!(released.status == 204, "{}", released.status);
    let session = other.show(&pupil.payload).await?.map_err(anyhow::Error::msg)?;
    other.leave(&session).await?;
    ensure!(other.myself().await?.state == TabletState::Free && others.order().await.is_err());
    Ok(())
}
