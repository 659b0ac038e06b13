//! The rule of sign-in: facts and `now` → who sits down, or why not. Pure.

use std::{collections::BTreeSet, sync::Arc};

use preau_shared::{
    ids::{BadgeId, ClassId},
    journal::{CredentialKind, How},
    refusal::Refusal,
    time::Stamp,
    wire::TabletState,
};

use crate::store::{
    badges::{Facts, Holder, Way},
    classes::ClassRow,
    credentials::Credential,
    people::Human,
    sessions::Session,
};

/// Tablets that one floating account (*compte flottant*) sits at: a class and its spares.
pub(crate) const MAX_FLOATING: usize = 40;

/// What a second factor or a password was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// None came, or none was asked for.
    Nothing,
    /// It is not the one.
    Wrong,
    /// It is the one.
    Right,
}

/// A yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) how: How,
    /// Who sits down; nobody for a guest.
    pub(crate) people: Vec<Arc<Human>>,
    /// A guest's class.
    pub(crate) class: Option<ClassRow>,
    /// The classes of the pupils among them.
    pub(crate) classes: BTreeSet<ClassId>,
    /// Sessions of theirs on other tablets, which end now.
    pub(crate) ends: Vec<Session>,
    /// Badges of theirs that the use of a newer one ends.
    pub(crate) voids: Vec<BadgeId>,
}

/// Decides. `said` has one word per holder; `now` is absent while the clock is not to be trusted, and then no badge
/// counts as expired: dates degrade towards letting classes work, voids never do.
pub(crate) fn decide(way: &Way, facts: &Facts, said: &[Said], now: Option<Stamp>) -> Result<Opening, Refusal> {
    match facts.tablet {
        TabletState::Free => {}
        TabletState::Unknown => return Err(Refusal::TabletUnknown),
        TabletState::Wiping | TabletState::InUse | TabletState::Lost | TabletState::Outing | TabletState::Retired => {
            return Err(Refusal::TabletNotFree);
        }
    }
    let mut opening = Opening {
        how: how(way),
        people: Vec::new(),
        class: None,
        classes: BTreeSet::new(),
        ends: Vec::new(),
        voids: Vec::new(),
    };
    if let Way::Guest(_) = way {
        opening.class = Some(facts.class.clone().ok_or(Refusal::NotFound)?);
        if !facts.guests {
            return Err(Refusal::OutsideHours);
        }
        return Ok(opening);
    }
    if is_anothers(way, facts) {
        return Err(Refusal::TabletOfAnother);
    }
    for (at, holder) in facts.holders.iter().enumerate() {
        let said = said.get(at).copied().unwrap_or(Said::Nothing);
        let person = admit(way, holder, said, now).map_err(|refusal| {
            // On a shared tablet nothing is chosen, and whether the code was right is not told.
            let wrong = refusal == Refusal::SecondFactorWrong || refusal == Refusal::AccountWrong;
            if wrong && holder.activation.is_some() { Refusal::SecretToChoose } else { refusal }
        })?;
        if matches!(way, Way::Account(_)) && holder.elsewhere.len() >= MAX_FLOATING {
            return Err(Refusal::AccountFull);
        }
        if opening.people.iter().any(|p| p.id == person.id) {
            // Two badges of one person do not make a pair.
            return Err(Refusal::Malformed);
        }
        opening.people.push(person);
        opening.voids.extend(&holder.older);
        opening.classes.extend(&holder.classes);
        if ends_elsewhere(way) {
            opening.ends.extend(holder.elsewhere.iter().cloned());
        }
    }
    opening.ends.sort_by_key(|s| s.id);
    opening.ends.dedup_by_key(|s| s.id);
    if opening.people.is_empty() { Err(Refusal::Malformed) } else { Ok(opening) }
}

/// Whether pupils come alone to a tablet that is another one's. A stranger's badge is refused as such.
fn is_anothers(way: &Way, facts: &Facts) -> bool {
    let by_themselves = match way {
        Way::Badges(_) | Way::Account(_) => true,
        Way::Guest(_) | Way::LetIn(_) => false,
    };
    let Some(owner) = facts.owner.filter(|_| by_themselves) else { return false };
    let who = || facts.holders.iter().map(|holder| &holder.person);
    who().all(Option::is_some) && !who().flatten().any(|person| person.is_staff() || person.id == owner)
}

/// Which of her slow secrets somebody is asked for on this way; empty when none. A pupil's second factor is none of them.
pub(crate) fn asked_of<'h>(way: &Way, holder: &'h Holder) -> Vec<&'h Credential> {
    use CredentialKind as Kind;
    let staff = holder.person.as_ref().is_some_and(|person| person.is_staff());
    let asked = |kind: CredentialKind| match (way, kind) {
        (Way::Badges(_), Kind::Pin | Kind::Password) => staff,
        (Way::Account(_), Kind::Account) => true,
        (Way::Badges(_), Kind::Pictures | Kind::Digits | Kind::Account)
        | (Way::Account(_), Kind::Pin | Kind::Password | Kind::Pictures | Kind::Digits)
        | (Way::Guest(_) | Way::LetIn(_), Kind::Pin | Kind::Password | Kind::Pictures | Kind::Digits | Kind::Account) => {
            false
        }
    };
    holder.secrets.iter().filter(|secret| asked(secret.kind)).collect()
}

/// One of those who come in: her badge first, then whether she is of this school, then what she knows.
pub(crate) fn admit(way: &Way, holder: &Holder, said: Said, now: Option<Stamp>) -> Result<Arc<Human>, Refusal> {
    match way {
        Way::Badges(_) => {
            let badge = holder.badge.ok_or(Refusal::BadgeUnknown)?;
            if badge.void {
                return Err(Refusal::BadgeVoid);
            }
            if badge.expires.is_some_and(|end| end.has_passed(now)) {
                return Err(Refusal::BadgeExpired);
            }
        }
        Way::Account(_) => {
            if holder.person.is_none() {
                return Err(Refusal::AccountWrong);
            }
        }
        Way::Guest(_) | Way::LetIn(_) => {}
    }
    let person = holder.person.as_ref().filter(|_| holder.enrolled).ok_or(Refusal::NotEnrolledHere)?;
    if person.is_over(now) {
        return Err(Refusal::BadgeExpired);
    }
    let asked = match way {
        // The badge of a teacher or of the head is never enough alone.
        Way::Badges(_) => person.is_staff() || holder.factor.is_some(),
        Way::Account(_) => true,
        Way::Guest(_) | Way::LetIn(_) => false,
    };
    match (asked, said, way) {
        (false, _, _) | (true, Said::Right, _) => Ok(Arc::clone(person)),
        (true, _, Way::Account(_)) => Err(Refusal::AccountWrong),
        (true, Said::Nothing, _) => Err(Refusal::SecondFactorRequired),
        (true, Said::Wrong, _) => Err(Refusal::SecondFactorWrong),
    }
}

fn how(way: &Way) -> How {
    match way {
        Way::Badges(badges) if badges.len() > 1 => How::Pair,
        Way::Badges(_) => How::Badge,
        Way::Account(_) => How::Account,
        Way::Guest(_) => How::Guest,
        Way::LetIn(_) => How::LetIn,
    }
}

/// A floating account may sit at several tablets; everybody else sits at one.
fn ends_elsewhere(way: &Way) -> bool {
    match way {
        Way::Badges(_) | Way::LetIn(_) => true,
        Way::Account(_) | Way::Guest(_) => false,
    }
}

#[cfg(test)]
mod tests;
