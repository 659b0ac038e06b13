//! The words of the command, as somebody of the DSI types them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use preau_shared::ids::Uai;
use preau_tests::pilot::Pilot;
use serde_json::Value;
use tokio::process::Command;

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const HEADER: &str = "Nom élève;Nom d'usage élève;Prénom élève;Date naissance;Sexe;INE;Adresse1;Cp1;Commune1;Pays1;\
Adresse2;Cp2;Commune2;Pays2; Cycle;Niveau;Libellé classe;Identifiant classe;Attestation fournie;Autorisation associations;\
Autorisation photo;Décision de passage";

/// Says it to the pilot's coordinator; every line that it answers.
async fn say(pilot: &Pilot, words: &[&str]) -> Result<Vec<Value>> {
    let said =
        Command::new(PREAU).args(words).args(["--json", "--dir"]).arg(pilot.folder().join("pilot")).output().await?;
    ensure!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
    let lines = serde_json::Deserializer::from_slice(&said.stdout).into_iter();
    Ok(lines.collect::<Result<_, _>>()?)
}

/// Lists until the school is there, or gone: the list may be a moment old.
async fn listed(pilot: &Pilot, uai: &str, there: bool) -> Result<()> {
    for _ in 0..50 {
        let lines = say(pilot, &["school", "list"]).await?;
        if lines.iter().any(|line| line.to_string().contains(uai)) == there {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{uai} should be {}", if there { "listed" } else { "gone" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_joins_imports_takes_back_and_closes() -> Result<()> {
    let pilot = Pilot::start(PREAU, &["--tablets", "0"]).await?;
    let uai = format!("0900993{}", Uai::letter_for(900_993));
    say(&pilot, &["school", "add", &uai, "La Savoureuse"]).await?;
    listed(&pilot, &uai, true).await?;

    let row = |name: &str, given: &str, ine: &str| {
        format!(
            "{name};;{given};02/03/2017;F;{ine};1 rue de Test;90000;Belfort;FRANCE;;;;;CYCLE II;CP;CP A;1;Non;Non;Non;"
        )
    };
    let file = pilot.folder().join("savoureuse.csv");
    let two = [HEADER.to_owned(), row("MARTIN", "Lina", "1111111111A"), row("NGUYEN", "Noé", "2222222222B")];
    std::fs::write(&file, two.join("\n"))?;
    let path = file.to_str().context("a path")?;
    let preview = say(&pilot, &["roster", "import", &uai, path]).await?;
    ensure!(preview[0]["arrive"].as_array().is_some_and(|a| a.len() == 2), "{}", preview[0]);
    let (csv, pdf) = (pilot.folder().join("badges.csv"), pilot.folder().join("badges.pdf"));
    let (csv, pdf) = (csv.to_str().context("a path")?, pdf.to_str().context("a path")?);
    let applied = say(&pilot, &["roster", "import", &uai, path, "--apply", "--badges", csv]).await?;
    ensure!(applied[1]["badges"] == 2, "{}", applied[1]);
    let printed = Command::new(PREAU).args(["badge", "sheet", csv, "--class", "CP A", "--out", pdf]).output().await?;
    ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    ensure!(std::fs::read(pdf)?.starts_with(b"%PDF-"), "the badges are on paper");
    for (words, told) in
        [(["--class", "CM2", "--out", pdf], "CP A"), (["--class", "CP A", "--out", csv], "another name")]
    {
        let refused = Command::new(PREAU).args(["badge", "sheet", csv]).args(words).output().await?;
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(!refused.status.success() && why.contains(told), "{words:?}: {why}");
    }
    let animals = std::fs::read_to_string(csv)?;
    let animals: std::collections::BTreeSet<_> = animals.lines().skip(1).filter_map(|l| l.rsplit(',').nth(1)).collect();
    ensure!(animals.len() == 2 && !animals.contains(""), "each child of a class has an animal of her own: {animals:?}");
    let codes = std::fs::read_to_string(csv)?;
    let codes: Vec<_> = codes.lines().skip(1).filter_map(|l| l.rsplit(',').next()).collect();
    ensure!(codes.iter().all(|code| code.len() == 9), "each badge has eight letters in two groups: {codes:?}");
    codes_of_the_ent(&pilot, &uai).await?;
    let again = say(&pilot, &["roster", "import", &uai, path, "--apply"]).await?;
    ensure!(again[0]["empty"] == true, "the same file again changes nothing: {}", again[0]);
    let id = applied[1]["applied"].as_str().context("its name")?;
    say(&pilot, &["roster", "undo", id]).await?;
    let afresh = say(&pilot, &["roster", "import", &uai, path]).await?;
    ensure!(afresh[0]["empty"] != true, "what was taken back can come again: {}", afresh[0]);

    let issued = say(&pilot, &["box", "issue", &uai]).await?;
    ensure!(issued[0]["code"].as_str().is_some_and(|code| code.len() >= 16), "{}", issued[0]);
    say(&pilot, &["school", "retire", &uai]).await?;
    listed(&pilot, &uai, false).await?;
    say(&pilot, &["school", "add", &uai, "La Savoureuse"]).await?;
    listed(&pilot, &uai, true).await
}

/// The ENT's own QR codes come in by a file: shown, given, taken back.
async fn codes_of_the_ent(pilot: &Pilot, uai: &str) -> Result<()> {
    let file = pilot.folder().join("ent.csv");
    let path = file.to_str().context("a path")?;
    let import = ["badge", "import", path, "--school", uai];
    std::fs::write(&file, "INE;QR\n1111111111A;jeton-de-lina\n2222222222B;jeton-de-noe\n9999999999C;jeton\n;perdu\n")?;
    let shown = say(pilot, &import).await?;
    ensure!(shown[0]["gives"] == 2 && shown[0]["import"].is_null(), "{}", shown[0]);
    ensure!(shown[0]["refused"][0]["line"] == 4 && shown[0]["refused"][1]["line"] == 5, "{}", shown[0]);
    let given = say(pilot, &[&import[..], &["--apply"]].concat()).await?;
    let id = given[0]["import"].as_str().context("its name")?;
    let again = say(pilot, &[&import[..], &["--apply"]].concat()).await?;
    ensure!(again[0]["gives"] == 0 && again[0]["known"] == 2, "{}", again[0]);
    let undone = say(pilot, &["badge", "take-back", id, "--school", uai]).await?;
    ensure!(undone[0]["voided"] == 2, "{}", undone[0]);
    std::fs::write(&file, "name;QR\nLina;jeton\n")?;
    let refused = Command::new(PREAU).args(import).args(["--dir", "/nowhere"]).output().await?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && why.contains("line 1: no column id"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misuse_is_told_apart_from_failure() -> Result<()> {
    for (words, code) in [
        (&["pilot", "--for", "soon"][..], 2),
        (&["school", "add", "0900993A", "Wrong letter"][..], 2),
        (&["roster", "check", "/nowhere.csv"][..], 1),
        (&["status", "--dir", "/nowhere"][..], 1),
        (&["badge", "sheet", "/nowhere.csv", "--out", "/nowhere.pdf"][..], 1),
    ] {
        let said = Command::new(PREAU).args(words).output().await?;
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(said.status.code() == Some(code) && !told.is_empty(), "{words:?}: {:?} {told}", said.status);
    }
    Ok(())
}
