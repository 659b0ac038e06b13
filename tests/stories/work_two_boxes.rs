//! What a pupil keeps in one building is hers in the other one (ARCHITECTURE §3.4; `shared/decisions/0024-work-between-boxes.md`).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use preau_shared::{
    dice::Dice as _,
    rig::dice::SystemDice,
    wire::{SessionOpened, Works},
};
use preau_tests::{
    browser::{Browser, Opening},
    mosquitto::until,
    tablet::{Tablet, code},
};

use crate::{
    screens::{DESK, UPRIGHT, enrol_tablet, photograph_at, pictures, sign_in},
    siblings::{Boxed, PATIENCE, PREAU, Territory},
};

/// Takes seconds to come.
const FILM_BYTES: usize = 9_000_000;

/// A tablet with somebody signed in.
struct Stay<'a> {
    tablet: &'a mut Tablet,
    session: SessionOpened,
}

impl<'a> Stay<'a> {
    async fn begin(tablet: &'a mut Tablet, badge: &str) -> Result<Self> {
        let session = tablet.show(badge).await?.map_err(anyhow::Error::msg)?;
        Ok(Self { tablet, session })
    }

    async fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = format!("/api/v1/work/{name}");
        let answer = self.tablet.ask("PUT", &path, self.session.token.as_deref(), Some(bytes.to_vec())).await?;
        ensure!((200..300).contains(&answer.status), "{}", code(&answer));
        Ok(())
    }

    async fn works(&mut self) -> Result<Works> {
        let answer = self.tablet.ask("GET", "/api/v1/work", self.session.token.as_deref(), None).await?;
        ensure!(answer.status == 200, "{}", code(&answer));
        Ok(answer.json()?)
    }

    /// The bytes, or the code of the refusal.
    async fn opens(&mut self, name: &str) -> Result<Result<Vec<u8>, String>> {
        let path = format!("/api/v1/work/{}", name.replace(' ', "%20"));
        let answer = self.tablet.ask("GET", &path, self.session.token.as_deref(), None).await?;
        Ok(if answer.status == 200 { Ok(answer.body.to_vec()) } else { Err(code(&answer)) })
    }

    /// Waits until so many works are here, and on another disk too.
    async fn finds(&mut self, count: usize) -> Result<Vec<String>> {
        until("her works are here, on two disks", PATIENCE, async || {
            let works = self.works().await?.works;
            Ok(works.len() == count && works.iter().all(|work| !work.arriving && !work.on_one_disk))
        })
        .await?;
        Ok(self.works().await?.works.into_iter().map(|work| work.name).collect())
    }

    async fn leave(self) -> Result<()> {
        self.tablet.leave(&self.session).await
    }
}

fn drawing(bytes: usize) -> Vec<u8> {
    let mut drawing = vec![0; bytes];
    SystemDice.fill(&mut drawing);
    drawing
}

/// Files of kept works on a box's disk whose name ends like this.
fn files(of: &Boxed, end: Option<&str>) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(of.school.home.join("work"))?;
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().and_then(|e| e.to_str()) == end).collect())
}

/// Whether some bytes of a work on its way are here: its file is made before the first of them come.
fn some_came(to: &Boxed) -> Result<bool> {
    let parts = files(to, Some("fetched"))?;
    Ok(parts.iter().any(|part| std::fs::metadata(part).is_ok_and(|about| about.len() > 0)))
}

fn holds(of: &Boxed, bytes: &[u8]) -> Result<bool> {
    let is = |path: &Path| std::fs::read(path).is_ok_and(|found| found == bytes);
    Ok(files(of, None)?.iter().any(|path| is(path)))
}

/// Monday in the first building, Tuesday in the second; on Wednesday the cable between them is out, on Thursday a child
/// leaves the town, and on Friday the first box burns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_she_keeps_in_one_building_is_hers_in_the_other() -> Result<()> {
    let mut world = Territory::with("").await?;
    let [a, b] = &world.boxes;
    let (mut at_a, mut at_b) = (world.tablet(a).await?, world.tablet(b).await?);
    let (lina, noe) = (a.school.badges[0].clone(), a.school.badges[1].clone());
    let [cat, at_first, at_second, his] = [900_000, 40_000, 50_000, 60_000].map(drawing);

    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    hers.keep("chat.png", &cat).await?;
    hers.leave().await?;
    let mut hers = Stay::begin(&mut at_b, &lina.payload).await?;
    ensure!(hers.finds(1).await? == ["chat.png"]);
    ensure!(hers.opens("chat.png").await?.as_deref() == Ok(cat.as_slice()));
    hers.leave().await?;
    until("the first box knows that it is not alone", PATIENCE, async || {
        Ok(a.status().await?["works"]["files_on_one_disk"] == 0)
    })
    .await?;

    // Apart, both buildings go on, and both keep the same name.
    b.cable.cut();
    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    hers.keep("chat.png", &at_first).await?;
    ensure!(hers.works().await?.works.iter().all(|work| work.on_one_disk));
    hers.leave().await?;
    let mut hers = Stay::begin(&mut at_b, &lina.payload).await?;
    hers.keep("chat.png", &at_second).await?;
    let mut his_stay = Stay::begin(&mut at_a, &noe.payload).await?;
    his_stay.keep("maison.png", &his).await?;
    his_stay.leave().await?;
    b.cable.mend();
    let mut names = hers.finds(2).await?;
    names.sort();
    ensure!(names == ["chat (2).png", "chat.png"], "{names:?}");
    let mut found = Vec::new();
    for name in &names {
        found.push(hers.opens(name).await?.map_err(anyhow::Error::msg)?);
    }
    ensure!(found.contains(&at_first) && found.contains(&at_second), "one of the two is lost");
    hers.leave().await?;
    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    let mut there = hers.finds(2).await?;
    there.sort();
    ensure!(there == names, "the two buildings say the same");
    hers.leave().await?;

    // He is erased: nothing of his is left on either disk, nor comes back.
    until("his drawing is in both buildings", PATIENCE, async || Ok(holds(a, &his)? && holds(b, &his)?)).await?;
    world.cloud.api.erase_person(&noe.person_id.parse()?).await?;
    until("nothing of his is left", PATIENCE, async || Ok(!holds(a, &his)? && !holds(b, &his)?)).await?;

    // The first box burns and is revoked: what the second one has is hers, and stands on one disk.
    let burnt = a.id;
    let home = a.school.home.clone();
    world.boxes[0].school.program.take().context("it runs")?.kill().await?;
    std::fs::remove_dir_all(home)?;
    let b = &world.boxes[1];
    world.cloud.api.call(Method::POST, &format!("/api/v1/boxes/{burnt}/revoke"), "application/json", None).await?;
    let mut hers = Stay::begin(&mut at_b, &lina.payload).await?;
    ensure!(hers.works().await?.works.len() == 2);
    for name in &names {
        let bytes = hers.opens(name).await?.map_err(anyhow::Error::msg)?;
        ensure!(bytes == at_first || bytes == at_second);
    }
    until("they stand on one disk again", PATIENCE, async || {
        Ok(hers.works().await?.works.iter().all(|work| work.on_one_disk))
    })
    .await?;
    ensure!(!holds(b, &his)?, "it came back");
    Ok(())
}

/// A film is on its way when the cable is pulled: the screen in the other building says so, and opens it once it has come.
/// Another one is on its way when the second building loses its power.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_on_its_way_is_shown_as_such_and_comes_whole_or_not_at_all() -> Result<()> {
    let mut world = Territory::with("").await?;
    let [a, b] = &world.boxes;
    let mut at_a = world.tablet(a).await?;
    let screen = Browser::open(Opening::default()).await?;
    enrol_tablet(&screen, &b.school.url, &b.school.enrolment_code()?, "Tablette 02").await?;
    let lina = a.school.badges[0].clone();
    let [first, second] = [(), ()].map(|()| drawing(FILM_BYTES));
    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    hers.keep("film.mp4", &first).await?;
    hers.leave().await?;
    until("it is on its way", PATIENCE, async || some_came(b)).await?;
    b.cable.cut();
    sign_in(&screen, &lina.payload).await?;
    ensure!(screen.see(".works .arriving").await?.text().await? == "il arrive");
    ensure!(screen.see(".works .work").await?.attr("disabled").await?.is_some());
    photograph_at(&screen, &[DESK, UPRIGHT], &pictures()?, "work-arriving").await?;
    let barriers = screen.barriers().await?;
    ensure!(barriers.is_empty(), "{barriers:#?}");
    ensure!(b.status().await?["works"]["arriving"] == 1);
    ensure!(files(b, None)?.is_empty(), "half a film has a name");
    let part = files(b, Some("fetched"))?.pop().context("what came is kept")?;
    let before = std::fs::metadata(&part)?.len();
    ensure!((1..u64::try_from(FILM_BYTES)?).contains(&before), "{before}");
    b.cable.mend();
    // By itself, without a touch.
    screen.see(".works .work:not([disabled])").await?;
    screen.gone(".works .arriving").await?;
    ensure!(holds(b, &first)?, "whole");
    screen.close().await?;

    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    hers.keep("encore.mp4", &second).await?;
    hers.leave().await?;
    until("the second one is on its way", PATIENCE, async || some_came(b)).await?;
    let school = &mut world.boxes[1].school;
    school.program.take().context("it runs")?.kill().await?;
    ensure!(!holds(&world.boxes[1], &second)?, "it came before the power went");
    world.boxes[1].school.serve(PREAU)?;
    let [a, b] = &world.boxes;
    until("it is here, durably, and both know", PATIENCE, async || {
        Ok(holds(b, &second)? && a.status().await?["works"]["files_on_one_disk"] == 0)
    })
    .await?;
    ensure!(files(b, None)?.len() == 2 && files(b, Some("fetched"))?.is_empty());
    let mut at_b = world.tablet(b).await?;
    let mut hers = Stay::begin(&mut at_b, &lina.payload).await?;
    hers.finds(2).await?;
    ensure!(hers.opens("encore.mp4").await?.as_deref() == Ok(second.as_slice()));
    hers.leave().await
}

/// The other box has little room: it says so, and the first one goes on telling that it is alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_without_room_says_so_and_its_own_children_keep_on() -> Result<()> {
    let world = Territory::with("work_mb = 1\n").await?;
    let [a, b] = &world.boxes;
    let (mut at_a, mut at_b) = (world.tablet(a).await?, world.tablet(b).await?);
    let lina = a.school.badges[0].clone();
    let (large, small) = (drawing(900_000), drawing(60_000));
    let mut hers = Stay::begin(&mut at_a, &lina.payload).await?;
    hers.keep("grand.png", &large).await?;
    let id = b.id.to_string();
    until("the second box says that it is full", PATIENCE, async || {
        let sisters = a.status().await?["sisters"].as_array().context("sisters")?.clone();
        Ok(sisters.iter().any(|sister| sister["box_id"] == id.as_str() && sister["full_of_works"] == true))
    })
    .await?;
    ensure!(hers.works().await?.works.iter().all(|work| work.on_one_disk));
    ensure!(a.status().await?["works"]["files_on_one_disk"] == 1);
    hers.leave().await?;
    let mut hers = Stay::begin(&mut at_b, &lina.payload).await?;
    ensure!(hers.works().await?.works.iter().all(|work| work.arriving));
    hers.keep("petit.png", &small).await?;
    ensure!(hers.opens("petit.png").await?.as_deref() == Ok(small.as_slice()));
    ensure!(!holds(b, &large)?);
    hers.leave().await
}
