//! What staff know: the head resets a teacher without any network, she chooses her own secret, and is in.

use preau_shared::{
    documents::{Edit, Person, Writer as Side, staff},
    journal::CredentialKind,
    rig::shelves::{self, Author},
    time::{ClockQuality, Stamp},
};
use serde_json::{Value, json};

use super::school::{Answer, School, author, phc, send, shelf};
use crate::{
    replica::project::Rows,
    store::{
        Trouble,
        credentials::{self, Credential},
    },
};

const OWN: &str = "le chat dort";

impl School {
    async fn reset(&self, head: &str) -> Answer {
        let path = format!("/api/v1/staff/{}/activation", self.teacher.0);
        self.by_staff(head, "POST", &path, json!({})).await
    }

    async fn choose(&self, badge: &str, code: &str, new: &str) -> Answer {
        let ask = json!({"badge": badge, "second_factor": code, "new_secret": new});
        send(self.at, "POST", "/api/v1/staff/session", &[], ask.to_string().as_bytes()).await
    }

    /// What somebody else wrote arrives.
    async fn written_by(&self, author: Author, edit: Edit) {
        let written =
            move |conn: &_| Ok::<_, Trouble>(shelves::edit(conn, &author, &shelf(), Stamp(0), &edit, &Rows).map(drop)?);
        self.app.writer.commit(written).await.expect("written");
    }

    async fn code_of_the_teacher(&self) -> String {
        let head = self.head().await.cookie;
        let made = self.reset(&head).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("code")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_resets_a_teacher_who_is_signed_in_and_she_chooses_her_own_secret() {
    let school = School::open().await;
    let (head, before) = (school.head().await.cookie, school.staff().await.cookie);
    let badge = school.teacher.2.clone();
    let made = school.reset(&head).await;
    let code = made.text("code");
    assert_eq!((made.status, code.len(), made.text("given_name").as_str()), (201, 8, "Mme A"));
    // At once: her page is closed, what she knew opens nothing.
    let after = school.by_staff(&before, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(after.code(), (401, "staff_required"));
    assert_eq!(school.staff().await.code(), (401, "second_factor_wrong"));
    let listed = school.by_staff(&head, "GET", "/api/v1/staff", Value::Null).await;
    let of = |answer: &Answer, at: usize| answer.body[at]["secret"].as_str().unwrap_or_default().to_owned();
    assert_eq!((of(&listed, 0), of(&listed, 1)), ("given".into(), "waiting".into()), "{}", listed.body);
    // The code alone lets nobody in; a simple secret spends nothing.
    assert_eq!(school.at_the_page_with(&badge, &code).await.code(), (403, "secret_to_choose"));
    for simple in ["123456", "19841984", "court", &code] {
        assert_eq!(school.choose(&badge, &code, simple).await.code(), (422, "secret_too_simple"), "{simple}");
    }
    let entered = school.choose(&badge, &code, OWN).await;
    assert_eq!(entered.status, 201, "{}", entered.body);
    assert_eq!(school.by_staff(&entered.cookie, "GET", "/api/v1/classes", Value::Null).await.status, 200);
    assert_eq!(school.at_the_page_with(&badge, OWN).await.status, 201);
    let listed = school.by_staff(&head, "GET", "/api/v1/staff", Value::Null).await;
    assert_eq!(of(&listed, 1), "own");
    // Her own secret also opens a shared tablet.
    let mut tablet = school.tablet("T01").await;
    assert_eq!(tablet.sign_in(json!({"badge": badge, "second_factor": OWN})).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_holds_for_her_account_too_at_the_page_and_on_a_tablet() {
    let school = School::open().await;
    let (person, login) = (school.teacher.0, "mme.a".to_owned());
    let account = Credential { person, kind: CredentialKind::Account, phc: phc("une phrase"), login };
    let given = school.app.writer.commit(move |conn| Ok::<_, Trouble>(credentials::replace(conn, &account)?));
    given.await.expect("given");
    let enter = async |more: Value| {
        let mut ask = json!({"account": "mme.a"});
        ask.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        send(school.at, "POST", "/api/v1/staff/session", &[], ask.to_string().as_bytes()).await
    };
    assert_eq!(enter(json!({"password": "une phrase"})).await.status, 201);
    let code = school.code_of_the_teacher().await;
    assert_eq!(enter(json!({"password": "une phrase"})).await.code(), (401, "account_wrong"));
    assert_eq!(enter(json!({"password": code, "new_secret": OWN})).await.status, 201);
    assert_eq!(enter(json!({"password": "une phrase"})).await.code(), (401, "account_wrong"));
    assert_eq!(enter(json!({"password": OWN})).await.status, 201);
    let mut tablet = school.tablet("T01").await;
    let old = tablet.sign_in(json!({"account": "mme.a", "password": "une phrase"})).await;
    assert_eq!(old.code(), (401, "account_wrong"));
    assert_eq!(tablet.sign_in(json!({"account": "mme.a", "password": OWN})).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_used_twice_opens_once_also_after_a_restart() {
    let school = School::open().await;
    let (code, badge) = (school.code_of_the_teacher().await, school.teacher.2.clone());
    let both = tokio::join!(school.choose(&badge, &code, OWN), school.choose(&badge, &code, "un autre secret"));
    let opened = [both.0.status, both.1.status].iter().filter(|status| **status == 201).count();
    assert_eq!(opened, 1, "{} {}", both.0.body, both.1.body);
    assert_eq!(school.choose(&badge, &code, OWN).await.code(), (401, "second_factor_wrong"));
    let school = school.restart().await;
    assert_eq!(school.choose(&badge, &code, OWN).await.code(), (401, "second_factor_wrong"));
    assert_eq!(school.at_the_page_with(&badge, &code).await.code(), (401, "second_factor_wrong"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_waits_survives_a_restart_and_a_newer_one_replaces_it() {
    let school = School::open().await;
    let (first, badge) = (school.code_of_the_teacher().await, school.teacher.2.clone());
    let second = school.code_of_the_teacher().await;
    let school = school.restart().await;
    assert_eq!(school.choose(&badge, &first, OWN).await.code(), (401, "second_factor_wrong"));
    assert_eq!(school.choose(&badge, &second, OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wrong_codes_open_nothing() {
    let school = School::open().await;
    let (code, badge) = (school.code_of_the_teacher().await, school.teacher.2.clone());
    let mut locked = 0;
    for n in 0..1_000_u32 {
        let guess = format!("{n:08}");
        let answer = school.choose(&badge, &guess, OWN).await;
        assert!(guess != code && answer.status != 201, "{guess}");
        locked += u32::from(answer.status == 429);
    }
    assert_eq!(locked, 995, "five are heard");
    school.clock.pass(301);
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_head_resets_and_only_teachers() {
    let school = School::open().await;
    let (head, teacher) = (school.head().await.cookie, school.staff().await.cookie);
    let at = |id: String| format!("/api/v1/staff/{id}/activation");
    for (who, whom, expected) in [
        (&teacher, school.head.0, (403, "forbidden")),
        (&teacher, school.teacher.0, (403, "forbidden")),
        (&head, school.head.0, (403, "forbidden")),
        (&head, school.lina.0, (404, "not_found")),
    ] {
        assert_eq!(school.by_staff(who, "POST", &at(whom.to_string()), json!({})).await.code(), expected);
    }
    assert_eq!(school.by_staff(&teacher, "GET", "/api/v1/staff", Value::Null).await.code(), (403, "forbidden"));
    // Ten minutes later the head's secret is asked for again.
    school.clock.pass(600);
    assert_eq!(school.reset(&head).await.code(), (401, "second_factor_required"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_code_opens_no_tablet_and_serves_no_pupil() {
    let school = School::open().await;
    let (code, badge) = (school.code_of_the_teacher().await, school.teacher.2.clone());
    let mut tablet = school.tablet("T01").await;
    let tried = tablet.sign_in(json!({"badge": badge, "second_factor": code})).await;
    assert_eq!(tried.code(), (403, "secret_to_choose"));
    assert_eq!(school.choose(&school.lina.2, &code, OWN).await.code(), (403, "forbidden"));
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_changes_her_own_secret_and_her_other_pages_close() {
    let school = School::open().await;
    let (here, there, badge) = (school.staff().await.cookie, school.staff().await.cookie, school.teacher.2.clone());
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    let path = "/api/v1/staff/secret";
    for (old, new, expected) in [
        ("", OWN, (401, "second_factor_required")),
        ("654321", OWN, (401, "second_factor_wrong")),
        ("123456", "111111", (422, "secret_too_simple")),
        ("123456", "123456", (422, "secret_too_simple")),
    ] {
        assert_eq!(school.by_staff(&here, "PUT", path, change(old, new)).await.code(), expected, "{old} {new}");
    }
    assert_eq!(school.by_staff(&here, "PUT", path, change("123456", OWN)).await.status, 204);
    assert_eq!(school.by_staff(&here, "GET", "/api/v1/classes", Value::Null).await.status, 200);
    assert_eq!(school.by_staff(&there, "GET", "/api/v1/classes", Value::Null).await.code(), (401, "staff_required"));
    assert_eq!(school.staff().await.code(), (401, "second_factor_wrong"));
    assert_eq!(school.at_the_page_with(&badge, OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_ends_after_thirty_days_unless_the_clock_cannot_be_trusted() {
    let school = School::open().await;
    let (code, badge) = (school.code_of_the_teacher().await, school.teacher.2.clone());
    school.clock.pass(31 * 24 * 3_600);
    assert_eq!(school.choose(&badge, &code, OWN).await.code(), (401, "second_factor_wrong"));
    // A clock of 1970, or one that nobody set, is not asked.
    let school = school.restart_with(ClockQuality::Unknown).await;
    school.clock.pass(31 * 24 * 3_600);
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
    // And a code drawn under such a clock is good when the right time is known again.
    let code = school.code_of_the_teacher().await;
    let school = school.restart().await;
    school.clock.pass(366 * 24 * 3_600);
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_at_a_sister_box_closes_her_page_here() {
    let school = School::open().await;
    let (before, badge) = (school.staff().await.cookie, school.teacher.2.clone());
    let code = staff::Kept { number: staff::Number([5; 16]), since: Stamp(0), phc: phc("40913377") };
    let edit = staff::activate(Person::doc(school.teacher.0), &code);
    school.written_by(author(2, Side::Box), edit).await;
    let after = school.by_staff(&before, "GET", "/api/v1/classes", Value::Null).await;
    assert_eq!(after.code(), (401, "staff_required"));
    assert_eq!(school.staff().await.code(), (401, "second_factor_wrong"));
    // And the sister's code is used here.
    assert_eq!(school.choose(&badge, "40913377", OWN).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_coordinator_gives_anew_holds_again() {
    let school = School::open().await;
    let (code, badge, her) = (school.code_of_the_teacher().await, school.teacher.2.clone(), school.teacher.0);
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
    let edit = staff::give(Person::doc(her), staff::Number([9; 16]), Stamp(0));
    school.written_by(author(9, Side::Coordinator), edit).await;
    assert_eq!(school.at_the_page_with(&badge, OWN).await.code(), (401, "second_factor_wrong"));
    assert_eq!(school.staff().await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_for_several_stand_on_paper_alone_and_what_they_knew_is_void() {
    let school = School::open().await;
    let (head, teacher) = (school.head().await.cookie, school.staff().await.cookie);
    let path = "/api/v1/staff/activations";
    let of = |people: &[String]| json!({ "person_ids": people });
    let her = school.teacher.0.to_string();
    for (who, ask, expected) in [
        (&teacher, of(std::slice::from_ref(&her)), (403, "forbidden")),
        (&head, of(&[]), (400, "malformed")),
        (&head, of(&["x".into()]), (400, "malformed")),
        (&head, of(&[her.clone(), school.head.0.to_string()]), (403, "forbidden")),
        (&head, of(&[her.clone(), school.lina.0.to_string()]), (404, "not_found")),
    ] {
        assert_eq!(school.by_staff(who, "POST", path, ask.clone()).await.code(), expected, "{ask}");
    }
    assert_eq!(school.staff().await.status, 201, "of several one is refused: nobody's code is void");
    let printed = school.by_staff(&head, "POST", path, of(&[her])).await;
    assert_eq!(printed.status, 201, "{}", printed.body);
    assert!(printed.bytes.starts_with(b"%PDF-") && printed.head.to_lowercase().contains("preau-codes: 1"));
    assert!(printed.head.to_lowercase().contains("cache-control: no-store"));
    assert_eq!(school.staff().await.code(), (401, "second_factor_wrong"));
    school.clock.pass(600);
    let again = school.by_staff(&head, "POST", path, of(&[school.teacher.0.to_string()])).await;
    assert_eq!(again.code(), (401, "second_factor_required"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_that_was_just_told_is_printed_and_no_other() {
    let school = School::open().await;
    let (head, teacher) = (school.head().await.cookie, school.staff().await.cookie);
    let code = school.code_of_the_teacher().await;
    let path = format!("/api/v1/staff/{}/activation/slip", school.teacher.0);
    let slip = async |who: &str, code: &str| school.by_staff(who, "POST", &path, json!({ "code": code })).await;
    assert_eq!(slip(&teacher, &code).await.code(), (401, "staff_required"), "her page was closed");
    assert_eq!(slip(&head, "00000000").await.code(), (401, "second_factor_wrong"));
    let printed = slip(&head, &code).await;
    assert!(printed.status == 201 && printed.bytes.starts_with(b"%PDF-"), "{}", printed.body);
    // It was not spent by being printed.
    let badge = school.teacher.2.clone();
    assert_eq!(school.choose(&badge, &code, OWN).await.status, 201);
    assert_eq!(slip(&head, &code).await.code(), (401, "second_factor_wrong"), "it is spent");
}
