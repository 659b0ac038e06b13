//! The `preau` command: the pilot, and the DSI's words for schools, boxes, rosters and badges.
//!
//! | module | its one idea |
//! |---|---|
//! | [`pilot`] | two schools and a coordinator at work on one machine, as real processes |
//! | [`tablets`] | virtual tablets living a school day at speed, in a process of their own |
//! | [`invent`] | invented schools, pupils, rosters and block lists |
//! | [`coordinator`] | the coordinator's API, as the words below call it |
//! | [`school`], [`boxes`], [`broker`], [`roster`], [`badge`], [`privacy`], [`quarantine`], [`status`], [`backup`] | one noun of the command line each |
//! | [`codes`] | QR codes of another system, imported |
//! | [`paper_codes`] | codes for staff, drawn at the coordinator and told on paper |
//! | [`out`], [`admin`] | what a person or a program reads; the admin plane of box and coordinator |

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod admin;
pub mod backup;
pub mod badge;
pub mod blocklist;
pub mod boxes;
pub mod broker;
pub mod charter;
pub mod codes;
pub mod coordinator;
pub mod invent;
pub mod out;
pub mod paper_codes;
pub mod pilot;
pub mod privacy;
pub mod quarantine;
pub mod roster;
pub mod school;
pub mod status;
pub mod tablets;

#[derive(Parser)]
#[command(
    name = "preau",
    version,
    about = "Préau: shared tablets in primary schools",
    after_help = "\
Examples:
  preau pilot                                  two invented schools at work on this machine
  preau pilot --for 60s --json                 the same for a minute, for a program to read
  preau school list --dir .pilot               what the coordinator knows of its schools"
)]
struct Cli {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Start schools, boxes, tablets and a coordinator on this machine, or act on those that run.
    Pilot(pilot::PilotArgs),
    /// Virtual tablets (started by the pilot).
    #[command(hide = true)]
    Tablets(tablets::TabletsArgs),
    /// Schools of the territory.
    School(school::SchoolArgs),
    /// Boxes: give out claim codes, list, revoke, replace.
    Box(boxes::BoxArgs),
    /// Backups of a box's or the coordinator's folder.
    Backup(backup::BackupArgs),
    /// An outside broker: its configuration and its rights.
    Broker(broker::BrokerArgs),
    /// Rosters: check, import, undo.
    Roster(roster::RosterArgs),
    /// Badges: print them, import another system's codes, make one void.
    Badge(badge::BadgeArgs),
    /// Block lists: compile, look into, ask, compare.
    Blocklist(blocklist::BlocklistArgs),
    /// What the law asks for a person: erase.
    Privacy(privacy::PrivacyArgs),
    /// What the coordinator refused, and what is lost.
    Quarantine(quarantine::QuarantineArgs),
    /// Every school: state, exposure, last contact.
    Status(status::StatusArgs),
    /// The box's program (`preau-edge`).
    #[command(subcommand)]
    Edge(preau_edge::EdgeCommand),
    /// The coordinator's program (`preau-cloud`).
    #[command(subcommand)]
    Cloud(preau_cloud::CloudCommand),
}

/// Reads the command line and does it: 0 done, 1 failed, 2 misused.
pub fn run() -> ExitCode {
    match Cli::parse().word {
        Word::Edge(command) => preau_edge::run(command),
        Word::Cloud(command) => preau_cloud::run(command),
        Word::Pilot(args) => with_runtime(pilot::run(args)),
        Word::Tablets(args) => with_runtime(tablets::run(args)),
        Word::School(args) => with_runtime(school::run(args)),
        Word::Blocklist(args) => finish(blocklist::run(args)),
        Word::Box(args) => with_runtime(boxes::run(args)),
        Word::Broker(args) => finish(broker::run(args)),
        Word::Backup(args) => finish(backup::run(args)),
        Word::Roster(args) => with_runtime(roster::run(args)),
        Word::Badge(args) => with_runtime(badge::run(args)),
        Word::Privacy(args) => with_runtime(privacy::run(args)),
        Word::Quarantine(args) => with_runtime(quarantine::run(args)),
        Word::Status(args) => with_runtime(status::run(args)),
    }
}

fn with_runtime(word: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    preau_shared::rig::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    finish(runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(Box::pin(word))))
}

fn finish(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        out::complain(&format!("preau: {error:#}"));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn every_word_has_help_with_an_example() {
        let mut cli = super::Cli::command();
        cli.build();
        let mut waiting: Vec<clap::Command> = cli.get_subcommands().cloned().collect();
        while let Some(mut word) = waiting.pop() {
            let name = word.get_name().to_owned();
            if name == "help" || name == "edge" || name == "cloud" || word.is_hide_set() {
                continue;
            }
            waiting.extend(word.get_subcommands().cloned());
            let help = word.render_long_help().to_string();
            assert!(help.contains("Example"), "`preau … {name} --help` shows no example");
        }
    }
}
