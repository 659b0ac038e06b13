//! A training room: whatever a lesson did, it begins again as it began; a school never does.

use preau_shared::{
    documents::{Class, Person, School as SchoolDoc, badge, person, school},
    ids::BadgeId,
    rig::shelves,
    second_factor::Factor,
};
use serde_json::{Value, json};

use super::school::{Answer, School, author, send};
use crate::{
    replica::project::Rows,
    store::{Trouble, badges, people, prints, training},
};

const AGAIN: &str = "/api/v1/training/begin-again";

impl School {
    async fn begins_again(&self, cookie: &str) -> Answer {
        self.by_staff(cookie, "POST", AGAIN, Value::Null).await
    }

    /// Everything that documents and rows say of people, badges and the school, but for the names of badges that were
    /// opened again and for what is void.
    fn as_it_is(&self) -> Vec<String> {
        let read = self.app.reader.read(|conn| {
            let mut said = Vec::new();
            for human in people::lasting(conn)? {
                for factor in [Factor::Pictures, Factor::Digits] {
                    said.push(format!("{:?}", people::secret(conn, human.id, factor)?));
                }
                said.push(format!("{human:?} {:?}", crate::store::staff_secrets::find(conn, human.id)?));
            }
            said.push(format!("{:?}", people::provisional(conn)?));
            let open = badges::papers(conn)?.into_iter().filter(|paper| !paper.row.void);
            let mut open: Vec<String> = open
                .map(|p| format!("{:?} {:?} {} {:?}", p.row.person, p.hash.0, p.row.series, p.row.expires))
                .collect();
            open.sort();
            said.extend(open);
            said.push(format!("{:?}", crate::store::factors::by_level(conn)?));
            said.push(format!("{:?}", crate::store::guest_hours::every(conn, self.app.clock.stamp())?));
            said.push(format!("{:?}", prints::last(conn, 9)?));
            said.push(format!("{:?}", crate::store::work::disk::standing(conn)?));
            for class in crate::store::classes::every(conn)? {
                said.push(format!("{class:?} {:?}", crate::store::classes::pupils(conn, class.id)?));
            }
            Ok::<_, Trouble>(said)
        });
        read.expect("read")
    }

    /// The badge with which this paper opens now.
    fn opens_now(&self, payload: &str) -> Option<BadgeId> {
        let hash = preau_shared::badge::Badge::parse(payload).expect("badge").keyed_hash(&self.app.badge_key);
        let found = self.app.reader.read(|conn| badges::by_hash(conn, &hash)).expect("read");
        found.filter(|row| !row.void).map(|row| row.id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_lesson_did_the_room_begins_as_it_began() {
    let room = School::open_in_training().await;
    let (mut one, mut two) = (room.tablet("T01").await, room.tablet("T02").await);
    let beginning = room.as_it_is();
    let (head, teacher) = (room.head().await.cookie, room.staff().await.cookie);
    let class = format!("/api/v1/classes/{}", room.class);

    // Codes and settings, a kept work, an account of her own.
    assert_eq!(room.by_staff(&head, "PUT", "/api/v1/factors/CP", json!({"factor": "digits"})).await.status, 204);
    let lina = one.scan(&room.lina.2).await.text("token");
    let put = |path: &str| format!("/api/v1/sessions/current/{path}");
    assert_eq!(one.ask(Some(&lina), "PUT", &put("code"), json!({"code": "4271"})).await.status, 204);
    let suits = json!({"text": "large", "contrast": true, "motion": true, "sound": true});
    assert_eq!(one.ask(Some(&lina), "PUT", &put("settings"), suits).await.status, 204);
    assert_eq!(one.keeps(&lina, "chat.png", "image/png", b"\x89PNG").await.status, 201);
    let own = json!({"old": "123456", "new": "le chat dort"});
    assert_eq!(room.by_staff(&teacher, "PUT", "/api/v1/staff/secret", own).await.status, 204);
    // Newcomers, guests, a code for a time without the box, a window for tablets.
    let newcomer = room.by_staff(&teacher, "POST", &format!("{class}/pupils"), json!({"given_name": "Zoé"})).await;
    assert_eq!(newcomer.status, 201, "{}", newcomer.body);
    let ask = json!({"given_name": "Ana", "class_ids": [room.class], "until": "tonight"});
    let substitute = room.by_staff(&head, "POST", "/api/v1/substitutes", ask).await;
    assert_eq!(substitute.status, 201, "{}", substitute.body);
    assert_eq!(room.by_staff(&teacher, "POST", &format!("{class}/guests"), json!({"minutes": 90})).await.status, 201);
    assert_eq!(two.sign_in(json!({"guest": room.class})).await.status, 201);
    let code = room.by_staff(&teacher, "GET", "/api/v1/unplugged-code", Value::Null).await.text("code");
    // Badges: all of the class are lost and printed anew, and one is for today.
    let lost = room.by_staff(&head, "POST", "/api/v1/badges", json!({"class_id": room.class, "lost": true})).await;
    assert_eq!(lost.status, 201);
    let today = format!("/api/v1/people/{}/badges", room.noe.0);
    let today = room.by_staff(&head, "POST", &today, json!({"temporary": true})).await.text("payload");
    assert_eq!(room.opens_now(&room.lina.2), None, "void");
    assert!(room.opens_now(&today).is_some());
    assert_ne!(room.as_it_is(), beginning);

    let done = room.begins_again(&teacher).await;
    assert_eq!(done.status, 204, "{}", done.body);
    assert_eq!(room.as_it_is(), beginning);
    assert_eq!(room.opens_now(&today), None, "what was printed here is void for good");
    assert!(room.files().is_empty(), "the bytes of her work are gone");
    for cookie in [&head, &teacher] {
        assert_eq!(room.by_staff(cookie, "GET", "/api/v1/classes", Value::Null).await.code(), (401, "staff_required"));
    }
    assert_eq!(room.staff().await.status, 201, "the secret of the beginning");
    let as_ana = room.at_the_page_with(&substitute.text("payload"), &substitute.text("pin")).await;
    assert_ne!(as_ana.status, 201, "the substitute is gone");
    // Both tablets are to be cleared before anybody sits down; then the first papers sign in, and nothing of hers is there.
    for tablet in [&mut one, &mut two] {
        assert_eq!(tablet.scan(&room.lina.2).await.code(), (409, "tablet_not_free"));
        let wipe = tablet.me().await.body["wipe"]["wipe_id"].as_str().expect("a wipe").to_owned();
        assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);
    }
    let opened = one.scan(&room.lina.2).await;
    assert_eq!((opened.status, &opened.body["environment"]["choose_code"]), (201, &Value::Null), "{}", opened.body);
    assert_eq!(one.finds_works(&opened.text("token")).await, (vec![], vec![]));
    let head = room.head().await.cookie;
    assert_ne!(room.by_staff(&head, "GET", "/api/v1/unplugged-code", Value::Null).await.text("code"), code);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_is_final_until_the_room_begins_again_however_often() {
    let room = School::open_in_training().await;
    let mut tablet = room.tablet("T01").await;
    let mut names = Vec::new();
    for lesson in 0..4 {
        let badge = room.opens_now(&room.lina.2).expect("it opens");
        names.push(badge);
        let teacher = room.staff().await.cookie;
        let void = format!("/api/v1/badges/{badge}/void");
        assert_eq!(room.by_staff(&teacher, "POST", &void, Value::Null).await.status, 204);
        assert_eq!(tablet.scan(&room.lina.2).await.code(), (403, "badge_void"), "lesson {lesson}");
        assert_eq!(room.begins_again(&teacher).await.status, 204);
        // Nothing more is written where nothing happened.
        let (teacher, before) = (room.staff().await.cookie, room.opens_now(&room.lina.2));
        assert_eq!(room.begins_again(&teacher).await.status, 204);
        assert_eq!(room.opens_now(&room.lina.2), before);
    }
    // Each name follows from the one before: two boxes that open a paper at once open one badge.
    for (one, next) in names.iter().zip(names.iter().skip(1)) {
        assert_eq!(badge::again(*one), *next);
    }
    let room = room.restart().await;
    assert_eq!(room.opens_now(&room.lina.2), names.last().map(|last| badge::again(*last)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_never_begins_again_and_a_void_there_is_for_ever() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let session = tablet.scan(&school.noe.2).await.text("token");
    let teacher = school.staff().await.cookie;
    let before = school.as_it_is();
    assert_eq!(school.begins_again(&teacher).await.code(), (409, "training_only"));
    assert_eq!(school.as_it_is(), before);
    assert_eq!(tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await.status, 200);
    assert_eq!(send(school.at, "POST", AGAIN, &[], b"").await.code(), (401, "staff_required"));
    // Even a document as a training room writes them opens nothing here: revocation wins.
    let (id, coordinator, shelf) =
        (school.lina.1, author(9, preau_shared::documents::Writer::Coordinator), school.app.shelf.clone());
    let hash = preau_shared::badge::Badge::parse(&school.lina.2).expect("badge").keyed_hash(&school.app.badge_key);
    let again = preau_shared::documents::Badge {
        id: badge::again(id),
        person: school.lina.0,
        hash,
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    };
    let written = school.app.writer.commit(move |conn| {
        for edit in [badge::void(id, "lost"), again.edit()] {
            shelves::edit(conn, &coordinator, &shelf, preau_shared::time::Stamp(0), &edit, &Rows)?;
        }
        Ok::<_, Trouble>(())
    });
    written.await.expect("written");
    assert_eq!(school.opens_now(&school.lina.2), None);
    // The years pass: nothing happens at night.
    school.clock.pass(400 * 86_400);
    school.app.sweep().await;
    school.clock.pass(3_600);
    school.app.sweep().await;
    assert_eq!(school.app.reader.read(training::begun).expect("read"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_night_the_room_begins_again_and_a_pupil_is_not_sent_out() {
    let room = School::open_in_training().await;
    let beginning = room.as_it_is();
    let mut tablet = room.tablet("T01").await;
    room.app.sweep().await;
    let void = || async {
        let teacher = room.staff().await.cookie;
        let badge = room.opens_now(&room.noe.2).expect("it opens");
        let void = format!("/api/v1/badges/{badge}/void");
        assert_eq!(room.by_staff(&teacher, "POST", &void, Value::Null).await.status, 204);
    };
    void().await;
    // The day after, with Lina at a tablet: she sits there, and the room waits.
    room.clock.pass(86_400);
    let session = tablet.scan(&room.lina.2).await.text("token");
    for _ in 0..20 {
        room.clock.pass(60);
        let beat = tablet.ask(Some(&session), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
        assert_eq!(beat.status, 200, "{}", beat.body);
        room.app.sweep().await;
    }
    assert_eq!(room.opens_now(&room.noe.2), None, "not while she is there");
    tablet.leaves(&session).await;
    for _ in 0..4 {
        room.clock.pass(60);
        room.app.sweep().await;
    }
    assert_eq!(room.as_it_is(), beginning);
    // A room whose box does not know the time begins again after a long quiet, once.
    void().await;
    room.app.sweep().await;
    room.clock.lose();
    room.clock.pass(31 * 60);
    room.app.sweep().await;
    assert_eq!(room.opens_now(&room.noe.2), None, "the teacher has just left her page");
    room.clock.pass(31 * 60);
    room.app.sweep().await;
    assert_eq!(room.as_it_is(), beginning);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dsi_settled_stays() {
    let room = School::open_in_training().await;
    let uai = match &room.app.shelf {
        preau_shared::replica::Shelf::School(uai) => uai.clone(),
        preau_shared::replica::Shelf::Territory => panic!("a room"),
    };
    room.coordinator_writes(school::let_frames(&uai, true)).await;
    let doc = Class::doc(room.class);
    let named =
        preau_shared::documents::Edit::of(doc).with("name", preau_shared::documents::Scalar::Text("CP B".into()));
    room.coordinator_writes(named).await;
    room.coordinator_writes(person::choose_settings(Person::doc(room.lina.0), &Default::default())).await;
    let teacher = room.staff().await.cookie;
    assert_eq!(room.begins_again(&teacher).await.status, 204);
    let fields = room.app.reader.read(|conn| shelves::document(conn, &room.app.shelf, &SchoolDoc::doc(&uai)));
    assert!(school::frames_on_box(&fields.expect("read").expect("the room")));
    let classes = room.app.reader.read(crate::store::classes::every).expect("read");
    assert_eq!(classes.first().map(|class| class.name.as_str()), Some("CP B"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_training_room_says_so_and_no_schools_page_does() {
    for (room, said) in [(School::open_in_training().await, true), (School::open().await, false)] {
        for (path, lang, ribbon) in [
            ("/tablette", "fr", "Salle de formation"),
            ("/enseignant", "fr", "Salle de formation"),
            ("/tablet", "en", "Training room"),
            ("/teacher", "en", "Training room"),
        ] {
            let page = send(room.at, "GET", path, &[("Accept-Language", lang)], b"").await;
            let html = String::from_utf8(page.bytes).expect("text");
            let before = html.split("<script").next().unwrap_or_default();
            assert_eq!((page.status, before.contains(ribbon)), (200, said), "{path}");
        }
    }
}
