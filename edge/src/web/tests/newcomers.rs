//! Whom no roster names yet: a new pupil on her first day, a substitute in front of the class.

use preau_shared::{documents::Person, ids::PersonId, time::ClockQuality, wire::Role};
use serde_json::{Value, json};

use super::school::School;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pupil_is_in_class_within_a_minute() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let path = format!("/api/v1/classes/{}/pupils", school.class);
    let made = school.by_staff(&teacher, "POST", &path, json!({"given_name": "Anne-Éloïse  N’Diaye"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    let pupils = class.body["pupils"].as_array().cloned().unwrap_or_default();
    let her = pupils.iter().find(|p| p["person_id"] == made.body["person_id"]).expect("on the list");
    assert_eq!((&her["given_name"], &her["level"]), (&json!("Anne-Éloïse N’Diaye"), &json!("CP")));
    assert_ne!(her["animal"], "renard", "the others have that one");
    let path_of = |what: &str| format!("/api/v1/people/{}/{what}", made.text("person_id"));
    let drawn = school.by_staff(&teacher, "POST", &path_of("badges"), json!({"temporary": true})).await;
    let opened = tablet.scan(&drawn.text("payload")).await;
    assert_eq!((opened.status, &opened.body["person"]["given_name"]), (201, &json!("Anne-Éloïse N’Diaye")));
    // A code of her own is hers too, though no roster knows her.
    let head = school.head().await.cookie;
    let asked = school.by_staff(&head, "PUT", "/api/v1/factors/CP", json!({"factor": "digits"})).await;
    assert_eq!(asked.status, 204);
    let session = opened.text("token");
    let code = json!({"code": "4217"});
    assert_eq!(tablet.ask(Some(&session), "PUT", "/api/v1/sessions/current/code", code).await.status, 204);
    let order = tablet.sign_out(&session).await;
    assert_eq!(tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    assert_eq!(tablet.scan(&drawn.text("payload")).await.code(), (401, "second_factor_required"));

    for (ask, code) in [
        (json!({"given_name": " "}), (400, "malformed")),
        (json!({"given_name": "x".repeat(81)}), (400, "malformed")),
        (json!({"given_name": "Zoé", "level": "CM2"}), (400, "malformed")),
        (json!({}), (400, "malformed")),
    ] {
        assert_eq!(school.by_staff(&teacher, "POST", &path, ask.clone()).await.code(), code, "{ask}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roster_that_names_her_changes_nothing_for_the_child_and_may_be_taken_back() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let path = format!("/api/v1/classes/{}/pupils", school.class);
    let made = school.by_staff(&teacher, "POST", &path, json!({"given_name": "Zoé"})).await.text("person_id");
    let person: PersonId = made.parse().expect("an identifier");
    let drawn = school.by_staff(&teacher, "POST", &format!("/api/v1/people/{made}/badges"), json!({})).await;
    let badge = drawn.text("payload");
    let line = async || {
        let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
        let pupils = class.body["pupils"].as_array().cloned().unwrap_or_default();
        pupils.into_iter().find(|pupil| pupil["person_id"] == made.as_str()).expect("on the list")
    };
    let animal = line().await["animal"].as_str().unwrap_or_default().to_owned();
    let mut rostered = Person {
        id: person,
        pseudonym: *person.as_bytes(),
        given_name: "Zoé".into(),
        family_name: "GRIS".into(),
        role: Role::Pupil,
        level: "CP".into(),
        animal: animal.clone(),
        deleted: false,
    };
    for (deleted, provisional) in [(false, false), (true, true), (false, false)] {
        rostered.deleted = deleted;
        school.coordinator_writes(rostered.edit()).await;
        let seen = line().await;
        assert_eq!((&seen["provisional"], &seen["animal"]), (&json!(provisional), &json!(animal)));
        let opened = tablet.scan(&badge).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        let order = tablet.sign_out(&opened.text("token")).await;
        assert_eq!(tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pupil_added_by_mistake_is_taken_off_again() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let path = format!("/api/v1/classes/{}/pupils", school.class);
    let made = school.by_staff(&teacher, "POST", &path, json!({"given_name": "Zoé"})).await.text("person_id");
    let badges = format!("/api/v1/people/{made}/badges");
    let drawn = school.by_staff(&teacher, "POST", &badges, json!({"temporary": true})).await.text("payload");
    assert_eq!(tablet.scan(&drawn).await.status, 201);
    let off = format!("/api/v1/people/{made}");
    assert_eq!(school.by_staff(&teacher, "DELETE", &off, Value::Null).await.status, 204);
    let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    assert!(!class.body.to_string().contains(&made), "{}", class.body);
    let me = tablet.me().await.body;
    assert_eq!(me["state"], "wiping");
    let owed = me["wipe"]["wipe_id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(tablet.receipt(&owed, "done").await.status, 204);
    assert_eq!(tablet.scan(&drawn).await.code(), (403, "badge_void"));
    // Somebody on the roster is not taken off by a tap.
    let head = school.head().await.cookie;
    assert_eq!(school.by_staff(&teacher, "DELETE", &off, Value::Null).await.code(), (403, "forbidden"));
    assert_eq!(school.by_staff(&head, "DELETE", &off, Value::Null).await.code(), (404, "not_found"));
    let lina = format!("/api/v1/people/{}", school.lina.0);
    assert_eq!(school.by_staff(&head, "DELETE", &lina, Value::Null).await.code(), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_substitute_teaches_until_tonight_and_not_a_request_longer() {
    let school = School::open().await;
    let (head, teacher) = (school.head().await.cookie, school.staff().await.cookie);
    let ask = |until: &str| json!({"given_name": "M. Remplaçant", "class_ids": [school.class], "until": until});
    assert_eq!(
        school.by_staff(&teacher, "POST", "/api/v1/substitutes", ask("friday")).await.code(),
        (403, "forbidden")
    );
    assert_eq!(school.by_staff(&teacher, "POST", "/api/v1/substitutes", ask("ever")).await.code(), (400, "malformed"));
    // The head is away: a colleague vouches until tonight, and the head sees it.
    let made = school.by_staff(&teacher, "POST", "/api/v1/substitutes", ask("tonight")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let list = school.by_staff(&head, "GET", "/api/v1/substitutes", Value::Null).await.body;
    assert_eq!((&list[0]["given_name"], &list[0]["classes"]), (&json!("M. Remplaçant"), &json!(["CP A"])));
    assert_eq!(school.by_staff(&teacher, "GET", "/api/v1/substitutes", Value::Null).await.code(), (403, "forbidden"));

    let (badge, pin) = (made.text("payload"), made.text("pin"));
    assert_eq!(school.at_the_page_with(&badge, "").await.code(), (401, "second_factor_required"));
    let opened = school.at_the_page_with(&badge, &pin).await;
    assert_eq!((opened.status, &opened.body["role"]), (201, &json!("teacher")), "{}", opened.body);
    let hers = school.by_staff(&opened.cookie, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(hers.body[0]["name"], "CP A");
    // Her badge is not enough alone on a tablet either.
    let mut tablet = school.tablet("T01").await;
    assert_eq!(tablet.scan(&badge).await.code(), (401, "second_factor_required"));
    // Tonight comes.
    school.clock.pass(12 * 3_600 + 1);
    let late = school.by_staff(&opened.cookie, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(late.code(), (401, "staff_required"));
    assert_eq!(school.at_the_page_with(&badge, &pin).await.code(), (403, "badge_expired"));
    school.app.forget_old().await;
    let head = school.head().await.cookie;
    assert_eq!(school.by_staff(&head, "GET", "/api/v1/substitutes", Value::Null).await.body, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_ends_a_substitute_at_once_even_across_a_restart() {
    let school = School::open().await;
    let head = school.head().await.cookie;
    let ask = json!({"given_name": "Mme R", "class_ids": [school.class], "until": "friday"});
    let made = school.by_staff(&head, "POST", "/api/v1/substitutes", ask).await;
    let (badge, pin) = (made.text("payload"), made.text("pin"));
    let opened = school.at_the_page_with(&badge, &pin).await;
    assert_eq!(opened.status, 201);
    let end = format!("/api/v1/substitutes/{}/end", made.text("person_id"));
    assert_eq!(school.by_staff(&opened.cookie, "POST", &end, Value::Null).await.code(), (403, "forbidden"));
    assert_eq!(school.by_staff(&head, "POST", &end, Value::Null).await.status, 204);
    assert_eq!(school.by_staff(&head, "POST", &end, Value::Null).await.code(), (404, "not_found"));
    let school = school.restart().await;
    let after = school.by_staff(&opened.cookie, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(after.code(), (401, "staff_required"));
    assert_eq!(school.at_the_page_with(&badge, &pin).await.code(), (403, "badge_void"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_of_1970_that_comes_right_sends_nobody_away() {
    let school = School::open().await;
    school.clock.lose();
    assert_eq!(school.app.vitals_now().clock, ClockQuality::Unknown, "said to the DSI too");
    let (head, lina) = (school.head().await.cookie, school.lina.0);
    let ask = json!({"given_name": "Mme R", "class_ids": [school.class], "until": "tonight"});
    let made = school.by_staff(&head, "POST", "/api/v1/substitutes", ask).await;
    let (badge, pin) = (made.text("payload"), made.text("pin"));
    let path = format!("/api/v1/people/{lina}/badges");
    let today = school.by_staff(&head, "POST", &path, json!({"temporary": true})).await.text("payload");
    // In the middle of the morning the box hears what time it is.
    school.clock.find();
    let mut tablet = school.tablet("T01").await;
    assert_eq!(school.at_the_page_with(&badge, &pin).await.status, 201);
    let opened = tablet.scan(&today).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    let order = tablet.sign_out(&opened.text("token")).await;
    assert_eq!(tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    // From then on both have an end like any other.
    school.app.forget_old().await;
    assert_eq!(school.at_the_page_with(&badge, &pin).await.status, 201);
    school.clock.pass(12 * 3_600 + 1);
    assert_eq!(school.at_the_page_with(&badge, &pin).await.code(), (403, "badge_expired"));
    assert_eq!(tablet.scan(&today).await.code(), (403, "badge_expired"));
    school.app.forget_old().await;
    let head = school.head().await.cookie;
    assert_eq!(school.by_staff(&head, "GET", "/api/v1/substitutes", Value::Null).await.body, json!([]));
}
