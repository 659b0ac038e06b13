//! The DSI switches a school to one account per tablet: its box applies it, and goes on with it while the WAN is cut.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use preau_shared::wire::PersonView;
use preau_tests::{pilot::Pilot, tablet::Tablet};
use tokio::process::Command;

use crate::screens::{PREAU, morning};

/// The DSI's word.
pub(crate) async fn switch(pilot: &Pilot, to: &str) -> Result<()> {
    let folder = pilot.folder().join("pilot");
    let words = ["school", "accounts", pilot.text("/schools/0/uai"), to, "--dir"];
    let said = Command::new(PREAU).args(words).arg(folder).output().await?;
    ensure!(said.status.success(), "{to}: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// Signs in and out; whose the tablet then is.
pub(crate) async fn comes_and_goes(tablet: &mut Tablet, badge: &str) -> Result<Option<PersonView>> {
    let session = tablet.show(badge).await?.map_err(anyhow::Error::msg)?;
    tablet.leave(&session).await?;
    Ok(tablet.myself().await?.owner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_per_tablet_holds_while_the_wan_is_cut_and_many_frees_all() -> Result<()> {
    let pilot = morning().await?;
    let mut pupils = pilot.people("pupil")?.into_iter();
    let (hers, his) = (pupils.next().context("a pupil")?, pupils.next().context("another")?);
    let (url, ca_file) = (pilot.text("/schools/0/box/url"), pilot.text("/schools/0/box/ca_file"));
    let code = pilot.text("/schools/0/enrolment_code");
    let mut tablet = Tablet::enrol(url, Path::new(ca_file), code, "Tablette 01").await?;
    ensure!(comes_and_goes(&mut tablet, &hers.payload).await?.is_none(), "owned before the switch");

    switch(&pilot, "one").await?;
    let mut owner = None;
    for _ in 0..100 {
        owner = comes_and_goes(&mut tablet, &hers.payload).await?;
        if owner.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(owner.context("the box never heard of it")?.given_name == hers.given_name);

    let uai = pilot.text("/schools/0/uai");
    pilot.tell(&["wan", "down", uai]).await?;
    ensure!(tablet.show(&his.payload).await?.err().as_deref() == Some("tablet_of_another"));
    ensure!(comes_and_goes(&mut tablet, &hers.payload).await?.is_some());
    // What the DSI switches meanwhile is applied when the line is back.
    switch(&pilot, "many").await?;
    pilot.tell(&["wan", "up", uai]).await?;
    for _ in 0..300 {
        match tablet.show(&his.payload).await? {
            Ok(session) => return tablet.leave(&session).await,
            Err(code) => ensure!(code == "tablet_of_another", "{code}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the box never heard that it is freed")
}
