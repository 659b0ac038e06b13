//! Guests of a class (*invités*): whoever has no badge here, such as children of after-school time with their *animateur*.
//! They sit down in hours that an adult opens by a tap, and leave no trace but a count.

use std::time::Duration;

use preau_shared::{
    ids::ClassId,
    journal::{Entry, How, Pseudonym, Why},
    refusal::Refusal,
};

use super::leave::{self, Ended};
use crate::{
    app::App,
    classroom::live::Change,
    store::{Trouble, classes, guest_hours, sessions},
};

/// Longest that a class is open to guests by one tap.
pub(crate) const LONGEST: Duration = Duration::from_secs(6 * 3_600);

/// Opens a class to guests for so long; gives for how long.
///
/// # Errors
/// `malformed` for no time or more than [`LONGEST`]; `not_found` for no class.
pub(crate) async fn open(app: &App, class: ClassId, lasts: Duration, by: Pseudonym) -> Result<Duration, Trouble> {
    if lasts.is_zero() || lasts > LONGEST {
        let told = format!("`minutes`: 1 to {}", LONGEST.as_secs() / 60);
        return Err(Trouble::because(Refusal::Malformed, told));
    }
    app.commit(move |conn, book| {
        classes::find(conn, class)?.ok_or(Refusal::NotFound)?;
        guest_hours::open(conn, class, book.now, book.now.after(lasts))?;
        book.note(conn, &Entry::Audit { what: format!("class {class} open to guests"), by: Some(by) })
    })
    .await?;
    app.live.tell(Change::Badges);
    Ok(lasts)
}

/// Closes a class to guests: those who sit there leave, and their tablets are cleared.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn close(app: &App, class: ClassId, by: Pseudonym) -> Result<(), Trouble> {
    let ended = app
        .commit(move |conn, book| {
            guest_hours::close(conn, class)?;
            let mut ended = Ended::default();
            for session in sessions::live(conn)? {
                if session.how == How::Guest && session.class == Some(class) {
                    ended.and(leave::end(conn, book, &session, Why::Staff)?);
                }
            }
            book.note(conn, &Entry::Audit { what: format!("class {class} closed to guests"), by: Some(by) })?;
            Ok(ended)
        })
        .await?;
    ended.tell(app);
    app.live.tell(Change::Badges);
    Ok(())
}
