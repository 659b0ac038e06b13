//! The code in the school's safe (*code du coffre*): a head who forgot her secret chooses another, with the envelope in her
//! hand and her hands on the box; no network is asked.
//!
//! The code opens only while the machine has been running for less than [`PLUGGED_IN`]: somebody pulled its plug and put it
//! back, who therefore stands in the school's locked room. A restart of this program is no such act, where the system says
//! for how long it has been running; where it does not, the program's own time stands for it.

use std::{net::IpAddr, time::Duration};

use preau_shared::{
    documents::{
        safe,
        staff::{Kept, Number},
    },
    journal::Entry,
    keys::{draw_token, sha256},
    refusal::Refusal,
    staff_codes::SafeCode,
};

use super::{decide::Said, lockout::Name, secrets, staff};
use crate::{
    app::App,
    store::{Trouble, people::Human, safe_codes, staff_sessions},
};

/// The plug was put in so shortly ago: a start takes one or two minutes of it.
pub(crate) const PLUGGED_IN: Duration = Duration::from_secs(10 * 60);

/// For how long the code still opens; none where the plug was put in longer ago.
pub(crate) fn opens_for(app: &App) -> Option<Duration> {
    let running = app.clock.machine().unwrap_or(app.clock.elapsed().0);
    PLUGGED_IN.checked_sub(running).filter(|left| !left.is_zero())
}

/// Whether a code waits in the safe, so that it is worth offering.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn is_there(app: &App) -> Result<bool, Trouble> {
    Ok(!app.reader.read(safe_codes::unused)?.is_empty())
}

/// Signs the head in with the code and the secret that she chooses with it; the cookie's secret is given beside her.
///
/// # Errors
/// `safe_closed` where the plug was not just put in; `safe_code_wrong`, `locked_out`; `secret_to_choose` until a new secret
/// comes with the code, `secret_too_simple`; 507 while the disk fails: then nothing changed.
pub(crate) async fn open(
    app: &App,
    (code, new_secret): (&str, Option<&str>),
    address: Option<IpAddr>,
) -> Result<(Human, String), Trouble> {
    opens_for(app).ok_or(Refusal::SafeClosed)?;
    let now = app.clock.elapsed();
    let counted: Vec<Name> = [Name::Safe].into_iter().chain(address.map(Name::Address)).collect();
    app.tries.check(&counted, now)?;
    let Some((who, number)) = whose(app, code).await? else {
        app.tries.wrong(&counted, now);
        let what = "a wrong code of the safe was tried".to_owned();
        app.commit(move |conn, book| book.note(conn, &Entry::Audit { what, by: None })).await?;
        return Err(Refusal::SafeCodeWrong.into());
    };
    app.tries.forget(Name::Safe);
    let new_secret = new_secret.ok_or(Refusal::SecretToChoose)?;
    let phc = app.factors.make(secrets::chosen(new_secret, Some(code))?, app.dice.clone()).await?;
    let token = draw_token(app.dice.as_ref());
    let (hash, her) = (sha256(token.as_bytes()), who.clone());
    app.commit(move |conn, book| {
        // Of two who come at once, one is in.
        let waits = safe_codes::is_unused(conn, her.id, number)?;
        waits.then_some(()).ok_or(Refusal::SafeCodeWrong)?;
        let mut drawn = [0; 16];
        book.dice.fill(&mut drawn);
        let secret = Kept { number: Number(drawn), since: book.now, phc };
        book.edit(conn, &safe::use_safe_code(her.doc(), number, &secret))?;
        staff_sessions::end_all_of(conn, her.id)?;
        staff_sessions::open(conn, &hash, her.id, book.now, staff::oldest(book.now))?;
        let what = "the code of the safe used after the box was plugged in, own secret chosen".to_owned();
        book.note(conn, &Entry::Audit { what, by: Some(her.in_journal()) })?;
        book.note(conn, &Entry::StaffSignIn { person: her.in_journal() })
    })
    .await?;
    app.touched.touch(hash, now);
    Ok((who, token))
}

/// Whose code this is, and its number.
async fn whose(app: &App, code: &str) -> Result<Option<(Human, Number)>, Trouble> {
    let Some(code) = SafeCode::parse(code) else { return Ok(None) };
    for (head, kept) in app.reader.read(safe_codes::unused)? {
        if app.factors.hear(Some(code.as_str()), vec![kept.phc]).await? == Said::Right {
            return Ok(Some((head, kept.number)));
        }
    }
    Ok(None)
}
