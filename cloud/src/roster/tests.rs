mod paper;
mod training;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use preau_shared::{
    dice::{Dice, Seeded},
    documents::{Badge, Class, Kind, Person, Provisional, Terms, Writer as Side, class, person},
    ids::{BoxId, PersonId, RosterId, Uai},
    keys::SigningKey,
    replica::Shelf,
    rig::{
        clock::SystemClock,
        shelves::{self, Author},
    },
    second_factor::{Factor, SecretHash},
    terms::{Audience, Charter},
    wire::Role,
};

use super::{desk::views, *};
use crate::{
    coordinator::project::Projection,
    store::{Database, Tx},
};

const YEAR: &str = "2026-2027";

struct Office {
    desk: Desk,
    store: Database,
    uai: Uai,
}

async fn office(dir: &Path) -> Office {
    let store = Database::file(&dir.join("cloud.db")).expect("open");
    let dice: Arc<dyn Dice> = Arc::new(Seeded::new(7));
    let (name, drawn) = (BoxId::draw(dice.as_ref()), dice.clone());
    let origin = store.commit(move |c| shelves::begin(c, name, &*drawn)).await.expect("origin");
    let key = Arc::new(SigningKey::from_seed(&[9; 32]).expect("key"));
    let author = Arc::new(Author { origin, key, dice: dice.clone(), writer: Side::Coordinator });
    let desk = Desk::new(DeskParts {
        store: store.clone(),
        author,
        project: Arc::new(Projection),
        clock: Arc::new(SystemClock::start()),
        dice,
        badge_key: [1; 32],
        secret: [2; 32],
    });
    let uai: Uai = "0900991N".parse().expect("uai");
    let new = |uai: &Uai, name: &str| NewSchool {
        uai: uai.clone(),
        name: name.into(),
        slug: None,
        latitude: None,
        longitude: None,
    };
    assert!(desk.add_school(new(&uai, "Jean Moulin")).await.expect("school").created);
    let other = "0900992P".parse().expect("uai");
    assert_eq!(desk.add_school(new(&other, "École Jean-Moulin")).await.expect("school").slug, "jean-moulin-2");
    Office { desk, store, uai }
}

/// An ONDE file of `family;given;birth;ine;level;class` lines.
fn file(lines: &[&str]) -> Vec<u8> {
    let mut text = "Nom élève;Prénom élève;Date naissance;INE;Niveau;Libellé classe\r\n".to_owned();
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.into_bytes()
}

impl Office {
    async fn plan(&self, uai: &Uai, lines: &[&str]) -> Preview {
        let received = Received { uai: uai.clone(), school_year: YEAR.into(), bytes: file(lines) };
        self.desk.receive(received).await.expect("plan")
    }
    async fn apply(&self, id: RosterId) -> Result<Applied, DeskError> {
        self.desk.apply(id, Yes::default()).await
    }
    /// Given name, class and whether gone, of every pupil on the shelf.
    async fn pupils(&self, uai: &Uai) -> BTreeSet<(String, String, bool)> {
        let shelf = Shelf::School(uai.clone());
        let read = move |c: &Tx| -> Result<_, DeskError> {
            let classes = views(c, &shelf, Kind::Class, Class::from_fields)?;
            let people = views(c, &shelf, Kind::Person, Person::from_fields)?;
            let class = |p: &Person| {
                let holds = classes.iter().filter(|k| !k.deleted && k.members.contains(&p.id));
                holds.map(|k| k.name.clone()).collect::<Vec<_>>().join("+")
            };
            let pupils = people.iter().filter(|p| p.role == Role::Pupil);
            Ok(pupils.map(|p| (p.given_name.clone(), class(p), p.deleted)).collect())
        };
        self.store.commit(read).await.expect("read")
    }
    async fn open_badges(&self, uai: &Uai) -> usize {
        let shelf = Shelf::School(uai.clone());
        let read = move |c: &Tx| -> Result<usize, DeskError> {
            Ok(views(c, &shelf, Kind::Badge, Badge::from_fields)?.iter().filter(|b| !b.void).count())
        };
        self.store.commit(read).await.expect("read")
    }
}

const FIRST: [&str; 6] = [
    "ROY;Camille;01/02/2017;111111111AA;CE2;Bleue",
    "ROY;Noé;01/02/2017;111111112AA;CE2;Bleue",
    "PETIT;Inès;03/04/2018;;CE1;Verte",
    "BLANC;Léo;05/06/2018;111111114AA;CE1;Verte",
    "NOIR;Zoé;07/08/2019;111111115AA;CP;Rouge",
    "VERT;Ali;09/10/2019;111111116AA;CP;Rouge",
];

#[tokio::test]
async fn an_import_is_shown_applied_once_and_taken_back_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let uai = office.uai.clone();
    let plan = office.plan(&uai, &FIRST).await;
    assert!(office.pupils(&uai).await.is_empty(), "a preview changes nothing");
    assert_eq!(office.plan(&uai, &FIRST).await.id, plan.id, "the same bytes are the same plan");
    let applied = office.apply(plan.id).await.expect("applied");
    assert_eq!((applied.arrived, applied.badges.len()), (6, 6));
    let again = office.apply(plan.id).await.expect("again");
    assert!(again.again && again.badges.is_empty());
    assert!(office.plan(&uai, &FIRST).await.empty);

    let before = office.pupils(&uai).await;
    let mut second = FIRST.to_vec();
    second[4] = "NOIR;Zoé;07/08/2019;111111115AA;CP;Verte";
    second[5] = "NEUF;Mia;11/12/2019;;CP;Rouge";
    let plan = office.plan(&uai, &second).await;
    assert_eq!((plan.counts.arrive, plan.counts.change, plan.counts.leave), (1, 1, 1));
    office.apply(plan.id).await.expect("applied");
    let after = office.pupils(&uai).await;
    assert!(
        after.contains(&("Ali".into(), String::new(), true)) && after.contains(&("Zoé".into(), "Verte".into(), false))
    );
    let undone = office.desk.undo(plan.id).await.expect("undone");
    assert_eq!(undone.badges_voided, 1);
    let mut restored = office.pupils(&uai).await;
    assert!(
        restored.remove(&("Mia".into(), String::new(), true)) || restored.remove(&("Mia".into(), "Rouge".into(), true))
    );
    assert_eq!(restored, before);
    assert_eq!(office.open_badges(&uai).await, 6, "the badge of an import taken back is void, the others open");
    assert!(matches!(office.apply(plan.id).await, Err(DeskError::Outdated)));
}

#[tokio::test]
async fn a_partial_file_needs_force_and_an_old_plan_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let uai = office.uai.clone();
    let first = office.plan(&uai, &FIRST).await;
    office.apply(first.id).await.expect("applied");
    let partial = office.plan(&uai, &FIRST[..3]).await;
    assert!(partial.suspicious);
    assert!(matches!(office.apply(partial.id).await, Err(DeskError::Suspicious { leaving: 3, enrolled: 6, .. })));
    let one_less = office.plan(&uai, &FIRST[..5]).await;
    office.apply(one_less.id).await.expect("one of six may leave");
    let forced = Yes { force: true, ..Yes::default() };
    assert!(matches!(office.desk.apply(partial.id, forced).await, Err(DeskError::Outdated)));
}

#[tokio::test]
async fn a_pupil_who_changes_school_keeps_person_animal_and_badge() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let (here, there): (Uai, Uai) = (office.uai.clone(), "0900992P".parse().expect("uai"));
    let first = office.plan(&here, &FIRST).await;
    office.apply(first.id).await.expect("applied");
    let moved = office.plan(&there, &FIRST[..1]).await;
    let applied = office.apply(moved.id).await.expect("applied");
    assert!(applied.badges.is_empty(), "the badge goes with the child");
    assert_eq!(office.open_badges(&there).await, 1);
    let read = move |c: &Tx| -> Result<_, DeskError> {
        let of = |uai: Uai| views(c, &Shelf::School(uai), Kind::Person, Person::from_fields);
        Ok((of(here)?, of(there)?))
    };
    let (here, there) = office.store.commit(read).await.expect("read");
    let [moved] = there.as_slice() else { panic!("one person") };
    assert!(here.contains(moved), "the same person, word for word");
}

impl Office {
    /// What a box wrote of a pupil whom no roster names, in this class, with a badge.
    async fn make_pupil(&self, given_name: &str, class: &str) -> PersonId {
        let (desk, uai, class) = (self.desk.clone(), self.uai.clone(), class.to_owned());
        let pupil = Provisional {
            id: PersonId::draw(desk.dice.as_ref()),
            pseudonym: [9; 16],
            given_name: given_name.into(),
            role: Role::Pupil,
            level: "CE2".into(),
            animal: "loutre".into(),
            expires: None,
            pin: String::new(),
            deleted: false,
        };
        let id = pupil.id;
        let write = move |c: &Tx| -> Result<(), DeskError> {
            let (shelf, now) = (Shelf::School(uai), desk.clock.stamp());
            let classes = views(c, &shelf, Kind::Class, Class::from_fields)?;
            let class = classes.iter().find(|k| k.name == class).expect("the class").id;
            let code = person::choose_secret(Provisional::doc(id), Factor::Digits, Some(SecretHash([4; 32])));
            for edit in [
                pupil.edit(),
                class::join(class, id),
                code,
                desk.draw_badge(id, &shelf, &mut short::Shorts::default()).0.edit(),
            ] {
                desk.edit(c, &shelf, now, &edit)?;
            }
            Ok(())
        };
        self.store.commit(write).await.expect("written");
        id
    }

    async fn documents_of(&self, id: PersonId) -> (Option<Person>, Option<Provisional>, Option<SecretHash>) {
        let shelf = Shelf::School(self.uai.clone());
        let read = move |c: &Tx| -> Result<_, DeskError> {
            let rostered = shelves::document(c, &shelf, &Person::doc(id))?;
            let made = shelves::document(c, &shelf, &Provisional::doc(id))?;
            let code = rostered.as_ref().and_then(|fields| person::secret(fields, Factor::Digits));
            let rostered = rostered.and_then(|fields| Person::from_fields(&Person::doc(id), &fields));
            let made = made.and_then(|fields| Provisional::from_fields(&Provisional::doc(id), &fields));
            Ok((rostered, made, code))
        };
        self.store.commit(read).await.expect("read")
    }
}

#[tokio::test]
async fn a_pupil_made_at_a_box_is_recognised_by_the_roster_and_keeps_what_is_hers() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let first = office.plan(&office.uai, &FIRST).await;
    office.apply(first.id).await.expect("applied");
    let zoe = office.make_pupil("Zoë", "Bleue").await;
    // The list of this morning does not know her yet: she stays.
    let same = office.plan(&office.uai, &FIRST).await;
    assert!(same.empty);
    let new: Vec<&str> = FIRST.into_iter().chain(["GRIS;ZOE;01/02/2017;111111120AA;CE2;Bleue"]).collect();
    let plan = office.plan(&office.uai, &new).await;
    assert_eq!((plan.counts.arrive, plan.counts.leave, plan.counts.doubts), (1, 0, 0));
    let applied = office.apply(plan.id).await.expect("applied");
    assert!(applied.badges.is_empty(), "she has a badge");
    let (rostered, _, code) = office.documents_of(zoe).await;
    let rostered = rostered.expect("on the roster");
    assert_eq!((rostered.family_name.as_str(), rostered.animal.as_str()), ("GRIS", "loutre"));
    assert_eq!((rostered.pseudonym, code), ([9; 16], Some(SecretHash([4; 32]))), "journal and code follow her");
    // Taken back, she is again what the teacher made her.
    office.desk.undo(plan.id).await.expect("undone");
    let (rostered, made, _) = office.documents_of(zoe).await;
    assert!(rostered.is_some_and(|p| p.deleted) && made.is_some_and(|m| !m.deleted));
    // And when the roster says that she left, nothing of it comes back.
    let again = office.plan(&office.uai, &new).await;
    office.apply(again.id).await.expect("applied");
    let gone = office.plan(&office.uai, &FIRST).await;
    office.apply(gone.id).await.expect("applied");
    let (rostered, made, _) = office.documents_of(zoe).await;
    assert!(rostered.is_some_and(|p| p.deleted) && made.is_some_and(|m| m.deleted));
}

#[tokio::test]
async fn a_pupil_made_at_a_box_is_erased_like_anybody() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let first = office.plan(&office.uai, &FIRST).await;
    office.apply(first.id).await.expect("applied");
    let zoe = office.make_pupil("Zoé", "Bleue").await;
    let erased = office.desk.erase(zoe).await.expect("erased");
    assert_eq!(erased.iter().map(|e| e.badges).sum::<usize>(), 1);
    assert_eq!(office.documents_of(zoe).await, (None, None, None));
    assert!(matches!(office.desk.erase(zoe).await, Err(DeskError::NoPerson)));
}

#[tokio::test]
async fn frames_on_the_box_are_a_line_of_the_journal_each_time_they_are_switched() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    for on in [true, true, false] {
        office.desk.let_frames(office.uai.clone(), on).await.expect("switched");
    }
    let (shelf, origin) = (Shelf::School(office.uai.clone()), office.desk.author.origin);
    let read = move |c: &Tx| Ok::<_, DeskError>(shelves::entries(c, &shelf, &origin, 0, 100)?);
    let said: Vec<String> = office.store.commit(read).await.expect("read").into_iter().filter_map(audit).collect();
    let said: Vec<&String> = said.iter().filter(|what| what.contains("decode")).collect();
    assert_eq!(said.len(), 2, "switched on, switched off; what is so already is no news: {said:?}");
}

#[tokio::test]
async fn a_charter_is_written_for_those_it_is_for_and_taken_back_and_the_journal_has_each_version() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let charter = Charter::parse("On se lave les mains.".as_bytes()).expect("a charter");
    let pupils: BTreeSet<Audience> = [Audience::Cycle2, Audience::Cycle3].into();
    for (audiences, text) in [
        (pupils.clone(), Some(charter.clone())),
        (pupils, Some(charter.clone())),
        ([Audience::Cycle3].into(), None),
        ([Audience::Adults].into(), None),
    ] {
        office.desk.write_charter(office.uai.clone(), audiences, text).await.expect("written");
    }
    let (shelf, doc) = (Shelf::School(office.uai.clone()), Terms::doc(&office.uai));
    let read = move |c: &Tx| {
        Ok::<_, DeskError>(shelves::document(c, &shelf, &doc)?.and_then(|f| Terms::from_fields(&doc, &f)))
    };
    let held = office.store.commit(read).await.expect("read").expect("terms");
    assert_eq!(held.charters, [(Audience::Cycle2, charter.clone())].into());
    let (shelf, origin) = (Shelf::School(office.uai.clone()), office.desk.author.origin);
    let read = move |c: &Tx| Ok::<_, DeskError>(shelves::entries(c, &shelf, &origin, 0, 100)?);
    let said: Vec<String> = office.store.commit(read).await.expect("read").into_iter().filter_map(audit).collect();
    let said: Vec<&str> = said.iter().filter_map(|what| what.strip_prefix("charter ")).collect();
    let version = charter.version();
    assert_eq!(said, [format!("cycle2: {version}"), format!("cycle3: {version}"), "cycle3: shipped".into()]);
    let nowhere = office.desk.write_charter("0900999Z".parse().expect("uai"), [Audience::Adults].into(), None).await;
    assert!(matches!(nowhere, Err(DeskError::NoSchool)));
}

fn audit((_, _, entry): (u64, preau_shared::time::Stamp, preau_shared::journal::Entry)) -> Option<String> {
    if let preau_shared::journal::Entry::Audit { what, .. } = entry { Some(what) } else { None }
}
