//! The contract, asked over a real socket: the whole router, a real database, clocks moved by hand.

mod abuse;
mod accounts;
mod agents;
mod charter;
mod frames;
mod newcomers;
mod printed;
mod quiet;
mod revocation;
mod safe;
mod school;
mod second_factor;
mod session_hosts;
mod settings;
mod staff_secrets;
mod training;
mod two_classes;
mod unplugged;
mod work;
mod work_between_boxes;

use preau_shared::{badge::Badge, journal::Entry, keys::dpop::TabletKey, policy::Asker, wire::MAX_BODY_BYTES};
use serde_json::{Value, json};

use self::school::{Device, School, send};
use crate::store::Trouble;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablets_whole_turn() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let opened = tablet.scan(&school.lina.2).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    assert_eq!(opened.body["person"]["given_name"], "Lina");
    assert_eq!((&opened.body["recorded"], &opened.body["expires_in_s"]), (&json!(true), &json!(600)));
    let session = opened.text("token");

    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"));
    let beat = tablet.ask(Some(&session), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
    assert_eq!(beat.body["expires_in_s"], 600);
    let asker = school.app.seats.who_asks("127.0.0.1".parse().expect("ip"), school.app.clock.elapsed());
    assert!(matches!(*asker, Asker::Seated(_)), "{asker:?}");

    let order = tablet.sign_out(&session).await;
    assert_eq!((order.status, order.body["steps"][0]["name"].as_str()), (202, Some("pages")));
    assert_eq!(tablet.sign_out(&session).await.code(), (401, "session_unknown"));
    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"));
    assert_eq!(tablet.me().await.body["wipe"]["wipe_id"], order.body["wipe_id"]);

    let wipe = order.text("wipe_id");
    let lacking = tablet.receipt(&wipe, "failed").await;
    assert_eq!((lacking.code(), &lacking.body["steps"]), ((409, "wipe_incomplete"), &json!(["storage"])));
    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"));
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 204, "a repeated receipt");
    assert_eq!(tablet.scan(&school.noe.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_sit_down_is_told_why() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let stranger = Badge::draw(school.dice.as_ref()).payload();
    for (ask, code) in [
        (json!({"badge": stranger}), (404, "badge_unknown")),
        (json!({"badge": "https://example.org/?' OR 1=1"}), (400, "badge_malformed")),
        (json!({"badge": "A".repeat(60_000)}), (400, "badge_malformed")),
        (json!({"badge": school.teacher.2}), (401, "second_factor_required")),
        (json!({"badge": school.teacher.2, "second_factor": "000000"}), (401, "second_factor_wrong")),
        (json!({"account": "nobody", "password": "x"}), (401, "account_wrong")),
        (json!({"guest": "ab".repeat(16)}), (404, "not_found")),
        (json!({"badges": [school.lina.2, school.lina.2]}), (400, "malformed")),
        (json!({"badge": school.lina.2, "guest": school.class}), (400, "malformed")),
        (json!({}), (400, "malformed")),
        (json!(["x"]), (400, "malformed")),
    ] {
        assert_eq!(tablet.sign_in(ask.clone()).await.code(), code, "{ask}");
    }
    let pair = tablet.sign_in(json!({"badges": [school.lina.2, school.noe.2]})).await;
    assert_eq!((pair.status, pair.body["people"].as_array().map(Vec::len)), (201, Some(2)));
    let mut other = school.tablet("T02").await;
    assert_eq!(other.sign_in(json!({"guest": school.class})).await.code(), (403, "outside_hours"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_come_in_hours_that_an_adult_opens_and_leave_no_name() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let teacher = school.staff().await.cookie;
    let path = format!("/api/v1/classes/{}/guests", school.class);
    assert_eq!(one.me().await.body["guests"], Value::Null);
    for minutes in [0, 361] {
        let asked = school.by_staff(&teacher, "POST", &path, json!({ "minutes": minutes })).await;
        assert_eq!(asked.code(), (400, "malformed"));
    }
    assert_eq!(school.by_staff(&teacher, "POST", &path, json!({"minutes": 90})).await.status, 201);
    assert_eq!(one.me().await.body["guests"][0]["name"], "CP A");
    let opened = one.sign_in(json!({"guest": school.class})).await;
    assert_eq!((opened.status, &opened.body["person"]["level"]), (201, &json!("CP")));
    let class = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    assert_eq!(class.body["guests_for_s"], 5_400);
    // The time is over: nobody new comes. An adult closes: those who sit there leave, and the tablet is cleared.
    school.clock.pass(5_401);
    assert_eq!(two.sign_in(json!({"guest": school.class})).await.code(), (403, "outside_hours"));
    let teacher = school.staff().await.cookie;
    assert_eq!(school.by_staff(&teacher, "POST", &path, json!({"minutes": 1})).await.status, 201);
    let second = two.sign_in(json!({"guest": school.class})).await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert_eq!(school.by_staff(&teacher, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(two.me().await.body["state"], "wiping");
    assert_eq!(two.me().await.body["guests"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sign_ins_on_one_tablet_one_wins_and_a_child_sits_at_one_tablet() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let life = school
        .app
        .reader
        .read(|c| crate::store::tablet_life::by_key(c, &one.key.jwk().thumbprint().expect("key")))
        .expect("read")
        .expect("life");
    let token = preau_shared::keys::sha256(one.token.as_deref().expect("token").as_bytes());
    let bearer = super::bearers::Bearer { tablet: life.tablet, token };
    let ask = |payload: &str| preau_shared::wire::SignIn { badge: Some(payload.into()), ..Default::default() };
    let (a, b) = tokio::join!(
        crate::sign_in::scan::open(&school.app, bearer, ask(&school.lina.2), None),
        crate::sign_in::scan::open(&school.app, bearer, ask(&school.noe.2), None),
    );
    assert!(a.is_ok() != b.is_ok(), "one of {a:?} and {b:?}");
    let winner = if a.is_ok() { &school.lina.2 } else { &school.noe.2 };
    assert_eq!(two.scan(winner).await.status, 201);
    let left = one.me().await;
    assert_eq!(left.body["state"], "wiping", "{}", left.body);
    assert!(left.body["wipe"]["wipe_id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_memory_knows_ends_with_the_tablets_next_enrolment() {
    let school = School::open().await;
    let mut one = school.tablet("T01").await;
    assert_eq!(one.scan("no badge").await.code(), (400, "badge_malformed"));
    let mut anew = school.tablet("T01").await;
    assert_eq!(one.scan(&school.lina.2).await.code(), (401, "tablet_unknown"), "its token was replaced");
    assert_eq!(one.scan("no badge").await.code(), (401, "tablet_unknown"), "nothing is read for it any more");
    assert_eq!(anew.scan(&school.lina.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_odd_is_told_to_the_teacher() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let teacher = school.staff().await.cookie;
    let alerts = async || {
        let path = format!("/api/v1/classes/{}", school.class);
        school.by_staff(&teacher, "GET", &path, Value::Null).await.body["alerts"].clone()
    };
    assert_eq!(one.scan(&school.lina.2).await.status, 201);
    school.clock.pass(120);
    assert_eq!(alerts().await, json!([]));
    assert_eq!(two.scan(&school.lina.2).await.status, 201);
    let twice = json!({"kind": "badge_twice", "given_name": "Lina", "from": "T01", "to": "T02", "ago_s": 0});
    assert_eq!(alerts().await, json!([twice]));
    school.clock.pass(15 * 60);
    assert_eq!(alerts().await, json!([]));
    // Somebody tries and tries; the journal takes the first ones, the teacher hears of it.
    let mut third = school.tablet("T03").await;
    for _ in 0..30 {
        assert_eq!(third.scan(&Badge::draw(school.dice.as_ref()).payload()).await.code(), (404, "badge_unknown"));
    }
    assert_eq!(alerts().await, json!([{"kind": "many_refusals", "tablet": "T03", "count": 30}]));
    let origin =
        preau_shared::replica::shelf::Origin { box_id: preau_shared::ids::BoxId::from_bytes([1; 16]), incarnation: 1 };
    let entries = school.app.reader.read(|c| preau_shared::rig::shelves::entries(c, &school::shelf(), &origin, 0, 200));
    let entries = entries.expect("the journal");
    let refused = |entry: &Entry| matches!(entry, Entry::Refused { code, .. } if code == "badge_unknown");
    assert_eq!(entries.iter().filter(|(_, _, entry)| refused(entry)).count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_are_fresh_and_used_once() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let token = tablet.token.clone().expect("token");
    let me = "/api/v1/tablets/me";
    tablet.nonce = "stale".into();
    assert_eq!(tablet.ask_once(Some(&token), "GET", me, &Value::Null).await.code(), (401, "use_dpop_nonce"));
    assert_eq!(tablet.me().await.status, 200);
    tablet.jti = tablet.jti.wrapping_sub(1);
    assert_eq!(tablet.ask_once(Some(&token), "GET", me, &Value::Null).await.code(), (401, "proof_replayed"));
    school.clock.pass(130);
    assert_eq!(tablet.ask_once(Some(&token), "GET", me, &Value::Null).await.status, 200, "the previous nonce");
    school.clock.pass(250);
    assert_eq!(tablet.ask_once(Some(&token), "GET", me, &Value::Null).await.code(), (401, "use_dpop_nonce"));
    // A stolen token without its key opens nothing.
    let key = TabletKey::generate().expect("key");
    let mut thief = Device { at: school.at, key, nonce: tablet.nonce.clone(), token: Some(token), jti: 0 };
    assert_eq!(thief.me().await.code(), (401, "proof_invalid"));
    thief.token = Some("nonsense".into());
    assert_eq!(thief.me().await.code(), (401, "tablet_unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enrolling_a_dirty_tablet_again_frees_nothing() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let id = tablet.me().await.text("tablet_id");
    let session = tablet.scan(&school.lina.2).await.text("token");
    tablet.key = TabletKey::generate().expect("new key");
    let again = tablet.enrol(&school.code, "T01", "T01").await;
    assert_eq!((again.status, again.text("tablet_id"), again.text("state")), (201, id, "wiping".into()));
    tablet.token = Some(again.text("token"));
    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"));
    assert_eq!(tablet.sign_out(&session).await.code(), (401, "session_unknown"));
    assert_eq!(tablet.receipt(&again.text("wipe_id"), "done").await.status, 204);
    assert_eq!(tablet.scan(&school.noe.2).await.status, 201);
    for n in 0..10 {
        assert_eq!(tablet.enrol("WRONG234", "x", "y").await.code(), (403, "enrolment_closed"), "{n}");
    }
    assert_eq!(tablet.enrol(&school.code, "x", "y").await.code(), (429, "locked_out"));
    school.clock.pass(61);
    assert_eq!(tablet.enrol(&school.code, "x", "T01").await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teacher_lets_in_ends_checks_and_makes_void() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let tablet_id = tablet.me().await.text("tablet_id");
    let class = school.class;
    let path = format!("/api/v1/classes/{class}");
    assert_eq!(school.by_staff("", "GET", &path, Value::Null).await.code(), (401, "staff_required"));
    let page = school.staff().await;
    assert_eq!((page.status, page.body["role"].as_str()), (201, Some("teacher")));
    let cookie = &page.cookie;
    assert!(cookie.starts_with("__Host-preau-staff="));

    let let_in = format!("{path}/let-in");
    let ask = json!({"person_id": school.lina.0, "tablet_id": tablet_id});
    let no_origin = send(school.at, "POST", &let_in, &[("Cookie", cookie)], ask.to_string().as_bytes()).await;
    assert_eq!(no_origin.code(), (403, "forbidden"));
    assert_eq!(school.by_staff(cookie, "POST", &let_in, ask).await.status, 201);
    let me = tablet.me().await;
    let session = me.body["session"]["token"].as_str().expect("a token").to_owned();
    let current = tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!(current.body["person"]["given_name"], "Lina");
    assert_eq!(tablet.me().await.body["session"]["token"], Value::Null, "handed over once");

    let view = school.by_staff(cookie, "GET", &path, Value::Null).await;
    assert_eq!(view.body["pupils"][0]["session"]["tablet_name"], "T01");
    let session_id = current.text("session_id");
    let end = format!("/api/v1/sessions/{session_id}/end");
    assert_eq!(school.by_staff(cookie, "POST", &end, json!({})).await.status, 204);
    assert_eq!(tablet.sign_out(&session).await.code(), (401, "session_unknown"));
    let checked = format!("/api/v1/tablets/{tablet_id}/checked");
    assert_eq!(school.by_staff(cookie, "POST", &checked, json!({})).await.status, 204);
    assert_eq!(tablet.me().await.body["state"], "free");

    let drawn = school
        .by_staff(cookie, "POST", &format!("/api/v1/people/{}/badges", school.lina.0), json!({"temporary": true}))
        .await;
    assert_eq!(drawn.status, 201, "{}", drawn.body);
    let void = format!("/api/v1/badges/{}/void", school.lina.1);
    assert_eq!(school.by_staff(cookie, "POST", &void, json!({"reason": "lost"})).await.status, 204);
    assert_eq!(tablet.scan(&school.lina.2).await.code(), (403, "badge_void"));
    let school = school.restart().await;
    tablet.at = school.at;
    assert_eq!(tablet.scan(&school.lina.2).await.code(), (403, "badge_void"), "after a restart too");
    assert_eq!(tablet.scan(&drawn.text("payload")).await.status, 201);
    assert_eq!(school.by_staff(cookie, "GET", &path, Value::Null).await.status, 200, "the cookie survives");
    school.clock.pass(31 * 60);
    assert_eq!(school.by_staff(cookie, "GET", &path, Value::Null).await.code(), (401, "staff_required"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_session_ends_and_a_live_one_outlasts_a_restart() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let session = tablet.scan(&school.lina.2).await.text("token");
    let school = school.restart().await;
    tablet.at = school.at;
    school.clock.pass(500);
    let beat = tablet.ask(Some(&session), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
    assert_eq!(beat.status, 200);
    school.clock.pass(599);
    school.app.sweep().await;
    assert_eq!(tablet.me().await.body["state"], "in_use");
    school.clock.pass(1);
    school.app.sweep().await;
    assert_eq!(tablet.me().await.body["state"], "wiping");
    assert_eq!(school.app.vitals().expect("vitals").tablets.wiping, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_refused_everywhere() {
    let school = School::open().await;
    let rubbish = vec![b'x'; 5 * 1024 * 1024];
    let id = "ab".repeat(16);
    for path in [
        "/".to_owned(),
        "/nowhere".into(),
        "/api/v1/tablets".into(),
        "/api/v1/tablets/me".into(),
        "/api/v1/sessions".into(),
        "/api/v1/sessions/current".into(),
        "/api/v1/staff/session".into(),
        "/api/v1/events".into(),
        "/api/v1/enrolment-window".into(),
        format!("/api/v1/wipes/{id}/receipt"),
        format!("/api/v1/badges/{id}/void"),
    ] {
        for method in ["POST", "GET", "PUT"] {
            assert_eq!(
                send(school.at, method, &path, &[], &rubbish).await.code(),
                (413, "too_large"),
                "{method} {path}"
            );
        }
    }
    assert!(rubbish.len() > MAX_BODY_BYTES);
    let bad = send(school.at, "POST", "/api/v1/staff/session", &[], b"{\n  \"badge\": }").await;
    assert_eq!((bad.code(), bad.body["line"].as_u64()), ((400, "malformed"), Some(2)));
    assert_eq!(send(school.at, "GET", "/nowhere", &[], b"").await.code(), (404, "not_found"));
    assert_eq!(send(school.at, "DELETE", "/api/v1/classes", &[], b"").await.code(), (405, "method_not_allowed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_fails_classes_go_on_and_nothing_else_is_promised() {
    let school = School::open().await;
    let (mut tablet, mut unused) = (school.tablet("T01").await, school.tablet("T02").await);
    let cookie = school.staff().await.cookie;
    let disk = |works: bool| {
        let app = school.app.clone();
        async move {
            let set =
                move |conn: &rusqlite::Connection| Ok::<_, Trouble>(conn.pragma_update(None, "query_only", !works)?);
            drop(app.writer.commit(set).await);
        }
    };
    disk(false).await;
    let opened = tablet.scan(&school.lina.2).await;
    assert_eq!((opened.status, &opened.body["recorded"]), (201, &json!(false)), "{}", opened.body);
    let session = opened.text("token");
    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"));
    let beat = tablet.ask(Some(&session), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
    assert_eq!(beat.status, 200);
    let void = format!("/api/v1/badges/{}/void", school.noe.1);
    assert_eq!(school.by_staff(&cookie, "POST", &void, json!({})).await.code(), (507, "storage_failed"));
    assert_eq!(tablet.sign_out(&session).await.code(), (507, "storage_failed"));
    assert_eq!(tablet.me().await.body["state"], "wiping");
    assert_eq!(tablet.scan(&school.noe.2).await.code(), (409, "tablet_not_free"), "no wipe, no next child");
    assert!(school.app.vitals().expect("vitals").last_error.is_some());
    assert!(!school.dir.path().join("box.seal").exists());

    disk(true).await;
    school.app.sweep().await;
    assert!(school.dir.path().join("box.seal").exists());
    let owed = tablet.me().await;
    assert_eq!(owed.body["state"], "wiping");
    let wipe = owed.body["wipe"]["wipe_id"].as_str().expect("a wipe").to_owned();
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);
    assert_eq!(tablet.scan(&school.noe.2).await.body["recorded"], true);

    std::fs::remove_file(school.dir.path().join("box.seal")).expect("as after a crash with a failing disk");
    let school = school.restart().await;
    unused.at = school.at;
    assert_eq!(unused.me().await.body["state"], "wiping", "who sat there is not known");
    assert!(unused.me().await.body["wipe"]["wipe_id"].is_string());
}
