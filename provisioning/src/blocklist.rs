//! `preau blocklist`: block lists compiled, looked into, asked and compared. Needs no coordinator.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use preau_shared::{
    blocklist::{BlockList, Categories, Usage, folded},
    dice::Dice as _,
    rig::{dice::SystemDice, keep, lists},
};
use serde_json::{Value, json};

use crate::out::{self, Reader};

/// Block lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau blocklist compile lists --out lists.preaubl     a folder of block lists becomes one file
  preau blocklist inspect lists.preaubl                 what is in it, and whether it is sound
  preau blocklist check lists.preaubl www.jeux.example  which categories a name has, and because of which entry
  preau blocklist diff lists lists.new                  what changed from one folder to another")]
pub struct BlocklistArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Compile block lists to one file: a folder, a list, or the archive that UT1 publishes.
    ///
    /// In a folder, `<category>/domains` and `<category>/hosts` are a category's names, `<category>/usage` says `black` or
    /// `white`, `ads.txt`, `ads.hosts` and `ads.list` are the category `ads`, and a `.tar.gz` holds categories as UT1 packs
    /// them. Each may have names, one a line, or lines of a hosts file, or of AdGuard's rules those that mean whole names
    /// (`||name^`, `@@||name^`). Lines that are none of these are left out and counted.
    #[command(after_help = "\
Examples:
  preau blocklist compile lists --out lists.preaubl
  preau blocklist compile blacklists.tar.gz --out lists.preaubl
  preau blocklist compile ads.hosts --out ads.preaubl")]
    Compile {
        /// The folder, list or archive.
        #[arg(value_name = "LISTS")]
        from: PathBuf,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what is in a compiled list, and compare all of it with what was compiled.
    #[command(after_help = "Example:\n  preau blocklist inspect lists.preaubl")]
    Inspect {
        #[command(flatten)]
        list: ListArgs,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say which categories names have, and because of which entries. Ends with 1 when one of them has none. Names may have
    /// accents and capitals.
    #[command(after_help = "Example:\n  preau blocklist check lists.preaubl www.jeux.example fr.wikipedia.org")]
    Check {
        #[command(flatten)]
        list: ListArgs,
        /// Names to look up.
        #[arg(required = true)]
        names: Vec<String>,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Compare two folders, lists or archives. With what was compiled of the first, write what changes of it.
    #[command(after_help = "\
Examples:
  preau blocklist diff lists lists.new
  preau blocklist diff lists lists.new --list lists.preaubl --out changes.preaubl")]
    Diff {
        /// What was compiled before.
        old: PathBuf,
        /// What is there now.
        new: PathBuf,
        /// The file that was compiled before.
        #[arg(long, value_name = "FILE", requires = "out")]
        list: Option<PathBuf>,
        /// The file of changes to write.
        #[arg(long, value_name = "FILE", requires = "list")]
        out: Option<PathBuf>,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A compiled list.
#[derive(Debug, Args)]
struct ListArgs {
    /// The compiled list.
    file: PathBuf,
    /// What changed since, compiled by `diff`.
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
}

impl ListArgs {
    fn open(&self) -> anyhow::Result<BlockList> {
        Ok(lists::load(&self.file, self.changes.as_deref())?)
    }
}

/// Does it.
///
/// # Errors
/// When a folder or file cannot be read or written, or is not sound.
pub fn run(args: BlocklistArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Compile { from, out, json } => compile(&from, &out, Reader::of(json)),
        Act::Inspect { list, json } => inspect(&list.open()?, Reader::of(json)),
        Act::Check { list, names, json } => Ok(check(&list.open()?, &names, Reader::of(json))),
        Act::Diff { old, new, list, out, json } => diff((&old, &new), list.zip(out), Reader::of(json)),
    }
}

fn compile(from: &Path, out: &Path, reader: Reader) -> anyhow::Result<ExitCode> {
    let mut seed = [0; 16];
    SystemDice.fill(&mut seed);
    let bar = progress();
    let bytes = lists::compile(from, seed, None, |placed, all| {
        bar.set_length(all);
        bar.set_position(placed);
    })?;
    bar.finish_and_clear();
    keep::public(out, &bytes).with_context(|| out.display().to_string())?;
    drop(bytes);
    let list = lists::load(out, None)?;
    let ((names, _), (bad, bad_lines)) = (list.counts(), list.bad_lines());
    for line in bad {
        out::complain(&format!("{}, line {}: left out, it says no whole name", line.file, line.line));
    }
    let size = u64::try_from(list.bytes()).unwrap_or(u64::MAX);
    reader.report(
        &format!(
            "{}: {} names in {} categories, {}, version {}; lines left out: {}",
            out.display(),
            HumanCount(names),
            list.names().count(),
            HumanBytes(size),
            list.version(),
            HumanCount(bad_lines),
        ),
        &json!({"file": out, "names": names, "categories": list.names().count(), "bytes": size,
                "version": list.version(), "left_out": bad_lines}),
    );
    Ok(ExitCode::SUCCESS)
}

/// Reading is a fifth of the time, finding each name's place the rest.
fn progress() -> ProgressBar {
    let bar = if out::may_draw() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{elapsed} [{wide_bar}] {human_pos}/{human_len} names") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

fn inspect(list: &BlockList, reader: Reader) -> anyhow::Result<ExitCode> {
    list.check()?;
    let categories = list.named(list.names());
    let word = |usage: Option<Usage>| if usage == Some(Usage::White) { "white" } else { "black" };
    let rows: Vec<Vec<String>> = categories
        .each()
        .map(|category| {
            let aliases = list.aliases(category).collect::<Vec<_>>().join(", ");
            vec![list.name(category).to_owned(), word(list.usage(category)).to_owned(), aliases]
        })
        .collect();
    let ((names, changed), size) = (list.counts(), u64::try_from(list.bytes()).unwrap_or(u64::MAX));
    reader.say(&out::table(&["category", "usage", "other names"], &rows));
    let told: Vec<Value> =
        rows.iter().map(|row| json!({"name": row.first(), "usage": row.get(1), "other_names": row.get(2)})).collect();
    reader.report(
        &format!(
            "version {}: {} names, {} changed since, {}; every block is what was compiled",
            list.version(),
            HumanCount(names),
            HumanCount(changed),
            HumanBytes(size),
        ),
        &json!({"version": list.version(), "names": names, "changed": changed, "bytes": size, "categories": told}),
    );
    Ok(ExitCode::SUCCESS)
}

fn check(list: &BlockList, names: &[String], reader: Reader) -> ExitCode {
    let mut unlisted = false;
    for name in names {
        let folded = folded(name);
        let why = folded.as_deref().map(|name| list.why(name)).unwrap_or_default();
        unlisted |= why.is_empty();
        let words = |set: Categories| set.each().map(|one| list.name(one)).collect::<Vec<_>>();
        if folded.is_none() {
            reader.say(&format!("{name}: this is no name of a site"));
        } else if why.is_empty() {
            reader.say(&format!("{name}: in no category"));
        }
        for (entry, set) in &why {
            reader.say(&format!("{name}: {} (because of {entry})", words(*set).join(", ")));
        }
        let told: Vec<Value> =
            why.iter().map(|(entry, set)| json!({"entry": entry, "categories": words(*set)})).collect();
        reader.tell(&json!({"name": name, "because": told}));
    }
    if unlisted { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn diff((old, new): (&Path, &Path), written: Option<(PathBuf, PathBuf)>, reader: Reader) -> anyhow::Result<ExitCode> {
    let seed = match &written {
        Some((list, _)) => lists::load(list, None)?.seed(),
        None => [0; 16],
    };
    let (before, now) = (lists::read(old, seed)?, lists::read(new, seed)?);
    if let Some((list, _)) = &written
        && lists::load(list, None)?.version() != before.version()
    {
        bail!("{} was not compiled of {}: its version is another", list.display(), old.display());
    }
    let changes = now.changes_since(&before)?;
    let (names, all, gone) = (changes.len(), now.len(), changes.gone());
    let mut told = json!({"from": before.version(), "to": now.version(), "names": all, "changed": names, "gone": gone});
    reader.say(&format!(
        "version {} to {}: of {} names, {} changed; gone among those: {}",
        before.version(),
        now.version(),
        HumanCount(u64::try_from(all)?),
        HumanCount(u64::try_from(names)?),
        HumanCount(u64::try_from(gone)?),
    ));
    if let Some((_, out)) = &written {
        let bytes = changes.compile(None, |_| ())?;
        keep::public(out, &bytes).with_context(|| out.display().to_string())?;
        let size = u64::try_from(bytes.len())?;
        reader.say(&format!("{}: {}", out.display(), HumanBytes(size)));
        if let Some(told) = told.as_object_mut() {
            told.insert("bytes".into(), size.into());
        }
    }
    reader.tell(&told);
    Ok(ExitCode::SUCCESS)
}
