//! The people of a round: pupils who come and go without a pause, and a head who draws badges and makes them void.
//!
//! A request whose answer was lost is not repeated blindly: the tablet asks the box where it stands, as a real one does.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail, ensure};
use preau_shared::{
    dice::{Dice as _, Seeded},
    rig::fetch::Answer,
    wire::{SessionOpened, TabletState, WipeOrder},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ledger::{Card, Ledger, Told};
use crate::tablet::{self, Tablet, Teacher};

/// A pupil stays for less than this.
const STAY_BELOW_MS: u64 = 200;
/// A tablet rests between two pupils for less than this …
const REST_BELOW_MS: u64 = 500;
/// … and a box remembers 1,024 proofs of a tablet in four minutes, so that it also rests for this.
const REST_LEAST: Duration = Duration::from_millis(150);
/// After a request that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(40);
/// The head rests between two acts for less than this.
const HEAD_BELOW_MS: u64 = 700;
/// Badges that the head keeps in force.
const IN_FORCE: usize = 3;

/// A tablet and its pupils.
pub(super) struct Desk {
    pub(super) tablet: Tablet,
    pub(super) ledger: Arc<Ledger>,
    /// Whoever comes to this tablet comes to no other.
    pub(super) cards: Vec<Card>,
    /// Works while nobody else may.
    witness: bool,
    current: Option<SessionOpened>,
    unsure: bool,
}

impl Desk {
    /// A tablet with its own pupils; without any it is a witness, who works while nobody else may write.
    pub(super) fn new(tablet: Tablet, ledger: Arc<Ledger>, cards: Vec<Card>) -> Self {
        let witness = cards.is_empty();
        Self { tablet, ledger, cards, witness, current: None, unsure: false }
    }

    fn told(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.ledger.told());
    }

    /// One pupil, in and out. An error is a box that did not answer; the next turn begins by asking where it stands.
    async fn turn(&mut self, dice: &Seeded) -> Result<()> {
        if self.unsure {
            self.put_in_order().await?;
        }
        let place = usize::try_from(dice.below(u64::try_from(self.cards.len())?))?;
        let payload = self.cards[place].payload.clone();
        if self.come_in(&payload).await?.is_some() {
            sleep(Duration::from_millis(dice.below(STAY_BELOW_MS))).await;
            self.leave().await?;
        }
        Ok(())
    }

    /// Shows a badge: none when the tablet must wait or the box still knows an earlier try.
    pub(super) async fn come_in(&mut self, payload: &str) -> Result<Option<()>> {
        self.unsure = true;
        let ledger = Arc::clone(&self.ledger);
        let way = ledger.request(self.witness).await;
        let opened = self.tablet.show(payload).await;
        drop(way);
        match opened {
            Ok(Ok(session)) => {
                ensure_recorded(&session, &self.ledger);
                self.told(|t| {
                    t.sign_ins.insert(session.session_id.to_string());
                });
                self.current = Some(session);
                return Ok(Some(()));
            }
            // The lost answer of an earlier try of this request: it may have been done.
            Ok(Err(code)) if code == "tablet_not_free" => self.told(|t| t.untold += 1),
            Ok(Err(code)) if code == "locked_out" || code == "overloaded" => sleep(Duration::from_secs(1)).await,
            Ok(Err(code)) => self.told(|t| t.odd.push(format!("a badge in force was refused: {code}"))),
            Err(error) => {
                self.told(|t| t.untold += 1);
                return Err(error);
            }
        }
        Ok(None)
    }

    /// Signs out and is wiped.
    pub(super) async fn leave(&mut self) -> Result<()> {
        let Some(session) = self.current.clone() else { bail!("nobody is here") };
        let ledger = Arc::clone(&self.ledger);
        let way = ledger.request(self.witness).await;
        let token = session.token.as_deref();
        let answer = self.tablet.ask("DELETE", "/api/v1/sessions/current", token, None).await?;
        drop(way);
        if answer.status != 202 {
            ensure!(tablet::code(&answer) == "session_unknown", "leaving: {}", tablet::code(&answer));
            // It ended by an answer that was lost.
            self.unsure = true;
            self.current = None;
            return Ok(());
        }
        self.told(|t| {
            t.sign_outs.insert(session.session_id.to_string());
        });
        self.current = None;
        self.wipe(&answer.json()?).await?;
        self.unsure = false;
        Ok(())
    }

    async fn wipe(&mut self, order: &WipeOrder) -> Result<()> {
        let ledger = Arc::clone(&self.ledger);
        let _way = ledger.request(self.witness).await;
        self.tablet.wipe(order).await?;
        self.told(|t| {
            t.wipes.insert(order.wipe_id.to_string());
        });
        Ok(())
    }

    /// Asks the box where this tablet stands, ends what is open, does the wipe it owes.
    pub(super) async fn put_in_order(&mut self) -> Result<()> {
        let ledger = Arc::clone(&self.ledger);
        let way = ledger.request(self.witness).await;
        let me = self.tablet.myself().await?;
        drop(way);
        if let Some(order) = &me.wipe {
            self.current = None;
            self.wipe(order).await?;
        } else if let Some(session) = me.session.filter(|s| s.token.is_some()) {
            self.told(|t| {
                if t.sign_ins.insert(session.session_id.to_string()) {
                    t.untold = t.untold.saturating_sub(1);
                }
            });
            self.current = Some(session);
            self.leave().await?;
        } else if self.current.is_some() {
            self.leave().await?;
        } else {
            ensure!(me.state == TabletState::Free, "a tablet is stuck in state {}", me.state.as_str());
        }
        self.unsure = false;
        Ok(())
    }
}

fn ensure_recorded(session: &SessionOpened, ledger: &Ledger) {
    if !session.recorded {
        ledger.told().odd.push("a session was opened from memory: the disk failed".into());
    }
}

/// Pupils come and go at this tablet for ever.
pub(super) async fn pupils(desk: Arc<tokio::sync::Mutex<Desk>>, seed: u64) {
    let dice = Seeded::new(seed);
    loop {
        let went = desk.lock().await.turn(&dice).await;
        let rest = REST_LEAST + Duration::from_millis(dice.below(REST_BELOW_MS));
        sleep(if went.is_ok() { rest } else { AFTER_FAILURE }).await;
    }
}

/// Where the head works, and by what right.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) url: String,
    pub(super) ca_file: std::path::PathBuf,
    pub(super) payload: String,
    pub(super) pin: String,
    /// For whom badges are drawn.
    pub(super) people: Vec<String>,
    pub(super) ledger: Arc<Ledger>,
}

/// The head draws badges and makes the oldest void, for ever. What got no answer is asked again: a void is void once.
pub(super) async fn head(head: Head, seed: u64) {
    let dice = Seeded::new(seed);
    let (mut session, mut voiding): (Option<Teacher>, Option<Card>) = (None, None);
    loop {
        let went = act(&head, &mut session, &mut voiding, &dice).await;
        if let Err(error) = went {
            if error.is::<Refused>() {
                session = None;
            }
            sleep(AFTER_FAILURE).await;
        } else {
            sleep(Duration::from_millis(dice.below(HEAD_BELOW_MS))).await;
        }
    }
}

async fn act(head: &Head, session: &mut Option<Teacher>, voiding: &mut Option<Card>, dice: &Seeded) -> Result<()> {
    let way = head.ledger.request(false).await;
    let teacher = match session {
        Some(teacher) => teacher,
        None => session.insert(Teacher::sign_in(&head.url, &head.ca_file, &head.payload, &head.pin).await?),
    };
    if voiding.is_none() {
        let mut told = head.ledger.told();
        *voiding = (told.drawn.len() > IN_FORCE).then(|| told.drawn.remove(0));
    }
    if let Some(card) = voiding {
        let answer = teacher.act("POST", &format!("/api/v1/badges/{}/void", card.badge_id), Some(json!({}))).await?;
        understood(&answer, 204)?;
        let mut told = head.ledger.told();
        told.void_by_head.insert(card.badge_id.clone());
        told.void.extend(voiding.take());
    } else {
        let place = usize::try_from(dice.below(u64::try_from(head.people.len())?))?;
        let path = format!("/api/v1/people/{}/badges", head.people[place]);
        let answer = teacher.act("POST", &path, Some(json!({ "second_factor": head.pin }))).await?;
        understood(&answer, 201)?;
        let drawn: Value = answer.json()?;
        let text = |name: &str| drawn[name].as_str().unwrap_or_default().to_owned();
        let mut told = head.ledger.told();
        told.drawn.push(Card { badge_id: text("badge_id"), payload: text("payload") });
        told.drawn_in_all += 1;
    }
    drop(way);
    Ok(())
}

/// The box answered, and said no: the head signs in again.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the head is refused: {}", self.0)
    }
}

impl std::error::Error for Refused {}

fn understood(answer: &Answer, status: u16) -> Result<()> {
    if answer.status == status { Ok(()) } else { Err(Refused(tablet::code(answer)).into()) }
}
