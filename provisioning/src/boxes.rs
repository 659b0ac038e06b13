//! `preau box`: give out the claim code of a box, list boxes, shut one out, replace a dead one.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use preau_shared::ids::{BoxId, Uai};
use serde_json::{Value, json};

use crate::{
    coordinator::{Coordinator, Reach},
    out::{self, Reader},
};

/// Boxes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau box issue 0310047H --dir .pilot
  preau box list --dir .pilot
  preau box replace 0310047H 5f0c…e1 --dir .pilot      the old one is dead, a new one takes its place")]
pub struct BoxArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Give out a single-use claim code for a new box of a school.
    #[command(
        after_help = "Example:\n  preau box issue 0310047H --dir .pilot\n  then on the box: preau-edge claim CODE"
    )]
    Issue {
        /// The school.
        uai: Uai,
        #[command(flatten)]
        common: Common,
    },
    /// Every admitted box, and claims whose three words somebody must compare.
    #[command(after_help = "Example:\n  preau box list --dir .pilot")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Shut a box out for good: stolen, sold, or replaced by hand. Its connection ends at once.
    #[command(after_help = "Example:\n  preau box revoke 5f0c0a6a3fd94fb0a5b1c1b2f3a4d5e1 --dir .pilot")]
    Revoke {
        /// The box, as `preau box list` names it.
        box_id: BoxId,
        #[command(flatten)]
        common: Common,
    },
    /// A dead box is replaced: shut it out and give out a claim code for a new one of the same school, in one act.
    #[command(after_help = "Example:\n  preau box replace 0310047H 5f0c0a6a3fd94fb0a5b1c1b2f3a4d5e1 --dir .pilot\n\
  then on the new box: preau-edge claim CODE\n\
The new box gets its school from the coordinator. What only the dead box knew is on its disk: when the disk can be \
read, restore it or its backup on the new machine instead (`preau backup restore`).")]
    Replace {
        /// The school.
        uai: Uai,
        /// The dead box, as `preau box list` names it.
        box_id: BoxId,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// When the coordinator does not answer or refuses.
pub async fn run(args: BoxArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Issue { uai, common } => {
            let code = common.reach.open()?.issue_box(&uai, false).await?;
            let text = format!("Claim code for a box of {uai}, good once:\n  {code}\n{}", what_next(&code));
            Reader::of(common.json).report(&text, &json!({ "uai": uai, "code": code }));
        }
        Act::List { common } => list(&common.reach.open()?, Reader::of(common.json)).await?,
        Act::Revoke { box_id, common } => {
            let path = format!("/api/v1/boxes/{box_id}/revoke");
            common.reach.open()?.call(Method::POST, &path, "application/json", None).await?;
            let text = format!("{box_id} is shut out: its certificate, its writes and its connection.");
            Reader::of(common.json).report(&text, &json!({ "revoked": box_id }));
        }
        Act::Replace { uai, box_id, common } => {
            let path = format!("/api/v1/boxes/{box_id}/replace");
            let body = serde_json::to_vec(&json!({ "uai": uai }))?;
            let answer = common.reach.open()?.call(Method::POST, &path, "application/json", Some(body)).await?;
            let issued: Value = answer.json().context("the coordinator's answer is not what this program knows")?;
            let code = issued.get("code").and_then(Value::as_str).context("the coordinator gave no code")?;
            let text = format!(
                "{box_id} is shut out. Claim code for the new box of {uai}, good once:\n  {code}\n{}",
                what_next(code)
            );
            Reader::of(common.json).report(&text, &json!({ "uai": uai, "revoked": box_id, "code": code }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn what_next(code: &str) -> String {
    format!(
        "On the box: preau-edge claim {code}\n\
         Then compare the three words on both sides and confirm them on the DSI page."
    )
}

async fn list(coordinator: &Coordinator, reader: Reader) -> anyhow::Result<()> {
    let answer = coordinator.call(Method::GET, "/api/v1/boxes", "application/json", None).await?;
    let all: Value = answer.json().context("the coordinator's list of boxes is not what this program knows")?;
    let lines = |of: &str| all.get(of).and_then(Value::as_array).cloned().unwrap_or_default();
    let cell = |line: &Value, name: &str| match line.get(name) {
        None | Some(Value::Null) => "—".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    };
    let row = |line: &Value, names: &[&str]| names.iter().map(|name| cell(line, name)).collect();
    let columns = ["uai", "box_id", "state", "last_contact_age_s", "certificate_days_left", "version"];
    let boxes: Vec<Vec<String>> = lines("boxes").iter().map(|line| row(line, &columns)).collect();
    let head = ["UAI", "box", "state", "last contact (s)", "certificate (days)", "version"];
    reader.say(&out::table(&head, &boxes));
    let waiting: Vec<Vec<String>> =
        lines("waiting").iter().map(|line| row(line, &["uai", "claim_id", "words"])).collect();
    if !waiting.is_empty() {
        reader.say(&format!("\n{}", out::table(&["UAI", "claim that waits", "words to compare"], &waiting)));
    }
    for (event, of) in [("box", "boxes"), ("waiting", "waiting")] {
        for mut line in lines(of) {
            if let Some(members) = line.as_object_mut() {
                members.insert("event".into(), event.into());
            }
            reader.tell(&line);
        }
    }
    Ok(())
}
