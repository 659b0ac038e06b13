//! A tablet joins the school: a code that an adult opened, and a key that never leaves the tablet.
//!
//! Enrolment orders a wipe and frees nothing. A serial number, or a key, that is known is the same tablet again: it keeps
//! its name for life, and what stood on it is cleared first.

use std::time::Duration;

use preau_shared::{
    dice::Dice,
    documents::{Tablet, tablet},
    ids::{FilterId, TabletId, WipeId},
    journal::{Entry, Pseudonym, Why},
    keys::{dpop::Thumbprint, draw_token, hmac_sha256, sha256},
    refusal::Refusal,
    wire::{Enrol, Enrolled, EnrolmentWindow},
};
use rusqlite::Connection;

use super::{
    life::{self, Event},
    wipe,
};
use crate::{
    app::App,
    classroom::live::Change,
    sign_in::{
        leave::{self, Ended},
        lockout::Name,
    },
    store::{
        Trouble, enrolment_windows,
        journal::Book,
        sessions,
        tablet_life::{self, Life},
        tablets, wipes,
    },
};

/// A window that an adult opens closes after so long …
pub(crate) const WINDOW: Duration = Duration::from_secs(3_600);
/// … or after so many tablets.
pub(crate) const WINDOW_TABLETS: u32 = 30;
/// Characters of a code.
const CODE_CHARS: usize = 8;
/// Longest name, model or serial number, in characters.
const MAX_WORD_CHARS: usize = 80;
/// No 0 and O, no 1, I and L: the code is read out.
const CODE_LETTERS: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// Opens enrolment. The code is shown once; its keyed hash is stored.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn open_window(
    app: &App,
    lasts: Duration,
    tablets: u32,
    by: Option<Pseudonym>,
) -> Result<EnrolmentWindow, Trouble> {
    let code = draw_code(app.dice.as_ref());
    let hash = code_hash(&app.badge_key, &code);
    app.commit(move |conn, book| {
        enrolment_windows::open(conn, &hash, book.now, book.now.after(lasts), tablets)?;
        book.note(conn, &Entry::Audit { what: "enrolment opened".into(), by })
    })
    .await?;
    Ok(EnrolmentWindow { code, closes_in_s: lasts.as_secs(), tablets_left: tablets })
}

/// Refuses while too many wrong codes came of late, or when this one is wrong; costs no signature check.
///
/// # Errors
/// `locked_out` or `enrolment_closed`.
pub(crate) fn check_code(app: &App, code: &str) -> Result<(), Trouble> {
    let now = app.clock.elapsed();
    app.tries.check(&[Name::Enrolment], now)?;
    let hash = code_hash(&app.badge_key, code);
    let left = app.reader.read(|conn| enrolment_windows::tablets_left(conn, &hash, app.clock.stamp()))?;
    if left.is_none() {
        app.tries.wrong(&[Name::Enrolment], now);
        return Err(Refusal::EnrolmentClosed.into());
    }
    Ok(())
}

/// Enrols a tablet whose request was proved with `key`.
///
/// # Errors
/// `enrolment_closed`, `malformed` for a name of no length, 507 while the disk fails.
pub(crate) async fn enrol(app: &App, ask: Enrol, key: Thumbprint) -> Result<Enrolled, Trouble> {
    let wanted = Wanted::read(&ask, key)?;
    let hash = code_hash(&app.badge_key, &ask.code);
    let token = draw_token(app.dice.as_ref());
    let token_hash = sha256(token.as_bytes());
    let (life, filter_id, ended) = app.commit(move |conn, book| write(conn, book, &hash, &wanted, &token_hash)).await?;
    app.unrecorded.forget(life.tablet);
    ended.tell(app);
    app.live.tell(Change::Tablet { tablet: life.tablet, state: life.state });
    let order = wipe::order(&life).ok_or(Refusal::Failed)?;
    let (wipe_id, steps) = (order.wipe_id, order.steps);
    Ok(Enrolled { tablet_id: life.tablet, token, state: life.state, wipe_id, steps, filter_id })
}

/// A tablet asks the filter under another name from now on, and nobody under the one before.
///
/// # Errors
/// `not_found` for a tablet that is not of this school; 507 while the disk fails.
pub(crate) async fn rename_for_filter(app: &App, id: TabletId, by: Pseudonym) -> Result<FilterId, Trouble> {
    app.commit(move |conn, book| {
        tablets::name(conn, id)?.ok_or(Refusal::NotFound)?;
        let name = FilterId::draw(book.dice.as_ref());
        book.edit(conn, &tablet::name_for_filter(id, name))?;
        book.note(
            conn,
            &Entry::Audit { what: format!("tablet {id} asks the filter under another name"), by: Some(by) },
        )?;
        Ok(name)
    })
    .await
}

/// Gives a name to each tablet that has none: those that an older program enrolled.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn name_all_for_filter(app: &App) -> Result<(), Trouble> {
    if app.reader.read(tablets::without_filter_name)?.is_empty() {
        return Ok(());
    }
    app.commit(|conn, book| {
        let unnamed = tablets::without_filter_name(conn)?;
        let name = |id| book.edit(conn, &tablet::name_for_filter(id, FilterId::draw(book.dice.as_ref())));
        unnamed.into_iter().try_for_each(name)
    })
    .await
}

struct Wanted {
    name: String,
    model: String,
    serial: String,
    case: Option<preau_shared::ids::CaseId>,
    key: Thumbprint,
    steps: Vec<String>,
}

impl Wanted {
    fn read(ask: &Enrol, key: Thumbprint) -> Result<Self, Trouble> {
        let word =
            |text: &str| -> String { text.trim().chars().filter(|c| !c.is_control()).take(MAX_WORD_CHARS).collect() };
        let name = word(&ask.name);
        if name.is_empty() {
            return Err(Trouble::because(Refusal::Malformed, "`name` is what is written on the tablet"));
        }
        let optional = |text: &Option<String>| text.as_deref().map(word).unwrap_or_default();
        let steps = wipe::required(ask.capabilities.as_deref());
        Ok(Self { name, model: optional(&ask.model), serial: optional(&ask.serial), case: ask.case_id, key, steps })
    }
}

fn write(
    conn: &Connection,
    book: &Book,
    code: &[u8; 32],
    wanted: &Wanted,
    token: &[u8; 32],
) -> Result<(Life, FilterId, Ended), Trouble> {
    let left = enrolment_windows::tablets_left(conn, code, book.now)?.ok_or(Refusal::EnrolmentClosed)?;
    let id = match known(conn, wanted)? {
        Some(id) => id,
        None if left == 0 => return Err(Refusal::EnrolmentClosed.into()),
        None => {
            enrolment_windows::use_one(conn, code)?;
            TabletId::draw(book.dice.as_ref())
        }
    };
    let mut ended = Ended::default();
    if let Some(session) = sessions::live_on(conn, id)? {
        ended.and(leave::end(conn, book, &session, Why::Restart)?);
    }
    let before = tablet_life::find(conn, id)?.map_or(preau_shared::wire::TabletState::Unknown, |l| l.state);
    let state = life::next(before, Event::Enrolled)?;
    let wipe = WipeId::draw(book.dice.as_ref());
    wipes::order(conn, wipe, id, book.now)?;
    let life = Life { tablet: id, state, key: wanted.key, wipe: Some(wipe), steps: wanted.steps.clone() };
    tablet_life::enrol(conn, &life, token)?;
    let document = Tablet {
        id,
        name: wanted.name.clone(),
        model: wanted.model.clone(),
        serial: wanted.serial.clone(),
        case: wanted.case,
        key: wanted.key.0.to_vec(),
        lost: false,
        deleted: false,
    };
    book.edit(conn, &document.edit())?;
    // Always a new one: whoever had the tablet before may know the old one.
    let name = FilterId::draw(book.dice.as_ref());
    book.edit(conn, &tablet::name_for_filter(id, name))?;
    book.note(conn, &Entry::TabletEnrolled { tablet: id })?;
    Ok((life, name, ended))
}

/// The tablet that this is, if it was here before.
fn known(conn: &Connection, wanted: &Wanted) -> Result<Option<TabletId>, Trouble> {
    if !wanted.serial.is_empty()
        && let Some(tablet) = tablets::by_serial(conn, &wanted.serial)?
    {
        return Ok(Some(tablet));
    }
    Ok(tablet_life::by_key(conn, &wanted.key)?.map(|life| life.tablet))
}

fn draw_code(dice: &dyn Dice) -> String {
    let letters = u64::try_from(CODE_LETTERS.len()).unwrap_or(1);
    (0..CODE_CHARS)
        .filter_map(|_| usize::try_from(dice.below(letters)).ok())
        .filter_map(|at| CODE_LETTERS.get(at))
        .map(|letter| char::from(*letter))
        .collect()
}

/// A code as it is compared: case, spaces and dashes do not matter.
fn code_hash(key: &[u8; 32], code: &str) -> [u8; 32] {
    let compact: String =
        code.chars().take(64).filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    hmac_sha256(key, format!("enrolment:{compact}").as_bytes())
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn a_code_is_eight_clear_letters_however_it_is_typed() {
        let code = draw_code(&Seeded::new(3));
        assert_eq!(code.len(), CODE_CHARS);
        let typed = format!("{}-{} ", &code[..4].to_lowercase(), &code[4..]);
        assert_eq!(code_hash(&[1; 32], &typed), code_hash(&[1; 32], &code));
        assert_ne!(code_hash(&[1; 32], &code[1..]), code_hash(&[1; 32], &code));
    }
}
