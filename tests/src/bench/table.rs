//! A table of figures with their targets. Sizes bind (they do not depend on the machine); times are shown, but for those
//! that the product promises.

use std::{fmt, process::ExitCode, time::Duration};

use anyhow::Result;

/// How a bench ends: with the names of what fell short, or why it could not be run, on standard error.
#[expect(clippy::print_stderr, reason = "a bench speaks")]
pub fn ended(done: Result<Vec<String>>) -> ExitCode {
    match done {
        Ok(short) if short.is_empty() => return ExitCode::SUCCESS,
        Ok(short) => eprintln!("fell short: {}", short.join("; ")),
        Err(error) => eprintln!("the bench could not be run: {error:#}"),
    }
    ExitCode::FAILURE
}

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    /// Must not be above: the bench fails.
    AtMost(f64),
    /// Must not be below: the bench fails.
    AtLeast(f64),
    /// Should not be above on a quiet machine.
    Hoped(f64),
    /// Only shown.
    None,
}

/// One line.
#[derive(Debug, Clone)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    target: Target,
}

/// Figures in the order in which they were taken.
#[derive(Debug, Clone, Default)]
pub struct Table {
    title: String,
    rows: Vec<Row>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// A size, or a ratio of sizes: above `most` the bench fails.
    pub fn size(&mut self, what: impl Into<String>, value: f64, unit: &'static str, most: f64) {
        self.rows.push(Row { what: what.into(), value, unit, target: Target::AtMost(most) });
    }

    /// What is promised of a time, beside what it is compared with or alone: above `most` the bench fails.
    pub fn most(&mut self, what: impl Into<String>, value: f64, unit: &'static str, most: f64) {
        self.size(what, value, unit, most);
    }

    /// What is promised of a ratio of times: below `least` the bench fails.
    pub fn least(&mut self, what: impl Into<String>, value: f64, unit: &'static str, least: f64) {
        self.rows.push(Row { what: what.into(), value, unit, target: Target::AtLeast(least) });
    }

    /// A time, or what rests on one: `hoped` is shown beside it.
    pub fn time(&mut self, what: impl Into<String>, value: f64, unit: &'static str, hoped: f64) {
        self.rows.push(Row { what: what.into(), value, unit, target: Target::Hoped(hoped) });
    }

    /// A figure without a target.
    pub fn shown(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { what: what.into(), value, unit, target: Target::None });
    }

    /// Whether every binding target holds.
    pub fn holds(&self) -> bool {
        self.short().is_empty()
    }

    /// The figures that fell short of a binding target.
    pub fn short(&self) -> Vec<&str> {
        self.rows.iter().filter(|row| row.fails()).map(|row| row.what.as_str()).collect()
    }
}

impl Row {
    fn fails(&self) -> bool {
        match self.target {
            Target::AtMost(most) => exceeds(self.value, most),
            Target::AtLeast(least) => exceeds(least, self.value),
            Target::Hoped(_) | Target::None => false,
        }
    }
}

/// What is not a number holds nothing.
fn exceeds(value: f64, most: f64) -> bool {
    value.is_nan() || most.is_nan() || value > most
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        writeln!(f, "{:<66} {:>12} {:<10} {:>10} {:>8}", "figure", "measured", "", "at most", "ratio")?;
        for row in &self.rows {
            let (most, verdict) = match row.target {
                Target::AtMost(most) if row.fails() => (most, "FAILED"),
                Target::AtLeast(least) if row.fails() => (least, "FAILED: at least"),
                Target::Hoped(most) if exceeds(row.value, most) => (most, "above what is hoped for"),
                Target::AtLeast(least) => (least, "ok: at least"),
                Target::AtMost(most) | Target::Hoped(most) => (most, "ok"),
                Target::None => {
                    writeln!(f, "{:<66} {:>12} {:<10}", row.what, number(row.value), row.unit)?;
                    continue;
                }
            };
            let ratio = if most == 0.0 { String::new() } else { number(row.value / most) };
            let value = number(row.value);
            writeln!(f, "{:<66} {value:>12} {:<10} {:>10} {ratio:>8}  {verdict}", row.what, row.unit, number(most))?;
        }
        Ok(())
    }
}

/// Three digits that mean something, thousands apart.
fn number(value: f64) -> String {
    if value.is_nan() || value.abs() < 100.0 {
        let digits = if value == value.trunc() { 0 } else { 3 };
        return format!("{value:.digits$}");
    }
    let whole = format!("{value:.0}");
    let mut spaced = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            spaced.push(' ');
        }
        spaced.push(digit);
    }
    spaced
}

/// A count as a figure.
#[expect(clippy::as_conversions, reason = "a figure to be read: counts stay far below 2^52")]
pub fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

/// The middle one of several; of an even number the lower.
pub fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

/// The least value that so many in a hundred do not exceed.
pub fn percentile(mut values: Vec<f64>, hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * hundredths).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Seconds of several takings: their median.
pub fn median_seconds(times: &[Duration]) -> f64 {
    median(times.iter().map(Duration::as_secs_f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_bind_and_times_do_not() {
        let mut table = Table::new("t");
        table.size("small", 1.0, "x", 1.15);
        table.time("slow", 9.0, "ms", 1.0);
        table.shown("big", 1_234_567.0, "B");
        assert!(table.holds(), "{table}");
        assert!(table.to_string().contains("1 234 567") && table.to_string().contains("hoped"));
        table.least("fast", 0.7, "x", 0.6);
        assert!(table.holds());
        table.size("nothing came", f64::NAN, "x", 1.0);
        table.least("not fast enough", 0.5, "x", 0.6);
        assert!(!table.holds());
        assert_eq!(table.short(), ["nothing came", "not fast enough"]);
        assert!((median(vec![3.0, 1.0, 2.0, 9.0]) - 2.0).abs() < f64::EPSILON);
    }
}
