//! A plan and its outcome as a person reads them, in JSON. Names and lines, never national numbers.

use data_encoding::HEXLOWER;
use preau_shared::{
    ids::{BadgeId, PersonId, RosterId, Uai},
    messages::{Catalogue, Lang},
    roster::{Doubt, Roster},
    wire::Role,
};
use serde::Serialize;

use super::{
    plan::{Plan, Whence},
    standing::Standing,
};
use crate::store::rosters::RosterRow;

/// What a file would do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Preview {
    /// Names the plan.
    pub(crate) id: RosterId,
    /// The school.
    pub(crate) uai: Uai,
    /// The school year.
    pub(crate) school_year: String,
    /// SHA-256 of the plan, hexadecimal; the yes may name it.
    pub(crate) digest: String,
    /// It would take too many away, or looks partial: it is applied only by force.
    pub(crate) suspicious: bool,
    /// Nothing on the shelf would change.
    pub(crate) empty: bool,
    /// How many of each.
    pub(crate) counts: Counts,
    /// Who arrives.
    pub(crate) arrive: Vec<ArriveLine>,
    /// Who changes class, name or level.
    pub(crate) change: Vec<ChangeLine>,
    /// Who leaves.
    pub(crate) leave: Vec<LeaveLine>,
    /// What a person must look at.
    pub(crate) doubts: Vec<DoubtLine>,
    #[serde(skip)]
    read: Vec<Doubt>,
}

/// The plan in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Pupils enrolled before.
    pub(crate) enrolled: usize,
    /// Pupils who arrive.
    pub(crate) arrive: usize,
    /// Pupils whose class, name or level changes.
    pub(crate) change: usize,
    /// Pupils who leave.
    pub(crate) leave: usize,
    /// Pupils who stay as they are.
    pub(crate) unchanged: usize,
    /// Lines that a person must look at.
    pub(crate) doubts: usize,
    /// Lines that were not read.
    pub(crate) unread: usize,
    /// Classes of the file.
    pub(crate) classes: usize,
    /// Classes that are new.
    pub(crate) new_classes: usize,
}

/// A pupil who arrives.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArriveLine {
    line: u64,
    given_name: String,
    family_name: String,
    level: String,
    class: String,
    /// The school of the territory the child comes from, when there is one.
    from: Option<Uai>,
    /// The child had left this school.
    back: bool,
    /// A teacher put her on the class's list before: she keeps badge, animal and what she chose.
    made_at_school: bool,
}

/// A pupil whose class, name or level changes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChangeLine {
    line: u64,
    person_id: PersonId,
    given_name: String,
    family_name: String,
    from: Vec<String>,
    to: String,
    renamed: bool,
}

/// A pupil who leaves.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LeaveLine {
    person_id: PersonId,
    given_name: String,
    family_name: String,
    classes: Vec<String>,
}

/// Something to look at, with its cure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DoubtLine {
    line: u64,
    column: Option<&'static str>,
    code: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sentence: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    next: String,
}

/// A badge that was just drawn. Its payload is told once: only its keyed hash is kept.
#[derive(Clone, Serialize)]
pub(crate) struct NewBadge {
    /// Whose.
    pub(crate) person_id: PersonId,
    /// As written on it.
    pub(crate) given_name: String,
    /// The class's label.
    pub(crate) class: String,
    /// The pupil's level; empty for staff.
    pub(crate) level: String,
    /// Pupil, teacher or head.
    pub(crate) role: Role,
    /// The animal beside a pupil's name; empty for staff.
    pub(crate) animal: String,
    /// Names the badge, for voiding it.
    pub(crate) badge_id: BadgeId,
    /// What its QR code holds.
    pub(crate) payload: String,
    /// Eight letters for where no camera reads, in two groups; empty where none was drawn.
    pub(crate) short_code: String,
}

impl std::fmt::Debug for NewBadge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewBadge({})", self.badge_id)
    }
}

/// What applying a roster did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Applied {
    /// Which roster.
    pub(crate) id: RosterId,
    /// It had been applied before: nothing was done, and its badges were told then.
    pub(crate) again: bool,
    /// Pupils who arrived.
    pub(crate) arrived: usize,
    /// Pupils whose class, name or level changed.
    pub(crate) changed: usize,
    /// Pupils who left.
    pub(crate) left: usize,
    /// The badges drawn, told this once.
    pub(crate) badges: Vec<NewBadge>,
}

/// What taking a roster back did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Undone {
    /// Which roster.
    pub(crate) id: RosterId,
    /// Documents written back.
    pub(crate) documents: usize,
    /// Badges of that import that are void now.
    pub(crate) badges_voided: usize,
}

/// Writes the doubts of the reader and of the matching in one list, by line.
pub(super) fn preview(row: &RosterRow, plan: &Plan, standing: &Standing, roster: &Roster) -> Preview {
    let uncertain = plan.uncertain.iter().map(|u| DoubtLine {
        line: u.line.line,
        column: None,
        code: "roster-doubt-same-person".into(),
        sentence: String::new(),
        next: String::new(),
    });
    let read = roster.doubts.iter().map(|doubt| DoubtLine {
        line: doubt.line,
        column: doubt.column.map(preau_shared::roster::Column::title),
        code: doubt.what.key().into(),
        sentence: String::new(),
        next: String::new(),
    });
    let mut doubts: Vec<DoubtLine> = read.chain(uncertain).collect();
    doubts.sort_by_key(|doubt| doubt.line);
    Preview {
        id: row.roster_id,
        uai: row.uai.clone(),
        school_year: row.school_year.clone(),
        digest: HEXLOWER.encode(&row.digest),
        suspicious: plan.is_suspicious(),
        empty: plan.is_empty(),
        counts: Counts {
            enrolled: plan.enrolled,
            arrive: plan.arrive.len(),
            change: plan.change.len(),
            leave: plan.leave.len(),
            unchanged: plan.unchanged.len(),
            doubts: doubts.len().saturating_add(roster.more_doubts),
            unread: plan.unread,
            classes: plan.classes.len(),
            new_classes: plan.classes.iter().filter(|class| class.known.is_none()).count(),
        },
        arrive: arrivals(plan),
        change: changes(plan, standing),
        leave: leavers(plan, standing),
        doubts,
        read: roster.doubts.clone(),
    }
}

fn arrivals(plan: &Plan) -> Vec<ArriveLine> {
    let line = |arrival: &super::plan::Arrival| ArriveLine {
        line: arrival.line.line,
        given_name: arrival.line.given_name.clone(),
        family_name: arrival.line.family_name.clone(),
        level: arrival.line.level.clone(),
        class: arrival.line.class_name.clone(),
        from: match &arrival.from {
            Whence::School(_, uai) => Some(uai.clone()),
            Whence::Nowhere | Whence::Back(_) => None,
        },
        back: matches!(arrival.from, Whence::Back(_)),
        made_at_school: arrival.made.is_some(),
    };
    plan.arrive.iter().map(line).collect()
}

fn changes(plan: &Plan, standing: &Standing) -> Vec<ChangeLine> {
    let line = |change: &super::plan::Change| ChangeLine {
        line: change.line.line,
        person_id: change.person,
        given_name: change.line.given_name.clone(),
        family_name: change.line.family_name.clone(),
        from: standing.class_names(&change.leaves),
        to: change.line.class_name.clone(),
        renamed: change.renamed,
    };
    plan.change.iter().map(line).collect()
}

fn leavers(plan: &Plan, standing: &Standing) -> Vec<LeaveLine> {
    plan.leave
        .iter()
        .filter_map(|leaving| {
            let known = standing.people.get(&leaving.person)?;
            Some(LeaveLine {
                person_id: leaving.person,
                given_name: known.given_name.clone(),
                family_name: known.family_name.clone(),
                classes: standing.class_names(&leaving.leaves),
            })
        })
        .collect()
}

impl Preview {
    /// Puts the doubts into words.
    #[must_use]
    pub(crate) fn said(mut self, catalogue: &Catalogue, lang: Lang) -> Self {
        for doubt in &mut self.doubts {
            let read = self.read.iter().find(|r| r.line == doubt.line && r.what.key() == doubt.code);
            (doubt.sentence, doubt.next) = match read {
                Some(read) => read.say(catalogue, lang),
                None => {
                    let line = doubt.line.to_string();
                    let say = |key: &str| catalogue.say_with(lang, key, &[("line", &line)]).into_owned();
                    (say(&doubt.code), say(&format!("{}.next", doubt.code)))
                }
            };
        }
        self
    }
}
