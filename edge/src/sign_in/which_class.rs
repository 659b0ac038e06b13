//! A pupil of several classes (two classes, a group, ULIS): with whom does she work now? She says so by a picture, and it
//! holds for this session. Until then she has what all her classes have; nobody is kept waiting by the question.

use std::{collections::BTreeSet, sync::Arc};

use preau_shared::{ids::ClassId, refusal::Refusal, rig::writer::StoreError, wire::ClassChoice};
use rusqlite::Connection;

use crate::{
    app::App,
    store::{
        Trouble, classes,
        people::Human,
        sessions::{self, Session},
    },
};

/// Pictures of classes: names of icons that every page has.
const PICTURES: [&str; 12] =
    ["book", "brush", "calculator", "map", "music", "palette", "pencil", "puzzle", "sparkles", "film", "home", "world"];

/// The classes that somebody has to choose from, and the one that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Which {
    /// Empty where there is nothing to choose: one class, a pair, a guest, staff.
    pub(crate) offered: Vec<ClassChoice>,
    pub(crate) chosen: Option<ClassId>,
}

/// What she chose in this session, if that still is one of `theirs`, the classes of these people. A lesson that she is in
/// will come before it: it answers here, and then nothing is asked.
pub(crate) fn of(
    conn: &Connection,
    session: &Session,
    (people, theirs): (&[Arc<Human>], &BTreeSet<ClassId>),
) -> Result<Which, StoreError> {
    let [_alone] = people else { return Ok(Which::default()) };
    let offered = offered(conn, theirs)?;
    let chosen = session.works_with.filter(|class| offered.iter().any(|choice| choice.class_id == *class));
    Ok(Which { offered, chosen })
}

fn offered(conn: &Connection, hers: &BTreeSet<ClassId>) -> Result<Vec<ClassChoice>, StoreError> {
    let mut offered: Vec<ClassChoice> = Vec::new();
    if hers.len() < 2 {
        return Ok(offered);
    }
    for class in hers.iter().copied() {
        let Some(found) = classes::find(conn, class)? else { continue };
        let teacher = classes::teachers(conn, class)?.into_iter().next();
        let picture = picture_of(class, &offered);
        offered.push(ClassChoice { class_id: class, name: found.name, picture, teacher: teacher.map(|t| t.view()) });
    }
    if offered.len() < 2 {
        offered.clear();
    }
    Ok(offered)
}

/// A class keeps its picture; of two that would have the same one, the second has the next.
fn picture_of(class: ClassId, beside: &[ClassChoice]) -> String {
    let [first, ..] = *class.as_bytes();
    let start = usize::from(first);
    let from_there = PICTURES.iter().cycle().skip(start.checked_rem(PICTURES.len()).unwrap_or(0)).take(PICTURES.len());
    let free = from_there.clone().find(|picture| beside.iter().all(|other| other.picture != **picture));
    free.or_else(|| from_there.clone().next()).copied().unwrap_or_default().to_owned()
}

/// She works with this class until she leaves, or chooses again. The session as it stands then.
///
/// # Errors
/// `not_found` when it is no class of hers, or there is nothing to choose; 507 while the disk fails.
pub(crate) async fn choose(app: &App, session: Session, class: ClassId) -> Result<Session, Trouble> {
    app.commit(move |conn, _| {
        let live = sessions::find_live(conn, session.id)?.ok_or(Refusal::SessionUnknown)?;
        let [pupil] = live.people[..] else { return Err(Refusal::NotFound.into()) };
        let hers = classes::of_pupil(conn, pupil)?.into_iter().collect();
        if !offered(conn, &hers)?.iter().any(|choice| choice.class_id == class) {
            return Err(Refusal::NotFound.into());
        }
        sessions::work_with(conn, live.id, class)?;
        Ok(Session { works_with: Some(class), ..live })
    })
    .await
}
