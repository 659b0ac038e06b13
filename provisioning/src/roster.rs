//! `preau roster`: check a file here, import it at the coordinator, take an import back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use preau_shared::{ids::Uai, roster::onde};
use serde_json::{Value, json};

use crate::{
    coordinator::{BadgeLine, Reach},
    out::{self, Reader},
};

/// Doubts shown to a person; the others are in `--json`.
const MAX_DOUBTS_SHOWN: usize = 20;

/// Rosters.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau roster check 0310047H.csv
  preau roster import 0310047H 0310047H.csv --dir .pilot           shows what would change
  preau roster import 0310047H 0310047H.csv --apply --dir .pilot   does it")]
pub struct RosterArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Read a file here; nothing is sent.
    #[command(after_help = "Example:\n  preau roster check 0310047H.csv")]
    Check {
        /// An ONDE CSV export.
        file: PathBuf,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a file would change at a school; with --apply, do it.
    #[command(
        after_help = "Example:\n  preau roster import 0310047H 0310047H.csv --apply --badges badges.csv --dir .pilot"
    )]
    Import {
        /// The school.
        uai: Uai,
        /// An ONDE CSV export.
        file: PathBuf,
        /// Do it, after the dry run.
        #[arg(long)]
        apply: bool,
        /// Do it even though the file looks partial.
        #[arg(long, requires = "apply")]
        force: bool,
        /// School year, as 2026-2027.
        #[arg(long, default_value = "2026-2027")]
        school_year: String,
        /// Where to write the new badges (they are told once); a file of mode 0600.
        #[arg(long, value_name = "FILE", requires = "apply")]
        badges: Option<PathBuf>,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take an applied import back.
    #[command(after_help = "Example:\n  preau roster undo 000102030405060708090a0b0c0d0e0f --dir .pilot")]
    Undo {
        /// The import, as `roster import` named it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
///
/// # Errors
/// When the file cannot be read, or the coordinator does not answer or refuses.
pub async fn run(args: RosterArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Check { file, json } => check(&file, Reader::of(json)),
        Act::Undo { id, reach, json } => {
            let undone = reach.open()?.undo_roster(&id).await?;
            Reader::of(json).report(&format!("Import {id} is taken back."), &undone);
            Ok(ExitCode::SUCCESS)
        }
        Act::Import { uai, file, apply, force, school_year, badges, reach, json } => {
            let reader = Reader::of(json);
            let coordinator = reach.open()?;
            let plan = coordinator.plan_roster(&uai, &school_year, read(&file)?).await?;
            reader.report(&in_words(&plan), &plan);
            if apply {
                let given = coordinator.apply_roster_for_paper(&plan, force).await?;
                if let Some(file) = &badges {
                    write_badges(file, &given)?;
                }
                let text = format!("Applied. New badges: {}.", given.len());
                reader.report(&text, &json!({ "applied": plan.get("id"), "badges": given.len() }));
            } else {
                reader.say("Nothing was changed. Add --apply to do it.");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn check(file: &Path, reader: Reader) -> anyhow::Result<ExitCode> {
    let roster = onde::read(&read(file)?).with_context(|| format!("{} is not a roster", file.display()))?;
    let mut classes = std::collections::BTreeMap::<&str, usize>::new();
    for row in &roster.rows {
        *classes.entry(row.class_name.as_str()).or_default() += 1;
    }
    let rows: Vec<Vec<String>> = classes.iter().map(|(c, n)| vec![(*c).to_owned(), n.to_string()]).collect();
    let text =
        format!("{} pupils in {} classes\n{}", roster.rows.len(), rows.len(), out::table(&["class", "pupils"], &rows));
    reader.report(&text, &json!({ "pupils": roster.rows.len(), "classes": classes }));
    Ok(ExitCode::SUCCESS)
}

/// What the plan would do, counted; the whole plan is for `--json` and for the DSI page.
fn in_words(plan: &Value) -> String {
    let count = |list: &str| plan.get(list).and_then(Value::as_array).map_or(0, Vec::len);
    let says = |flag: &str| plan.get(flag).and_then(Value::as_bool).unwrap_or(false);
    let mut text = format!(
        "Plan {}: {} arrive, {} change, {} leave; {} doubts.",
        plan.get("id").and_then(Value::as_str).unwrap_or("?"),
        count("arrive"),
        count("change"),
        count("leave"),
        count("doubts"),
    );
    if says("empty") {
        text += "\nNothing would change.";
    }
    if says("suspicious") {
        text += "\nToo many would leave: is this the whole school? It is applied only with --force.";
    }
    for doubt in plan.get("doubts").and_then(Value::as_array).into_iter().flatten().take(MAX_DOUBTS_SHOWN) {
        let part = |name: &str| doubt.get(name).and_then(Value::as_str).unwrap_or_default();
        text +=
            &format!("\n  line {}: {} {}", doubt.get("line").unwrap_or(&Value::Null), part("sentence"), part("next"));
    }
    text
}

/// Columns of a badges file (ARCHITECTURE §5.1); animal and short code stand on a printed badge. A training room's has one
/// more, so that its sheets say what they are.
pub(crate) const BADGE_COLUMNS: [&str; 10] = [
    "person_id",
    "given_name",
    "class",
    "level",
    "role",
    "badge_id",
    "payload",
    "second_factor",
    "animal",
    "short_code",
];

/// Writes badges as CSV to a file that only its owner reads: a payload is all that a badge is.
pub(crate) fn write_badges(file: &Path, badges: &[BadgeLine]) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let training = badges.iter().any(|badge| badge.training);
    csv.write_record(BADGE_COLUMNS.into_iter().chain(training.then_some("training")))?;
    for b in badges {
        let cells = [
            &b.person_id,
            &b.given_name,
            &b.class,
            &b.level,
            &b.role,
            &b.badge_id,
            &b.payload,
            &b.second_factor,
            &b.animal,
            &b.short_code,
        ];
        let more = training.then(|| b.training.to_string());
        csv.write_record(cells.into_iter().chain(&more))?;
    }
    write_secret(file, &csv.into_inner()?)
}

/// Reads badges as [`write_badges`] writes them.
///
/// # Errors
/// With the file, the line and what is wrong there.
pub(crate) fn read_badges(file: &Path) -> anyhow::Result<Vec<BadgeLine>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines: Result<_, csv::Error> = reader.deserialize().collect();
    lines.with_context(|| {
        format!("{} is not as `preau roster import --badges` writes it; was it saved by a spreadsheet?", file.display())
    })
}

/// Writes a file of mode 0600, whatever the mode of one that stood there.
pub(crate) fn write_secret(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::{
        io::Write as _,
        os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    };
    let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let write = |mut f: fs::File| {
        f.set_permissions(fs::Permissions::from_mode(0o600))?;
        f.write_all(bytes)
    };
    open.and_then(write).with_context(|| format!("cannot write {}", file.display()))
}
