//! 8:30, a class in front of half of its tablets: a case was not charged, a badge is forgotten, the line is down, and the
//! box starts again at 8:31.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::wire::{ClassLine, ClassView, SessionOpened, TabletState};
use preau_tests::{
    pilot::{Pilot, Somebody},
    tablet::{Tablet, Teacher, code},
};
use serde_json::{Value, json};
use tokio::time::sleep;

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
/// A tablet whose box does not answer tries again so often.
const AGAIN: Duration = Duration::from_millis(200);

/// The clock on the wall: it moves with the story's own time, and is put forward where nothing happens.
struct Wall {
    at_s: u64,
    since: Instant,
}

impl Wall {
    const BELL_S: u64 = 8 * 3_600 + 30 * 60;

    fn now_s(&self) -> u64 {
        self.at_s + self.since.elapsed().as_secs()
    }
    fn put_forward(&mut self, to_s: u64) {
        (self.at_s, self.since) = (to_s.max(self.now_s()), Instant::now());
    }
    fn told(&self) -> String {
        let now = self.now_s();
        format!("{}:{:02}:{:02}", now / 3_600, now / 60 % 60, now % 60)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_dies_a_badge_is_forgotten_the_wan_is_down_the_box_restarts_at_8_31() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (uai, url) = (pilot.text("/schools/0/uai").to_owned(), pilot.text("/schools/0/box/url").to_owned());
    let ca_file = std::path::PathBuf::from(pilot.text("/schools/0/box/ca_file"));
    let everybody = pilot.people("pupil")?;
    let class_name = everybody[0].class.clone();
    let mut class: Vec<Somebody> = everybody.into_iter().filter(|pupil| pupil.class == class_name).collect();
    ensure!(class.len() >= 6, "{} pupils are no class", class.len());

    // Two cases serve the class; the tablets of one lie there, dark.
    let lit = class.len().div_ceil(2);
    let mut tablets = Vec::new();
    for n in 0..lit {
        let name = format!("Valise 1, {n}");
        tablets.push(Tablet::enrol(&url, &ca_file, pilot.text("/schools/0/enrolment_code"), &name).await?);
    }
    let head = pilot.people("head")?.remove(0);
    let teacher = Teacher::sign_in(&url, &ca_file, &head.payload, &head.second_factor).await?;
    pilot.tell(&["wan", "down", &uai]).await?;
    let mut wall = Wall { at_s: Wall::BELL_S, since: Instant::now() };
    let forgetful = class.pop().context("a child without a badge")?;
    let mut taps = 0;

    // By twos, because half of the tablets are missing; the last tablet is left for whoever has no badge.
    let mut last = tablets.pop().context("a tablet")?;
    let pairs: Vec<Vec<String>> = in_parts(&class, tablets.len());
    let mut seated: Vec<SessionOpened> = Vec::new();
    let early = tablets.len() / 2;
    for (tablet, badges) in tablets.iter_mut().zip(&pairs).take(early) {
        seated.push(sit(tablet, badges).await?);
    }

    // 8:31: somebody trips over the plug.
    wall.put_forward(Wall::BELL_S + 60);
    pilot.tell(&["kill", "box", &uai]).await?;
    for (tablet, badges) in tablets.iter_mut().zip(&pairs).skip(early) {
        seated.push(sit(tablet, badges).await?);
    }
    // Who sat before sits still: her tablet goes on with the token that it has.
    for (tablet, session) in tablets.iter_mut().zip(&seated) {
        let token = session.token.as_deref();
        let current = until_heard(async || tablet.ask("GET", "/api/v1/sessions/current", token, None).await).await?;
        ensure!(current.status == 200, "a session did not survive the box: {}", code(&current));
    }
    // The badge that lies at home: « Faire entrer », and the tablet that the child holds.
    let tablet_id = until_heard(async || last.myself().await).await?.tablet_id;
    let class_id = class_of(&teacher, &class_name).await?;
    taps += 2;
    let body = json!({"person_id": forgetful.person_id, "tablet_id": tablet_id});
    let path = format!("/api/v1/classes/{class_id}/let-in");
    let opened = until_heard(async || teacher.act("POST", &path, Some(body.clone())).await).await?;
    ensure!(opened.status == 201, "let in: {}", code(&opened));
    let me = last.myself().await?;
    ensure!(
        me.state == TabletState::InUse && me.session.is_some_and(|s| s.token.is_some()),
        "her tablet does not open"
    );

    let view: ClassView = teacher.act("GET", &format!("/api/v1/classes/{class_id}"), None).await?.json()?;
    let absent: Vec<&str> =
        view.pupils.iter().filter(|p| p.session.is_none()).map(|p| p.person.given_name.as_str()).collect();
    println!("{}: {} children on {lit} tablets, {taps} taps of the teacher", wall.told(), view.pupils.len());
    ensure!(absent.is_empty(), "still outside: {absent:?}");
    ensure!(taps <= 2, "{taps} taps for one child in trouble");
    ensure!(wall.now_s() <= Wall::BELL_S + 180, "it is {}", wall.told());
    Ok(())
}

/// Badges of those who sit together, so that everybody sits somewhere.
fn in_parts(class: &[Somebody], tablets: usize) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new(); tablets];
    for (at, pupil) in class.iter().enumerate() {
        parts[at % tablets].push(pupil.payload.clone());
    }
    parts
}

/// Sits down; while the box does not answer the tablet tries again, and picks up what an answer that was lost had opened.
async fn sit(tablet: &mut Tablet, badges: &[String]) -> Result<SessionOpened> {
    let token = tablet.token().to_owned();
    let body = serde_json::to_vec(&json!({ "badges": badges }))?;
    let path = "/api/v1/sessions";
    let answer = until_heard(async || tablet.ask("POST", path, Some(&token), Some(body.clone())).await).await?;
    match (answer.status, code(&answer).as_str()) {
        (201, _) => Ok(answer.json()?),
        (409, "tablet_not_free") => {
            let me = until_heard(async || tablet.myself().await).await?;
            me.session.filter(|session| session.token.is_some()).context("the tablet is taken by nobody")
        }
        (status, code) => bail!("{status} {code}"),
    }
}

async fn class_of(teacher: &Teacher, name: &str) -> Result<String> {
    let lines = until_heard(async || teacher.act("GET", "/api/v1/classes", None).await).await?;
    let lines: Vec<ClassLine> = lines.json().with_context(|| format!("{:?}", lines.json::<Value>().ok()))?;
    let found = lines.into_iter().find(|line| line.name == name).context("the class")?;
    Ok(found.class_id.to_string())
}

/// Asks until the box answers.
async fn until_heard<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= end => return Err(error.context("the box stays silent")),
            Err(_) => sleep(AGAIN).await,
        }
    }
}
