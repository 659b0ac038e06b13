//! Which line means which child. Pure.
//!
//! Three passes, the surest first, so that a homonym already recognised is no candidate any more: national number; full
//! name and birth date; full name where one side has no birth date. What stays open is a doubt for a person: nobody is
//! merged on a guess (twins and homonyms are normal), and nobody whose line is in doubt is taken for gone.

use std::collections::{BTreeMap, BTreeSet};

use preau_shared::{ids::PersonId, wire::Role};

use super::{
    evidence::Evidence,
    plan::Line,
    standing::{Elsewhere, Known, Standing},
};

/// What a line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// A person of this school, perhaps one who had left.
    Here(PersonId),
    /// A person of another school of the territory.
    Elsewhere(Elsewhere),
    /// Nobody known.
    New,
    /// Somebody of the same name, but not surely the same: these stay as they are.
    Doubtful(BTreeSet<PersonId>),
}

/// One answer for each line, in the same order.
pub(super) fn matches(lines: &[Line], standing: &Standing) -> Vec<Match> {
    let mut found: BTreeMap<usize, Match> = BTreeMap::new();
    let mut taken: BTreeSet<PersonId> = BTreeSet::new();
    let mut settle = |found: &mut BTreeMap<usize, Match>, rule: &dyn Fn(&Evidence, &Known) -> bool| {
        for (at, line) in lines.iter().enumerate() {
            if found.contains_key(&at) {
                continue;
            }
            let fits = |(id, known): &(&PersonId, &Known)| !taken.contains(*id) && rule(&line.evidence, known);
            let mut candidates = pupils(standing).filter(fits).map(|(id, _)| *id);
            match (candidates.next(), candidates.next()) {
                (None, _) => {}
                (Some(only), None) => {
                    taken.insert(only);
                    found.insert(at, Match::Here(only));
                }
                (Some(first), Some(second)) => {
                    let all = [first, second].into_iter().chain(candidates).collect();
                    found.insert(at, Match::Doubtful(all));
                }
            }
        }
    };
    settle(&mut found, &|line, known| line.ine.is_some() && line.ine == known.evidence.ine);
    settle(&mut found, &|line, known| {
        line.born.is_some() && line.born == known.evidence.born && !two_numbers(line, &known.evidence)
    });
    for (at, line) in lines.iter().enumerate() {
        let other = line.evidence.ine.as_ref().and_then(|ine| standing.elsewhere.get(ine));
        if let (None, Some(other)) = (found.get(&at), other) {
            found.insert(at, Match::Elsewhere(other.clone()));
        }
    }
    settle(&mut found, &|line, known| {
        let unknown_birth = line.born.is_none() || known.evidence.born.is_none();
        line.name == known.evidence.name && unknown_birth && !two_numbers(line, &known.evidence)
    });
    let same_name = |line: &Line| -> BTreeSet<PersonId> {
        let alike = |known: &Known| {
            line.evidence.name == known.evidence.name && !known.deleted && !two_numbers(&line.evidence, &known.evidence)
        };
        pupils(standing).filter(|(id, known)| !taken.contains(*id) && alike(known)).map(|(id, _)| *id).collect()
    };
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| match found.remove(&at) {
            Some(found) => found,
            None => {
                let alike = same_name(line);
                if alike.is_empty() { Match::New } else { Match::Doubtful(alike) }
            }
        })
        .collect()
}

/// Pupils, those who left among them: they may come back.
fn pupils(standing: &Standing) -> impl Iterator<Item = (&PersonId, &Known)> {
    standing.people.iter().filter(|(_, known)| known.role == Role::Pupil)
}

/// Two different national numbers are two children.
fn two_numbers(a: &Evidence, b: &Evidence) -> bool {
    matches!((&a.ine, &b.ine), (Some(a), Some(b)) if a != b)
}
