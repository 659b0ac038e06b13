//! A stick in the drawer: the school's box and the coordinator are backed up while children sign in, and got back. And a
//! box that fell from its shelf is replaced.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use preau_shared::{
    dice::Dice as _,
    replica::{Origin, Shelf},
    rig::{dice::SystemDice, shelves},
};
use preau_tests::{pilot::Pilot, tablet};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
/// Creates that are killed before one is let through.
const KILLS: usize = 3;

type Ids = BTreeSet<(Origin, u64)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_and_its_coordinator_come_back_from_a_stick() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "6"]).await?;
    let school = pilot.text("/schools/0/uai").to_owned();
    for (folder, database) in [("cloud", "cloud.db"), (school.as_str(), "box.db")] {
        let living = pilot.folder().join("pilot").join(folder);
        let stick = Stick { key: pilot.folder().join("key"), store: pilot.folder().join(format!("stick-{folder}")) };
        let before = written(&living.join(database), &school).await?;
        stick.cut_short(&living).await?;
        let first = stick.say(&["create", text(&living)?, "--to", text(&stick.store)?]).await?;
        let second = stick.say(&["create", text(&living)?, "--to", text(&stick.store)?]).await?;
        println!("{folder}: {} bytes, then {} of them anew", first["new_bytes"], second["new_bytes"]);
        ensure!(first["bytes"].as_u64() > Some(100_000) && first["unsound"] == serde_json::json!([]), "{first}");
        let after = ids(&living.join(database), &school)?;

        let verified = stick.say(&["verify", text(&stick.store)?, "--rehearse", text(pilot.folder())?]).await?;
        ensure!(verified["damaged"] == 0 && verified["rehearsed"] == true, "{verified}");
        let again = pilot.folder().join(format!("again-{folder}"));
        let restored = stick.say(&["restore", text(&stick.store)?, "--into", text(&again)?]).await?;
        ensure!(restored["owners"] == 1, "{restored}");
        let kept = ids(&again.join(database), &school)?;
        ensure!(before.is_subset(&kept), "what was written before the backup is in it");
        ensure!(kept.is_subset(&after), "nothing that nobody wrote");
        ensure!(me(&again.join(database))? == me(&living.join(database))?, "the same box or coordinator");
        let secret = if folder == "cloud" { "authority/writer.seed" } else { "identity/signing.seed" };
        ensure!(std::fs::read(again.join(secret))? == std::fs::read(living.join(secret))?, "{secret}");

        let refused = stick.run(&["restore", text(&stick.store)?, "--into", text(&living)?, "--replace"]).await?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(refused.status.code() == Some(1) && said.contains("a program runs"), "{said}");
        stick.rust().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_fell_from_its_shelf_is_replaced_in_one_act() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let (school, other) = (pilot.text("/schools/0/uai"), pilot.text("/schools/1/uai"));
    let dead = boxes(&pilot, "box").await?.into_iter().find(|b| b["uai"] == school).context("its box")?;
    let dead = dead["box_id"].as_str().context("its name")?.to_owned();
    let wrong = word(&pilot, &["box", "replace", other, &dead]).await?;
    ensure!(wrong.status.code() == Some(1), "the box of another school");
    let replaced = word(&pilot, &["box", "replace", school, &dead]).await?;
    ensure!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    let replaced: Value = serde_json::from_slice(&replaced.stdout)?;
    let code = replaced["code"].as_str().context("a code")?;
    ensure!(replaced["revoked"] == dead.as_str());

    // Somebody unpacks the new box; the DSI compares the three words and says yes.
    let home = pilot.folder().join("new-box");
    let (url, ca) = (pilot.text("/cloud/url"), pilot.text("/cloud/ca_file"));
    let claim = Command::new(PREAU)
        .args(["edge", "claim", code, "--cloud", url, "--ca-file", ca, "--dir", text(&home)?])
        .kill_on_drop(true)
        .output();
    let agree = async {
        let claim_id = loop {
            if let Some(waiting) = boxes(&pilot, "waiting").await?.pop() {
                break waiting["claim_id"].as_str().context("its name")?.to_owned();
            }
            sleep(Duration::from_millis(100)).await;
        };
        let token = std::fs::read_to_string(pilot.text("/cloud/admin/token_file"))?;
        let bearer = format!("Bearer {}", token.trim());
        let path = format!("/api/v1/claims/{claim_id}/confirm");
        let dsi = tablet::client(url, Path::new(ca))?;
        let answer = dsi.send("POST".parse()?, &path, &[("authorization", &bearer)], Some(Vec::new())).await?;
        ensure!((200..300).contains(&answer.status), "{}", tablet::code(&answer));
        Ok(())
    };
    let (claimed, agreed) = timeout(PATIENCE, async { tokio::join!(claim, agree) }).await.context("the claim")?;
    agreed?;
    let claimed = claimed?;
    ensure!(claimed.status.success(), "{}", String::from_utf8_lossy(&claimed.stderr));
    let grant: Value = serde_json::from_slice(&std::fs::read(home.join("identity/grant.json"))?)?;
    ensure!(grant["uai"] == school && grant["box_id"] != dead.as_str(), "{}", grant["box_id"]);
    let left = boxes(&pilot, "box").await?;
    ensure!(left.iter().all(|b| b["box_id"] != dead.as_str()), "the dead box is no longer one of the territory's");
    Ok(())
}

/// A store of backups and its key.
struct Stick {
    key: PathBuf,
    store: PathBuf,
}

impl Stick {
    async fn run(&self, words: &[&str]) -> Result<Output> {
        let mut preau = Command::new(PREAU);
        preau.arg("backup").args(words).arg("--key-file").arg(&self.key).arg("--json");
        let said = preau.stdin(Stdio::null()).kill_on_drop(true).output();
        timeout(PATIENCE, said).await.context("too slow")?.map_err(Into::into)
    }

    async fn say(&self, words: &[&str]) -> Result<Value> {
        let said = self.run(words).await?;
        ensure!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(serde_json::from_slice(&said.stdout)?)
    }

    /// Somebody pulls the plug on the first backups, at any moment.
    async fn cut_short(&self, living: &Path) -> Result<()> {
        for _ in 0..KILLS {
            let words = ["create", text(living)?, "--to", text(&self.store)?];
            let mut child = Command::new(PREAU)
                .arg("backup")
                .args(words)
                .arg("--key-file")
                .arg(&self.key)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            sleep(Duration::from_millis(SystemDice.below(400))).await;
            // One that has ended already was quicker than the plug.
            drop(child.kill().await);
            if self.store.join("preau-backup.json").exists() {
                let verified = self.say(&["verify", text(&self.store)?]).await?;
                ensure!(verified["damaged"] == 0, "{verified}");
            }
        }
        Ok(())
    }

    /// One bit of the stick turns; the check says which file, and the next backup mends it.
    async fn rust(&self) -> Result<()> {
        let mut pieces = Vec::new();
        for folder in std::fs::read_dir(self.store.join("pieces"))? {
            for piece in std::fs::read_dir(folder?.path())? {
                pieces.push(piece?.path());
            }
        }
        pieces.sort();
        let bound = u64::try_from(pieces.len())?;
        let piece = pieces.get(usize::try_from(SystemDice.below(bound))?).context("a piece")?;
        let mut bytes = std::fs::read(piece)?;
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).context("a byte")? ^= 4;
        std::fs::write(piece, bytes)?;
        let verified = self.run(&["verify", text(&self.store)?]).await?;
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        ensure!(verified.status.code() == Some(1) && said.contains(text(piece)?), "{said}");
        Ok(())
    }
}

/// Entries of the school in a database; the program may be at work on it.
fn ids(database: &Path, school: &str) -> Result<Ids> {
    let shelf = Shelf::from_key(school).context("a shelf")?;
    Ok(shelves::entry_ids(&look(database)?, &shelf)?.into_iter().collect())
}

/// The same, once somebody has signed in.
async fn written(database: &Path, school: &str) -> Result<Ids> {
    let some = async {
        loop {
            let found = ids(database, school)?;
            if found.len() > 5 {
                return Ok(found);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, some).await.with_context(|| format!("nobody signs in: {}", database.display()))?
}

fn me(database: &Path) -> Result<[u8; 16]> {
    Ok(look(database)?.query_row("SELECT box FROM replica_self", [], |row| row.get(0))?)
}

fn look(database: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    Ok(conn)
}

async fn word(pilot: &Pilot, words: &[&str]) -> Result<Output> {
    Ok(Command::new(PREAU).args(words).args(["--json", "--dir"]).arg(pilot.folder().join("pilot")).output().await?)
}

/// Lines of `preau box list` of one kind.
async fn boxes(pilot: &Pilot, event: &str) -> Result<Vec<Value>> {
    let said = word(pilot, &["box", "list"]).await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let lines = serde_json::Deserializer::from_slice(&said.stdout).into_iter::<Value>();
    Ok(lines.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|line| line["event"] == event).collect())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of UTF-8")
}
