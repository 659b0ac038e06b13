//! A time without the box (*un matin sans la boîte*): six digits that any teacher notes beforehand open a guest's screen on a
//! tablet that hears no box. The tablet checks them by itself, with what it keeps of this.
//!
//! Six digits can be tried out by whoever takes a tablet's storage apart; what they protect is a guest's screen with the
//! names of a class's documents, and nothing of anybody (`shared/decisions/0017-unplugged.md`).

use std::{collections::BTreeSet, num::NonZeroU32};

use data_encoding::HEXLOWER;
use preau_shared::{
    dice::Dice,
    ids::TabletId,
    journal::{Entry, Pseudonym},
    rig::writer::StoreError,
    wire::{MAX_DOCUMENTS, Shortcut, UnpluggedKit},
};
use rusqlite::Connection;

use crate::{
    app::App,
    store::{
        Trouble, catalogue, classes, tablet_life,
        unplugged::{self, Code},
    },
};

/// About a second on the oldest tablets (2016, 1.4 GHz).
const ROUNDS: NonZeroU32 = match NonZeroU32::new(200_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};
const CODE_DIGITS: usize = 6;

/// The code, drawn now if there is none.
///
/// # Errors
/// `overloaded` when too many secrets are being compared; 507 while the disk fails.
pub(crate) async fn code(app: &App) -> Result<Code, Trouble> {
    match app.reader.read(unplugged::code)? {
        Some(code) => Ok(code),
        None => draw(app, None).await,
    }
}

/// A code that was drawn, with what tablets check it by; its number is given when it is kept.
pub(crate) struct Fresh(Code);

impl Fresh {
    /// Keeps it in the place of the last.
    pub(crate) fn keep(self, conn: &Connection) -> Result<Code, StoreError> {
        let last = unplugged::number(conn)?.unwrap_or(0);
        let drawn = Code { number: last.saturating_add(1), ..self.0 };
        unplugged::replace(conn, &drawn)?;
        Ok(drawn)
    }
}

/// Draws a code, which takes a while.
///
/// # Errors
/// `overloaded` when too many secrets are being compared.
pub(crate) async fn fresh(app: &App) -> Result<Fresh, Trouble> {
    let (code, mut salt) = (digits(app.dice.as_ref()), [0; 16]);
    app.dice.fill(&mut salt);
    let verifier = app.factors.stretch(code.clone(), salt, ROUNDS).await?;
    Ok(Fresh(Code { number: 0, code, salt, rounds: ROUNDS, verifier }))
}

/// Draws a new code: tablets that hear of it take no other one any more. Without somebody who asks for it, an old one is
/// kept.
///
/// # Errors
/// As [`code`].
pub(crate) async fn draw(app: &App, by: Option<Pseudonym>) -> Result<Code, Trouble> {
    let fresh = fresh(app).await?;
    app.commit(move |conn, book| {
        if let (Some(last), None) = (unplugged::code(conn)?, by) {
            return Ok(last);
        }
        let drawn = fresh.keep(conn)?;
        book.note(conn, &Entry::Audit { what: "code for a time without the box drawn".into(), by })?;
        Ok(drawn)
    })
    .await
}

/// What a tablet keeps.
///
/// # Errors
/// As [`code`].
pub(crate) async fn kit(app: &App, tablet: TabletId) -> Result<UnpluggedKit, Trouble> {
    let code = code(app).await?;
    let documents = app.reader.read(|conn| documents(conn, tablet))?;
    Ok(UnpluggedKit {
        number: code.number,
        salt: HEXLOWER.encode(&code.salt),
        rounds: code.rounds.get(),
        verifier: HEXLOWER.encode(&code.verifier),
        documents,
    })
}

/// What a guest of the tablet's last class is offered.
fn documents(conn: &Connection, tablet: TabletId) -> Result<Vec<Shortcut>, StoreError> {
    let last: BTreeSet<_> = tablet_life::last_classes(conn, tablet)?.into_iter().collect();
    let mut levels = BTreeSet::new();
    for class in &last {
        levels.extend(classes::find(conn, *class)?.iter().flat_map(|class| class.levels().map(str::to_owned)));
    }
    let mut documents = catalogue::for_people(conn, &levels, &last)?.documents;
    documents.truncate(MAX_DOCUMENTS);
    Ok(documents)
}

fn digits(dice: &dyn Dice) -> String {
    format!("{:0width$}", dice.below(1_000_000), width = CODE_DIGITS)
}
