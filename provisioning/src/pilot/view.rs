//! What a person sees while the pilot runs: a line a school on a terminal, the great moments in a pipe.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use preau_shared::ids::Uai;

use super::{relay::Line, stage::School};
use crate::out::{self, Reader};

/// The live lines, if anybody looks.
pub(super) struct View {
    reader: Reader,
    drawn: Option<MultiProgress>,
    lines: BTreeMap<Uai, ProgressBar>,
}

/// A line that says what is being done; it vanishes when it is dropped.
pub(super) struct Steps(Option<ProgressBar>);

impl Steps {
    pub(super) fn new(reader: Reader) -> Self {
        Self((reader == Reader::Person && out::may_draw()).then(ProgressBar::new_spinner))
    }
    /// Says the next step.
    pub(super) fn say(&self, step: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(step.to_owned());
            bar.tick();
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl View {
    pub(super) fn new(reader: Reader, schools: &[School]) -> Self {
        let drawn = (reader == Reader::Person && out::may_draw()).then(MultiProgress::new);
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let lines = drawn.iter().flat_map(|all| {
            schools.iter().map(|s| (s.uai.clone(), all.add(ProgressBar::new_spinner().with_style(style.clone()))))
        });
        let lines = lines.collect();
        Self { reader, drawn, lines }
    }

    /// Renews a school's line.
    pub(super) fn show(&self, school: &School) {
        let Some(bar) = self.lines.get(&school.uai) else { return };
        let record = school.record();
        let exposure = record.state.as_ref().map_or_else(|| "?".to_owned(), |s| s.exposure.entries.to_string());
        let wan = match school.wan.line() {
            Line::Up => "Internet: yes".to_owned(),
            Line::BlackHole | Line::Refused => "Internet: CUT".to_owned(),
            Line::Delay(ms) => format!("Internet: {ms} ms late"),
            Line::Stall => "Internet: bad".to_owned(),
        };
        bar.set_message(format!(
            "{:<30} {wan:<16} {:>6} sign-ins, {} failed · {exposure} entries on the box only",
            school.name, record.sign_ins.total, record.sign_ins.failed,
        ));
        bar.tick();
    }

    /// Says something that matters, above the lines.
    pub(super) fn announce(&self, text: &str) {
        match &self.drawn {
            Some(all) => drop(all.println(text)),
            None => self.reader.say(text),
        }
    }

    /// Takes the lines away.
    pub(super) fn clear(&self) {
        if let Some(all) = &self.drawn {
            drop(all.clear());
        }
    }
}
