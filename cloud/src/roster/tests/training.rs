use preau_shared::badge::{Badge as Payload, key_at};

use super::*;

const ROOM: &str = "Salle de formation";

impl Office {
    async fn room(&self) -> RoomMade {
        self.desk.add_training_room(NewRoom { name: ROOM.into() }).await.expect("a room")
    }

    async fn hashes(&self, uai: &Uai) -> BTreeSet<[u8; 32]> {
        let shelf = Shelf::School(uai.clone());
        let read = move |c: &Tx| -> Result<_, DeskError> {
            Ok(views(c, &shelf, Kind::Badge, Badge::from_fields)?.into_iter().map(|badge| badge.hash.0).collect())
        };
        self.store.commit(read).await.expect("read")
    }
}

#[tokio::test]
async fn a_training_room_is_made_with_everybody_in_it() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let room = office.room().await;
    assert!(room.school.uai.is_training() && room.school.created);
    let by_role = |role| room.badges.iter().filter(|badge| badge.role == role).count();
    assert_eq!((by_role(Role::Pupil), by_role(Role::Teacher), by_role(Role::Head)), (24, 3, 1));
    let pupils = office.pupils(&room.school.uai).await;
    assert_eq!(pupils.len(), 24, "each has a name of her own");
    assert!(pupils.iter().all(|(_, class, gone)| class.ends_with("formation") && !gone), "{pupils:?}");
    assert_eq!(room.secrets.len(), 4);
    assert!(room.secrets.iter().all(|secret| secret.pin.len() == 6 && secret.account.starts_with("formation.")));
    // What a box of the room knows opens these papers, and a school's box knows none of them.
    let territory = [1; 32];
    let hashes = office.hashes(&room.school.uai).await;
    let hashed = |key: &[u8; 32]| -> BTreeSet<[u8; 32]> {
        let papers = room.badges.iter().map(|badge| Payload::parse(&badge.payload).expect("a badge"));
        papers.map(|paper| paper.keyed_hash(key).0).collect()
    };
    assert_eq!(hashed(&key_at(&room.school.uai, &territory)), hashes);
    assert!(hashed(&territory).is_disjoint(&hashes));
}

#[tokio::test]
async fn each_room_has_a_number_of_its_own_and_a_closed_one_keeps_its() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let first = office.room().await.school;
    office.desk.retire_school(first.uai.clone()).await.expect("closed");
    let second = office.room().await.school;
    assert_eq!((Some(first.uai), Some(second.uai)), (Uai::training(1), Uai::training(2)));
    for wrong in ["", "   ", "x".repeat(201).as_str()] {
        let refused = office.desk.add_training_room(NewRoom { name: wrong.into() }).await;
        assert!(matches!(refused, Err(DeskError::Entry { .. })), "{wrong:?}");
    }
}

#[tokio::test]
async fn nobody_real_comes_into_a_training_room_and_nobody_invented_out_of_it() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let plan = office.plan(&office.uai, &FIRST).await;
    office.apply(plan.id).await.expect("applied");
    let room = office.room().await.school.uai;
    let before = office.pupils(&room).await;
    let received = Received { uai: room.clone(), school_year: YEAR.into(), bytes: file(&FIRST) };
    assert!(matches!(office.desk.receive(received).await, Err(DeskError::Training)));
    let teacher = StaffLine {
        given_name: "Anne".into(),
        family_name: "Exemple".into(),
        class_name: None,
        role: Role::Teacher,
        account: None,
        password: None,
        pin: None,
    };
    assert!(matches!(office.desk.add_staff(room.clone(), vec![teacher]).await, Err(DeskError::Training)));
    let as_a_school =
        NewSchool { uai: room.clone(), name: "École".into(), slug: None, latitude: None, longitude: None };
    assert!(matches!(office.desk.add_school(as_a_school).await, Err(DeskError::Training)));
    assert_eq!(office.pupils(&room).await, before);

    // A roster that names somebody just as the room does makes somebody new, at the school.
    let plan = office.plan(&office.uai, &[&FIRST[..], &["EXEMPLE;Adam;01/02/2020;;CP;Rouge"]].concat()).await;
    office.apply(plan.id).await.expect("applied");
    let people = |uai: &Uai| {
        let shelf = Shelf::School(uai.clone());
        let read = move |c: &Tx| -> Result<BTreeSet<PersonId>, DeskError> {
            Ok(views(c, &shelf, Kind::Person, Person::from_fields)?.into_iter().map(|person| person.id).collect())
        };
        office.store.commit(read)
    };
    let (at_school, in_room) = (people(&office.uai).await.expect("read"), people(&room).await.expect("read"));
    assert!(at_school.is_disjoint(&in_room));
    assert_eq!(at_school.len(), FIRST.len() + 1);
}
