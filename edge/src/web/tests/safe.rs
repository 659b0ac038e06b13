//! The head forgot her secret and the Internet is down: the envelope in the safe opens, once, at a box just plugged in.

use preau_shared::{
    documents::{Person, Writer as Side, safe, staff},
    journal::Entry,
    rig::shelves,
    staff_codes::SafeCode,
    time::{ClockQuality, Stamp},
};
use serde_json::{Value, json};

use super::school::{Answer, School, author, phc, send, shelf};
use crate::{replica::project::Rows, store::Trouble};

const CODE: &str = "ABCD EFGH IJKL";
const OWN: &str = "le chat dort";
/// Long after the plug was put in.
const DAYS: u64 = 3 * 24 * 3_600;

impl School {
    /// The coordinator puts this code into the safe.
    async fn in_safe(&self, number: u8, code: &str) {
        let plain = SafeCode::parse(code).expect("a code");
        let number = staff::Number([number; 16]);
        let code = staff::Kept { number, since: Stamp(1), phc: phc(plain.as_str()) };
        self.coordinator_writes(safe::put_in_safe(Person::doc(self.head.0), &code)).await;
    }

    async fn with_envelope(&self, code: &str, new: Option<&str>) -> Answer {
        let ask = json!({"code": code, "new_secret": new});
        send(self.at, "POST", "/api/v1/safe-code", &[], ask.to_string().as_bytes()).await
    }

    async fn safe(&self) -> Answer {
        send(self.at, "GET", "/api/v1/safe-code", &[], b"").await
    }

    fn audited(&self) -> Vec<String> {
        let origin = self.app.author.origin;
        let entries = self.app.reader.read(|conn| shelves::entries(conn, &shelf(), &origin, 0, 1_000));
        let entries = entries.expect("entries");
        let said = entries
            .into_iter()
            .filter_map(|(_, _, entry)| if let Entry::Audit { what, .. } = entry { Some(what) } else { None });
        said.collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_envelope_opens_nothing_unless_the_plug_was_just_put_in() {
    let school = School::open().await;
    assert_eq!(school.safe().await.body, json!({"there": false, "opens_for_s": 600}));
    school.in_safe(1, CODE).await;
    school.clock.runs_for(DAYS);
    assert_eq!(school.safe().await.body, json!({"there": true, "opens_for_s": null}));
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (403, "safe_closed"));
    // A restart of the program alone is no act: the machine goes on.
    let school = school.restart().await;
    school.clock.runs_for(DAYS);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (403, "safe_closed"));
    // The plug: ten minutes, by the machine's own count.
    school.clock.runs_for(599);
    assert_eq!(school.safe().await.body["opens_for_s"], 1);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.status, 201);
    school.clock.runs_for(600);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (403, "safe_closed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_act_and_the_code_the_head_chooses_her_secret_and_all_hear_of_it() {
    let school = School::open().await;
    let (before, teacher) = (school.head().await.cookie, school.staff().await.cookie);
    school.in_safe(1, CODE).await;
    school.clock.runs_for(90);
    // The code alone lets nobody in; a simple secret spends nothing.
    assert_eq!(school.with_envelope(CODE, None).await.code(), (403, "secret_to_choose"));
    for simple in ["123456", "court", CODE] {
        assert_eq!(school.with_envelope(CODE, Some(simple)).await.code(), (422, "secret_too_simple"), "{simple}");
    }
    let entered = school.with_envelope("abcd-efgh-ijkl", Some(OWN)).await;
    assert_eq!((entered.status, entered.text("given_name").as_str()), (201, "M. B"), "{}", entered.body);
    assert_eq!(school.by_staff(&entered.cookie, "GET", "/api/v1/staff", Value::Null).await.status, 200, "as the head");
    // What she knew, and the page that stood open, are void.
    assert_eq!(school.head().await.code(), (401, "second_factor_wrong"));
    let closed = school.by_staff(&before, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(closed.code(), (401, "staff_required"));
    assert_eq!(school.at_the_page_with(&school.head.2, OWN).await.status, 201);
    // The code is spent.
    assert_eq!(school.safe().await.body["there"], false);
    assert_eq!(school.with_envelope(CODE, Some("un autre secret")).await.code(), (401, "safe_code_wrong"));
    let audited = school.audited();
    assert!(audited.iter().any(|what| what.starts_with("the code of the safe used")), "{audited:?}");
    // Each of the staff is told until she says that she saw it.
    for cookie in [&teacher, &entered.cookie] {
        let path = "/api/v1/safe-code/uses";
        let told = school.by_staff(cookie, "GET", path, Value::Null).await;
        assert_eq!(told.body[0]["given_name"], "M. B", "{}", told.body);
        let number = told.body[0]["number"].as_str().expect("a number").to_owned();
        // A new envelope hides nothing.
        school.in_safe(2, "MNOP QRST UVWX").await;
        assert_eq!(school.by_staff(cookie, "GET", path, Value::Null).await.body, told.body);
        assert_eq!(school.by_staff(cookie, "POST", &format!("{path}/{number}/seen"), json!({})).await.status, 204);
        assert_eq!(school.by_staff(cookie, "GET", path, Value::Null).await.body, json!([]));
    }
    for nobodys in ["x", "00", &"0".repeat(32)] {
        let path = format!("/api/v1/safe-code/uses/{nobodys}/seen");
        let status = school.by_staff(&teacher, "POST", &path, json!({})).await.status;
        assert!([204, 404].contains(&status), "{nobodys}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_code_stays_used_after_a_restart_and_a_new_envelope_voids_the_old() {
    let school = School::open().await;
    school.in_safe(1, CODE).await;
    let both = tokio::join!(school.with_envelope(CODE, Some(OWN)), school.with_envelope(CODE, Some("un autre secret")));
    let opened = [both.0.status, both.1.status].iter().filter(|status| **status == 201).count();
    assert_eq!(opened, 1, "{} {}", both.0.body, both.1.body);
    let school = school.restart().await;
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (401, "safe_code_wrong"));
    school.in_safe(2, "MNOP QRST UVWX").await;
    school.in_safe(3, "YZ23 4567 ABCD").await;
    assert_eq!(school.with_envelope("MNOP QRST UVWX", Some(OWN)).await.code(), (401, "safe_code_wrong"));
    assert_eq!(school.with_envelope("YZ23 4567 ABCD", Some("encore un autre")).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_hears_of_the_use_from_a_sister_or_the_coordinator_takes_the_code_no_more() {
    // The same holds for one restored from a backup, from its first contact on.
    let school = School::open().await;
    let before = school.head().await.cookie;
    school.in_safe(1, CODE).await;
    let secret = staff::Kept { number: staff::Number([8; 16]), since: Stamp(5), phc: phc(OWN) };
    let edit = safe::use_safe_code(Person::doc(school.head.0), staff::Number([1; 16]), &secret);
    let sister = author(2, Side::Box);
    let told = school.app.writer.commit(move |conn| {
        Ok::<_, Trouble>(shelves::edit(conn, &sister, &shelf(), Stamp(0), &edit, &Rows).map(drop)?)
    });
    told.await.expect("told");
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (401, "safe_code_wrong"));
    assert_eq!(school.at_the_page_with(&school.head.2, OWN).await.status, 201);
    let closed = school.by_staff(&before, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(closed.code(), (401, "staff_required"), "her page here is closed, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_are_counted_slowed_and_journalled_and_never_lock_for_good() {
    let school = School::open().await;
    school.in_safe(1, CODE).await;
    let mut heard = 0;
    for n in 0..50_u32 {
        let answer = school.with_envelope(&format!("ABCD EFGH I{n:03}"), Some(OWN)).await;
        assert!([401, 429].contains(&answer.status), "{}", answer.body);
        heard += u32::from(answer.status == 401);
    }
    assert_eq!(heard, 5);
    assert_eq!(school.audited().iter().filter(|what| what.contains("wrong code of the safe")).count(), 5);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (429, "locked_out"));
    school.clock.pass(61);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_system_tells_nothing_the_programs_own_time_counts_and_a_lost_clock_keeps_nobody_out() {
    let school = School::open().await.restart_with(ClockQuality::Unknown).await;
    school.in_safe(1, CODE).await;
    school.clock.pass(600);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (403, "safe_closed"));
    let school = school.restart_with(ClockQuality::Unknown).await;
    school.clock.lose();
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.status, 201);
    let told = school.by_staff(&school.staff().await.cookie, "GET", "/api/v1/safe-code/uses", Value::Null).await;
    assert_eq!((&told.body[0]["given_name"], &told.body[0]["at_ms"]), (&json!("M. B"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_is_a_heads_alone() {
    let school = School::open().await;
    let code = staff::Kept { number: staff::Number([1; 16]), since: Stamp(1), phc: phc("ABCDEFGHIJKL") };
    school.coordinator_writes(safe::put_in_safe(Person::doc(school.teacher.0), &code)).await;
    assert_eq!(school.safe().await.body["there"], false);
    assert_eq!(school.with_envelope(CODE, Some(OWN)).await.code(), (401, "safe_code_wrong"));
    for malformed in [&b"{}"[..], b"[]", b"{\"code\": 7}", b"\xff"] {
        let answer = send(school.at, "POST", "/api/v1/safe-code", &[], malformed).await;
        assert_eq!(answer.code(), (400, "malformed"));
    }
}
