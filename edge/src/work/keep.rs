//! A work is kept: it arrives, is on disk, and only then acknowledged. In a pair it is kept for each.

use axum::body::BodyDataStream;
use preau_shared::{
    ids::{PersonId, WorkId},
    refusal::Refusal,
    rig::writer::StoreError,
};
use rusqlite::Connection;

use super::{
    MAX_PERSON_BYTES, arrive,
    media::Media,
    name, remove,
    shelf::{self, owners},
    unwritten,
};
use crate::{
    app::App,
    store::{
        Trouble,
        journal::Book,
        sessions::Session,
        work::{self, Work, disk},
    },
};

/// How it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Under which name: another one than asked for where a pair would have replaced what only one of them owns.
    pub(crate) name: String,
    /// Whether something of this name was there, and can be had back.
    pub(crate) replaced: bool,
}

/// Keeps what arrives.
///
/// # Errors
/// `guest_keeps_nothing`; `work_full` and `box_full`; what [`arrive::receive`] says; `session_unknown` when the session
/// ended meanwhile; 507 while the disk fails.
pub(crate) async fn keep(
    app: &App,
    session: Session,
    (name, media): (String, Media),
    body: &mut BodyDataStream,
) -> Result<Kept, Trouble> {
    shelf::is_recorded(app, &session)?;
    app.reader.read(|conn| owners(conn, &session))?;
    let _place = app.work.arriving.try_acquire().map_err(|_| Trouble::for_now(Refusal::Overloaded, 5))?;
    let file = WorkId::draw(app.dice.as_ref());
    let arrived = arrive::receive(&app.work.folder, file, body).await?;
    let (size_bytes, sha256) = (arrived.size_bytes, Some(arrived.hash.clone().finish()));
    let (max_bytes, folder) = (app.work.max_bytes, app.work.folder.clone());
    let written = app
        .commit(move |conn, book| {
            let people = owners(conn, &session)?;
            let name = free_for(conn, &people, name)?;
            let media = media.word.to_owned();
            let new = Work { file, name, media, size_bytes, kept: book.now, sha256, here: true, copied: false };
            let (replaced, gone) = put(conn, book, &people, &new)?;
            if disk::standing(conn)?.all_bytes > max_bytes {
                return Err(Refusal::BoxFull.into());
            }
            // The last thing done: its name and the rows are there together, or neither.
            folder.settle(file).map_err(unwritten)?;
            Ok((Kept { name: new.name, replaced }, gone))
        })
        .await;
    drop(arrived);
    match written {
        Ok((kept, gone)) => {
            remove(app, &gone).await;
            Ok(kept)
        }
        Err(trouble) => {
            remove(app, &[file]).await;
            Err(trouble)
        }
    }
}

/// Rows for each; the files that are nobody's any more. What she has now counts against her share, what she had gives way.
fn put(conn: &Connection, book: &Book, people: &[PersonId], new: &Work) -> Result<(bool, Vec<WorkId>), Trouble> {
    let (mut replaced, mut gone) = (false, Vec::new());
    for person in people {
        if let Some(before) = work::retire(conn, book, *person, &new.name)? {
            replaced = true;
            gone.extend(before);
        }
        work::add(conn, book, *person, new)?;
        let (now, mut all) = work::bytes_of(conn, *person)?;
        if now > MAX_PERSON_BYTES {
            return Err(Refusal::WorkFull.into());
        }
        while all > MAX_PERSON_BYTES {
            let Some(oldest) = work::drop_oldest_former(conn, book, *person)? else { break };
            gone.push(oldest);
            all = work::bytes_of(conn, *person)?.1;
        }
    }
    Ok((replaced, unnamed(conn, gone)?))
}

/// Those that no row names.
pub(super) fn unnamed(conn: &Connection, files: Vec<WorkId>) -> Result<Vec<WorkId>, StoreError> {
    let mut unnamed = Vec::new();
    for file in files {
        if !disk::is_named(conn, file)? {
            unnamed.push(file);
        }
    }
    Ok(unnamed)
}

/// The name itself; in a pair, the first one that takes nothing away from one of them.
fn free_for(conn: &Connection, people: &[PersonId], asked: String) -> Result<String, Trouble> {
    let mut tried = asked.clone();
    for number in 2..100 {
        let mut taken = false;
        for person in people {
            taken |= people.len() > 1 && work::is_taken(conn, *person, &tried)?;
        }
        if !taken || shelf::joint(conn, people, &tried)?.is_some() {
            return Ok(tried);
        }
        tried = name::numbered(&asked, number);
    }
    Err(Trouble::because(Refusal::Malformed, "too many works of this name"))
}
