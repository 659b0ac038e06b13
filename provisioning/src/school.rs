//! `preau school`: add one, list them all, retire one; codes on paper for its staff.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use preau_shared::{documents::school::Accounts, ids::Uai};
use serde_json::{Value, json};

use crate::{
    charter::{self, CharterArgs},
    coordinator::Reach,
    out::Reader,
    paper_codes,
    roster::{write_badges, write_secret},
    status,
};

/// Schools of the territory.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  preau school list --dir .pilot\n  preau school add 0900915F \"La Savoureuse\" --dir .pilot"
)]
pub struct SchoolArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Create a school.
    #[command(
        after_help = "Examples:\n  preau school add 0900915F \"La Savoureuse\" --latitude 47.64 --longitude 6.86 --dir .pilot\n  preau school add --training \"Salle de formation\" --badges formation.csv --dir .pilot"
    )]
    Add {
        /// National number: seven digits and their check letter. A training room has none: it gets one that no school has.
        #[arg(value_parser = sound_uai, required_unless_present = "training")]
        uai: Option<Uai>,
        /// Its name.
        #[arg(required_unless_present = "training")]
        name: Option<String>,
        /// Make a training room of this name: its people are invented with it, and nobody real ever comes in.
        #[arg(long, value_name = "NAME", conflicts_with_all = ["uai", "name", "latitude", "longitude"], requires = "badges")]
        training: Option<String>,
        /// Where to write the invented people's badges and secrets (they are told once); a file of mode 0600.
        #[arg(long, value_name = "FILE", requires = "training")]
        badges: Option<PathBuf>,
        /// Degrees north.
        #[arg(long, requires = "longitude")]
        latitude: Option<f64>,
        /// Degrees east.
        #[arg(long, requires = "latitude")]
        longitude: Option<f64>,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Switch a school: each tablet one pupil's, or any pupil on any tablet. Its boxes apply it, offline too, from when they
    /// hear of it; switching back frees every tablet.
    #[command(after_help = "Example:\n  preau school accounts 0900915F one --dir .pilot")]
    Accounts {
        /// National number.
        uai: Uai,
        /// `one` account per tablet, or `many`.
        #[arg(value_parser = word)]
        accounts: Accounts,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Close a school: it leaves the lists; nothing it holds is touched, and `school add` opens it again.
    #[command(after_help = "Example:\n  preau school retire 0900915F --dir .pilot")]
    Retire {
        /// National number.
        uai: Uai,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a school's boxes decode camera frames where a tablet cannot (in memory, never stored), or stop it. It is a line
    /// of the impact assessment, and the journal keeps it.
    #[command(after_help = "Example:\n  preau school frames 0900915F on --dir .pilot")]
    Frames {
        /// National number.
        uai: Uai,
        /// Whether they may.
        #[arg(value_enum)]
        switch: Switch,
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    SafeCode(paper_codes::SafeCodeArgs),
    Activations(paper_codes::ActivationArgs),
    /// Write what the school's tablets tell of its rules (*charte*), by level; who has not read these words is shown them.
    Charter(CharterArgs),
    /// List the schools with their state.
    #[command(after_help = "Example:\n  preau school list --json --dir .pilot")]
    List {
        #[command(flatten)]
        reach: Reach,
        /// Report as JSON, one school a line.
        #[arg(long)]
        json: bool,
    },
}

fn word(text: &str) -> Result<Accounts, &'static str> {
    Accounts::from_word(text).ok_or("one or many")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Reads a UAI and insists on its letter: only creating a school may.
fn sound_uai(text: &str) -> Result<Uai, String> {
    let uai: Uai = text.parse().map_err(|e| format!("{e}"))?;
    if uai.is_sound() {
        return Ok(uai);
    }
    let letter = uai.as_str().get(..7).and_then(|d| d.parse().ok()).map_or('?', Uai::letter_for);
    Err(format!("the check letter of {uai} should be {letter}: look at the number again"))
}

/// Does it.
///
/// # Errors
/// When the coordinator does not answer or refuses.
pub async fn run(args: SchoolArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Add { uai, name, training, badges, latitude, longitude, reach, json } => {
            match (uai, name, training, badges) {
                (Some(uai), Some(name), None, _) => {
                    let school = reach.open()?.add_school(&uai, &name, latitude.zip(longitude)).await?;
                    Reader::of(json)
                        .report(&format!("{name} ({uai}) is created. Next: preau box issue {uai}"), &school);
                }
                (_, _, Some(name), Some(file)) => add_training_room(&reach, &name, &file, Reader::of(json)).await?,
                (_, _, _, _) => bail!("give UAI and NAME, or --training NAME with --badges FILE"),
            }
        }
        Act::Accounts { uai, accounts, reach, json } => {
            let switched = reach.open()?.switch_accounts(&uai, accounts).await?;
            let words = match accounts {
                Accounts::One => {
                    format!("{uai}: a tablet is the first pupil's who signs in on it; teachers give and free them")
                }
                Accounts::Many => format!("{uai}: any pupil on any tablet"),
            };
            Reader::of(json).report(&words, &switched);
        }
        Act::Retire { uai, reach, json } => {
            let closed = reach.open()?.retire_school(&uai).await?;
            let boxes = closed.get("boxes_in_service").and_then(Value::as_u64).unwrap_or(0);
            let words = match boxes {
                0 => format!("{uai} is closed. To open it again: preau school add {uai} NAME"),
                n => format!(
                    "{uai} is closed; {n} of its boxes still serve: revoke them, or open it again: preau school add {uai} NAME"
                ),
            };
            Reader::of(json).report(&words, &closed);
        }
        Act::Frames { uai, switch, reach, json } => {
            let on = switch == Switch::On;
            let switched = reach.open()?.let_frames(&uai, on).await?;
            let words = if on {
                format!(
                    "Boxes of {uai} may decode camera frames, in memory, never stored: write it in the impact assessment."
                )
            } else {
                format!("Boxes of {uai} decode no camera frames.")
            };
            Reader::of(json).report(&words, &switched);
        }
        Act::SafeCode(args) => return paper_codes::safe_code(args).await,
        Act::Activations(args) => return paper_codes::activations(args).await,
        Act::Charter(args) => charter::run(args).await?,
        Act::List { reach, json } => status::show(&reach.open()?.schools().await?, Reader::of(json)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a training room, and writes what is told once before anything is said.
async fn add_training_room(reach: &Reach, name: &str, file: &Path, reader: Reader) -> anyhow::Result<()> {
    let coordinator = reach.open()?;
    ensure!(!file.exists(), "{} is there already: give another name", file.display());
    // The badges are told once: a file that cannot be written is found before they are.
    write_secret(file, b"")?;
    let room = coordinator.add_training_room(name).await?;
    write_badges(file, &room.badges)?;
    let (uai, badges) = (&room.uai, file.display());
    let text = format!(
        "{name} ({uai}) is created, a training room: {} invented people, in {badges}.\n\
         Accounts of its staff, with the PIN as password: {}.\n\
         Next: preau badge sheet {badges} --out badges.pdf, and preau box issue {uai}",
        room.badges.len(),
        room.accounts.join(", ")
    );
    reader.report(
        &text,
        &json!({ "uai": uai, "name": name, "training": true, "badges": room.badges.len(), "file": file }),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_letter_is_refused_with_the_right_one() {
        assert!(super::sound_uai("0310047H").is_ok());
        assert!(super::sound_uai("0310047A").expect_err("wrong").contains("should be H"));
        assert!(super::sound_uai("31").is_err());
    }
}
