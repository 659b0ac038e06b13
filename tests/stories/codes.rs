//! A child and her code, on her screen: she chooses it, misses it, and nothing of it reads as a failure of hers.

use std::path::Path;

use anyhow::{Result, ensure};
use preau_tests::{
    browser::{Browser, Opening},
    tablet::Teacher,
};
use serde_json::json;

use crate::{
    accessible::open_to_all,
    screens::{DESK, TELEPHONE, UPRIGHT, enrol_tablet, morning, pictures, sign_out},
};

const HERS: [&str; 3] = ["chat", "chien", "lapin"];
const OTHERS: [&str; 3] = ["vache", "chien", "souris"];

/// Touches three pictures.
async fn touch_pictures(tablet: &Browser, names: [&str; 3]) -> Result<()> {
    for name in names {
        tablet.touch(&format!(".pictures .key:has([aria-label={name}])")).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_chooses_her_pictures_misses_them_and_finds_them() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let (url, code) = (morning.text("/schools/0/box/url"), morning.text("/schools/0/enrolment_code"));
    let (sizes, pictures) = ([UPRIGHT, DESK, TELEPHONE], pictures()?);
    let (head, ca) = (morning.people("head")?.remove(0), Path::new(morning.text("/schools/0/box/ca_file")));
    let head = Teacher::sign_in(url, ca, &head.payload, &head.second_factor).await?;
    let path = format!("/api/v1/factors/{}", pupil.level);
    ensure!(head.act("PUT", &path, Some(json!({ "factor": "pictures" }))).await?.status == 204);
    let tablet = Browser::open(Opening::default()).await?;
    let look = async |screen: &str| open_to_all(&tablet, &sizes, &pictures, screen).await;
    enrol_tablet(&tablet, url, code, "Tablette 01").await?;

    // She has none yet: she chooses, once wrong, once too simple, and then hers.
    tablet.write("#badge", &pupil.payload).await?;
    tablet.see(".choose").await?;
    look("choose").await?;
    touch_pictures(&tablet, HERS).await?;
    touch_pictures(&tablet, OTHERS).await?;
    tablet.shows("Ce n'était pas pareil", 1).await?;
    for _ in 0..2 {
        touch_pictures(&tablet, ["chat"; 3]).await?;
    }
    tablet.shows("trop facile", 1).await?;
    for _ in 0..2 {
        touch_pictures(&tablet, HERS).await?;
    }
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    sign_out(&tablet).await?;

    // The next day she misses it twice: the screen calls the teacher, and she may go on trying.
    tablet.write("#badge", &pupil.payload).await?;
    touch_pictures(&tablet, OTHERS).await?;
    tablet.shows("Ce n'est pas ça", 1).await?;
    look("secret-wrong").await?;
    touch_pictures(&tablet, OTHERS).await?;
    tablet.see(".call").await?;
    look("call").await?;

    // It comes back to her.
    tablet.touch(".call .main").await?;
    touch_pictures(&tablet, HERS).await?;
    ensure!(tablet.see("#given-name").await?.text().await? == pupil.given_name);
    tablet.close().await
}
