//! The school's charter: told once a version and person, in the words of her level, and in nobody's way.

use std::collections::BTreeSet;

use preau_shared::{
    documents::terms::write_charter,
    ids::Uai,
    journal::{Entry, Pseudonym},
    rig::shelves,
    terms::{Audience, Charter},
};
use serde_json::{Value, json};

use super::school::{Answer, Device, School, author};
use crate::store::{Trouble, terms};

const PATH: &str = "/api/v1/sessions/current/charter";

impl Device {
    /// What a badge's environment says of the charter, and the session.
    async fn is_told(&mut self, asked: Value) -> (Value, String) {
        let opened = self.sign_in(asked).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        (opened.body["environment"]["charter"].clone(), opened.text("token"))
    }

    async fn charter(&mut self, session: &str) -> Value {
        let shown = self.ask(Some(session), "GET", &format!("{PATH}?lang=fr"), Value::Null).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        shown.body
    }

    async fn understands(&mut self, session: &str, version: &str) -> Answer {
        self.ask(Some(session), "PUT", PATH, json!({ "version": version })).await
    }
}

impl School {
    async fn writes(&self, audience: Audience, text: Option<&str>) {
        let uai: Uai = "0900001A".parse().expect("uai");
        let charter = text.map(|text| Charter::parse(text.as_bytes()).expect("a charter"));
        self.coordinator_writes(write_charter(&uai, audience, charter.as_ref())).await;
    }

    fn understood(&self) -> Vec<(Pseudonym, [u8; 8])> {
        let noted = self.app.reader.read(|conn| {
            let ids = shelves::entry_ids(conn, &self.app.shelf)?;
            let (origins, mut noted): (BTreeSet<_>, _) = (ids.into_iter().map(|(origin, _)| origin).collect(), vec![]);
            for origin in origins {
                for (_, _, entry) in shelves::entries(conn, &self.app.shelf, &origin, 0, 1_000)? {
                    if let Entry::TermsRead { person, version } = entry {
                        noted.push((person, version));
                    }
                }
            }
            Ok::<_, Trouble>(noted)
        });
        noted.expect("the journal")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charter_is_told_until_it_is_understood_and_again_when_its_words_change() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let badge = json!({"badge": school.lina.2});

    // The first time: what is kept of her, then the charter that comes with the program. She works on without a word.
    let (told, session) = tablet.is_told(badge.clone()).await;
    let shipped = tablet.charter(&session).await;
    assert_eq!(told, json!({"version": shipped["version"], "first": true}));
    assert_eq!((&shipped["recording"], &shipped["understood"]), (&json!("charter-cycle2"), &json!(false)));
    assert!(shipped["paragraphs"][0].as_str().is_some_and(|first| first.starts_with("Je prends soin")));
    let mut tablet = school.tablet("T02").await;
    let (told, session) = tablet.is_told(badge.clone()).await;
    assert_eq!(told["first"], true, "nothing was understood yet");

    // Once she says so it is hers: on a reload, at every tablet, after a restart; said twice it is one entry.
    let version = shipped["version"].as_str().expect("version").to_owned();
    for _ in 0..2 {
        assert_eq!(tablet.understands(&session, &version).await.status, 204);
    }
    assert_eq!(tablet.charter(&session).await["understood"], true);
    let now = tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!(now.body["environment"]["charter"], Value::Null);
    assert_eq!(school.understood().len(), 1);
    let school = school.restart().await;
    let mut tablet = school.tablet("T03").await;
    assert_eq!(tablet.is_told(badge.clone()).await.0, Value::Null);

    // The school writes its own: it is told, and what is kept of her is not told anew. Nobody reads it aloud.
    school.writes(Audience::Cycle2, Some("On se lave les mains.\n\nOn partage.")).await;
    school.writes(Audience::Adults, Some("Nous rangeons les valises.")).await;
    let mut tablet = school.tablet("T04").await;
    let (told, session) = tablet.is_told(badge.clone()).await;
    assert_eq!(told["first"], false);
    let own = tablet.charter(&session).await;
    assert_eq!(own["paragraphs"], json!(["On se lave les mains.", "On partage."]));
    assert_eq!(own["recording"], Value::Null);
    assert_eq!(tablet.understands(&session, &version).await.code(), (409, "charter_changed"));
    assert_eq!(tablet.understands(&session, "of mine").await.code(), (400, "malformed"));
    assert_eq!(tablet.understands(&session, own["version"].as_str().expect("version")).await.status, 204);

    // Back to the former words, which she knows.
    school.writes(Audience::Cycle2, None).await;
    assert_eq!(school.tablet("T05").await.is_told(badge).await.0, Value::Null);
    assert_eq!(school.understood().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers_for_another_and_a_guest_leaves_no_trace() {
    let school = School::open().await;
    let mut pair = school.tablet("T01").await;
    let (told, session) = pair.is_told(json!({"badges": [school.lina.2, school.noe.2]})).await;
    assert_eq!(told, Value::Null);
    let charter = pair.charter(&session).await;
    let version = charter["version"].as_str().expect("version").to_owned();
    assert_eq!(pair.understands(&session, &version).await.status, 204);
    let teacher = school.staff().await.cookie;
    let open = format!("/api/v1/classes/{}/guests", school.class);
    assert_eq!(school.by_staff(&teacher, "POST", &open, json!({"minutes": 60})).await.status, 201);
    let mut guest = school.tablet("T02").await;
    let (told, session) = guest.is_told(json!({"guest": school.class})).await;
    assert_eq!((told, guest.charter(&session).await), (Value::Null, charter));
    assert_eq!(guest.understands(&session, &version).await.status, 204);
    assert_eq!(school.understood(), []);
    assert_eq!(school.tablet("T03").await.is_told(json!({"badge": school.noe.2})).await.0["first"], true);
    // A teacher is told hers.
    let mut tablet = school.tablet("T04").await;
    let (told, session) = tablet.is_told(json!({"badge": school.teacher.2, "second_factor": "123456"})).await;
    assert_eq!(told["first"], false);
    assert!(tablet.charter(&session).await["paragraphs"][0].as_str().is_some_and(|p| p.starts_with("Les tablettes")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_she_understood_is_known_to_the_schools_other_boxes_and_erased_with_her() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let (told, _) = tablet.is_told(json!({"badge": school.lina.2})).await;
    let version = preau_shared::terms::Version::from_word(told["version"].as_str().expect("version")).expect("digits");
    let lina = Pseudonym(*school.lina.0.as_bytes());
    let read = |conn: &rusqlite::Connection| Ok::<_, Trouble>(terms::has_read(conn, lina, version)?);
    assert_eq!(school.app.reader.read(read).expect("read"), None);
    // Another box of the school says so.
    let heard = school.app.commit(move |conn, _| {
        use preau_shared::rig::shelves::Project as _;
        let (shelf, from) = (super::school::shelf(), author(2, preau_shared::documents::Writer::Box).origin);
        let entry = Entry::TermsRead { person: lina, version: version.0 };
        crate::replica::project::Rows.entry(conn, &shelf, &from, 1, preau_shared::time::Stamp(0), &entry)?;
        Ok(())
    });
    heard.await.expect("heard");
    assert_eq!(school.app.reader.read(read).expect("read"), Some(true));
    assert_eq!(school.tablet("T02").await.is_told(json!({"badge": school.lina.2})).await.0, Value::Null);
    let person = school.lina.0;
    let erased = school.app.commit(move |conn, _| {
        use preau_shared::{documents::Person, replica::Tombstone, rig::shelves::Project as _};
        let tombstone = Tombstone { doc: Person::doc(person), pseudonym: Some(lina.0) };
        crate::replica::project::Rows.erased(conn, &super::school::shelf(), &tombstone)?;
        Ok(())
    });
    erased.await.expect("erased");
    assert_eq!(school.app.reader.read(read).expect("read"), None);
}
