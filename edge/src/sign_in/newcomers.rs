//! People whom no roster names yet, made offline: a new pupil on her first day, a substitute teacher (*remplaçant*).

use std::{collections::BTreeSet, time::Duration};

use preau_shared::{
    animals::Herd,
    badge::Badge,
    documents::{
        self, DocId, Edit, Provisional, Scalar,
        class::{self, join, teach},
        provisional,
    },
    ids::{BadgeId, ClassId, PersonId},
    journal::{Entry, Pseudonym, Why},
    refusal::Refusal,
    rig::slow::slow_hash,
    time::Stamp,
    wire::Role,
};
use tokio::task;

use super::{
    badges,
    leave::{self, Ended},
};
use crate::{
    app::App,
    classroom::live::Change,
    store::{
        Trouble, badges as rows, classes,
        people::{self, Human},
        sessions,
    },
};

/// Provisional people of a school at once.
pub(crate) const MAX_PROVISIONAL: u32 = 200;
/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 80;
/// Digits of a substitute's PIN.
const PIN_DIGITS: usize = 6;
/// "Tonight", for those who come by day: no clock decides more finely.
const TONIGHT: Duration = Duration::from_secs(12 * 3_600);
/// Friday ends at this hour (UTC): after every school, before the weekend.
const FRIDAY_ENDS: Duration = Duration::from_secs(20 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Until when a substitute stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Tonight,
    Friday,
}

impl Until {
    /// The end, from now.
    fn from(self, now: Stamp) -> Stamp {
        match self {
            Self::Tonight => now.after(TONIGHT),
            Self::Friday => {
                let day_ms = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
                let ends = i64::try_from(FRIDAY_ENDS.as_millis()).unwrap_or(0);
                // Days are counted from the end of the first one, a Thursday: past Friday's end the next Friday is meant.
                let day = now.0.saturating_sub(ends).div_euclid(day_ms);
                let friday = day.saturating_add(1).saturating_add(day.saturating_neg().rem_euclid(7));
                Stamp(friday.saturating_mul(day_ms).saturating_add(ends))
            }
        }
    }
}

/// A substitute who was just made; badge and PIN are told this once.
#[derive(Debug)]
pub(crate) struct Substitute {
    pub(crate) person: PersonId,
    pub(crate) payload: String,
    pub(crate) pin: String,
    pub(crate) until: Stamp,
}

/// Puts a new pupil on a class's list until the roster knows her.
///
/// # Errors
/// `malformed` for a name that is none, or a level that is not the class's; `forbidden` beyond [`MAX_PROVISIONAL`].
pub(crate) async fn add_pupil(
    app: &App,
    class: ClassId,
    (given_name, level): (String, Option<String>),
    by: Pseudonym,
) -> Result<PersonId, Trouble> {
    let given_name = name(&given_name)?;
    let person = app
        .commit(move |conn, book| {
            room(people::provisional_count(conn)?)?;
            let row = classes::find(conn, class)?.ok_or(Refusal::NotFound)?;
            let levels: BTreeSet<&str> = row.level.split_whitespace().collect();
            let level = match &level {
                Some(level) if levels.contains(level.as_str()) => level.clone(),
                Some(_) => return Err(Trouble::because(Refusal::Malformed, "`level` is not one of the class's")),
                None => row.level.split_whitespace().next().unwrap_or_default().to_owned(),
            };
            let mut herd = Herd::default();
            classes::pupils(conn, class)?.iter().for_each(|pupil| herd.meet(&pupil.animal));
            let pupil = Provisional {
                id: PersonId::draw(book.dice.as_ref()),
                pseudonym: *PersonId::draw(book.dice.as_ref()).as_bytes(),
                given_name,
                role: Role::Pupil,
                level,
                animal: herd.give(book.dice.as_ref()),
                expires: None,
                pin: String::new(),
                deleted: false,
            };
            book.edit(conn, &pupil.edit())?;
            book.edit(conn, &join(class, pupil.id))?;
            book.note(conn, &Entry::Audit { what: "a provisional pupil".into(), by: Some(by) })?;
            Ok(pupil.id)
        })
        .await?;
    app.live.tell(Change::Badges);
    Ok(person)
}

/// Lets a substitute teach these classes until then. The head may say Friday; any teacher vouches until tonight, and the
/// head sees who did.
///
/// # Errors
/// `forbidden` when a teacher says Friday, and beyond [`MAX_PROVISIONAL`]; `not_found` for a class that is none.
pub(crate) async fn add_substitute(
    app: &App,
    (given_name, classes): (String, BTreeSet<ClassId>),
    until: Until,
    by: &Human,
) -> Result<Substitute, Trouble> {
    if until == Until::Friday && by.role != Role::Head {
        return Err(Refusal::Forbidden.into());
    }
    let given_name = name(&given_name)?;
    if classes.is_empty() {
        return Err(Trouble::because(Refusal::Malformed, "`class_ids`: at least one class"));
    }
    let (dice, key, vouches) = (app.dice.clone(), app.badge_key, by.in_journal());
    let badge = Badge::draw(dice.as_ref());
    let pin: String = (0..PIN_DIGITS).map(|_| char::from(b'0'.saturating_add(digit(dice.below(10))))).collect();
    let hashed = {
        let (dice, pin) = (dice.clone(), pin.clone());
        task::spawn_blocking(move || slow_hash(&pin, dice.as_ref()))
            .await
            .map_err(|_| Trouble::from(Refusal::Failed))??
    };
    let (person, until) = app
        .commit(move |conn, book| {
            room(people::provisional_count(conn)?)?;
            let until = until.from(book.now);
            let someone = Provisional {
                id: PersonId::draw(book.dice.as_ref()),
                pseudonym: *PersonId::draw(book.dice.as_ref()).as_bytes(),
                given_name,
                role: Role::Teacher,
                level: String::new(),
                animal: String::new(),
                expires: Some(until),
                pin: hashed,
                deleted: false,
            };
            book.edit(conn, &someone.edit())?;
            for class in classes {
                classes::find(conn, class)?.ok_or(Refusal::NotFound)?;
                book.edit(conn, &teach(class, someone.id))?;
            }
            let document = documents::Badge {
                id: BadgeId::draw(book.dice.as_ref()),
                person: someone.id,
                hash: badge.keyed_hash(&key),
                void: false,
                void_reason: String::new(),
                expires: Some(until),
                series: 0,
                short: None,
            };
            book.edit(conn, &document.edit())?;
            book.note(conn, &Entry::Audit { what: "a substitute teacher".into(), by: Some(vouches) })?;
            Ok((someone.id, until))
        })
        .await?;
    app.live.tell(Change::Badges);
    Ok(Substitute { person, payload: badge.payload(), pin, until })
}

/// Somebody provisional leaves: a substitute before the time is over, a pupil who was put on a list by mistake. Her
/// session ends, and her page and her badges are closed from the next request on.
///
/// # Errors
/// `not_found` when nobody provisional has this name and role.
pub(crate) async fn leave(app: &App, (person, role): (PersonId, Role), by: Pseudonym) -> Result<(), Trouble> {
    let ended = app
        .commit(move |conn, book| {
            let found = people::find(conn, person)?.filter(|someone| someone.provisional && someone.role == role);
            found.ok_or(Refusal::NotFound)?;
            let mut ended = Ended::default();
            for session in sessions::live_of(conn, person)? {
                ended.and(leave::end(conn, book, &session, Why::Staff)?);
            }
            for list in classes::of_pupil(conn, person)? {
                book.edit(conn, &class::leave(list, person))?;
            }
            badges::end(conn, book, rows::valid_of(conn, person)?, ("left", by))?;
            book.edit(conn, &provisional::leave(person))?;
            book.note(conn, &Entry::Audit { what: format!("a provisional {} left", role.as_str()), by: Some(by) })?;
            Ok(ended)
        })
        .await?;
    ended.tell(app);
    app.live.tell(Change::Badges);
    Ok(())
}

/// Whose time is over leaves the lists; while the clock is not to be trusted nobody's is.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn forget_expired(app: &App) -> Result<usize, Trouble> {
    let now = app.trusted_now();
    app.commit(move |conn, book| {
        let mut over = people::with_an_end(conn)?;
        over.retain(|(_, end)| end.has_passed(now));
        for (person, _) in &over {
            book.edit(conn, &provisional::leave(*person))?;
        }
        Ok(over.len())
    })
    .await
}

/// Who came, and what was drawn, while the clock was lost gets an end once it is right: half a day from now.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn give_ends(app: &App) -> Result<usize, Trouble> {
    let Some(now) = app.trusted_now() else { return Ok(0) };
    app.commit(move |conn, book| {
        let end = Scalar::Int(now.after(TONIGHT).0);
        let people = people::with_an_end(conn)?.into_iter().map(|(person, end)| (Provisional::doc(person), end));
        let badges = rows::with_an_end(conn)?.into_iter().map(|(badge, end)| (documents::Badge::doc(badge), end));
        let lost: Vec<DocId> =
            people.chain(badges).filter(|(_, end)| !end.is_plausible()).map(|(doc, _)| doc).collect();
        for doc in &lost {
            book.edit(conn, &Edit::of(*doc).with("expires", end.clone()))?;
        }
        Ok(lost.len())
    })
    .await
}

fn room(count: u32) -> Result<(), Trouble> {
    if count < MAX_PROVISIONAL {
        return Ok(());
    }
    Err(Trouble::because(Refusal::Forbidden, format!("at most {MAX_PROVISIONAL} people wait for a roster at once")))
}

/// A name as it is shown: any letters of any script, no control characters.
fn name(text: &str) -> Result<String, Trouble> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let right = (1..=MAX_NAME_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let told = format!("`given_name`: 1 to {MAX_NAME_CHARS} characters");
    if right { Ok(text) } else { Err(Trouble::because(Refusal::Malformed, told)) }
}

fn digit(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friday_is_the_next_one_that_is_not_over() {
        const HOUR: i64 = 3_600_000;
        // Monday 5 January 1970, 08:00.
        let monday = Stamp((4 * 24 + 8) * HOUR);
        let friday = Stamp((8 * 24 + 20) * HOUR);
        assert_eq!(Until::Friday.from(monday), friday);
        assert_eq!(Until::Friday.from(Stamp(friday.0 - 1)), friday, "Friday afternoon");
        assert_eq!(Until::Friday.from(friday), Stamp(friday.0 + 7 * 24 * HOUR), "Friday night");
        assert_eq!(Until::Friday.from(Stamp(friday.0 + 24 * HOUR)), Stamp(friday.0 + 7 * 24 * HOUR), "Saturday");
        assert_eq!(Until::Friday.from(Stamp(0)), Stamp((24 + 20) * HOUR), "a clock of 1970");
        assert_eq!(Until::Tonight.from(monday), Stamp(monday.0 + 12 * HOUR));
    }

    #[test]
    fn a_name_is_any_script_and_no_control() {
        for fine in ["Lina", "Anne-Éloïse", "D’Arcy", "李娜", "محمد", "Œ", "N'Golo  Kanté"] {
            assert!(name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "  ", "a\u{7}b", &"x".repeat(81)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(name("  N'Golo \t Kanté ").ok().as_deref(), Some("N'Golo Kanté"));
    }
}
