//! `preau school charter`: a school's own charter, or again the one that comes with the program.

use std::{fs::File, io::Read as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use preau_shared::{
    ids::Uai,
    terms::{Audience, Charter, MAX_FILE_BYTES},
};

use crate::{coordinator::Reach, out::Reader};

/// What a school's tablets tell of its rules.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  preau school charter 0900915F charte.txt --level cycle2 --dir .pilot\n  preau school charter 0900915F --shipped --dir .pilot"
)]
pub struct CharterArgs {
    /// National number.
    uai: Uai,
    /// Plain text, UTF-8: up to 12 paragraphs of 300 letters, with empty lines between.
    #[arg(required_unless_present = "shipped", conflicts_with = "shipped")]
    file: Option<PathBuf>,
    /// The charter that comes with the program holds again.
    #[arg(long)]
    shipped: bool,
    /// For whom: `cycle2` (up to CE2), `cycle3`, `adults`. May be given several times; all pupils when not given.
    #[arg(long = "level", value_parser = audience)]
    levels: Vec<Audience>,
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

fn audience(word: &str) -> Result<Audience, &'static str> {
    Audience::from_word(word).ok_or("cycle2, cycle3 or adults")
}

/// Does it.
///
/// # Errors
/// When the file is no charter (with line and column), the coordinator does not answer or refuses.
pub async fn run(args: CharterArgs) -> anyhow::Result<()> {
    let CharterArgs { uai, file, levels, reach, json, .. } = args;
    let levels = if levels.is_empty() { vec![Audience::Cycle2, Audience::Cycle3] } else { levels };
    let charter = match &file {
        None => None,
        Some(path) => {
            let mut bytes = Vec::new();
            let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
            let named = || path.display().to_string();
            File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).with_context(named)?;
            Some(Charter::parse(&bytes).with_context(named)?)
        }
    };
    let written = reach.open()?.write_charter(&uai, &levels, charter.as_ref()).await?;
    let whom = levels.iter().map(|level| level.as_str()).collect::<Vec<_>>().join(", ");
    let words = match &charter {
        Some(charter) => format!(
            "{uai}: {} paragraphs for {whom}, version {}; tablets show them at the next sign-in.",
            charter.paragraphs().len(),
            charter.version()
        ),
        None => format!("{uai}: the charter that comes with the program holds again for {whom}."),
    };
    Reader::of(json).report(&words, &written);
    Ok(())
}
