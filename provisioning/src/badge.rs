//! `preau badge`: print new ones, import those of another system, make one void from the coordinator.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use preau_shared::{
    badge::Badge,
    ids::BadgeId,
    messages::{Catalogue, Lang},
    print::{self, Card, Layout, Sheet, Style},
    wire::VoidApplied,
};
use serde_json::json;

use crate::{
    codes,
    coordinator::{BadgeLine, Reach},
    out::Reader,
    roster::{read_badges, write_secret},
};

/// Badges.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  preau badge sheet badges.csv --out badges.pdf\n  preau badge import ent.csv --school 0900915F --dir .pilot\n  preau badge void 000102030405060708090a0b0c0d0e0f --dir .pilot"
)]
pub struct BadgeArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print the badges of a file that `preau roster import --badges` wrote: cards to cut out, or labels; each class
    /// begins a page.
    #[command(
        after_help = "Example:\n  preau badge sheet badges.csv --class \"CP A\" --out cp-a.pdf\n  preau badge sheet badges.csv --labels --used 4 --out labels.pdf"
    )]
    Sheet {
        /// The badges, as CSV.
        badges: PathBuf,
        /// The PDF to write, a file of mode 0600: whoever has a code can use it. Destroy both files once it is printed.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Of this class only.
        #[arg(long)]
        class: Option<String>,
        /// Labels of 2 × 2 inches, fifteen on a page, instead of ten cards.
        #[arg(long)]
        labels: bool,
        /// Places of the first page that were used before.
        #[arg(long, default_value_t = 0)]
        used: usize,
        /// Words in English.
        #[arg(long)]
        english: bool,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    Import(codes::ImportArgs),
    TakeBack(codes::TakeBackArgs),
    /// Make a lost badge void everywhere; a box out of contact learns it when it returns.
    #[command(after_help = "Example:\n  preau badge void 000102030405060708090a0b0c0d0e0f --dir .pilot")]
    Void {
        /// The badge's name (not what its QR code holds).
        badge_id: BadgeId,
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
/// When a file cannot be read or written, or the coordinator does not answer or refuses.
pub async fn run(args: BadgeArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Sheet { badges, out, class, labels, used, english, json } => {
            let layout = if labels { Layout::Labels } else { Layout::Cards };
            let lang = if english { Lang::En } else { Lang::Fr };
            sheet(&badges, &out, class.as_deref(), Style { layout, used, lang, training: false }, Reader::of(json))
        }
        Act::Import(args) => codes::import(args).await,
        Act::TakeBack(args) => codes::take_back(args).await,
        Act::Void { badge_id, reach, json } => void(badge_id, reach, Reader::of(json)).await,
    }
}

fn sheet(file: &Path, out: &Path, class: Option<&str>, style: Style, reader: Reader) -> anyhow::Result<ExitCode> {
    let same =
        |one: &Path, other: &Path| one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one));
    ensure!(
        !same(file, out),
        "--out names the badges' own file, which is the only place where the codes stand: give another name"
    );
    let mut lines = read_badges(file)?;
    let style = Style { training: lines.iter().any(|line| line.training), ..style };
    for line in &lines {
        Badge::parse(&line.payload).with_context(|| {
            format!("{}: the code of badge {} is damaged; nothing is printed", file.display(), line.badge_id)
        })?;
    }
    lines.sort_by(|one, next| (&one.class, &one.given_name).cmp(&(&next.class, &next.given_name)));
    let classes = lines.chunk_by(|one, next| one.class == next.class);
    let sheets: Vec<Sheet> = classes
        .filter_map(|lines| {
            let title = &lines.first()?.class;
            let wanted = class.is_none_or(|class| class == title);
            wanted.then(|| Sheet { title: title.clone(), cards: lines.iter().map(card).collect() })
        })
        .collect();
    if let (Some(class), true) = (class, sheets.is_empty()) {
        lines.dedup_by(|one, next| one.class == next.class);
        let known: Vec<&str> = lines.iter().map(|line| line.class.as_str()).collect();
        anyhow::bail!("{} holds no badge of class {class:?}; it has {known:?}", file.display());
    }
    let pdf = print::print(&sheets, style, &Catalogue::load()).with_context(|| format!("{}", file.display()))?;
    write_secret(out, &pdf)?;
    let count: usize = sheets.iter().map(|sheet| sheet.cards.len()).sum();
    let (out_file, file) = (out.display(), file.display());
    let text = format!("Badges: {count}, in {out_file}. Destroy it, and {file}, once they are printed.");
    reader.report(&text, &json!({ "badges": count, "file": out }));
    Ok(ExitCode::SUCCESS)
}

fn card(line: &BadgeLine) -> Card {
    Card {
        payload: line.payload.clone(),
        given_name: line.given_name.clone(),
        animal: line.animal.clone(),
        class: line.class.clone(),
        short_code: line.short_code.clone(),
        note: String::new(),
    }
}

async fn void(badge_id: BadgeId, reach: Reach, reader: Reader) -> anyhow::Result<ExitCode> {
    let answer = reach.open()?.void_badge(&badge_id.to_string()).await?;
    let applied: VoidApplied = serde_json::from_value(answer.clone())?;
    let mut text = format!("Badge {badge_id} is void.");
    for at in &applied.boxes {
        text += &match at.applied_at_age_s {
            Some(age_s) => format!("\n  box {}: knows since {age_s} s", at.box_id),
            None => format!("\n  box {}: not yet; it will at its next contact", at.box_id),
        };
    }
    reader.report(&text, &answer);
    Ok(ExitCode::SUCCESS)
}
