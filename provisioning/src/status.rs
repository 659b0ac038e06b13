//! `preau status`: every school at a glance, as the DSI page shows it.

use std::process::ExitCode;

use clap::Args;
use preau_shared::wire::{SchoolStatus, SyncState};
use serde_json::json;

use crate::{
    coordinator::Reach,
    out::{self, Reader},
};

/// Every school: state, exposure, last contact.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  preau status --dir .pilot\n  preau status --json --cloud https://cloud:8443 --ca ca.pem --token-file token"
)]
pub struct StatusArgs {
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON, one school a line.
    #[arg(long)]
    json: bool,
}

/// Shows the schools.
///
/// # Errors
/// When the coordinator does not answer or refuses.
pub async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    show(&args.reach.open()?.schools().await?, Reader::of(args.json));
    Ok(ExitCode::SUCCESS)
}

/// Writes the schools down, for a person or a program.
pub(crate) fn show(schools: &[SchoolStatus], reader: Reader) {
    for school in schools {
        reader.tell(&json!(school));
    }
    let rows: Vec<Vec<String>> = schools.iter().map(row).collect();
    reader.say(&out::table(
        &["UAI", "school", "state", "last contact", "only at the school", "tablets", "signed in"],
        &rows,
    ));
}

fn row(school: &SchoolStatus) -> Vec<String> {
    let contact = school.last_contact_age_s.map_or_else(|| "never".to_owned(), |age| format!("{age} s ago"));
    let exposure = match (school.unsynced_entries, school.unsynced_at_last_contact) {
        (Some(now), _) => now.to_string(),
        (None, Some(then)) => format!("{then} at last contact, unknown since"),
        (None, None) => "unknown".to_owned(),
    };
    vec![
        school.uai.to_string(),
        if school.training { format!("{} (training room)", school.name) } else { school.name.clone() },
        state_word(school.state).to_owned(),
        contact,
        exposure,
        format!("{} of {} in use", school.tablets.in_use, school.tablets.total),
        school.signed_in.to_string(),
    ]
}

const fn state_word(state: SyncState) -> &'static str {
    match state {
        SyncState::NeverSeen => "never seen",
        SyncState::Offline => "out of contact",
        SyncState::Attention => "needs attention",
        SyncState::CatchingUp => "catching up",
        SyncState::InSync => "in sync",
    }
}
