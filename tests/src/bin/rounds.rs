//! `rounds [--rounds N] [--first-seed N] [--unsynced] [--tablets N] [--program FILE]`: kills programs at random moments and
//! holds the others to what they had said; exits 1 and prints the seed when something was lost, doubled or let back in.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use preau_tests::{
    durable::{self, Habit},
    rounds::{self, Kept, Wish},
};

const USAGE: &str = "\
usage: rounds [--rounds N] [--first-seed N] [--unsynced | --lying-disk] [--mosquitto] [--postgres] [--tablets N] [--program FILE]
  --rounds N       so many rounds (20)
  --first-seed N   seed of the first one (1)
  --unsynced       each kill is a power cut: what was not synced is lost
  --lying-disk     a planted fault: boxes' disks say that they synced and did not; must end broken
  --mosquitto      an external broker, killed too
  --postgres       the coordinator's data in PostgreSQL, killed too
  --tablets N      virtual tablets in each school (5)
  --program FILE   the preau program (beside this one)
for example: rounds --rounds 200 --unsynced";

enum Word {
    Play(Wish),
    Write(Habit, PathBuf),
}

fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Word> {
    use anyhow::Context as _;
    let beside = std::env::current_exe()?.with_file_name("preau-under-test");
    let mut wish = Wish {
        program: beside,
        rounds: 20,
        first_seed: 1,
        disk: Kept::Written,
        mosquitto: false,
        postgres: false,
        tablets: 5,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} lacks its value"));
        match word.as_str() {
            "--rounds" => wish.rounds = value()?.parse()?,
            "--first-seed" => wish.first_seed = value()?.parse()?,
            "--tablets" => wish.tablets = value()?.parse()?,
            "--program" => wish.program = value()?.into(),
            "--unsynced" => wish.disk = Kept::Synced,
            "--mosquitto" => wish.mosquitto = true,
            "--postgres" => wish.postgres = true,
            "--lying-disk" => wish.disk = Kept::Lies,
            // For the layer's own test.
            "--write" => {
                let habit = Habit::from_word(&value()?)?;
                return Ok(Word::Write(habit, value()?.into()));
            }
            other => anyhow::bail!("{other} is not known"),
        }
    }
    Ok(Word::Play(wish))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]
fn main() -> ExitCode {
    let wish = match read(std::env::args().skip(1)) {
        Ok(Word::Play(wish)) => wish,
        Ok(Word::Write(habit, path)) => {
            return match durable::write_then_wait(habit, &path) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{}: {error:#}", path.display());
                    ExitCode::FAILURE
                }
            };
        }
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    preau_shared::rig::tls::install_provider();
    let heard = |seed: u64, took: Duration| println!("seed {seed}: sound, {:.1} s", took.as_secs_f64());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let went = runtime.map_err(anyhow::Error::from).and_then(|r| r.block_on(Box::pin(rounds::run(&wish, heard))));
    match went {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
