//! A training room's day: the DSI makes it, trainees do what they like, and it begins again as it began. It is never
//! mistaken for a school, nor a school for it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use preau::{admin, coordinator::BadgeLine};
use preau_shared::{ids::Uai, rig::tls};
use preau_tests::{
    browser::{Browser, Opening},
    mosquitto::{Cloud, SchoolBox, free},
    tablet::{Tablet, Teacher, code},
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use crate::screens::{DESK, PREAU, TELEPHONE, UPRIGHT, enrol_tablet, open_teacher_page, photograph_at, pictures};

const RIBBON: &str = "rien n'est réel ici";
const AGAIN: &str = "/api/v1/training/begin-again";

/// A coordinator with a training room that its box serves.
struct Territory {
    cloud: Cloud,
    room: SchoolBox,
    /// The badges' file of the room, as the DSI's command wrote it.
    file: PathBuf,
    dir: tempfile::TempDir,
}

impl Territory {
    async fn new() -> Result<Self> {
        tls::install_provider();
        let dir = tempfile::tempdir()?;
        let cloud = Cloud::alone(PREAU, &dir.path().join("cloud"), free()?).await?;
        let file = dir.path().join("formation.csv");
        let path = file.to_str().context("a path")?;
        let made = say(&cloud, &["school", "add", "--training", "Salle 12", "--badges", path]).await?;
        let uai: Uai = made["uai"].as_str().context("a number")?.parse()?;
        ensure!(uai.is_training() && made["badges"] == 28, "{made}");
        let badges = read(&std::fs::read_to_string(&file)?)?;
        let mut room = cloud.claim_box((&uai, badges), &dir.path().join("room"), "").await?;
        cloud.open(&mut room).await?;
        Ok(Self { cloud, room, file, dir })
    }

    fn ca(&self) -> PathBuf {
        self.cloud.home.join("ca.pem")
    }

    fn of_role(&self, role: &str) -> Result<&BadgeLine> {
        self.room.badges.iter().find(|badge| badge.role == role).context("somebody of that role")
    }

    async fn teacher(&self) -> Result<Teacher> {
        let badge = self.of_role("teacher")?;
        Teacher::sign_in(&self.room.url, &self.ca(), &badge.payload, &badge.second_factor).await
    }
}

/// Says it to the coordinator, as somebody of the DSI types it.
async fn say(cloud: &Cloud, words: &[&str]) -> Result<Value> {
    let said = Command::new(PREAU).args(words).arg("--json").args(cloud.reach()).output().await?;
    ensure!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// The badges' file, in which no name has a comma.
fn read(csv: &str) -> Result<Vec<BadgeLine>> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().context("the heading")?;
    ensure!(head.last() == Some(&"training"), "the file does not say what it is: {head:?}");
    let line = |cells: Vec<&str>| {
        ensure!(cells.last() == Some(&"true"), "{cells:?}");
        let named = head.iter().zip(cells).filter(|(name, _)| **name != "training");
        let line: serde_json::Map<_, _> = named.map(|(name, cell)| ((*name).to_owned(), Value::from(cell))).collect();
        Ok(serde_json::from_value(Value::Object(line))?)
    };
    lines.map(line).collect()
}

/// The badge in use of somebody, as the list of her class names it.
fn badge_of(class: &Value, person: &str) -> Option<String> {
    let pupils = class["pupils"].as_array()?;
    let pupil = pupils.iter().find(|pupil| pupil["person_id"] == person)?;
    pupil["badges"][0].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_training_room_has_its_day_and_begins_again() -> Result<()> {
    let territory = Territory::new().await?;
    let (room, pictures) = (&territory.room, pictures()?);
    let (pupil, teacher) = (territory.of_role("pupil")?, territory.of_role("teacher")?);

    // The papers say what they are, and so does the DSI's list.
    let pdf = territory.dir.path().join("badges.pdf");
    let printed = Command::new(PREAU).args(["badge", "sheet"]).arg(&territory.file).arg("--out").arg(&pdf).output();
    ensure!(printed.await?.status.success() && std::fs::read(&pdf)?.starts_with(b"%PDF-"), "no paper");
    std::fs::copy(&pdf, pictures.join("training-badges.pdf"))?;
    let listed = say(&territory.cloud, &["school", "list"]).await?;
    ensure!(listed["training"] == true, "{listed}");

    // A trainee teaches: she signs in, lets a pupil in, makes a badge void; a pupil signs in and chooses how it suits her.
    let (desk, tablet) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    enrol_tablet(&tablet, &room.url, &room.enrolment_code()?, "Tablette 01").await?;
    ensure!(tablet.text().await?.contains(RIBBON), "the tablet does not say it");
    photograph_at(&tablet, &[DESK, UPRIGHT], &pictures, "training-ready").await?;
    tablet.write("#badge", &pupil.payload).await?;
    tablet.see("#given-name").await?;
    photograph_at(&tablet, &[DESK, UPRIGHT], &pictures, "training-environment").await?;
    ensure!(tablet.text().await?.contains(RIBBON), "her screen does not say it");
    open_teacher_page(&desk, &room.url, &teacher.payload, &teacher.second_factor).await?;
    ensure!(desk.text().await?.contains(RIBBON), "the teacher's page does not say it");
    photograph_at(&desk, &[TELEPHONE, DESK], &pictures, "training-classroom").await?;
    for page in [&tablet, &desk] {
        let barriers = page.barriers().await?;
        ensure!(barriers.is_empty(), "{barriers:#?}");
    }
    let trainee = territory.teacher().await?;
    let class = trainee.act("GET", "/api/v1/classes", None).await?.json::<Value>()?[0]["class_id"].clone();
    let class = format!("/api/v1/classes/{}", class.as_str().context("a class")?);
    let there: Value = trainee.act("GET", &class, None).await?.json()?;
    let lost = badge_of(&there, &pupil.person_id).context("her badge")?;
    ensure!(trainee.act("POST", &format!("/api/v1/badges/{lost}/void"), None).await?.status == 204);
    let other =
        room.badges.iter().find(|b| b.class == pupil.class && b.person_id != pupil.person_id).context("other")?;
    let mut second = Tablet::enrol(&room.url, &territory.ca(), &room.enrolment_code()?, "Tablette 02").await?;
    let tablets: Value = trainee.act("GET", &class, None).await?.json()?;
    let free = tablets["tablets"].as_array().into_iter().flatten().find(|t| t["state"] == "free").context("free")?;
    let let_in = json!({ "person_id": other.person_id, "tablet_id": free["tablet_id"] });
    ensure!(trainee.act("POST", &format!("{class}/let-in"), Some(let_in)).await?.status == 201);
    let zoe = json!({ "given_name": "Zoé" });
    ensure!(trainee.act("POST", &format!("{class}/pupils"), Some(zoe)).await?.status == 201);

    // By a tap, asked once: everybody leaves, and the tablets are cleared before anybody sits down.
    desk.touch("[data-key=again]").await?;
    desk.see("dialog .main").await?;
    photograph_at(&desk, &[TELEPHONE, DESK], &pictures, "training-again").await?;
    let barriers = desk.barriers().await?;
    ensure!(barriers.is_empty(), "{barriers:#?}");
    desk.touch("dialog .main").await?;
    desk.see("#by-badge").await?;
    tablet.see(".ready").await?;
    ensure!(trainee.act("GET", &class, None).await?.status == 401, "a page stayed open");
    ensure!(second.show(&other.payload).await?.err().as_deref() == Some("tablet_not_free"));
    let order = second.myself().await?.wipe.context("a wipe")?;
    second.wipe(&order).await?;

    // As at the beginning: the badge that was void opens, the pupil of this morning is on no list.
    let session = second.show(&pupil.payload).await?.map_err(anyhow::Error::msg)?;
    second.leave(&session).await?;
    let after = territory.teacher().await?.act("GET", &class, None).await?.json::<Value>()?;
    let names = |class: &Value| class["pupils"].as_array().map(Vec::len);
    ensure!(names(&after) == names(&there), "the list is another one: {after}");
    // The coordinator hears of it all.
    territory.cloud.agrees(room, Duration::from_secs(60)).await?;
    desk.close().await?;
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_and_a_training_room_never_mix() -> Result<()> {
    let territory = Territory::new().await?;
    let (cloud, room) = (&territory.cloud, &territory.room);
    let mut school = cloud.claim(0, &territory.dir.path().join("school")).await?;
    cloud.open(&mut school).await?;

    // No badge of one opens at the other, and no trainee is a teacher.
    let (trainee, teacher) = (territory.of_role("pupil")?, territory.of_role("teacher")?);
    let mut at_school = Tablet::enrol(&school.url, &territory.ca(), &school.enrolment_code()?, "Tablette 01").await?;
    let mut in_room = Tablet::enrol(&room.url, &territory.ca(), &room.enrolment_code()?, "Tablette 01").await?;
    let real = school.badges.first().context("a pupil")?;
    ensure!(at_school.show(&trainee.payload).await?.err().as_deref() == Some("badge_unknown"));
    ensure!(at_school.show(&teacher.payload).await?.err().as_deref() == Some("badge_unknown"));
    ensure!(in_room.show(&real.payload).await?.err().as_deref() == Some("badge_unknown"));
    ensure!(at_school.show(&real.payload).await?.is_ok() && in_room.show(&trainee.payload).await?.is_ok());
    let refused = Teacher::sign_in(&school.url, &territory.ca(), &teacher.payload, &teacher.second_factor).await;
    ensure!(refused.is_err(), "a trainee at a school's page");

    // No list of people is taken for the room; no school is made under its number.
    let roster = territory.dir.path().join("roster.csv");
    std::fs::write(&roster, "Nom élève;Prénom élève;INE;Niveau;Libellé classe\r\nROY;Lou;111111111AA;CP;CP A\r\n")?;
    let (uai, roster) = (room.uai.to_string(), roster.to_str().context("a path")?);
    for (words, told) in [
        (vec!["roster", "import", &uai, roster, "--apply"], "training_room"),
        (vec!["school", "add", &uai, "École"], "check letter"),
    ] {
        let said = Command::new(PREAU).args(&words).args(cloud.reach()).output().await?;
        let why = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(!said.status.success() && why.contains(told), "{words:?}: {why}");
    }

    // A box that is given another's database does not start with it.
    school.program.take().context("it serves")?.kill().await?;
    let (home, theirs) = (&school.home, &room.home);
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (theirs.join(format!("box.db{end}")), home.join(format!("box.db{end}")));
        if from.exists() { std::fs::copy(from, to).map(drop)? } else { std::fs::remove_file(to).unwrap_or_default() }
    }
    let mut serve = Command::new(PREAU);
    let started = serve.args(["edge", "serve", "--dir"]).arg(home).kill_on_drop(true).output();
    let started = timeout(Duration::from_secs(30), started).await.context("it serves another's database")??;
    let why = String::from_utf8_lossy(&started.stderr).into_owned();
    ensure!(!started.status.success() && why.contains(&uai) && why.contains("this box is of"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_killed_while_its_room_begins_again_finds_it_as_it_was_or_as_it_begins() -> Result<()> {
    let mut territory = Territory::new().await?;
    let pupil = territory.of_role("pupil")?.clone();
    let mut begun = 0;
    for round in 0..6_u64 {
        let teacher = territory.teacher().await?;
        let class = teacher.act("GET", "/api/v1/classes", None).await?.json::<Value>()?[0]["class_id"].clone();
        let class = format!("/api/v1/classes/{}", class.as_str().context("a class")?);
        let before = teacher.act("GET", &class, None).await?.json::<Value>()?;
        let badge = badge_of(&before, &pupil.person_id).context("her badge")?;
        ensure!(teacher.act("POST", &format!("/api/v1/badges/{badge}/void"), None).await?.status == 204);
        let zoe = json!({ "given_name": "Zoé" });
        ensure!(teacher.act("POST", &format!("{class}/pupils"), Some(zoe)).await?.status == 201);
        let count = before["pupils"].as_array().map_or(0, Vec::len);

        // Asked, and killed while it is under way: nobody was told that it is done, unless the answer came first.
        let asked = teacher.act("POST", AGAIN, None);
        let told = tokio::select! {
            answer = asked => answer.is_ok_and(|answer| answer.status == 204),
            () = tokio::time::sleep(Duration::from_millis(round * 6)) => false,
        };
        let room = &mut territory.room;
        room.program.take().context("it serves")?.kill().await?;
        territory.cloud.open(&mut territory.room).await?;

        let teacher = territory.teacher().await?;
        let after = teacher.act("GET", &class, None).await?.json::<Value>()?;
        let (pupils, open) = (after["pupils"].as_array().map_or(0, Vec::len), badge_of(&after, &pupil.person_id));
        let whole = (pupils, open.is_some());
        ensure!(
            whole == (count, true) || (!told && whole == (count + 1, false)),
            "in half: {whole:?} of {count}, told {told}"
        );
        begun += usize::from(whole == (count, true));
        // And from there it begins again.
        let again = teacher.act("POST", AGAIN, None).await?;
        ensure!(again.status == 204, "{}", code(&again));
        let fresh = territory.teacher().await?.act("GET", &class, None).await?.json::<Value>()?;
        ensure!(fresh["pupils"].as_array().map_or(0, Vec::len) == count);
        ensure!(badge_of(&fresh, &pupil.person_id).is_some_and(|now| now != badge));
        ensure!(admin::box_state(territory.room.admin).await?.people >= 28);
    }
    println!("of 6 rooms whose box was killed, {begun} had begun again");
    Ok(())
}
