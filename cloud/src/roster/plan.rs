//! Rows and standing → a plan: who arrives, moves, leaves, and what a person must look at. Pure, and the same for the
//! same input, so that its digest says whether the school changed between the preview and the yes.

use std::collections::{BTreeMap, BTreeSet};

use preau_shared::{
    ids::{ClassId, PersonId, Uai},
    keys::sha256,
};
use serde::{Deserialize, Serialize};

use super::{
    evidence::{Evidence, folded},
    matching::{Match, matches},
    standing::{Known, Standing},
};

/// A file that would take away more than this share of the enrolled pupils looks partial, in percent.
pub(crate) const SUSPICIOUS_LEAVE_PERCENT: usize = 20;

/// A row after the door: what proves who it is has become [`Evidence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) line: u64,
    pub(super) family_name: String,
    pub(super) given_name: String,
    pub(super) level: String,
    pub(super) class_name: String,
    pub(super) evidence: Evidence,
}

/// Where an arriving pupil comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) enum Whence {
    /// Nobody knew the child.
    Nowhere,
    /// A school of the territory: the person is kept for life.
    School(PersonId, Uai),
    /// The child had left this school.
    Back(PersonId),
}

/// A pupil who arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Arrival {
    pub(super) line: Line,
    pub(super) from: Whence,
    /// She sits in that class already: a box put her on its list.
    pub(super) made: Option<PersonId>,
}

/// A pupil whose class, name or level changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) line: Line,
    pub(super) person: PersonId,
    /// The open classes to leave.
    pub(super) leaves: BTreeSet<ClassId>,
    /// Whether the class of the line is another than the present one.
    pub(super) moves: bool,
    /// Whether name or level are written differently.
    pub(super) renamed: bool,
}

/// A pupil who is not in the file any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Leaving {
    pub(super) person: PersonId,
    pub(super) leaves: BTreeSet<ClassId>,
}

/// A line of which nobody can say for sure whom it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Uncertain {
    pub(super) line: Line,
    pub(super) people: BTreeSet<PersonId>,
}

/// A class that the file names, with the levels of its pupils.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ClassPlan {
    pub(super) name: String,
    pub(super) level: String,
    /// The class, when there is one already.
    pub(super) known: Option<ClassId>,
}

/// What applying the file would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    pub(super) school_year: String,
    pub(super) classes: Vec<ClassPlan>,
    /// Open classes that would be left without a pupil.
    pub(super) closing: BTreeSet<ClassId>,
    pub(super) arrive: Vec<Arrival>,
    pub(super) change: Vec<Change>,
    pub(super) leave: Vec<Leaving>,
    pub(super) uncertain: Vec<Uncertain>,
    /// Pupils who stay as they are, with what the file proves of them.
    pub(super) unchanged: Vec<(PersonId, Evidence)>,
    /// Pupils enrolled before.
    pub(super) enrolled: usize,
    /// Lines left out unread by the reader, for another reason than being there twice.
    pub(super) unread: usize,
}

impl Plan {
    /// Whether the file looks partial: it takes away too many, or takes away some while lines could not be read.
    pub(super) fn is_suspicious(&self) -> bool {
        let many = self.leave.len().saturating_mul(100) > self.enrolled.saturating_mul(SUSPICIOUS_LEAVE_PERCENT);
        !self.leave.is_empty() && (many || self.unread > 0)
    }

    /// Whether applying it would change nothing on the shelf.
    pub(super) fn is_empty(&self) -> bool {
        self.arrive.is_empty() && self.change.is_empty() && self.leave.is_empty() && self.closing.is_empty()
    }

    /// SHA-256 of the plan: the yes names it.
    pub(super) fn digest(&self) -> [u8; 32] {
        // A plan is made of texts, ids and numbers: it always encodes.
        sha256(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Makes the plan of a file for a school.
pub(super) fn plan(lines: &[Line], unread: usize, school_year: &str, standing: &Standing) -> Plan {
    let mut plan = Plan {
        school_year: school_year.to_owned(),
        classes: classes(lines, school_year, standing),
        closing: BTreeSet::new(),
        arrive: Vec::new(),
        change: Vec::new(),
        leave: Vec::new(),
        uncertain: Vec::new(),
        unchanged: Vec::new(),
        enrolled: standing.pupils().count(),
        unread,
    };
    let mut staying: BTreeSet<PersonId> = BTreeSet::new();
    for (line, meaning) in lines.iter().zip(matches(lines, standing)) {
        match meaning {
            Match::New => plan.arrive.push(arrival(line, Whence::Nowhere)),
            Match::Elsewhere(there) => {
                plan.arrive.push(arrival(line, Whence::School(there.person, there.uai)));
            }
            Match::Doubtful(people) => {
                staying.extend(&people);
                plan.uncertain.push(Uncertain { line: line.clone(), people });
            }
            Match::Here(person) => {
                staying.insert(person);
                stay(&mut plan, line, person, standing);
            }
        }
    }
    recognise(&mut plan.arrive, school_year, standing);
    let gone = standing.pupils().filter(|(id, _)| !staying.contains(id));
    plan.leave = gone.map(|(person, _)| Leaving { person, leaves: standing.classes_of(person) }).collect();
    plan.closing = closing(&plan, standing);
    plan
}

fn arrival(line: &Line, from: Whence) -> Arrival {
    Arrival { line: line.clone(), from, made: None }
}

/// Who arrives in a class where a box has put one pupil of her given name is that pupil. Where two are called so, nobody
/// is: a child too many on a list is harmless.
fn recognise(arrive: &mut [Arrival], school_year: &str, standing: &Standing) {
    let mut made: BTreeMap<(ClassId, String), Vec<PersonId>> = BTreeMap::new();
    for (person, someone) in standing.made.iter().filter(|(person, _)| !standing.people.contains_key(person)) {
        for class in standing.classes_of(*person) {
            made.entry((class, folded(&someone.given_name))).or_default().push(*person);
        }
    }
    let seat = |arrival: &Arrival| {
        let line = &arrival.line;
        let class = standing.class_named(&line.class_name, school_year);
        class.map(|(class, _)| (class, folded(&line.given_name)))
    };
    let mut lines: BTreeMap<(ClassId, String), usize> = BTreeMap::new();
    for seat in arrive.iter().filter_map(seat) {
        let count = lines.entry(seat).or_default();
        *count = count.saturating_add(1);
    }
    for arrival in arrive.iter_mut() {
        let Some(seat) = seat(arrival).filter(|seat| lines.get(seat) == Some(&1)) else { continue };
        if let Some([only]) = made.get(&seat).map(Vec::as_slice) {
            arrival.made = Some(*only);
        }
    }
}

fn stay(plan: &mut Plan, line: &Line, person: PersonId, standing: &Standing) {
    let Some(known) = standing.people.get(&person) else { return };
    if known.deleted {
        plan.arrive.push(arrival(line, Whence::Back(person)));
        return;
    }
    let present = standing.classes_of(person);
    let target = standing.class_named(&line.class_name, &plan.school_year);
    let sits = target.filter(|(_, class)| !class.deleted).is_some_and(|(id, _)| present.contains(&id));
    let moves = !line.class_name.is_empty() && !sits;
    let others = present.iter().filter(|id| target.is_none_or(|(target, _)| target != **id)).copied().collect();
    let leaves: BTreeSet<ClassId> = if line.class_name.is_empty() { BTreeSet::new() } else { others };
    let renamed = is_renamed(line, known);
    if moves || renamed || !leaves.is_empty() {
        plan.change.push(Change { line: line.clone(), person, leaves, moves, renamed });
    } else {
        plan.unchanged.push((person, line.evidence.clone()));
    }
}

fn is_renamed(line: &Line, known: &Known) -> bool {
    let level = !line.level.is_empty() && line.level != known.level;
    level || line.given_name != known.given_name || line.family_name != known.family_name
}

/// The classes of the file by label, each with the levels of its pupils (`CE1 CE2`: a class may be mixed).
fn classes(lines: &[Line], school_year: &str, standing: &Standing) -> Vec<ClassPlan> {
    let mut found: BTreeMap<String, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.class_name.is_empty()) {
        let (_, levels) = found.entry(folded(&line.class_name)).or_insert((&line.class_name, BTreeSet::new()));
        if !line.level.is_empty() {
            levels.insert(&line.level);
        }
    }
    found
        .into_values()
        .map(|(name, levels)| ClassPlan {
            name: name.to_owned(),
            level: levels.into_iter().collect::<Vec<_>>().join(" "),
            known: standing.class_named(name, school_year).map(|(id, _)| id),
        })
        .collect()
}

/// Open classes that lose their last pupil and gain none.
fn closing(plan: &Plan, standing: &Standing) -> BTreeSet<ClassId> {
    let mut losing: BTreeMap<ClassId, BTreeSet<PersonId>> = BTreeMap::new();
    let leavers = plan.leave.iter().map(|l| (l.person, &l.leaves));
    for (person, classes) in leavers.chain(plan.change.iter().map(|c| (c.person, &c.leaves))) {
        for class in classes {
            losing.entry(*class).or_default().insert(person);
        }
    }
    let named: BTreeSet<ClassId> = plan.classes.iter().filter_map(|class| class.known).collect();
    losing
        .into_iter()
        .filter(|(id, _)| !named.contains(id))
        .filter(|(id, people)| standing.classes.get(id).is_some_and(|class| class.members.is_subset(people)))
        .map(|(id, _)| id)
        .collect()
}

#[cfg(test)]
mod tests;
