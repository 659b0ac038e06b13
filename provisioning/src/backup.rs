//! `preau backup`: a box's or a coordinator's folder, kept elsewhere and got back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use preau_shared::{
    rig::{
        backup::{
            Access, Progress, Store,
            create::{Created, create},
            forget::{Forgotten, Keep, date, forget},
            key::{Secret, make_key_file, read_key_file},
            restore::{Restored, Wish, restore},
            verify::{Verified, verify},
        },
        clock::SystemClock,
        dice::SystemDice,
    },
    time::{Clock as _, Stamp},
};
use serde_json::json;

use crate::out::{self, Reader};

/// Longest passphrase read from a file, in bytes.
const MAX_PASSPHRASE_FILE: u64 = 1_024;

/// Backups.
#[derive(Debug, Args)]
#[command(
    long_about = "Keeps backups of a box's or a coordinator's folder (database, keys, authority, configuration) in a \
store: another disk, a stick, a mounted share. Programs go on working meanwhile. What did not change since the last backup \
is not written again; all is sealed with AES-256-GCM under a passphrase or a key file.\n\n\
A coordinator whose data is in PostgreSQL: this keeps its folder (authority, configuration) only. The database's own \
backup (pg_dump, point-in-time recovery) is the database administrator's.\n\n\
Who erases a person lets backups from before go after their delay: see `preau backup forget`.",
    after_help = "\
Examples:
  preau backup create /var/lib/preau --to /mnt/stick/ecole --key-file /etc/preau/backup.key
  preau backup list /mnt/stick/ecole --key-file /etc/preau/backup.key
  preau backup verify /mnt/stick/ecole --key-file /etc/preau/backup.key
  preau backup restore /mnt/stick/ecole --into /var/lib/preau --key-file /etc/preau/backup.key
  preau backup forget /mnt/stick/ecole --keep-daily 14 --keep-monthly 6 --key-file /etc/preau/backup.key"
)]
pub struct BackupArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Args)]
struct Opening {
    /// File of 64 hexadecimal digits, mode 0600; made with the store when there is none. Keep a copy elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    key_file: Option<PathBuf>,
    /// File whose first line is the passphrase. Without either the passphrase is asked on the terminal.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Back up a folder while its program runs; the first time makes the store. When cut, the same words go on.
    #[command(
        after_help = "Example:\n  preau backup create /var/lib/preau --to /mnt/stick/ecole --key-file /etc/preau/backup.key\n\
Run it as the account of the program, or as root. The database is copied once beside itself: its size must be free there."
    )]
    Create {
        /// The program's folder.
        #[arg(value_name = "FOLDER")]
        from: PathBuf,
        /// Where backups are kept; one store for one folder.
        #[arg(long, value_name = "STORE")]
        to: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// What a store holds.
    #[command(after_help = "Example:\n  preau backup list /mnt/stick/ecole --key-file /etc/preau/backup.key")]
    List {
        /// Where backups are kept.
        store: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// Read the whole store and check every seal; with --rehearse restore the newest backup and throw it away.
    #[command(
        after_help = "Example:\n  preau backup verify /mnt/stick/ecole --rehearse /var/tmp --key-file /etc/preau/backup.key"
    )]
    Verify {
        /// Where backups are kept.
        store: PathBuf,
        /// Also restore the newest backup into a folder that is made here and removed again.
        #[arg(long, value_name = "FOLDER")]
        rehearse: Option<PathBuf>,
        #[command(flatten)]
        opening: Opening,
    },
    /// Make a folder again from a backup. When cut, the same words go on.
    #[command(after_help = "Example:\n  preau backup restore /mnt/stick/ecole --into /var/lib/preau \
--key-file /etc/preau/backup.key\n\
Run it as the account of the program. Never start the old disk again beside the restored one: two that give out the \
same numbers are clones, and the coordinator stops the older.")]
    Restore {
        /// Where backups are kept.
        store: PathBuf,
        /// Which backup; without it the newest.
        #[arg(long, value_name = "NUMBER")]
        backup: Option<u64>,
        /// The folder to make.
        #[arg(long, value_name = "FOLDER")]
        into: PathBuf,
        /// When the folder is there and no program runs in it, put it aside and take its place.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        opening: Opening,
    },
    /// Let old backups go: of each period the newest stays. The newest backup always stays.
    #[command(after_help = "Example:\n  preau backup forget /mnt/stick/ecole --keep-daily 14 --keep-weekly 8 \
--keep-monthly 6 --key-file /etc/preau/backup.key")]
    Forget {
        /// Where backups are kept.
        store: PathBuf,
        /// Keep the newest so many.
        #[arg(long, value_name = "N", default_value_t = 1)]
        keep_last: usize,
        /// Keep one a day, for so many days.
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_daily: usize,
        /// Keep one a week, for so many weeks.
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_weekly: usize,
        /// Keep one a month, for so many months.
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_monthly: usize,
        /// Only tell what would go.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        opening: Opening,
    },
}

/// Does it.
///
/// # Errors
/// When a folder, the store or its secret cannot be used.
pub fn run(args: BackupArgs) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Create { from, to, opening } => create_one(&from, &to, &opening),
        Act::List { store, opening } => list(&store, &opening),
        Act::Verify { store, rehearse, opening } => verify_all(&store, rehearse.as_deref(), &opening),
        Act::Restore { store, backup, into, replace, opening } => {
            let wish = Wish { number: backup, into, replace };
            restore_one(&store, &wish, &opening)
        }
        Act::Forget { store, keep_last, keep_daily, keep_weekly, keep_monthly, dry_run, opening } => {
            let keep = Keep { last: keep_last, daily: keep_daily, weekly: keep_weekly, monthly: keep_monthly };
            forget_old(&store, keep, dry_run, &opening)
        }
    }
}

impl Opening {
    /// The store, made when it is to be written and is not there.
    fn store(&self, root: &Path, access: Access) -> anyhow::Result<Store> {
        let is_new = access == Access::Write && !Store::is_at(root);
        let secret = self.secret(is_new)?;
        Ok(if is_new { Store::make(root, &secret, &SystemDice)? } else { Store::open(root, &secret, access)? })
    }

    fn secret(&self, is_new: bool) -> anyhow::Result<Secret> {
        if let Some(path) = &self.key_file {
            if is_new && !path.exists() {
                let secret = make_key_file(path, &SystemDice)?;
                out::complain(&format!(
                    "{}: a new key. Without it nobody can read the backups: keep a copy of it elsewhere.",
                    path.display()
                ));
                return Ok(secret);
            }
            return Ok(read_key_file(path)?);
        }
        if let Some(path) = &self.passphrase_file {
            let size = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
            anyhow::ensure!(size <= MAX_PASSPHRASE_FILE, "{} is too large for a passphrase", path.display());
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(Secret::Passphrase(text.lines().next().unwrap_or_default().to_owned()));
        }
        let nobody = "nobody to ask for the passphrase: give --key-file or --passphrase-file";
        let typed = rpassword::prompt_password("Passphrase of the backups: ").context(nobody)?;
        if is_new && rpassword::prompt_password("The same again: ").context(nobody)? != typed {
            anyhow::bail!("the two passphrases differ");
        }
        Ok(Secret::Passphrase(typed))
    }

    fn reader(&self) -> Reader {
        Reader::of(self.json)
    }
}

/// A bar on a terminal; silence elsewhere.
struct Bar(ProgressBar);

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = if out::may_draw() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }
    fn show(&self, progress: Progress) {
        self.0.set_length(progress.all);
        self.0.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn now() -> Stamp {
    SystemClock::start().stamp()
}

fn create_one(from: &Path, to: &Path, opening: &Opening) -> anyhow::Result<ExitCode> {
    let reader = opening.reader();
    anyhow::ensure!(from.is_dir(), "{} is not a folder", from.display());
    let store = opening.store(to, Access::Write)?;
    let bar = Bar::new("backing up");
    let done = create(&store, from, now(), &SystemDice, &|progress| bar.show(progress))?;
    drop(bar);
    let Created { manifest, new_bytes, mended, left_out, .. } = &done;
    let unsound = manifest.unsound();
    let files = manifest.contents().count();
    let mut text = format!(
        "Backup {} of {}: {files} files, {}; {} written.",
        manifest.number,
        from.display(),
        size(manifest.bytes()),
        size(*new_bytes)
    );
    if *mended > 0 {
        text += &format!("\n{mended} pieces of earlier backups were damaged in the store and are whole again.");
    }
    for path in left_out {
        text += &format!("\nLeft out, neither file nor folder: {}", path.display());
    }
    reader.report(
        &text,
        &json!({
            "event": "created", "backup": manifest.number, "made_at": manifest.made_at, "files": files,
            "bytes": manifest.bytes(), "new_bytes": new_bytes, "mended": mended, "left_out": left_out,
            "unsound": unsound,
        }),
    );
    Ok(sound(&unsound, "the backup was made all the same, and earlier sound ones are kept"))
}

fn list(root: &Path, opening: &Opening) -> anyhow::Result<ExitCode> {
    let reader = opening.reader();
    let listed = opening.store(root, Access::Read)?.list()?;
    let mut rows = Vec::new();
    for manifest in &listed.backups {
        let unsound = manifest.unsound();
        let state = if unsound.is_empty() { "sound".to_owned() } else { format!("damaged: {}", unsound.join(", ")) };
        rows.push(vec![
            manifest.number.to_string(),
            day(manifest.made_at),
            size(manifest.bytes()),
            manifest.from.clone(),
            state,
        ]);
        reader.tell(&json!({
            "event": "backup", "backup": manifest.number, "made_at": manifest.made_at, "bytes": manifest.bytes(),
            "from": manifest.from, "owner": manifest.owner, "unsound": unsound,
        }));
    }
    reader.say(&out::table(&["backup", "made (UTC)", "size", "of", "databases"], &rows));
    for why in &listed.damaged {
        out::complain(&format!("preau: {why}"));
    }
    Ok(if listed.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verify_all(root: &Path, rehearse: Option<&Path>, opening: &Opening) -> anyhow::Result<ExitCode> {
    let reader = opening.reader();
    let store = opening.store(root, Access::Read)?;
    let bar = Bar::new("reading");
    let found = verify(&store, &|progress| bar.show(progress))?;
    drop(bar);
    let Verified { sound: whole, pieces, bytes, loose_bytes, damage, strange } = &found;
    for hurt in damage {
        out::complain(&format!("{}: {}; needed for: {}", hurt.path.display(), hurt.what, list_of(&hurt.hurts)));
        reader.tell(&json!({ "event": "damage", "path": hurt.path, "what": hurt.what, "hurts": hurt.hurts }));
    }
    for path in strange {
        out::complain(&format!("{}: not ours", path.display()));
    }
    let mut unsound = Vec::new();
    let rehearsed = match rehearse {
        Some(folder) if damage.is_empty() => {
            unsound = rehearsal(&store, folder)?.mark.unsound;
            true
        }
        Some(_) | None => false,
    };
    let text = format!(
        "{pieces} pieces ({}) read; {} backups can be read whole{}.{}",
        size(*bytes),
        whole.len(),
        if rehearsed { ", the newest was restored and thrown away" } else { "" },
        if *loose_bytes > 0 {
            format!("\n{} belong to no backup: `forget` sweeps them.", size(*loose_bytes))
        } else {
            String::new()
        },
    );
    reader.report(
        &text,
        &json!({
            "event": "verified", "sound": whole, "pieces": pieces, "bytes": bytes, "loose_bytes": loose_bytes,
            "damaged": damage.len(), "rehearsed": rehearsed, "unsound": unsound,
        }),
    );
    if damage.is_empty() {
        return Ok(sound(&unsound, "the backup is as the folder was"));
    }
    out::complain(
        "The next `preau backup create` writes damaged pieces anew where the folder still has their content.",
    );
    Ok(ExitCode::FAILURE)
}

/// Restores the newest backup into a folder that goes again.
fn rehearsal(store: &Store, folder: &Path) -> anyhow::Result<Restored> {
    let into = folder.join(format!("preau-rehearsal-{}", now().0));
    let bar = Bar::new("rehearsing");
    let wish = Wish { number: None, into: into.clone(), replace: false };
    let done = restore(store, &wish, now(), &SystemDice, &|progress| bar.show(progress));
    for path in [into.clone(), into.with_file_name(format!(".{}.restoring", name_of(&into)))] {
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(done?)
}

fn restore_one(root: &Path, wish: &Wish, opening: &Opening) -> anyhow::Result<ExitCode> {
    let reader = opening.reader();
    let store = opening.store(root, Access::Read)?;
    let bar = Bar::new("restoring");
    let begun = now();
    let done = restore(&store, wish, begun, &SystemDice, &|progress| bar.show(progress))?;
    drop(bar);
    let Restored { manifest, into, put_aside, found_bytes, mark } = &done;
    let mut text = format!(
        "{} is the folder of {} UTC (backup {}, {}).",
        into.display(),
        day(manifest.made_at),
        manifest.number,
        size(manifest.bytes())
    );
    if mark.restored_at < begun {
        text +=
            &format!("\nIt was restored at {} already; nothing was left to do but its place.", day(mark.restored_at));
    }
    if *found_bytes > 0 {
        text += &format!("\n{} were there from a restore that was cut.", size(*found_bytes));
    }
    if let Some(aside) = put_aside {
        text += &format!("\nWhat was there is now {}.", aside.display());
    }
    for (path, owner) in &mark.owners {
        text += &format!(
            "\n{path} ({owner}) goes on as another life of the same: no number is given twice. Do not start the old disk again."
        );
    }
    reader.report(
        &text,
        &json!({
            "event": "restored", "backup": manifest.number, "made_at": manifest.made_at, "into": into,
            "bytes": manifest.bytes(), "found_bytes": found_bytes, "put_aside": put_aside,
            "owners": mark.owners.len(), "unsound": mark.unsound,
        }),
    );
    Ok(sound(&mark.unsound, "it was so when it was backed up; an older backup may be sound"))
}

fn forget_old(root: &Path, keep: Keep, dry_run: bool, opening: &Opening) -> anyhow::Result<ExitCode> {
    let reader = opening.reader();
    anyhow::ensure!(Store::is_at(root), "{} keeps no backups", root.display());
    let store = opening.store(root, Access::Write)?;
    let Forgotten { gone, kept, freed_bytes } = forget(&store, keep, dry_run)?;
    let (would, freed) = if dry_run { ("would go", "would be freed") } else { ("are gone", "freed") };
    reader.report(
        &format!("{} backups {would}, {} stay; {} {freed}.", gone.len(), kept.len(), size(freed_bytes)),
        &json!({ "event": "forgotten", "gone": gone, "kept": kept, "freed_bytes": freed_bytes, "dry_run": dry_run }),
    );
    Ok(ExitCode::SUCCESS)
}

/// 1 when SQLite found damage.
fn sound(unsound: &[String], but: &str) -> ExitCode {
    if unsound.is_empty() {
        return ExitCode::SUCCESS;
    }
    out::complain(&format!("preau: SQLite finds damage in {}: {but}.", unsound.join(", ")));
    ExitCode::FAILURE
}

fn list_of(hurts: &[String]) -> String {
    if hurts.is_empty() { "no backup".into() } else { hurts.join("; ") }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `2026-11-23 23:59`, UTC.
fn day(at: Stamp) -> String {
    let (year, month, day) = date(at);
    let minutes = at.0.div_euclid(60_000).rem_euclid(24 * 60);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
