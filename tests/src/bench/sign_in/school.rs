//! A school of so many pupils, its box, and a tablet for some of them.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Result, ensure};
use preau_shared::roster::{BirthDate, Charset, Row, Sex, onde};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{bare, crowd::Crowd, line::Door};
use crate::bench::{
    boxed::Boxed,
    territory::{Territory, uai},
};

/// Pupils of a class.
const CLASS: usize = 25;
const LEVELS: [&str; 5] = ["CP", "CE1", "CE2", "CM1", "CM2"];
/// What a box does not learn within so long it will not.
const PATIENCE: Duration = Duration::from_secs(300);

/// A school with its box, which runs.
#[derive(Debug)]
pub struct School {
    /// Its box.
    pub boxed: Boxed,
    /// Where tablets find it.
    pub door: Door,
    /// Badges of its pupils, none with a second factor.
    badges: Vec<String>,
}

impl School {
    /// Makes the school of this number at the coordinator, and its box, which connects to `mqtt`; waits until the box
    /// knows everybody.
    ///
    /// # Errors
    /// When the coordinator or the box says no.
    pub async fn found(
        program: &Path,
        dir: &Path,
        at: (&Territory, SocketAddr),
        (number, pupils): (u32, usize),
    ) -> Result<Self> {
        let (uai, api) = (uai(number)?, &at.0.api);
        api.add_school(&uai, &format!("École n° {number}"), None).await?;
        let rows: Vec<Row> = (0..pupils).map(|n| pupil(number, n)).collect();
        let plan = api.plan_roster(&uai, "2026-2027", onde::write(&rows, Charset::Utf8)).await?;
        let badges = api.apply_roster(&plan, false).await?;
        let badges: Vec<String> =
            badges.into_iter().filter(|b| b.second_factor.is_empty()).map(|b| b.payload).collect();
        ensure!(badges.len() == pupils, "{} badges for {pupils} pupils", badges.len());
        api.give_documents(&uai, &documents(pupils)).await?;
        let mut boxed = Boxed::claim(program, dir, at, &uai).await?;
        boxed.configure(&format!("enrolment_open_min = 600\nenrolment_tablets = {pupils}\n"))?;
        boxed.start()?;
        boxed.in_step(u64::try_from(pupils)?).await?;
        knows(&boxed.home, pupils).await?;
        let door = Door::new(boxed.listen, &bare::grant(&boxed.home)?.authority)?;
        Ok(Self { boxed, door, badges })
    }

    /// A tablet for each of the first so many pupils, enrolled.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn tablets(&self, many: usize) -> Result<Crowd> {
        let code = fs::read_to_string(self.boxed.home.join("enrolment_code"))?;
        Crowd::enrol(&self.door, code.trim(), self.badges.get(..many).unwrap_or(&self.badges)).await
    }
}

/// Waits until every pupil's badge and class stand in the box's rows.
async fn knows(home: &Path, pupils: usize) -> Result<()> {
    let rows = Connection::open_with_flags(home.join("box.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let began = Instant::now();
    loop {
        let sql = "SELECT count(*) FROM badges b JOIN class_members m ON m.person = b.person WHERE m.teaches = 0";
        let known: i64 = rows.query_row(sql, [], |row| row.get(0))?;
        if usize::try_from(known)? >= pupils {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the box knows {known} badges of {pupils}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn class_of(pupil: usize) -> (String, &'static str) {
    let class = pupil / CLASS;
    let level = LEVELS[class % LEVELS.len()];
    (format!("{level} {}", class / LEVELS.len() + 1), level)
}

/// Nobody else, of this school or another, has her name or her number.
fn pupil(school: u32, number: usize) -> Row {
    let letter = |n: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n % 26]);
    let (class_name, level) = class_of(number);
    Row {
        line: 0,
        family_name: String::from_iter([
            letter(usize::try_from(school).unwrap_or(0)),
            letter(number / 676),
            letter(number / 26),
            letter(number),
        ]),
        usage_name: None,
        given_name: "Camille".into(),
        birth_date: BirthDate::new(2018, 1, 1),
        sex: Some(Sex::Female),
        ine: format!("99{school:03}{number:04}AA").parse().ok(),
        level: level.into(),
        cycle: String::new(),
        class_name,
        class_ref: None,
    }
}

/// A document for each class, as teachers give them.
fn documents(pupils: usize) -> Value {
    let classes = (0..pupils).step_by(CLASS).map(|first| class_of(first).0);
    classes
        .map(|class| json!({ "class_name": class, "title": "Lecture du jour", "url": "https://ecole.example/lecture" }))
        .collect()
}
