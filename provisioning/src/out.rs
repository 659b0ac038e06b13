//! What a person or a program reads: sentences or JSON lines on standard output, complaints on standard error.

use std::io::{IsTerminal as _, Write as _};

use serde_json::Value;

/// Who reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person.
    Person,
    /// A program: one JSON value a line.
    Program,
}

impl Reader {
    /// From a `--json` switch.
    pub const fn of(json: bool) -> Self {
        if json { Self::Program } else { Self::Person }
    }
    /// Writes a sentence for a person; a program hears nothing.
    pub fn say(self, text: &str) {
        match self {
            Self::Person => write(text),
            Self::Program => {}
        }
    }
    /// Writes a JSON line for a program; a person hears nothing.
    pub fn tell(self, value: &Value) {
        match self {
            Self::Person => {}
            Self::Program => write(&value.to_string()),
        }
    }
    /// The same fact to either.
    pub fn report(self, text: &str, value: &Value) {
        self.say(text);
        self.tell(value);
    }
}

/// Whether progress may be drawn: on a terminal only, silence in a pipe.
pub fn may_draw() -> bool {
    std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

fn write(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // A reader that closed the pipe has seen enough; what the command does goes on.
    drop(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
}

/// Writes a complaint on standard error.
pub fn complain(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Lines up `rows` under `head`, two spaces between columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let mut widths = vec![0; head.len()];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    std::iter::once(&head).chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_table_lines_up_accents_too() {
        let rows = vec![vec!["Évette".into(), "1".into()], vec!["B".into(), "22".into()]];
        assert_eq!(super::table(&["school", "n"], &rows), "school  n\nÉvette  1\nB       22");
    }
}
