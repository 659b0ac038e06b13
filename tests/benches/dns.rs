//! `cargo bench -p preau-tests --bench dns [-- [--names N] [--seconds S] [--rounds R] [--peers a,b,…]]`: what an answer of the
//! filter costs beside those of unbound, dnsmasq, knot-resolver, pdns-recursor and dnsdist with a CDB file, and beside a bare
//! echo of datagrams, which is the least that any of them can cost.
//!
//! One after another they run on one core with one thread, block every name of the same drawn list and all that stands
//! under it, have a cache and the same upstream on this machine, and are asked the same questions from another core. The
//! measure is processor time an answer, of all threads of the process; as it depends on what else the machine does, each
//! run follows one of the echo on the same core, and ratios are those of figures beside their echo's. Nothing leaves the
//! machine but the installation of packages that are missing (their services are not started). `--peers none` measures
//! ours alone.
//!
//! `PREAU_DNS_BENCH_DIR` is a folder that keeps the drawn list and what is made of it for the next run.
//!
//! Ends with 1, and names them, when figures fall short of what is promised.

#![expect(clippy::print_stdout, reason = "a bench speaks")]

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use preau_tests::bench::{
    dns::{
        beside,
        course::{self, Pace},
        ground::{Ground, free_address},
        load::Loads,
        paced,
        peers::{self, PEERS, Peer},
        report::{Heading, Line, Measured, OURS, promised},
    },
    table::ended,
};

/// A large territory's worth of pupils at one box, and more policies than any has.
const PUPILS: &[&str] = &["--pupils", "1000", "--policies", "50"];
/// The end of the names of our compiled lists.
const OUR_LIST: &str = ".preaubl";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [beside::ECHO, at] => at.parse().context("an address").and_then(beside::echo).map(|()| Vec::new()),
        [beside::UPSTREAM, at] => at.parse().context("an address").and_then(beside::upstream).map(|()| Vec::new()),
        [paced::WORD, ..] => paced::ask(words.get(1..).unwrap_or_default()).map(|waits| {
            println!("{} {} {}", waits.p50, waits.p99, waits.lost);
            Vec::new()
        }),
        _ => options(&words).and_then(|options| bench(&options)),
    };
    ended(done)
}

struct Options {
    names: u64,
    pace: Pace,
    peers: Vec<Peer>,
}

fn options(words: &[String]) -> Result<Options> {
    let mut options = Options { names: 5_200_000, pace: Pace { seconds: 2.0, rounds: 5 }, peers: PEERS.to_vec() };
    for pair in words.chunks(2) {
        let [option, value] = pair else { bail!("{} takes a value", pair.concat()) };
        match option.as_str() {
            "--names" => options.names = value.parse().context("--names takes a number")?,
            "--seconds" => options.pace.seconds = value.parse().context("--seconds takes a number")?,
            "--rounds" => options.pace.rounds = value.parse().context("--rounds takes a number")?,
            "--peers" => {
                let known =
                    |name| PEERS.into_iter().find(|peer| peer.name == name).with_context(|| format!("no peer {name}"));
                let named = value.split(',').filter(|name| *name != "none").map(known);
                options.peers = named.collect::<Result<_>>()?;
            }
            _ => bail!("--names N, --seconds S, --rounds R, --peers a,b,…, or nothing"),
        }
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<Vec<String>> {
    println!("{} names, {} rounds of {} s", options.names, options.pace.rounds, options.pace.seconds);
    let ground = Ground::prepare(options.names)?;
    let loads = ground.loads()?;
    let ours = ours(&ground, &loads, options.pace).context("ours")?;
    println!("{Heading}\n{}", Line(&(OURS, Ok(ours))));
    let mut others: Vec<Measured> = Vec::new();
    for peer in &options.peers {
        let figures = beside(&ground, &loads, (peer, options.pace)).map_err(|reason| format!("{reason:#}"));
        let measured = (peer.name, figures);
        println!("{}", Line(&measured));
        others.push(measured);
    }
    let pupils = pupils(&ground, &loads, options.pace).context("with pupils")?;
    let promised = promised(&ours, &others, pupils);
    print!("{promised}");
    Ok(promised.short().into_iter().map(str::to_owned).collect())
}

/// What an answer costs where a school's pupils sit, each under a policy, beside what it costs where everybody is the same.
fn pupils(ground: &Ground, loads: &Loads, pace: Pace) -> Result<[f64; 3]> {
    let program = Path::new(env!("CARGO_BIN_EXE_preau-under-test"));
    let (alone, school) = (free_address()?, free_address()?);
    let same = peers::ours(ground, program, (alone, &[]))?;
    let many = peers::ours(ground, program, (school, PUPILS))?;
    course::in_turns(ground, loads, [(&same, alone), (&many, school)], pace)
}

fn ours(ground: &Ground, loads: &Loads, pace: Pace) -> Result<course::Figures> {
    let at = free_address()?;
    let words = peers::ours(ground, Path::new(env!("CARGO_BIN_EXE_preau-under-test")), (at, &[]))?;
    course::once(ground, &words, at).context("compiling the list")?;
    course::run(ground, loads, ((&words, at, OUR_LIST), pace))
}

fn beside(ground: &Ground, loads: &Loads, (peer, pace): (&Peer, Pace)) -> Result<course::Figures> {
    let at = free_address()?;
    let words = peer.command(ground, at)?;
    course::run(ground, loads, ((&words, at, peer.maps), pace))
}
