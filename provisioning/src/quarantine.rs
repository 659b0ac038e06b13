//! `preau quarantine`: what the coordinator refused, and what is lost.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::{coordinator::Reach, out::Reader};

/// What the coordinator did not take, kept for you to look at; and numbers that nobody keeps any more.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  preau quarantine --dir .pilot")]
pub struct QuarantineArgs {
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows it.
///
/// # Errors
/// When the coordinator does not answer or refuses.
pub async fn run(args: QuarantineArgs) -> anyhow::Result<ExitCode> {
    let answer = args.reach.open()?.quarantine().await?;
    let list = |key: &str| answer.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |one: &Value, key: &str| one.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    let of = |one: &Value, key: &str| word(one, key).unwrap_or_default();
    let mut lines = Vec::new();
    for one in list("quarantined") {
        let (origin, reason, bytes, age) =
            (of(&one, "origin"), of(&one, "reason"), of(&one, "bytes"), of(&one, "age_s"));
        lines.push(format!("refused  {origin}: {reason} ({bytes} bytes, {age} s ago)"));
    }
    for one in list("lost") {
        let (origin, shelf, first, last) = (of(&one, "origin"), of(&one, "shelf"), of(&one, "first"), of(&one, "last"));
        lines.push(format!("lost     {origin} on {shelf}: {first} to {last}"));
    }
    if lines.is_empty() {
        lines.push("Nothing was refused, nothing is lost.".to_owned());
    }
    Reader::of(args.json).report(&lines.join("\n"), &answer);
    Ok(ExitCode::SUCCESS)
}
