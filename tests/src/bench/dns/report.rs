//! The figures side by side, and what is promised of ours.

use std::fmt;

use super::course::{Cost, Figures};
use crate::bench::table::Table;

/// Names of the loads, in their order.
const LOADS: [&str; 3] = ["blocked", "allowed", "mix"];
/// What ours is called.
pub const OURS: &str = "Préau";

/// A server and its figures, or why it has none.
pub type Measured = (&'static str, Result<Figures, String>);

/// What stands above [`Line`]s.
#[derive(Debug)]
pub struct Heading;

impl fmt::Display for Heading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nprocessor time of an answer (x that of the echo measured just before); answers a second")?;
        write!(f, "{:<14} {:<28} {:<28} {:<28} ", "server", LOADS[0], LOADS[1], LOADS[2])?;
        write!(f, "{:>9} {:>9} {:>15} ", "start ms", "cpu ms", "p50 / p99 us")?;
        write!(f, "{:>22} {:>15}", "over echo (its own) us", "own + files MB")
    }
}

/// One server's figures, or why it has none.
#[derive(Debug)]
pub struct Line<'a>(pub &'a Measured);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, figures) = self.0;
        match figures {
            Ok(figures) => line(f, name, figures)?,
            Err(reason) => write!(f, "{name:<14} given up: {reason}")?,
        }
        for (load, cost) in LOADS.into_iter().zip(figures.iter().flat_map(|figures| figures.costs)) {
            if cost.lost >= 0.1 || cost.wrong > 0.0 || cost.passed_on >= 0.1 {
                let Cost { lost, wrong, passed_on, .. } = cost;
                write!(f, "\n  {load}: of a hundred, {lost:.2} lost, {wrong:.2} wrong, {passed_on:.2} asked upstream")?;
            }
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, figures: &Figures) -> fmt::Result {
    write!(f, "{name:<14} ")?;
    for cost in figures.costs {
        let (cpu, rate) = (format!("{:.2} us ({:.2} x)", cost.cpu, cost.echoes), format!("{:.0}/s", cost.rate));
        write!(f, "{:<28} ", format!("{cpu:<17} {rate:>9}"))?;
    }
    let waits = format!("{:.1} / {:.0}", figures.waits.0, figures.waits.1);
    let over = format!("{:+.1} ({:.1} / {:.0})", figures.over_echo, figures.echo_waits.0, figures.echo_waits.1);
    let memory = format!("{:.0} + {:.0}", figures.memory.anonymous, figures.memory.file);
    write!(f, "{:>9.0} {:>9.0} {waits:>15} {over:>22} {memory:>15}", figures.start, figures.start_cpu)
}

/// What is promised of ours beside the others of this run. Who was asked for and could not be measured holds nothing.
/// `pupils`: for each load, what an answer costs with pupils and policies beside what it costs without.
pub fn promised(ours: &Figures, others: &[Measured], pupils: [f64; 3]) -> Table {
    let mut table = Table::new("what is promised of Préau");
    for ((load, cost), most) in LOADS.into_iter().zip(ours.costs).zip([1.5, 1.7, 1.7]) {
        table.most(format!("{load}: processor time beside the echo's"), cost.echoes, "x", most);
        table.most(format!("{load}: of a hundred questions, without an answer"), cost.lost, "%", 0.1);
        table.size(format!("{load}: of a hundred answers, wrong"), cost.wrong, "%", 0.0);
    }
    for (at, load) in LOADS.into_iter().enumerate() {
        let than = |other: &Result<Figures, String>| {
            other.as_ref().map_or(f64::NAN, |other| other.costs[at].echoes / ours.costs[at].echoes)
        };
        for (name, least) in [("dnsdist", [1.35; 3]), ("unbound", [3.0, 3.0, 2.8])] {
            if let Some((_, other)) = others.iter().find(|(other, _)| *other == name) {
                table.least(format!("{load}: answers a processor second, beside {name}"), than(other), "x", least[at]);
            }
        }
        let least = others.iter().map(|(name, other)| (than(other), *name)).filter(|(ratio, _)| !ratio.is_nan());
        if let Some((ratio, name)) = least.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
            table.least(format!("{load}: … beside the fastest, {name}"), ratio, "x", 1.1);
        }
    }
    for (load, ratio) in LOADS.into_iter().zip(pupils) {
        table.most(format!("{load}: with 1,000 pupils in 50 policies, beside without"), ratio, "x", 1.05);
    }
    table.most("start, list compiled, to the first right answer", ours.start, "ms", 50.0);
    table.shown("… processor", ours.start_cpu, "ms");
    table.size("own memory (RssAnon) at the end", ours.memory.anonymous, "MB", 32.0);
    table.size("resident pages of the mapped list", ours.list, "MB", 45.0);
    table.shown("resident pages of files, list and program", ours.memory.file, "MB");
    table.most("half wait no longer than the echo and, at 5,000 a second", ours.over_echo, "us", 10.0);
    table.shown("one of a hundred waits longer than", ours.waits.1, "us");
    table.shown("… at the echo", ours.echo_waits.1, "us");
    table
}
