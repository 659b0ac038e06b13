//! `preau box`: give out the claim code of a box.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use preau_shared::ids::Uai;
use serde_json::json;

use crate::{coordinator::Reach, out::Reader};

/// Boxes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  preau box issue 0310047H --dir .pilot")]
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
pub async fn run(args: BoxArgs) -> anyhow::Result<ExitCode> {
    let Act::Issue { uai, reach, json } = args.act;
    let code = reach.open()?.issue_box(&uai, false).await?;
    let text = format!(
        "Claim code for a box of {uai}, good once:\n  {code}\nOn the box: preau-edge claim {code}\n\
         Then compare the three words on both sides and confirm them on the DSI page."
    );
    Reader::of(json).report(&text, &json!({ "uai": uai, "code": code }));
    Ok(ExitCode::SUCCESS)
}
