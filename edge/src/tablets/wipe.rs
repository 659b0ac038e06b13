//! What a tablet must clear between two children, and what its receipt must show.

use std::collections::BTreeMap;

use preau_shared::{
    ids::{TabletId, WipeId},
    journal::{Entry, Pseudonym, WipedBy},
    refusal::Refusal,
    wire::{StepOutcome, StepReport, TabletState, WipeOrder, WipeStep},
};
use rusqlite::Connection;

use super::life::{self, Event};
use crate::{
    app::App,
    classroom::live::Change,
    sign_in::leave,
    store::{
        Trouble,
        agents::{self, Part},
        journal::Book,
        tablet_life::{self, Life},
        wipes,
    },
};

/// Every step there is.
pub(crate) const STEPS: [&str; 4] = ["pages", "storage", "downloads", "clipboard"];
/// Steps that any tablet must do, whatever it says of itself.
const ALWAYS: [&str; 2] = ["pages", "storage"];
/// Lines of a receipt that are looked at.
pub(crate) const MAX_LINES: usize = 32;

/// The steps required of a tablet that can do these; one that says nothing of itself can do all.
pub(crate) fn required(capabilities: Option<&[String]>) -> Vec<String> {
    let can = |step: &str| capabilities.is_none_or(|all| all.iter().take(MAX_LINES).any(|own| own == step));
    STEPS.iter().filter(|step| ALWAYS.contains(step) || can(step)).map(|step| (*step).to_owned()).collect()
}

/// The wipe that a tablet owes, if it owes one.
pub(crate) fn order(life: &Life) -> Option<WipeOrder> {
    let steps = life.steps.iter().map(|name| WipeStep { name: name.clone() }).collect();
    life.wipe.map(|wipe_id| WipeOrder { wipe_id, steps })
}

/// The required steps that a receipt does not show as done. A step that stands twice counts by its worst line.
pub(crate) fn lacking(required: &[String], receipt: &[StepReport]) -> Vec<String> {
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    for line in receipt.iter().take(MAX_LINES) {
        let all = done.entry(line.name.as_str()).or_insert(true);
        *all &= line.outcome == StepOutcome::Done;
    }
    required.iter().filter(|step| !done.get(step.as_str()).copied().unwrap_or(false)).cloned().collect()
}

/// What a receipt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// The tablet is free, or was freed by it before.
    Whole,
    /// This half is done; the other one has still to be.
    Half,
}

/// Takes a receipt of the tablet's page or of its agent: the tablet is free when nothing lacks of either. One that comes
/// again is taken as the first time.
///
/// # Errors
/// `wipe_unknown` when it is not the wipe that this tablet owes, `wipe_incomplete` with what lacks, 507 while the disk
/// fails.
pub(crate) async fn receive(
    app: &App,
    (tablet, part): (TabletId, Part),
    wipe: WipeId,
    receipt: Vec<StepReport>,
) -> Result<Received, Trouble> {
    let freed = app.commit(move |conn, book| judge(conn, book, (tablet, part, wipe), &receipt)).await?;
    match freed {
        Judged::Again => Ok(Received::Whole),
        Judged::Half => {
            app.live.tell(Change::Tablet { tablet, state: TabletState::Wiping });
            Ok(Received::Half)
        }
        Judged::Free => {
            app.live.tell(Change::Tablet { tablet, state: TabletState::Free });
            Ok(Received::Whole)
        }
        Judged::Lacking(steps) => {
            app.live.tell(Change::Tablet { tablet, state: TabletState::Wiping });
            Err(Trouble::Incomplete(steps))
        }
    }
}

enum Judged {
    Again,
    Free,
    Half,
    Lacking(Vec<String>),
}

fn judge(
    conn: &Connection,
    book: &Book,
    (tablet, part, wipe): (TabletId, Part, WipeId),
    receipt: &[StepReport],
) -> Result<Judged, Trouble> {
    let known = wipes::find(conn, wipe)?.filter(|w| w.tablet == tablet).ok_or(Refusal::WipeUnknown)?;
    if known.done {
        return Ok(Judged::Again);
    }
    let found = tablet_life::find(conn, tablet)?.ok_or(Refusal::TabletUnknown)?;
    if found.wipe != Some(wipe) {
        return Err(Refusal::WipeUnknown.into());
    }
    let agent = agents::of(conn, tablet)?.map(|agent| agent.steps);
    let (own, other) = match (part, agent) {
        (Part::Page, agent) => (found.steps, agent.map(|steps| (Part::Agent, steps))),
        (Part::Agent, Some(steps)) => (steps, Some((Part::Page, found.steps))),
        // Released meanwhile.
        (Part::Agent, None) => return Err(Refusal::WipeUnknown.into()),
    };
    let lacking = lacking(&own, receipt);
    let mut rest = Rest::default();
    if let Some((theirs, steps)) = other {
        for step in &own {
            let outcome = if lacking.contains(step) { StepOutcome::Failed } else { StepOutcome::Done };
            agents::say(conn, wipe, part, (step, outcome))?;
        }
        rest = Rest::of(&steps, &agents::said(conn, wipe, theirs)?);
    }
    if !lacking.is_empty() || !rest.is_empty() {
        // Kept although the answer is no yes: the teacher sees what lacks, and what was waited for too long.
        let late = wipes::unconfirmed(conn, wipe)?.into_iter().filter(|step| rest.silent.contains(step));
        let unconfirmed: Vec<String> = lacking.iter().chain(&rest.failed).cloned().chain(late).collect();
        wipes::lacks(conn, wipe, &unconfirmed)?;
        return Ok(match part {
            _ if !lacking.is_empty() => Judged::Lacking(lacking),
            // The page says it on its screen.
            Part::Page if !rest.failed.is_empty() => Judged::Lacking(rest.failed),
            Part::Page | Part::Agent => Judged::Half,
        });
    }
    let state = life::next(found.state, Event::WipedClean)?;
    wipes::done(conn, wipe, book.now)?;
    tablet_life::set(conn, tablet, state, None)?;
    book.note(conn, &Entry::Wiped { wipe, tablet, by: WipedBy::Receipt })?;
    Ok(Judged::Free)
}

/// What lacks of the other half.
#[derive(Debug, Default)]
struct Rest {
    failed: Vec<String>,
    silent: Vec<String>,
}

impl Rest {
    fn of(steps: &[String], said: &BTreeMap<String, bool>) -> Self {
        let having = |said_so: Option<&bool>| {
            steps.iter().filter(|step| said.get(step.as_str()) == said_so).cloned().collect::<Vec<_>>()
        };
        Self { failed: having(Some(&false)), silent: having(None) }
    }

    fn is_empty(&self) -> bool {
        self.failed.is_empty() && self.silent.is_empty()
    }
}

/// What the page of a tablet that is being cleared is to do, and what an adult is to look at. Nothing, where the page has
/// done its half and waits for the agent.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn owed_by_page(app: &App, tablet: TabletId) -> Result<(Option<WipeOrder>, Vec<String>), Trouble> {
    let Some(order) = owed(app, tablet).await? else { return Ok((None, Vec::new())) };
    app.reader.read(|conn| {
        if agents::of(conn, tablet)?.is_none() {
            return Ok((Some(order), Vec::new()));
        }
        let said = agents::said(conn, order.wipe_id, Part::Page)?;
        if order.steps.iter().all(|step| said.get(&step.name) == Some(&true)) {
            return Ok((None, wipes::unconfirmed(conn, order.wipe_id)?));
        }
        Ok((Some(order), Vec::new()))
    })
}

/// An adult says: I checked this tablet. Audited, with what was not confirmed.
///
/// # Errors
/// `not_found` for an unknown tablet, `tablet_not_free` when somebody sits at it, 507 while the disk fails.
pub(crate) async fn checked(app: &App, tablet: TabletId, by: Pseudonym) -> Result<(), Trouble> {
    if app.unrecorded.owed().contains(&tablet) {
        leave::order_owed(app, tablet).await?;
    }
    app.commit(move |conn, book| {
        let found = tablet_life::find(conn, tablet)?.ok_or(Refusal::NotFound)?;
        let state = life::next(found.state, Event::Checked)?;
        if found.state == TabletState::Free {
            return Ok(());
        }
        let wipe = found.wipe.unwrap_or_else(|| WipeId::draw(book.dice.as_ref()));
        let steps = wipes::unconfirmed(conn, wipe)?.join(" ");
        wipes::done(conn, wipe, book.now)?;
        tablet_life::set(conn, tablet, state, None)?;
        book.note(conn, &Entry::Wiped { wipe, tablet, by: WipedBy::Checked(by) })?;
        book.note(
            conn,
            &Entry::Audit { what: format!("tablet {tablet} checked, not confirmed: {steps}"), by: Some(by) },
        )
    })
    .await?;
    app.live.tell(Change::Tablet { tablet, state: TabletState::Free });
    Ok(())
}

/// The wipe that a tablet owes, drawn now if nobody drew it: after a start that followed a failing disk, or when the
/// tablet was found again.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn owed(app: &App, tablet: TabletId) -> Result<Option<WipeOrder>, Trouble> {
    if app.unrecorded.owed().contains(&tablet) {
        return leave::order_owed(app, tablet).await;
    }
    let Some(found) = app.reader.read(|conn| tablet_life::find(conn, tablet))? else { return Ok(None) };
    match (found.state, found.wipe) {
        (TabletState::Wiping, Some(_)) => Ok(order(&found)),
        (TabletState::Wiping, None) => {
            app.commit(move |conn, book| {
                life::to_wiping(conn, tablet, WipeId::draw(book.dice.as_ref()), book.now)?;
                leave::owed(conn, tablet)
            })
            .await
        }
        (
            TabletState::Unknown
            | TabletState::Free
            | TabletState::InUse
            | TabletState::Lost
            | TabletState::Outing
            | TabletState::Retired,
            _,
        ) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&str, StepOutcome)], expected: &[&str]) {
        let receipt: Vec<StepReport> =
            lines.iter().map(|(name, outcome)| StepReport { name: (*name).into(), outcome: *outcome }).collect();
        assert_eq!(lacking(&required(None), &receipt), expected);
    }

    #[test]
    fn a_page_without_an_agent_is_not_asked_for_what_it_cannot_reach() {
        let can = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            required(Some(&can(&["pages", "storage", "clipboard", "unheard of"]))),
            ["pages", "storage", "clipboard"]
        );
        assert_eq!(required(Some(&[])), ["pages", "storage"]);
        assert_eq!(required(None), STEPS);
    }

    #[test]
    fn a_receipt_shows_each_step_done_or_it_frees_nothing() {
        use StepOutcome::{Done, Failed, Unsupported};
        check(&[], &STEPS);
        check(&STEPS.map(|s| (s, Done)), &[]);
        let but = |step, outcome| STEPS.map(|s| if s == step { (s, outcome) } else { (s, Done) });
        check(&but("downloads", Failed), &["downloads"]);
        check(&but("clipboard", Unsupported), &["clipboard"]);
        // Once failed and once done is not done.
        let mut twice = but("pages", Failed).to_vec();
        twice.push(("pages", Done));
        check(&twice, &["pages"]);
        check(&[("all", Done)], &STEPS);
    }
}
