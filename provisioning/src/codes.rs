//! `preau badge import` and `preau badge take-back`: the QR codes of another system, such as the ENT, for a school's pupils.
//!
//! The text of such a code may be a password there: it is hashed here, and only its hash is sent.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use hyper::Method;
use preau_shared::{
    ids::{ImportId, Uai},
    roster::codes::{self, Codes},
};
use serde_json::{Value, json};

use crate::{coordinator::Reach, out::Reader};

/// Lines that are shown to a person; the others are in `--json`.
const MAX_SHOWN: usize = 20;

/// Let pupils sign in with the QR codes that another system gave them; without --apply, show what would be done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau badge import ent.csv --school 0900915F --dir .pilot           shows what would be done
  preau badge import ent.csv --school 0900915F --apply --dir .pilot   does it

The file is a CSV (UTF-8 or Windows-1252; semicolons, commas or tabs) with a header that names the columns `id` (the pupil's
person_id as in the badges' file, or her INE) and `qr_text` (what the code says). Badges of ours stay good beside it.")]
pub struct ImportArgs {
    /// The CSV.
    file: PathBuf,
    /// The school.
    #[arg(long, value_name = "UAI")]
    school: Uai,
    /// Do it, after the dry run.
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Take an import of codes back: those that it gave open nothing any more, for good.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  preau badge take-back 000102030405060708090a0b0c0d0e0f --school 0900915F --dir .pilot"
)]
pub struct TakeBackArgs {
    /// The import, as `badge import --apply` named it.
    import: ImportId,
    /// The school.
    #[arg(long, value_name = "UAI")]
    school: Uai,
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// When the file cannot be read, or the coordinator does not answer or refuses.
pub async fn import(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let ImportArgs { file, school, apply, reach, json } = args;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let read = codes::read(&bytes).with_context(|| format!("{}", file.display()))?;
    let line = |row: &codes::CodeRow| json!({ "line": row.line, "id": row.whose.said(), "code": row.code.said() });
    let body = json!({ "apply": apply, "lines": read.rows.iter().map(line).collect::<Vec<_>>() });
    let path = format!("/api/v1/schools/{school}/codes");
    let answer = reach.open()?.call(Method::POST, &path, "application/json", Some(serde_json::to_vec(&body)?)).await?;
    let mut plan: Value = answer.json()?;
    let refused = refused(&read, &plan);
    let text = in_words(&school, apply, (&plan, &refused));
    if let Some(members) = plan.as_object_mut() {
        let line = |(line, column, why): &Refused| json!({ "line": line, "column": column, "why": why });
        members.insert("refused".into(), refused.iter().map(line).collect());
    }
    Reader::of(json).report(&text, &plan);
    Ok(ExitCode::SUCCESS)
}

/// Does it.
///
/// # Errors
/// When the coordinator does not answer or refuses.
pub async fn take_back(args: TakeBackArgs) -> anyhow::Result<ExitCode> {
    let TakeBackArgs { import, school, reach, json } = args;
    let path = format!("/api/v1/schools/{school}/codes/{import}/undo");
    let undone: Value = reach.open()?.call(Method::POST, &path, "application/json", None).await?.json()?;
    let count = undone.get("voided").and_then(Value::as_u64).unwrap_or(0);
    Reader::of(json).report(&format!("Import {import} is taken back: {count} codes open nothing any more."), &undone);
    Ok(ExitCode::SUCCESS)
}

/// Line, column and why.
type Refused = (u64, &'static str, String);

/// What the reader left out, and what the coordinator did, by line.
fn refused(read: &Codes, plan: &Value) -> Vec<Refused> {
    let here = read.doubts.iter().map(|doubt| (doubt.line, doubt.column.title(), doubt.what.to_string()));
    let there = plan.get("refused").and_then(Value::as_array).into_iter().flatten().filter_map(|refused| {
        let (column, why) = match refused.get("why")?.as_str()? {
            "unknown" => (codes::Column::Id, "nobody of this school"),
            "staff" => (codes::Column::Id, "one of the staff, whose badges are the DSI's"),
            "taken" => (codes::Column::Text, "this code is somebody else's already"),
            "void" => (codes::Column::Text, "this code was made void before, and stays so"),
            _ => (codes::Column::Text, "not a code"),
        };
        Some((refused.get("line")?.as_u64()?, column.title(), why.to_owned()))
    });
    let mut all: Vec<Refused> = here.chain(there).collect();
    all.sort_by_key(|(line, ..)| *line);
    all
}

fn in_words(school: &Uai, apply: bool, (plan, refused): (&Value, &[Refused])) -> String {
    let count = |member: &str| plan.get(member).and_then(Value::as_u64).unwrap_or(0);
    let (gives, known) = (count("gives"), count("known"));
    let mut text = format!("{school}: {gives} codes given, {known} known already, {} lines left out.", refused.len());
    for (line, column, why) in refused.iter().take(MAX_SHOWN) {
        text += &format!("\n  line {line}, {column}: {why}");
    }
    if refused.len() > MAX_SHOWN {
        text += &format!("\n  and {} more: see --json", refused.len().saturating_sub(MAX_SHOWN));
    }
    match plan.get("import").and_then(Value::as_str) {
        Some(import) => text += &format!("\nTo take it back: preau badge take-back {import} --school {school}"),
        None if apply => text += "\nNothing was to be done.",
        None => text += "\nNothing was changed. Add --apply to do it.",
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_here_and_there_is_told_by_line_in_order() {
        let read = codes::read(b"id;qr_text\n;a\n000102030405060708090a0b0c0d0e0f;b\n").expect("readable");
        let plan = json!({ "gives": 0, "known": 0, "import": null, "refused": [{ "line": 3, "why": "unknown" }] });
        let refused = refused(&read, &plan);
        let school: Uai = "0900915F".parse().expect("uai");
        let text = in_words(&school, false, (&plan, &refused));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "0900915F: 0 codes given, 0 known already, 2 lines left out.");
        assert_eq!(lines[1], "  line 2, id: nobody is named");
        assert_eq!(lines[2], "  line 3, id: nobody of this school");
        assert!(lines[3].contains("--apply"), "{text}");
    }
}
