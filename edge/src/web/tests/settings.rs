//! What a child chose for her screens, at any tablet.

use preau_shared::{journal::Entry, rig::shelves};
use serde_json::{Value, json};

use super::school::{Answer, Device, School};
use crate::store::Trouble;

impl Device {
    /// The settings that a badge's environment has, and the session.
    async fn finds(&mut self, asked: Value) -> (Value, String) {
        let opened = self.sign_in(asked).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        (opened.body["environment"]["settings"].clone(), opened.text("token"))
    }

    async fn wishes(&mut self, session: &str, settings: Value) -> Answer {
        self.ask(Some(session), "PUT", "/api/v1/sessions/current/settings", settings).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_child_chose_is_hers_at_every_tablet() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let plain = json!({"text": "normal", "contrast": false, "motion": true, "sound": true});
    let hers = json!({"lang": "en", "text": "large", "contrast": true, "motion": false, "sound": true});
    let his = json!({"lang": "fr", "text": "largest", "contrast": false, "motion": true, "sound": false});

    let (found, session) = one.finds(json!({"badge": school.lina.2})).await;
    assert_eq!(found, plain);
    for wrong in [json!({"lang": "xx"}), json!({"text": "huge"}), json!({"contrast": 1}), json!({"text": null})] {
        let mut asked = hers.clone();
        asked.as_object_mut().expect("object").extend(wrong.as_object().expect("object").clone());
        assert_eq!(one.wishes(&session, asked).await.code(), (400, "malformed"), "{wrong}");
    }
    assert_eq!(one.wishes(&session, hers.clone()).await.status, 204);
    assert_eq!(one.wishes(&session, hers.clone()).await.status, 204, "again");
    let now = one.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!((&now.body["environment"]["settings"], &now.body["environment"]["lang"]), (&hers, &json!("en")));

    // At another tablet, and after a restart.
    let (found, _) = two.finds(json!({"badge": school.lina.2})).await;
    assert_eq!(found, hers);
    let (found, session) = {
        let mut three = school.tablet("T03").await;
        three.finds(json!({"badge": school.noe.2})).await
    };
    assert_eq!(found, plain, "his are not hers");
    let mut three = school.tablet("T04").await;
    let (_, moved) = three.finds(json!({"badge": school.noe.2})).await;
    assert_ne!(session, moved);
    assert_eq!(three.wishes(&moved, his).await.status, 204);
    let school = school.restart().await;
    let mut four = school.tablet("T05").await;

    // Together they get what is kinder to each, and what they choose together is kept for neither.
    let (found, pair) = four.finds(json!({"badges": [school.lina.2, school.noe.2]})).await;
    assert_eq!(found, json!({"lang": "en", "text": "largest", "contrast": true, "motion": false, "sound": false}));
    assert_eq!(four.wishes(&pair, plain.clone()).await.status, 204);
    let mut five = school.tablet("T06").await;
    assert_eq!(five.finds(json!({"badge": school.lina.2})).await.0, hers);
    let teacher = school.staff().await.cookie;
    let open = format!("/api/v1/classes/{}/guests", school.class);
    assert_eq!(school.by_staff(&teacher, "POST", &open, json!({"minutes": 60})).await.status, 201);
    let mut six = school.tablet("T07").await;
    let (found, guest) = six.finds(json!({"guest": school.class})).await;
    assert_eq!(found, plain);
    assert_eq!(six.wishes(&guest, hers).await.status, 204);
    assert_eq!(
        school.tablet("T08").await.finds(json!({"guest": school.class})).await.0,
        plain,
        "a guest keeps nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_cannot_fill_the_box_by_choosing() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let (_, session) = tablet.finds(json!({"badge": school.lina.2})).await;
    let mut answers = Vec::new();
    for n in 0..=crate::store::seats::MAX_CHOICES {
        let settings = json!({"text": "normal", "contrast": n % 2 == 0, "motion": true, "sound": true});
        answers.push(tablet.wishes(&session, settings).await.status);
    }
    assert_eq!(answers.pop(), Some(403));
    assert!(answers.iter().all(|status| *status == 204), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_found_open_is_noted_and_ended() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let (_, session) = tablet.finds(json!({"badge": school.lina.2})).await;
    let left = tablet.ask(Some(&session), "DELETE", "/api/v1/sessions/current?not_me=true", Value::Null).await;
    assert_eq!(left.status, 202, "{}", left.body);
    assert_eq!(tablet.me().await.body["state"], "wiping");
    let noted = school.app.reader.read(|conn| {
        let mut audits = Vec::new();
        for (origin, _) in shelves::entry_ids(conn, &school.app.shelf)? {
            audits.extend(shelves::entries(conn, &school.app.shelf, &origin, 0, 1_000)?);
        }
        Ok::<_, Trouble>(audits)
    });
    let found = |(_, _, entry): &(_, _, Entry)| matches!(entry, Entry::Audit { what, by: Some(_) } if what.starts_with("found open by somebody else"));
    assert!(noted.expect("the journal").iter().any(found));
}
