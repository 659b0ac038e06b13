//! What children, thieves and accidents do with badges, each by name.

use preau_shared::{
    badge::Badge,
    documents::{self, Person},
    ids::{BadgeId, PersonId},
    keys::dpop::TabletKey,
    wire::Role,
};
use serde_json::{Value, json};

use super::school::{BADGE_KEY, Device, School};

impl School {
    /// The coordinator tells of a pupil of this name, with a badge; she is in no class yet.
    async fn knows(&self, n: u8, given_name: &str) -> (PersonId, BadgeId, String) {
        let (id, badge) = (PersonId::from_bytes([n; 16]), Badge::draw(self.dice.as_ref()));
        let person = Person {
            id,
            pseudonym: [n; 16],
            given_name: given_name.into(),
            family_name: "X".into(),
            role: Role::Pupil,
            level: "CP".into(),
            animal: "loutre".into(),
            deleted: false,
        };
        let document = documents::Badge {
            id: BadgeId::from_bytes([n; 16]),
            person: id,
            hash: badge.keyed_hash(&BADGE_KEY),
            void: false,
            void_reason: String::new(),
            expires: None,
            series: 0,
            short: None,
        };
        self.coordinator_writes(person.edit()).await;
        self.coordinator_writes(document.edit()).await;
        (id, BadgeId::from_bytes([n; 16]), badge.payload())
    }

    async fn joins(&self, person: PersonId) {
        self.coordinator_writes(documents::class::join(self.class, person)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photographed_badge_opens_nothing_on_a_telephone() {
    let school = School::open().await;
    let key = TabletKey::generate().expect("key");
    let mut telephone = Device { at: school.at, key, nonce: String::new(), token: Some("x".repeat(43)), jti: 1 };
    assert_eq!(telephone.scan(&school.lina.2).await.code(), (401, "tablet_unknown"));
    telephone.token = None;
    assert_eq!(telephone.scan(&school.lina.2).await.code(), (401, "tablet_unknown"));
    // On a tablet of the school it opens, and the teacher sees where; the true holder's scan ends it at once.
    let (mut thief, mut hers) = (school.tablet("T01").await, school.tablet("T02").await);
    let stolen = thief.scan(&school.lina.2).await.text("token");
    assert_eq!(hers.scan(&school.lina.2).await.status, 201);
    let beat = thief.ask(Some(&stolen), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
    assert_eq!(beat.code(), (401, "session_unknown"));
    assert_eq!(thief.me().await.body["state"], "wiping");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_badge_of_an_absent_pupil_is_seen_by_the_teacher() {
    let school = School::open().await;
    let mut tablet = school.tablet("T07").await;
    assert_eq!(tablet.scan(&school.noe.2).await.status, 201);
    let teacher = school.staff().await.cookie;
    let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    let pupils = class.body["pupils"].as_array().cloned().unwrap_or_default();
    let noe = pupils.iter().find(|p| p["given_name"] == "Noé").expect("on the list");
    assert_eq!(noe["session"]["tablet_name"], "T07");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_badge_of_another_school_is_unknown_and_one_of_no_class_is_told_so() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let elsewhere = Badge::draw(school.dice.as_ref()).payload();
    assert_eq!(tablet.scan(&elsewhere).await.code(), (404, "badge_unknown"));
    let moved = school.knows(40, "Zoé").await;
    assert_eq!(tablet.scan(&moved.2).await.code(), (403, "not_enrolled_here"));
    school.joins(moved.0).await;
    assert_eq!(tablet.scan(&moved.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_years_badge_is_void_and_a_twins_badge_is_the_twins() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let (one, two) = (school.knows(41, "Adam").await, school.knows(42, "Adam").await);
    school.joins(one.0).await;
    school.joins(two.0).await;
    let opened = tablet.scan(&two.2).await;
    assert_eq!(opened.body["person"]["person_id"], json!(two.0), "one name, two children");
    let order = tablet.sign_out(&opened.text("token")).await;
    assert_eq!(tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    // The new year's print: all the old ones are over at once.
    let head = school.head().await.cookie;
    assert_eq!(school.by_staff(&head, "POST", "/api/v1/badges", json!({"lost": true})).await.status, 201);
    for old in [&one.2, &two.2, &school.lina.2] {
        assert_eq!(tablet.scan(old).await.code(), (403, "badge_void"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_codes_are_no_badges() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let controls: String = (0_u8..32).map(char::from).collect();
    let full = "A".repeat(4_296);
    for text in [
        "",
        "javascript:alert(1)",
        "WIFI:T:WPA;S:ecole;P:secret;;",
        "https://example.org/?x=' OR 1=1 --",
        "'; DROP TABLE badges; --",
        controls.as_str(),
        "\u{202e}ABCD",
        "ＡＢＣＤ ＥＦＧＨ",
        full.as_str(),
        &"é".repeat(64),
    ] {
        assert_eq!(tablet.scan(text).await.code(), (400, "badge_malformed"), "{text:?}");
    }
    assert_eq!(tablet.scan(&"A".repeat(1_000_000)).await.code(), (413, "too_large"));
    assert_eq!(tablet.scan(&school.lina.2).await.status, 201, "and nothing is broken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_replayed_from_another_tablet_and_two_tablets_with_one_key() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let session = one.scan(&school.lina.2).await.text("token");
    let taken = two.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!(taken.code(), (401, "proof_invalid"));
    // A copied key is the same tablet: whoever enrols with it last is believed, and the first one is out.
    let id = one.me().await.text("tablet_id");
    std::mem::swap(&mut one.key, &mut two.key);
    let again = two.enrol(&school.code, "T09", "another serial").await;
    assert_eq!((again.status, again.text("tablet_id")), (201, id));
    std::mem::swap(&mut one.key, &mut two.key);
    assert_eq!(one.me().await.code(), (401, "tablet_unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teachers_badge_in_a_pupils_hand_is_not_enough_after_a_thousand_pins() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    assert_eq!(tablet.scan(&school.teacher.2).await.code(), (401, "second_factor_required"));
    let (mut wrong, mut locked) = (0, 0);
    for n in 0..1_000 {
        let ask = json!({"badge": school.teacher.2, "second_factor": format!("{:06}", 122_900 + n)});
        match tablet.sign_in(ask).await.code() {
            (401, "second_factor_wrong") => wrong += 1,
            (429, "locked_out") => locked += 1,
            other => panic!("try {n}: {other:?}"),
        }
    }
    // The right one, 123456, was among them: too late for whoever guesses.
    assert_eq!((wrong, locked), (5, 995));
    assert_eq!(school.staff().await.code(), (429, "locked_out"), "at her page neither, for a while");
    school.clock.pass(301);
    assert_eq!(school.staff().await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_every_sort_are_shown_as_they_are() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let long = "Maximilien-Alexandre ".repeat(4);
    for (n, name) in
        ["Œdipe", "D’Arcy N'Golo", "محمد", "李娜", "Zoe\u{301}", "ﬁona", long.trim()].into_iter().enumerate()
    {
        let pupil = school.knows(50 + u8::try_from(n).expect("few"), name).await;
        school.joins(pupil.0).await;
        let opened = tablet.scan(&pupil.2).await;
        assert_eq!(opened.body["person"]["given_name"], name);
        let order = tablet.sign_out(&opened.text("token")).await;
        assert_eq!(tablet.receipt(&order.text("wipe_id"), "done").await.status, 204);
    }
    let teacher = school.staff().await.cookie;
    let printed = school.by_staff(&teacher, "POST", "/api/v1/badges", json!({"class_id": school.class})).await;
    assert_eq!((printed.status, printed.bytes.starts_with(b"%PDF")), (201, true), "and on paper");
}
