//! `preau badge`: print new ones, make one void from the coordinator.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::ensure;
use clap::{Args, Subcommand};
use preau_shared::{
    ids::BadgeId,
    messages::{Catalogue, Lang},
    print::{self, Card, Layout, Sheet},
    wire::VoidApplied,
};
use serde_json::json;

use crate::{
    coordinator::{BadgeLine, Reach},
    out::Reader,
    roster::write_secret,
    tablets::badges,
};

/// Badges.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  preau badge sheet badges.csv --out badges.pdf\n  preau badge void 000102030405060708090a0b0c0d0e0f --dir .pilot"
)]
pub struct BadgeArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print the badges of a file that `preau roster import --badges` wrote: cards to cut out, or labels, class by class.
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
            sheet(&badges, &out, class.as_deref(), (layout, used, lang), Reader::of(json))
        }
        Act::Void { badge_id, reach, json } => void(badge_id, reach, Reader::of(json)).await,
    }
}

fn sheet(
    file: &Path,
    out: &Path,
    class: Option<&str>,
    (layout, used, lang): (Layout, usize, Lang),
    reader: Reader,
) -> anyhow::Result<ExitCode> {
    let mut lines = badges(file)?;
    lines.retain(|line| class.is_none_or(|class| line.class == class));
    ensure!(
        !lines.is_empty(),
        "{} holds no badge{}",
        file.display(),
        class.map(|c| format!(" of {c}")).unwrap_or_default()
    );
    lines.sort_by(|one, next| (&one.class, &one.given_name).cmp(&(&next.class, &next.given_name)));
    let card = |line: &BadgeLine| Card {
        payload: line.payload.clone(),
        given_name: line.given_name.clone(),
        animal: line.animal.clone(),
        class: line.class.clone(),
        note: String::new(),
    };
    let cards: Vec<Card> = lines.iter().map(card).collect();
    let title = class.unwrap_or("Préau");
    let pdf = print::print(&cards, &Sheet { title, layout, used, lang }, &Catalogue::load())?;
    write_secret(out, &pdf)?;
    let text = format!(
        "{} badges in {}. Destroy it, and {}, once they are printed.",
        cards.len(),
        out.display(),
        file.display()
    );
    reader.report(&text, &json!({ "badges": cards.len(), "file": out }));
    Ok(ExitCode::SUCCESS)
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
