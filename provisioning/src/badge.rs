//! `preau badge`: make one void, from the coordinator.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use preau_shared::{ids::BadgeId, wire::VoidApplied};

use crate::{coordinator::Reach, out::Reader};

/// Badges.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  preau badge void 000102030405060708090a0b0c0d0e0f --dir .pilot")]
pub struct BadgeArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
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
/// When the coordinator does not answer or refuses.
pub async fn run(args: BadgeArgs) -> anyhow::Result<ExitCode> {
    let Act::Void { badge_id, reach, json } = args.act;
    let answer = reach.open()?.void_badge(&badge_id.to_string()).await?;
    let applied: VoidApplied = serde_json::from_value(answer.clone())?;
    let mut text = format!("Badge {badge_id} is void.");
    for at in &applied.boxes {
        text += &match at.applied_at_age_s {
            Some(age_s) => format!("\n  box {}: knows since {age_s} s", at.box_id),
            None => format!("\n  box {}: not yet; it will at its next contact", at.box_id),
        };
    }
    Reader::of(json).report(&text, &answer);
    Ok(ExitCode::SUCCESS)
}
