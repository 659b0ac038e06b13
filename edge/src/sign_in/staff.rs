//! Teachers and heads at their page: badge with PIN, or account with password; a cookie for 30 idle minutes, 8 hours.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    badge::Badge,
    journal::Entry,
    keys::{draw_token, sha256},
    refusal::Refusal,
    time::{Elapsed, Stamp},
    wire::StaffSignIn,
};

use super::{
    decide::{Said, admit, asked_of},
    lockout::Name,
    scan::{MAX_LOGIN_BYTES, account_name},
    secrets,
};
use crate::{
    app::App,
    store::{
        Trouble,
        badges::{Holder, Shown, Way, holders_of},
        people::{self, Human},
        staff_secrets, staff_sessions,
    },
};

/// A page untouched for so long asks again.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
/// A secret given so shortly ago need not be given again.
pub(crate) const FRESH: Duration = Duration::from_secs(5 * 60);
/// No session is longer than a school day.
pub(crate) const LONGEST: Duration = Duration::from_secs(8 * 3_600);
/// Cookies remembered as used of late.
const MAX_REMEMBERED: usize = 1_024;

/// When each cookie was last used, since the start.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<BTreeMap<[u8; 32], Elapsed>>);

impl Touched {
    /// Whether the cookie was used within [`IDLE`]; one not yet seen since the start counts as used now.
    pub(super) fn touch(&self, token: [u8; 32], now: Elapsed) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(&token).is_some_and(|last| now.since(*last) > IDLE) {
            return false;
        }
        used.insert(token, now);
        if used.len() > MAX_REMEMBERED
            && let Some(oldest) = used.iter().min_by_key(|(_, last)| **last).map(|(t, _)| *t)
        {
            used.remove(&oldest);
        }
        true
    }
    /// Whether any page was used within [`IDLE`].
    pub(crate) fn is_anybody(&self, now: Elapsed) -> bool {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.values().any(|last| now.since(*last) <= IDLE)
    }
    /// Nobody is there.
    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
    fn forget(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }
}

/// Signs a teacher or the head in; the secret goes into the cookie.
///
/// # Errors
/// The refusals of a badge or an account, `locked_out`, and `forbidden` for a pupil. With an activation code:
/// `secret_to_choose` until a new secret comes with it, `secret_too_simple`.
pub(crate) async fn sign_in(app: &App, ask: StaffSignIn, address: Option<IpAddr>) -> Result<(Human, String), Trouble> {
    let new_secret: Option<String> = ask.new_secret.clone();
    let (way, secret) = parse(ask, &app.badge_key)?;
    let holders = app.reader.read(|conn| holders_of(conn, &*app.offers.settled(conn)?, &way))?;
    let found: Holder = holders.into_iter().next().unwrap_or_default();
    if found.person.as_ref().is_some_and(|p| !p.is_staff()) {
        return Err(Refusal::Forbidden.into());
    }
    let now = app.clock.elapsed();
    let person = found.person.as_ref().map(|p| Name::Person(p.id));
    let account = match &way {
        Way::Account(login) => Some(account_name(login)),
        Way::Badges(_) | Way::Guest(_) | Way::LetIn(_) => None,
    };
    let counted: Vec<Name> = account.or(person).into_iter().chain(address.map(Name::Address)).collect();
    app.tries.check(&counted, now)?;
    let trusted = app.trusted_now();
    let code = found.activation.as_ref().filter(|code| secrets::still_good(code, trusted));
    let given = asked_of(&way, &found).into_iter().map(|c| c.phc.clone());
    let phcs = given.chain(code.map(|code| code.phc.clone())).collect();
    let said = app.factors.hear(secret.as_deref(), phcs).await?;
    if said == Said::Wrong {
        app.tries.wrong(&counted, now);
    }
    let human = admit(&way, &found, said, trusted)?;
    counted.iter().take(1).for_each(|name| app.tries.forget(*name));
    let chosen = match (code, new_secret) {
        (None, _) => None,
        (Some(_), None) => return Err(Refusal::SecretToChoose.into()),
        (Some(code), Some(new)) => {
            let new = secrets::chosen(&new, secret.as_deref())?;
            Some((code.number, app.factors.make(new, app.dice.clone()).await?))
        }
    };
    let token = draw_token(app.dice.as_ref());
    let (hash, who) = (sha256(token.as_bytes()), Arc::clone(&human));
    app.commit(move |conn, book| {
        match chosen {
            Some((code, phc)) => secrets::keep(conn, book, (&who, phc), Some(code))?,
            // A reset may have come while her secret was being compared.
            None if staff_secrets::waiting(conn, who.id)?.is_some() => return Err(Refusal::SecondFactorWrong.into()),
            None => {}
        }
        staff_sessions::open(conn, &hash, who.id, book.now, oldest(book.now))?;
        book.note(conn, &Entry::StaffSignIn { person: who.in_journal() })
    })
    .await?;
    app.touched.touch(hash, now);
    Ok((Arc::unwrap_or_clone(human), token))
}

/// Whose cookie this is, if it still counts and she still is staff.
///
/// # Errors
/// `staff_required` when it does not.
pub(crate) fn who(app: &App, token: &str) -> Result<Human, Trouble> {
    let hash = sha256(token.as_bytes());
    let found = app.reader.read(|conn| match staff_sessions::find(conn, &hash)? {
        Some((person, opened)) => Ok::<_, Trouble>(people::find(conn, person)?.map(|human| (human, opened))),
        None => Ok(None),
    })?;
    let (human, opened) = found.ok_or(Refusal::StaffRequired)?;
    let fresh = opened >= oldest(app.clock.stamp()) && app.touched.touch(hash, app.clock.elapsed());
    if human.is_staff() && fresh && !human.is_over(app.trusted_now()) {
        Ok(human)
    } else {
        Err(Refusal::StaffRequired.into())
    }
}

/// Asks for the second factor again before an act that outlives the page (badges, enrolment), unless the session was
/// opened within [`FRESH`].
///
/// # Errors
/// `second_factor_required` or `second_factor_wrong`, `locked_out`.
pub(crate) async fn prove_again(app: &App, who: &Human, token: &str, secret: Option<&str>) -> Result<(), Trouble> {
    let hash = sha256(token.as_bytes());
    let opened = app.reader.read(|conn| staff_sessions::find(conn, &hash))?;
    let now = app.clock.stamp();
    if secret.is_none() && opened.is_some_and(|(_, opened)| opened <= now && now.since(opened) < FRESH) {
        return Ok(());
    }
    let name = [Name::Person(who.id)];
    app.tries.check(&name, app.clock.elapsed())?;
    let secrets = app.reader.read(|conn| staff_secrets::known(conn, who))?;
    match app.factors.hear(secret, secrets.into_iter().map(|c| c.phc).collect()).await? {
        Said::Right => Ok(()),
        Said::Nothing => Err(Refusal::SecondFactorRequired.into()),
        Said::Wrong => {
            app.tries.wrong(&name, app.clock.elapsed());
            Err(Refusal::SecondFactorWrong.into())
        }
    }
}

/// Signs out.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn sign_out(app: &App, token: &str) -> Result<(), Trouble> {
    let hash = sha256(token.as_bytes());
    app.touched.forget(&hash);
    app.commit(move |conn, _| Ok(staff_sessions::end(conn, &hash)?)).await
}

fn parse(ask: StaffSignIn, badge_key: &[u8; 32]) -> Result<(Way, Option<String>), Trouble> {
    match (ask.badge, ask.account) {
        (Some(text), None) => {
            let badge = Badge::parse(&text).map_err(|e| Trouble::because(Refusal::BadgeMalformed, e.to_string()))?;
            Ok((Way::Badges(vec![Shown::Code(badge.keyed_hash(badge_key))]), ask.second_factor))
        }
        (None, Some(login)) if (1..=MAX_LOGIN_BYTES).contains(&login.trim().len()) => {
            Ok((Way::Account(login.trim().to_lowercase()), ask.password))
        }
        (Some(_) | None, _) => {
            Err(Trouble::because(Refusal::Malformed, "`badge` with `second_factor`, or `account` with `password`"))
        }
    }
}

/// Sessions opened before this are over.
pub(super) fn oldest(now: Stamp) -> Stamp {
    Stamp(now.0.saturating_sub(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_cookie_asks_again() {
        let (touched, at) = (Touched::default(), |m: u64| Elapsed(Duration::from_secs(m * 60)));
        assert!(touched.touch([1; 32], at(0)));
        assert!(touched.touch([1; 32], at(30)));
        assert!(!touched.touch([1; 32], at(61)));
        assert!(!touched.touch([1; 32], at(62)), "and stays closed");
    }
}
