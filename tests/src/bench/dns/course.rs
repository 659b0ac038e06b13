//! One server's course: it starts, says what it should, is warmed, and is measured in turns with the bare echo.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    beside,
    ground::Ground,
    load::{Load, Loads},
    message::{self, A, NOERROR, NXDOMAIN},
    paced,
    server::{Memory, Server},
};
use crate::bench::{
    names::{name, unlisted},
    table::median,
};

/// Starts of which the median counts, where a start is quick.
const STARTS: usize = 5;
/// A start that is not repeated.
const SLOW: Duration = Duration::from_secs(1);
/// A server that has just started has so many tries, and so long each, to say what it should.
const TRIES: (usize, Duration) = (30, Duration::from_millis(200));

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Seconds of one run.
    pub seconds: f64,
    /// Turns of echo and server.
    pub rounds: usize,
}

/// What one load cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Answers a second.
    pub rate: f64,
    /// Microseconds of processor time an answer.
    pub cpu: f64,
    /// … beside the echo's, measured just before.
    pub echoes: f64,
    /// Of a hundred questions those without an answer.
    pub lost: f64,
    /// Of a hundred answers those that are not what they should be.
    pub wrong: f64,
    /// Of a hundred questions those that were passed on.
    pub passed_on: f64,
}

/// What one server cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// From its start to its first right answer, milliseconds.
    pub start: f64,
    /// … its processor time, milliseconds.
    pub start_cpu: f64,
    /// Its memory at the end.
    pub memory: Memory,
    /// Resident pages of its mapped list.
    pub list: f64,
    /// For each load.
    pub costs: [Cost; 3],
    /// Microseconds that half and ninety-nine of a hundred wait no longer than, at a given pace.
    pub waits: (f64, f64),
    /// The same of the echo, measured just before.
    pub echo_waits: (f64, f64),
    /// How much longer than the echo half of them wait.
    pub over_echo: f64,
}

/// Runs a server through all of it.
///
/// # Errors
/// When it does not start, or says what is not so.
pub fn run(ground: &Ground, loads: &Loads, (server, pace): ((&[OsString], SocketAddr, &str), Pace)) -> Result<Figures> {
    let (words, at, maps) = server;
    let (server, started) = start(ground, words, at)?;
    let start_cpu = server.cpu()? / 1e3;
    says_what_it_should(ground, at, TRIES).with_context(|| server.last_words())?;
    loads.warm(ground.cores.1, at)?;
    let mut figures = Figures { start: started * 1e3, start_cpu, ..Figures::default() };
    for (load, cost) in loads.measured.iter().zip(&mut figures.costs) {
        *cost = turns(ground, loads, (&server, at), (load, pace)).context(load.name)?;
    }
    waits(ground, at, (&loads.measured[2], pace), &mut figures)?;
    figures.memory = server.memory()?;
    figures.list = server.mapped(maps)?;
    Ok(figures)
}

/// Starts a server, waits for its first right answer, and ends it: what is made once is made.
///
/// # Errors
/// When it does not start.
pub fn once(ground: &Ground, words: &[OsString], at: SocketAddr) -> Result<()> {
    let mut server = Server::start(ground.cores.0, words, &ground.dir.join("server"))?;
    server.refuses(at, &name(ground.names - 1)).map(drop)
}

/// A server that answers, and the seconds that its start takes.
fn start(ground: &Ground, words: &[OsString], at: SocketAddr) -> Result<(Server, f64)> {
    let (listed, log) = (format!("www.{}", name(ground.names - 1)), ground.dir.join("server"));
    let mut times = Vec::new();
    loop {
        let mut server = Server::start(ground.cores.0, words, &log)?;
        let took = server.refuses(at, &listed)?;
        times.push(took.as_secs_f64());
        if took > SLOW || times.len() == STARTS {
            return Ok((server, median(times)));
        }
    }
}

/// A listed name is not, nor what stands under it; another one is.
fn says_what_it_should(ground: &Ground, at: SocketAddr, (tries, patience): (usize, Duration)) -> Result<()> {
    let socket = message::socket(at)?;
    let middle = name(ground.names / 2);
    let probes = [
        (middle.clone(), NXDOMAIN),
        (format!("a.b.{middle}"), NXDOMAIN),
        (unlisted(0), NOERROR),
        (format!("not{middle}"), NOERROR),
    ];
    for (number, (name, expected)) in (100..).zip(probes) {
        let mut said = None;
        for _ in 0..tries {
            said = message::ask(&socket, number, (&name, A), patience);
            if said == Some(expected) {
                break;
            }
            std::thread::sleep(patience);
        }
        ensure!(said == Some(expected), "asked for {name} it says {said:?} and not {expected}");
    }
    Ok(())
}

/// Two servers in turns, on the same core and for the same questions: for each load the processor time of an answer of the
/// second one beside the first one's, the median of all turns.
///
/// # Errors
/// When one does not start, or says what is not so.
pub fn in_turns(ground: &Ground, loads: &Loads, both: [(&[OsString], SocketAddr); 2], pace: Pace) -> Result<[f64; 3]> {
    let mut servers = Vec::new();
    for (words, at) in both {
        let mut server = Server::start(ground.cores.0, words, &ground.dir.join(format!("server-{}", at.port())))?;
        server.refuses(at, &name(ground.names - 1))?;
        says_what_it_should(ground, at, TRIES).with_context(|| server.last_words())?;
        loads.warm(ground.cores.1, at)?;
        servers.push((server, at));
    }
    let mut ratios = [0.0; 3];
    for (load, ratio) in loads.measured.iter().zip(&mut ratios) {
        let mut turns = Vec::new();
        for _ in 0..pace.rounds.saturating_mul(2) {
            let mut costs = Vec::new();
            for (server, at) in &servers {
                let before = server.cpu()?;
                let run = loads.run(ground.cores.1, *at, (load, pace.seconds))?;
                costs.push((server.cpu()? - before) / run.answered);
            }
            turns.push(costs[1] / costs[0]);
        }
        *ratio = median(turns);
    }
    Ok(ratios)
}

/// The echo, then the server, again and again.
fn turns(
    ground: &Ground,
    loads: &Loads,
    (server, at): (&Server, SocketAddr),
    (load, pace): (&Load, Pace),
) -> Result<Cost> {
    let core = ground.cores.1;
    let taken = |server: &Server, at: SocketAddr| -> Result<Cost> {
        let (before, asked) = (server.cpu()?, beside::asked(ground.upstream)?);
        let run = loads.run(core, at, (load, pace.seconds))?;
        let passed_on = f64::from(beside::asked(ground.upstream)?.wrapping_sub(asked)) / run.answered * 100.0;
        let cpu = (server.cpu()? - before) / run.answered;
        Ok(Cost { rate: run.rate, cpu, echoes: f64::NAN, lost: run.lost, wrong: run.wrong, passed_on })
    };
    let mut costs = Vec::new();
    for _ in 0..pace.rounds {
        let echo = taken(ground.echo_process()?, ground.echo)?;
        says_what_it_should(ground, at, TRIES)?;
        let cost = taken(server, at)?;
        costs.push(Cost { echoes: cost.cpu / echo.cpu, ..cost });
    }
    let middle = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
    let most = |figure: fn(&Cost) -> f64| costs.iter().map(figure).fold(0.0, f64::max);
    Ok(Cost {
        rate: middle(|cost| cost.rate),
        cpu: middle(|cost| cost.cpu),
        echoes: middle(|cost| cost.echoes),
        lost: middle(|cost| cost.lost),
        wrong: most(|cost| cost.wrong),
        passed_on: most(|cost| cost.passed_on),
    })
}

/// How long answers take at a pace that any server holds.
fn waits(ground: &Ground, at: SocketAddr, (load, pace): (&Load, Pace), figures: &mut Figures) -> Result<()> {
    let (mut echo, mut server) = (Vec::new(), Vec::new());
    for _ in 0..pace.rounds {
        let asked = (load.file.as_path(), pace.seconds);
        echo.push(paced::apart(ground.cores.1, ground.echo, asked)?);
        server.push(paced::apart(ground.cores.1, at, asked)?);
    }
    let middle =
        |figures: &[paced::Waits], figure: fn(&paced::Waits) -> f64| median(figures.iter().map(figure).collect());
    figures.waits = (middle(&server, |waits| waits.p50), middle(&server, |waits| waits.p99));
    figures.echo_waits = (middle(&echo, |waits| waits.p50), middle(&echo, |waits| waits.p99));
    figures.over_echo = median(echo.iter().zip(&server).map(|(echo, server)| server.p50 - echo.p50).collect());
    Ok(())
}
