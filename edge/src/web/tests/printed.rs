//! A badge's whole life at the box: printed, printed again, lost, shown on a screen, typed by its short code.

use preau_shared::{badge::ForeignCode, ids::PersonId, rig::writer::StoreError};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::school::{Answer, Device, School};
use crate::store::badges;

impl School {
    async fn prints(&self, cookie: &str, ask: Value) -> Answer {
        self.by_staff(cookie, "POST", "/api/v1/badges", ask).await
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> T {
        self.app.reader.read(read).expect("read")
    }

    fn lasting(&self, person: PersonId) -> Vec<i64> {
        self.read(|conn| badges::lasting_of(conn, person)).into_iter().map(|(_, series)| series).collect()
    }

    /// A new badge of somebody, as the API gives it to a teacher.
    async fn new_badge(&self, cookie: &str, person: PersonId, temporary: bool) -> Answer {
        let path = format!("/api/v1/people/{person}/badges");
        let drawn = self.by_staff(cookie, "POST", &path, json!({ "temporary": temporary })).await;
        assert_eq!(drawn.status, 201, "{}", drawn.body);
        drawn
    }
}

impl Device {
    /// Scans, and is clean again at once; what the box said.
    async fn tries(&mut self, badge: &str) -> (u16, String) {
        let answer = self.scan(badge).await;
        if answer.status == 201 {
            let order = self.sign_out(&answer.text("token")).await;
            assert_eq!(self.receipt(&order.text("wipe_id"), "done").await.status, 204);
        }
        (answer.status, answer.text("code"))
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const IN: (u16, String) = (201, String::new());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reprint_leaves_the_old_badge_good_until_the_new_one_comes() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let new = school.new_badge(&teacher, school.lina.0, false).await.text("payload");
    assert_eq!(tablet.tries(&school.lina.2).await, IN, "she still has the old one");
    assert_eq!(tablet.tries(&new).await, IN);
    assert_eq!(tablet.tries(&school.lina.2).await, refused(403, "badge_void"));
    assert_eq!(tablet.tries(&new).await, IN);
    let school = school.restart().await;
    tablet.at = school.at;
    assert_eq!(tablet.tries(&school.lina.2).await, refused(403, "badge_void"));
    // A badge for today ends none, and is ended by none.
    let teacher = school.staff().await.cookie;
    let today = school.new_badge(&teacher, school.lina.0, true).await.text("payload");
    assert_eq!((tablet.tries(&today).await, tablet.tries(&new).await, tablet.tries(&today).await), (IN, IN, IN));
    school.clock.pass(12 * 3_600 + 1);
    assert_eq!(tablet.tries(&today).await, refused(403, "badge_expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_forgets_her_badge_every_morning_gets_one_every_morning() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let mut yesterdays = None;
    for morning in 0..6 {
        let teacher = school.staff().await.cookie;
        let today = school.new_badge(&teacher, school.lina.0, true).await.text("payload");
        assert_eq!(tablet.tries(&today).await, IN, "morning {morning}");
        if let Some(old) = yesterdays.replace(today) {
            assert_eq!(tablet.tries(&old).await, refused(403, "badge_void"), "a new one for today ends the last");
        }
        school.clock.pass(24 * 3_600);
    }
    // And whoever loses hers again and again gets another one, too.
    let teacher = school.staff().await.cookie;
    for _ in 0..6 {
        let new = school.new_badge(&teacher, school.lina.0, false).await.text("payload");
        assert_eq!(tablet.tries(&new).await, IN);
    }
    assert_eq!(school.lasting(school.lina.0).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_is_printed_and_a_mass_loss_is_one_act() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let class = json!({"class_id": school.class});
    for printed in [school.prints(&teacher, class.clone()).await, school.prints(&teacher, class.clone()).await] {
        assert_eq!(printed.status, 201, "{}", printed.body);
        assert!(printed.bytes.starts_with(b"%PDF"));
    }
    assert_eq!(school.lasting(school.lina.0), [0, 1, 2]);
    // One more: what is in her hand and the last prints stay, not an endless pile.
    assert_eq!(school.prints(&teacher, class).await.status, 201);
    assert_eq!(school.lasting(school.lina.0), [0, 2, 3]);
    assert_eq!(tablet.tries(&school.lina.2).await, IN);

    let everybody = json!({"lost": true});
    assert_eq!(school.prints(&teacher, everybody.clone()).await.code(), (403, "forbidden"));
    let head = school.head().await.cookie;
    let printed = school.prints(&head, everybody).await;
    assert_eq!((printed.status, printed.bytes.starts_with(b"%PDF")), (201, true));
    for badge in [&school.lina.2, &school.noe.2] {
        assert_eq!(tablet.tries(badge).await, refused(403, "badge_void"));
    }
    assert_eq!((school.lasting(school.lina.0), school.lasting(school.noe.0)), (vec![4], vec![4]));
    assert_eq!(school.lasting(school.teacher.0), [0], "staff have theirs from the DSI");

    let log = school.by_staff(&head, "GET", "/api/v1/badges/prints", Value::Null).await.body;
    assert_eq!((&log[0]["by"], &log[0]["count"], &log[0]["lost"]), (&json!("M. B"), &json!(2), &json!(true)));
    assert_eq!((&log[1]["by"], &log[1]["class"]), (&json!("Mme A"), &json!("CP A")));
    let hers = school.by_staff(&teacher, "GET", "/api/v1/badges/prints", Value::Null).await.body;
    assert_eq!(hers.as_array().map(Vec::len), Some(3), "her own prints");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printing_weighs_enough_to_ask_for_the_pin_again_and_has_its_bounds() {
    let school = School::open().await;
    let teacher = school.staff().await.cookie;
    school.clock.pass(301);
    let class = json!({"class_id": school.class});
    assert_eq!(school.prints(&teacher, class).await.code(), (401, "second_factor_required"));
    let with = |mut ask: Value, pin: &str| {
        ask["second_factor"] = json!(pin);
        ask
    };
    let wrong = school.prints(&teacher, with(json!({"class_id": school.class}), "000000")).await;
    assert_eq!(wrong.code(), (401, "second_factor_wrong"));
    let one =
        school.prints(&teacher, with(json!({"person_id": school.noe.0, "labels": true, "used": 4}), "123456")).await;
    assert_eq!(one.status, 201, "{}", one.body);
    for (ask, code) in [
        (json!({"class_id": "ab".repeat(16)}), (404, "not_found")),
        (json!({"person_id": school.teacher.0}), (403, "forbidden")),
        (json!({"person_id": school.noe.0, "class_id": school.class}), (400, "malformed")),
        (json!({"class_id": "x"}), (400, "malformed")),
    ] {
        assert_eq!(school.prints(&teacher, with(ask.clone(), "123456")).await.code(), code, "{ask}");
    }
    // Two at once: the second is told to come back.
    let held = school.app.printer.try_acquire().expect("free");
    assert_eq!(
        school.prints(&teacher, with(json!({"class_id": school.class}), "123456")).await.code(),
        (503, "overloaded")
    );
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ents_own_code_signs_in_once_a_teacher_has_said_whose_it_is() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let hers = ForeignCode::of("https://ent.example/qr?jeton=0123456789").said();
    assert_eq!(tablet.tries(&hers).await, refused(404, "badge_unknown"));
    let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    let alert = class.body["alerts"][0].clone();
    assert_eq!((&alert["kind"], &alert["tablet"]), (&json!("unknown_code"), &json!("T01")));
    let learn = async |person: PersonId| {
        let ask = json!({ "tablet_id": alert["tablet_id"] });
        school.by_staff(&teacher, "POST", &format!("/api/v1/people/{person}/codes"), ask).await
    };
    assert_eq!(learn(school.teacher.0).await.code(), (403, "forbidden"), "staff");
    let learned = learn(school.lina.0).await;
    assert_eq!(learned.status, 201, "{}", learned.body);
    assert_eq!(learn(school.noe.0).await.code(), (404, "not_found"), "said once");
    assert_eq!(tablet.tries(&hers).await, IN);
    // It stands beside badges of ours: a reprint does not end it, nor the loss of a badge.
    let printed = school.prints(&teacher, json!({"person_id": school.lina.0, "lost": true})).await;
    assert_eq!(printed.status, 201);
    assert_eq!(tablet.tries(&school.lina.2).await, refused(403, "badge_void"));
    assert_eq!(tablet.tries(&hers).await, IN);
    let void = format!("/api/v1/badges/{}/void", learned.text("badge_id"));
    assert_eq!(school.by_staff(&teacher, "POST", &void, Value::Null).await.status, 204);
    assert_eq!(tablet.tries(&hers).await, refused(403, "badge_void"));
    assert_eq!(tablet.tries("ext:AAAA").await, refused(400, "badge_malformed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_code_opens_on_an_enrolled_tablet_and_is_not_to_be_guessed() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let drawn = school.new_badge(&teacher, school.lina.0, true).await;
    assert!(drawn.text("drawing").contains("<svg"), "{}", drawn.body);
    let short = drawn.text("short_code");
    assert_eq!(short.len(), 9, "{short}");
    assert_eq!(tablet.tries(&short.to_lowercase()).await, IN);
    assert_eq!(tablet.tries(&short.replace(' ', "")).await, IN);
    let badge_id = drawn.text("badge_id");
    assert_eq!(tablet.tries("BBBB BBBB").await, refused(404, "badge_unknown"));
    assert_eq!(tablet.tries("BBBB BBB").await, refused(400, "badge_malformed"));
    let void = school.by_staff(&teacher, "POST", &format!("/api/v1/badges/{badge_id}/void"), Value::Null).await;
    assert_eq!(void.status, 204);
    assert_eq!(tablet.tries(&short).await, refused(403, "badge_void"));
    // Guessing: after some tries the tablet takes no more short codes for a while; cards go on.
    let mut last = IN;
    for n in 0..35_u8 {
        last = tablet.tries(&format!("CCCC CC{}{}", char::from(b'A' + n / 20), char::from(b'A' + n % 20))).await;
    }
    assert_eq!(last, refused(429, "locked_out"));
    assert_eq!(tablet.tries(&school.lina.2).await, IN);
    let mut other = school.tablet("T02").await;
    assert_eq!(other.tries("CCCC CCCC").await, refused(404, "badge_unknown"), "another tablet is not locked");
}
