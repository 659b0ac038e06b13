//! What staff know: a single-use activation code (*code d'activation*), the secret chosen with it, and the head's reset.

use std::collections::BTreeSet;

use preau_shared::{
    documents::{
        Person,
        staff::{self, Kept, Number},
    },
    ids::PersonId,
    journal::{Entry, Pseudonym},
    messages::Lang,
    print::slips::{self, Slip},
    refusal::Refusal,
    rig::shelves,
    staff_codes::{ACTIVATION_LASTS, draw_activation},
    time::Stamp,
    wire::Role,
};
use rusqlite::Connection;
use tokio::task;

use super::{decide::Said, factor::MAX_SECRET_BYTES};
use crate::{
    app::App,
    store::{
        Trouble,
        journal::Book,
        people::{self, Human},
        staff_secrets, staff_sessions,
    },
};

/// Teachers who are given a code in one act: a large school's, twice over.
const MAX_AT_ONCE: usize = 60;
/// Digits of a secret made of digits.
const PIN_DIGITS: std::ops::RangeInclusive<usize> = 6..=12;
/// Fewest characters of any other.
const PASSWORD_CHARS: usize = 8;
/// Fewest different characters: two repeated are a rhythm, not a secret.
const DIFFERENT: usize = 3;

/// Whether a code still opens. While the clock is not to be trusted every one does; one drawn under such a clock (its time
/// is zero) does until it is used or replaced.
pub(crate) fn still_good(code: &Kept, now: Option<Stamp>) -> bool {
    code.since == Stamp(0) || now.is_none_or(|now| now <= code.since.after(ACTIVATION_LASTS))
}

/// What she chose, without blanks around it.
///
/// # Errors
/// `secret_too_simple`: too short, a series, a repetition, or the activation code itself.
pub(crate) fn chosen(text: &str, not: Option<&str>) -> Result<String, Refusal> {
    let text = text.trim();
    let long = if text.bytes().all(|b| b.is_ascii_digit()) {
        PIN_DIGITS.contains(&text.len())
    } else {
        text.chars().count() >= PASSWORD_CHARS && text.len() <= MAX_SECRET_BYTES
    };
    if long && !is_simple(text) && not.map(str::trim) != Some(text) {
        Ok(text.to_owned())
    } else {
        Err(Refusal::SecretTooSimple)
    }
}

/// Few different characters, a series up or down, or a piece said again and again (`19841984`).
fn is_simple(text: &str) -> bool {
    let chars: Vec<u32> = text.to_lowercase().chars().map(u32::from).collect();
    let different: BTreeSet<u32> = chars.iter().copied().collect();
    let each = |by: fn(u32, u32) -> bool| chars.iter().zip(chars.iter().skip(1)).all(|(one, next)| by(*one, *next));
    let series =
        each(|one, next| one.checked_add(1) == Some(next)) || each(|one, next| next.checked_add(1) == Some(one));
    // 1234567890 goes on after nine.
    let over_nine = "12345678901234567890".contains(text);
    let repeats = (1..=chars.len().div_euclid(2)).any(|piece| {
        chars.len().checked_rem(piece) == Some(0) && chars.iter().zip(chars.iter().skip(piece)).all(|(a, b)| a == b)
    });
    different.len() < DIFFERENT || series || over_nine || repeats
}

/// In the act: her secret is this from now on, under the activation that counts. With `code`, that code is spent, and
/// only if it still waits.
///
/// # Errors
/// `second_factor_wrong` when the code was spent or replaced meanwhile.
pub(crate) fn keep(
    conn: &Connection,
    book: &Book,
    (who, phc): (&Human, String),
    code: Option<Number>,
) -> Result<(), Trouble> {
    if let Some(code) = code {
        let waits = staff_secrets::waiting(conn, who.id)?.is_some_and(|waiting| waiting.number == code);
        waits.then_some(()).ok_or(Refusal::SecondFactorWrong)?;
    }
    let fields = shelves::document(conn, &book.shelf, &who.doc())?.ok_or(Refusal::NotFound)?;
    let number = staff::number(&fields);
    book.edit(conn, &staff::choose(who.doc(), &Kept { number, since: book.now, phc }))?;
    let what = if code.is_some() { "activation code used, own secret chosen" } else { "own secret changed" };
    book.note(conn, &Entry::Audit { what: what.into(), by: Some(who.in_journal()) })
}

/// She gives her secret and chooses another. Her other pages are closed.
///
/// # Errors
/// `secret_too_simple`; `forbidden` for a substitute, whose code ends with her; 507 while the disk fails.
pub(crate) async fn change(app: &App, who: Human, token: [u8; 32], (old, new): (&str, &str)) -> Result<(), Trouble> {
    if who.provisional {
        return Err(Refusal::Forbidden.into());
    }
    let secret = chosen(new, Some(old))?;
    let phc = app.factors.make(secret, app.dice.clone()).await?;
    app.commit(move |conn, book| {
        keep(conn, book, (&who, phc), None)?;
        Ok(staff_sessions::end_others(conn, who.id, &token)?)
    })
    .await
}

/// The head voids what a teacher knows, at once and everywhere in the school, and draws a code that is told this once.
///
/// # Errors
/// `not_found` for whoever is not of the roster's staff; `forbidden` for a head, whose secret is not another's to take;
/// 507 while the disk fails: then nothing changed.
pub(crate) async fn reset(app: &App, person: PersonId, by: Pseudonym) -> Result<Activated, Trouble> {
    reset_all(app, &[person].into(), by).await?.pop().ok_or_else(|| Refusal::NotFound.into())
}

/// A teacher and the code that is told this once.
pub(crate) struct Activated {
    pub(crate) who: Human,
    pub(crate) code: String,
}

/// The same for several teachers, in one act.
///
/// # Errors
/// As [`reset`]; then nobody's secrets are void. `too_large` beyond [`MAX_AT_ONCE`].
pub(crate) async fn reset_all(
    app: &App,
    people: &BTreeSet<PersonId>,
    by: Pseudonym,
) -> Result<Vec<Activated>, Trouble> {
    if people.len() > MAX_AT_ONCE {
        return Err(Refusal::TooLarge.into());
    }
    let mut drawn = Vec::new();
    for person in people {
        let code = draw_activation(app.dice.as_ref());
        let phc = app.factors.make(code.clone(), app.dice.clone()).await?;
        drawn.push((*person, code, phc));
    }
    let since = app.trusted_now().unwrap_or(Stamp(0));
    app.commit(move |conn, book| {
        let one = |(person, code, phc)| Ok(Activated { who: activate(conn, book, (person, since, phc), by)?, code });
        drawn.into_iter().map(one).collect()
    })
    .await
}

/// In the act: what she knew is void, and the code is good once.
fn activate(
    conn: &Connection,
    book: &Book,
    (person, since, phc): (PersonId, Stamp, String),
    by: Pseudonym,
) -> Result<Human, Trouble> {
    let found = people::find(conn, person)?.filter(|human| human.is_staff() && !human.provisional);
    let her = found.ok_or(Refusal::NotFound)?;
    if her.role == Role::Head {
        return Err(Refusal::Forbidden.into());
    }
    let mut number = [0; 16];
    book.dice.fill(&mut number);
    let kept = Kept { number: Number(number), since, phc };
    book.edit(conn, &staff::activate(Person::doc(person), &kept))?;
    staff_sessions::end_all_of(conn, person)?;
    let what = "a teacher's secret reset, activation code drawn".into();
    book.note(conn, &Entry::Audit { what, by: Some(by) })?;
    Ok(her)
}

/// Activation codes on paper; names as the roster has them. Laying out is not for the runtime's threads.
///
/// # Errors
/// When the paper cannot be made, or the store cannot be read.
pub(crate) async fn on_paper(app: &App, codes: Vec<(PersonId, String)>, lang: Lang) -> Result<Vec<u8>, Trouble> {
    let named = app.reader.read(|conn| {
        let name = |(person, code)| Ok::<_, Trouble>((people::full_name(conn, person)?.unwrap_or_default(), code));
        codes.into_iter().map(name).collect::<Result<Vec<_>, _>>()
    })?;
    let (school, words) = (app.school(), app.words.clone());
    let ends = app.trusted_now().map(|now| now.after(ACTIVATION_LASTS));
    let made = task::spawn_blocking(move || {
        let slip = |(name, code)| Slip { name, school: school.clone(), code };
        let mut slips: Vec<Slip> = named.into_iter().map(slip).collect();
        slips.sort_by(|one, next| one.name.cmp(&next.name));
        slips::activations(&slips, ends, (&words, lang))
    });
    let made = made.await.map_err(|_| Trouble::from(Refusal::Failed))?;
    made.map_err(|error| Trouble::because(Refusal::Failed, error.to_string()))
}

/// Whether this is the activation code that waits for her.
///
/// # Errors
/// `overloaded` when too many secrets are being compared; when the store cannot be read.
pub(crate) async fn is_waiting(app: &App, person: PersonId, code: &str) -> Result<bool, Trouble> {
    let Some(kept) = app.reader.read(|conn| staff_secrets::waiting(conn, person))? else { return Ok(false) };
    Ok(app.factors.hear(Some(code), vec![kept.phc]).await? == Said::Right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_would_try_first_is_no_secret() {
        for simple in [
            "",
            "12345",
            "123456",
            "654321",
            "1234567890",
            "111111",
            "121212",
            "19841984",
            "123123",
            "1234567890123",
            "motdep",
            "abcdefgh",
            "aaaaaaaa",
            "totototo",
        ] {
            assert_eq!(chosen(simple, None).err(), Some(Refusal::SecretTooSimple), "{simple:?}");
        }
        for fine in ["314159", "270426", "le chat dort", " Éléonore8 "] {
            assert_eq!(chosen(fine, None).as_deref(), Ok(fine.trim()), "{fine:?}");
        }
        assert_eq!(chosen("40913377", Some("40913377")).err(), Some(Refusal::SecretTooSimple), "the code itself");
    }

    #[test]
    fn a_printed_code_ends_after_thirty_days_by_a_trusted_clock_alone() {
        let code = Kept { number: Number([1; 16]), since: Stamp(1_000), phc: "$".into() };
        assert!(still_good(&code, Some(Stamp(1_000).after(ACTIVATION_LASTS))));
        assert!(!still_good(&code, Some(Stamp(1_001).after(ACTIVATION_LASTS))));
        assert!(still_good(&code, None));
        assert!(still_good(&Kept { since: Stamp(0), ..code }, Some(Stamp(1_790_000_000_000))));
    }
}
