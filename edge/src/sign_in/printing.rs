//! Badges on paper, made on the box, without a network: for one child, for a class, for the school.
//!
//! A new badge leaves the one before good until it is first used, never by the clock: whoever still holds the old one on
//! the day of the reprint gets in. Where badges were lost, the old ones are void at once.

use std::collections::BTreeSet;

use preau_shared::{
    badge::{Badge, ShortCode, ShortHash, StandIn},
    dice::Dice,
    documents,
    ids::{BadgeId, ClassId, PersonId},
    journal::{Entry, Pseudonym},
    print::{self, Card, PrintError, Sheet, Style},
    refusal::Refusal,
    rig::slow::stand_in_hash,
};
use rusqlite::Connection;
use tokio::task;

use super::badges::{end, without_room};
use crate::{
    app::App,
    classroom::live::Change,
    store::{
        Trouble, badges,
        classes::{self, ClassRow},
        journal::Book,
        people::{self, Human},
        prints::{self, Print},
    },
};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Child(PersonId),
    Class(ClassId),
    School,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) whose: Whose,
    /// The badges before are lost: void at once.
    pub(crate) lost: bool,
    pub(crate) style: Style,
}

/// What comes out of the printer; the codes in it stand nowhere else.
pub(crate) struct Printed {
    pub(crate) pdf: Vec<u8>,
    pub(crate) count: u32,
}

/// Classes with the pupils to print for.
type Lists = Vec<(ClassRow, Vec<Human>)>;

/// A badge that was just drawn for somebody.
struct Drawn {
    person: PersonId,
    badge: Badge,
    short: ShortCode,
    short_hash: ShortHash,
}

/// Draws a badge for each pupil, keeps their hashes, and gives the paper. One print at a time.
///
/// # Errors
/// `not_found` when there is nobody to print for; `too_large` beyond what one PDF takes; `overloaded` while another print
/// runs; 507 while the disk fails: then nothing changed and every badge is as good as before.
pub(crate) async fn print(app: &App, order: Order, by: &Human) -> Result<Printed, Trouble> {
    let _turn = app.printer.try_acquire().map_err(|_| Trouble::for_now(Refusal::Overloaded, 10))?;
    let lists = app.reader.read(|conn| lists(conn, order.whose))?;
    let whose = match (order.whose, lists.as_slice()) {
        (Whose::Class(_), [(class, _)]) => class.name.clone(),
        (Whose::Child(_) | Whose::School | Whose::Class(_), _) => String::new(),
    };
    let (dice, key, words) = (app.dice.clone(), app.badge_key, app.words.clone());
    // Slow hashes and pages take seconds for a school: not on the runtime's threads.
    let made = task::spawn_blocking(move || {
        let pupils = lists.iter().flat_map(|(_, pupils)| pupils);
        let drawn = pupils.map(|p| draw(dice.as_ref(), &key, p.id)).collect::<Result<Vec<Drawn>, _>>()?;
        let pdf = print::print(&sheets(&lists, &drawn), order.style, &words).map_err(refused)?;
        Ok::<_, Trouble>((drawn, pdf))
    });
    let (drawn, pdf) = made.await.map_err(|_| Trouble::from(Refusal::Failed))??;
    let count = u32::try_from(drawn.len()).unwrap_or(u32::MAX);
    let (who, pseudonym) = (by.id, by.in_journal());
    app.commit(move |conn, book| {
        for one in &drawn {
            keep(conn, book, one, (order.lost, pseudonym), &key)?;
        }
        prints::note(conn, &Print { at: book.now, by: who, whose, count, lost: order.lost })?;
        let what = format!("{count} badges printed{}", if order.lost { ", those before void" } else { "" });
        book.note(conn, &Entry::Audit { what, by: Some(pseudonym) })
    })
    .await?;
    app.live.tell(Change::Badges);
    Ok(Printed { pdf, count })
}

/// Everybody, class by class; a pupil of two classes once.
fn lists(conn: &Connection, whose: Whose) -> Result<Lists, Trouble> {
    let classes = match whose {
        Whose::School => classes::every(conn)?,
        Whose::Class(class) => vec![classes::find(conn, class)?.ok_or(Refusal::NotFound)?],
        Whose::Child(person) => {
            let pupil = people::find(conn, person)?.filter(|p| !p.is_staff()).ok_or(Refusal::NotFound)?;
            let class = classes::of_pupil(conn, person)?.into_iter().next().ok_or(Refusal::NotEnrolledHere)?;
            return Ok(vec![(classes::find(conn, class)?.ok_or(Refusal::NotFound)?, vec![pupil])]);
        }
    };
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for class in classes {
        let pupils = classes::pupils(conn, class.id)?.into_iter().filter(|pupil| seen.insert(pupil.id)).collect();
        found.push((class, pupils));
    }
    Ok(found)
}

fn draw(dice: &dyn Dice, key: &[u8; 32], person: PersonId) -> Result<Drawn, Trouble> {
    let (badge, short) = (Badge::draw(dice), ShortCode::draw(dice));
    let short_hash = stand_in_hash(&StandIn::Short(short.clone()), key)?;
    Ok(Drawn { person, badge, short, short_hash })
}

/// The cards of the lists; `drawn` stands in their order.
fn sheets(lists: &Lists, drawn: &[Drawn]) -> Vec<Sheet> {
    let mut drawn = drawn.iter();
    let mut sheets = Vec::new();
    for (class, pupils) in lists {
        let cards = pupils.iter().zip(drawn.by_ref()).map(|(pupil, drawn)| Card {
            payload: drawn.badge.payload(),
            given_name: pupil.given_name.clone(),
            animal: pupil.animal.clone(),
            class: class.name.clone(),
            short_code: drawn.short.in_groups(),
            note: String::new(),
        });
        sheets.push(Sheet { title: class.name.clone(), cards: cards.collect() });
    }
    sheets
}

/// The rows of one new badge; what must make room for it is void.
fn keep(
    conn: &Connection,
    book: &Book,
    drawn: &Drawn,
    (lost, by): (bool, Pseudonym),
    key: &[u8; 32],
) -> Result<(), Trouble> {
    let ends = if lost { badges::ours_of(conn, drawn.person)? } else { without_room(conn, drawn.person)? };
    end(conn, book, ends, (if lost { "lost" } else { "reprinted" }, by))?;
    let document = documents::Badge {
        id: BadgeId::draw(book.dice.as_ref()),
        person: drawn.person,
        hash: drawn.badge.keyed_hash(key),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: badges::last_series(conn, drawn.person)?.saturating_add(1),
        short: Some(drawn.short_hash),
    };
    book.edit(conn, &document.edit())
}

fn refused(error: PrintError) -> Trouble {
    let refusal = match error {
        PrintError::Nothing => Refusal::NotFound,
        PrintError::TooMany => Refusal::TooLarge,
        PrintError::Payload | PrintError::Page(_) => Refusal::Failed,
    };
    Trouble::because(refusal, error.to_string())
}
