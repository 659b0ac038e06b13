//! `preau privacy`: what the law asks for a person.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use preau_shared::ids::PersonId;

use crate::{coordinator::Reach, out::Reader};

/// What the law asks for a person.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  preau privacy erase 000102030405060708090a0b0c0d0e0f --yes --dir .pilot")]
pub struct PrivacyArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Erase a person everywhere, with her badges. There is no way back, and no backup brings her back.
    #[command(after_help = "Example:\n  preau privacy erase 000102030405060708090a0b0c0d0e0f --yes --dir .pilot")]
    Erase {
        /// The person, as a badge list or the class page names her.
        person_id: PersonId,
        /// Say that this is meant: nothing is erased without.
        #[arg(long)]
        yes: bool,
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
pub async fn run(args: PrivacyArgs) -> anyhow::Result<ExitCode> {
    let Act::Erase { person_id, yes, reach, json } = args.act;
    anyhow::ensure!(yes, "erasing cannot be taken back: say it again with --yes");
    let answer = reach.open()?.erase_person(&person_id).await?;
    let schools = answer.get("erased").and_then(|list| list.as_array()).map_or(0, Vec::len);
    let text = format!(
        "{person_id} is erased at the coordinator, on {schools} shelves. Boxes in contact follow at once, the others at \
         their next contact."
    );
    Reader::of(json).report(&text, &answer);
    Ok(ExitCode::SUCCESS)
}
