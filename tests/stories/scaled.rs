//! Beyond one machine: two coordinators over one PostgreSQL and one Mosquitto (invariants 1 and 6).

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use preau_shared::{ids::Uai, rig::tls};
use preau_tests::{
    mosquitto::{Cloud, Mosquitto, SchoolBox, free, until},
    postgres::Server,
    tablet::Tablet,
};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
const SIGN_INS: usize = 4;
const DATABASE: &str = "territory";

/// Who holds a school's shelf now: the head of the holder's name; empty when nobody does.
fn holder(server: &Server, uai: &Uai) -> Result<String> {
    let sql = format!(
        "SELECT left(encode(holder, 'hex'), 8) FROM leases WHERE shelf = '{uai}'
         AND ends > extract(epoch FROM clock_timestamp()) * 1000 AND holder <> decode(repeat('00', 16), 'hex')"
    );
    server.run(DATABASE, &sql)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &there)?;
        } else {
            std::fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

async fn lessons(tablet: &mut Tablet, school: &SchoolBox) -> Result<()> {
    for badge in school.badges.iter().take(SIGN_INS) {
        let session = tablet.show(&badge.payload).await?.map_err(anyhow::Error::msg)?;
        tablet.leave(&session).await?;
    }
    Ok(())
}

/// Two coordinators share the schools of a territory. One is killed in the middle of the lessons: the other takes its
/// school over, and when the first is back they share again. Nothing is lost, nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_coordinator_dies_and_the_other_takes_its_schools_over() -> Result<()> {
    tls::install_provider();
    let mut server = Server::start()?;
    let (dir, address) = (tempfile::tempdir()?, free()?);
    let store = format!("store = \"{}\"\n", server.database(DATABASE)?);
    let (home, other) = (dir.path().join("one"), dir.path().join("two"));
    let mut one = Cloud::start_with(PREAU, &home, address, &store).await?;
    let _broker = Mosquitto::start(PREAU, &home, address).await?;
    let mut schools = Vec::new();
    let mut tablets = Vec::new();
    for n in 0..2 {
        let mut school = one.claim(n, &dir.path().join(format!("box{n}"))).await?;
        one.open(&mut school).await?;
        let code = school.enrolment_code()?;
        tablets.push(Tablet::enrol(&school.url, &home.join("ca.pem"), &code, "Tablette 1").await?);
        schools.push(school);
    }
    copy(&home.join("authority"), &other.join("authority"))?;
    let two = Cloud::start_with(PREAU, &other, address, &format!("{store}member = 2\n")).await?;

    let both = async || {
        let (a, b) = (holder(&server, &schools[0].uai)?, holder(&server, &schools[1].uai)?);
        Ok(!a.is_empty() && !b.is_empty() && a != b)
    };
    until("each holds a school", PATIENCE, both).await?;
    for (tablet, school) in tablets.iter_mut().zip(&schools) {
        lessons(tablet, school).await?;
        // They share one memory: either may be asked.
        one.agrees(school, PATIENCE).await?;
        two.agrees(school, PATIENCE).await?;
    }

    let before: Vec<String> = schools.iter().map(|school| holder(&server, &school.uai)).collect::<Result<_>>()?;
    let killed = Instant::now();
    one.kill().await?;
    for (tablet, school) in tablets.iter_mut().zip(&schools) {
        lessons(tablet, school).await?;
    }
    let taken = async || {
        let (a, b) = (holder(&server, &schools[0].uai)?, holder(&server, &schools[1].uai)?);
        Ok(a == b && before.contains(&a))
    };
    until("the other holds both", PATIENCE, taken).await?;
    println!("taken over {:.1} s after kill -9", killed.elapsed().as_secs_f64());
    let mut counts = Vec::new();
    for school in &schools {
        counts.push(two.agrees(school, PATIENCE).await?);
    }
    println!("everything there {:.1} s after kill -9: {counts:?} entries", killed.elapsed().as_secs_f64());

    one.restart().await?;
    until("they share again", PATIENCE, both).await?;
    for ((tablet, school), before) in tablets.iter_mut().zip(&schools).zip(counts) {
        lessons(tablet, school).await?;
        let after = one.agrees(school, PATIENCE).await?;
        ensure!(after >= before + 3 * SIGN_INS, "{before} entries became {after}: each lesson writes three");
    }

    // The second stands still, as a machine that is moved: its schools go to the first, and when it goes on it may not
    // write to them any more.
    two.signal("STOP").await?;
    let alone = async || {
        let (a, b) = (holder(&server, &schools[0].uai)?, holder(&server, &schools[1].uai)?);
        Ok(!a.is_empty() && a == b)
    };
    until("the first holds both", PATIENCE, alone).await?;
    two.signal("CONT").await?;
    for (tablet, school) in tablets.iter_mut().zip(&schools) {
        lessons(tablet, school).await?;
        one.agrees(school, PATIENCE).await?;
    }
    until("they share once more", PATIENCE, both).await?;

    // The database is killed under both, in the middle of the lessons.
    server.kill()?;
    for (tablet, school) in tablets.iter_mut().zip(&schools) {
        lessons(tablet, school).await?;
    }
    server.restart()?;
    for school in &schools {
        let (a, b) = (one.agrees(school, PATIENCE).await?, two.agrees(school, PATIENCE).await?);
        println!("after kill -9 of PostgreSQL: {a} entries");
        ensure!(a == b, "both say {a} and {b}");
    }
    let stale = server.run(DATABASE, "SELECT max(fence) FROM leases").context("fences")?;
    ensure!(stale.parse::<i64>()? >= 2, "schools changed hands under a new fence");
    Ok(())
}
