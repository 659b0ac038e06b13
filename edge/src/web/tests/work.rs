//! What a child keeps: hers at every tablet, nobody else's, and never lost once it is acknowledged.

use std::{fs, path::PathBuf};

use preau_shared::{
    documents::{Edit, Person, Scalar},
    ids::{PersonId, WorkId},
    replica::Tombstone,
    rig::shelves::Project as _,
    time::Stamp,
    wire::Role,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::school::{Answer, Device, School, shelf};
use crate::{
    replica::project::Rows,
    store::{Trouble, work},
    work::{MAX_PERSON_BYTES, MAX_WORK_BYTES, UNDO, tidy},
};

const DRAWING: &[u8] = b"\x89PNG a cat with five legs";

impl Device {
    async fn opens(&mut self, asked: Value) -> String {
        let opened = self.sign_in(asked).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        opened.text("token")
    }

    pub(super) async fn keeps(&mut self, session: &str, name: &str, kind: &str, bytes: &[u8]) -> Answer {
        let path = format!("/api/v1/work/{name}");
        loop {
            let answer = self.send_once(Some(session), ("PUT", &path), &[("Content-Type", kind)], bytes).await;
            self.nonce = answer.nonce.clone();
            if answer.body["code"] != "use_dpop_nonce" {
                return answer;
            }
        }
    }

    async fn work(&mut self, session: &str, method: &str, name: &str) -> Answer {
        self.ask(Some(session), method, &format!("/api/v1/work/{name}"), Value::Null).await
    }

    /// Names of what she finds, and of what she can have back.
    pub(super) async fn finds_works(&mut self, session: &str) -> (Vec<String>, Vec<String>) {
        let list = self.ask(Some(session), "GET", "/api/v1/work", Value::Null).await;
        assert_eq!(list.status, 200, "{}", list.body);
        let works = list.body["works"].as_array().expect("works").iter();
        let former = list.body["former"].as_array().expect("former").iter();
        let text = |value: &Value| value.as_str().expect("a name").to_owned();
        (works.map(|work| text(&work["name"])).collect(), former.map(text).collect())
    }
}

impl School {
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("work")).expect("the folder");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        files
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_she_keeps_is_hers_at_every_tablet_and_after_a_restart() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let session = one.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(one.finds_works(&session).await, (vec![], vec![]));
    let kept = one.keeps(&session, "mon%20chat.png", "image/png", DRAWING).await;
    assert_eq!((kept.status, kept.text("name")), (201, "mon chat.png".into()));
    school.clock.pass(60);
    let list = one.ask(Some(&session), "GET", "/api/v1/work", Value::Null).await;
    assert_eq!(
        list.body["works"],
        json!([{"name": "mon chat.png", "kind": "image", "media_type": "image/png", "size_bytes": DRAWING.len(),
                "kept_age_s": 60, "delivery": "waiting", "on_one_disk": true, "arriving": false}])
    );
    assert_eq!(school.app.vitals().expect("vitals").unsynced_files, 1);
    one.leaves(&session).await;
    assert_eq!(one.work(&session, "GET", "mon%20chat.png").await.code(), (401, "session_unknown"), "at once");

    // The next pupil at that tablet.
    let his = one.opens(json!({"badge": school.noe.2})).await;
    assert_eq!(one.finds_works(&his).await, (vec![], vec![]));
    for method in ["GET", "DELETE"] {
        assert_eq!(one.work(&his, method, "mon%20chat.png").await.code(), (404, "not_found"));
    }
    assert_eq!(one.work(&his, "POST", "mon%20chat.png/restore").await.code(), (404, "not_found"));

    let school = school.restart().await;
    school.app.forget_old().await;
    two.at = school.at;
    let hers = two.opens(json!({"badge": school.lina.2})).await;
    let given = two.work(&hers, "GET", "mon%20chat.png").await;
    assert_eq!((given.status, given.bytes.as_slice()), (200, DRAWING));
    for line in ["content-type: image/png", "x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(given.head.contains(line), "{line}: {}", given.head);
    }
    assert!(given.head.contains("content-disposition: inline; filename*=UTF-8''mon%20chat.png"), "{}", given.head);
    assert!(given.head.contains("content-security-policy: sandbox; default-src 'none'"), "{}", given.head);
    // A page among the works is bytes, and never a page.
    assert_eq!(two.keeps(&hers, "page.html", "text/html", b"<script>").await.status, 201);
    let page = two.work(&hers, "GET", "page.html").await;
    assert!(page.head.contains("content-type: application/octet-stream"), "{}", page.head);
    assert!(page.head.contains("content-disposition: attachment"), "{}", page.head);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_replaced_or_taken_away_can_be_had_back_until_tomorrow() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let session = tablet.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(tablet.keeps(&session, "texte", "text/plain", b"one").await.status, 201);
    assert_eq!(tablet.keeps(&session, "texte", "text/plain", b"two").await.status, 204);
    assert_eq!(tablet.finds_works(&session).await, (vec!["texte".into()], vec!["texte".into()]));
    for (expected, now) in [(204, b"one"), (204, b"two")] {
        assert_eq!(tablet.work(&session, "POST", "texte/restore").await.status, expected);
        assert_eq!(tablet.work(&session, "GET", "texte").await.bytes, now);
    }
    // The one before the last goes, from the disk too.
    assert_eq!(tablet.keeps(&session, "texte", "text/plain", b"three").await.status, 204);
    assert_eq!(school.files().len(), 2);
    assert_eq!(tablet.work(&session, "DELETE", "texte").await.status, 204);
    assert_eq!(tablet.work(&session, "GET", "texte").await.code(), (404, "not_found"));
    assert_eq!(tablet.finds_works(&session).await, (vec![], vec!["texte".into()]));
    assert_eq!(tablet.work(&session, "POST", "texte/restore").await.status, 204);
    assert_eq!(tablet.work(&session, "GET", "texte").await.bytes, b"three");
    assert_eq!(tablet.work(&session, "DELETE", "texte").await.status, 204);
    tidy(&school.app).await.expect("tidy");
    assert_eq!(school.files().len(), 1, "not yet");
    school.clock.pass(UNDO.as_secs() + 1);
    tidy(&school.app).await.expect("tidy");
    assert_eq!(school.files().len(), 0);
    let session = tablet.me().await;
    assert_eq!(session.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_keeps_for_each_and_sees_nothing_that_is_ones_own() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let session = one.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(one.keeps(&session, "secret.txt", "text/plain", b"hers").await.status, 201);
    one.leaves(&session).await;

    let pair = one.opens(json!({"badges": [school.lina.2, school.noe.2]})).await;
    assert_eq!(one.finds_works(&pair).await, (vec![], vec![]));
    assert_eq!(one.work(&pair, "GET", "secret.txt").await.code(), (404, "not_found"));
    assert_eq!(one.work(&pair, "DELETE", "secret.txt").await.code(), (404, "not_found"));
    // Under a name that one of them has: nothing of hers is replaced.
    let kept = one.keeps(&pair, "secret.txt", "text/plain", b"both").await;
    assert_eq!((kept.status, kept.text("name")), (201, "secret (2).txt".into()));
    assert_eq!(one.keeps(&pair, "secret%20(2).txt", "text/plain", b"both again").await.status, 204);
    assert_eq!(one.finds_works(&pair).await.0, ["secret (2).txt"]);
    one.leaves(&pair).await;

    let hers = one.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(one.work(&hers, "GET", "secret.txt").await.bytes, b"hers");
    let his = two.opens(json!({"badge": school.noe.2})).await;
    assert_eq!(two.finds_works(&his).await.0, ["secret (2).txt"]);
    // What she does with hers is not done to his.
    assert_eq!(one.work(&hers, "DELETE", "secret%20(2).txt").await.status, 204);
    assert_eq!(two.work(&his, "GET", "secret%20(2).txt").await.bytes, b"both again");
    erase(&school, school.lina.0).await;
    assert_eq!(two.work(&his, "GET", "secret%20(2).txt").await.bytes, b"both again", "erasing her leaves him his");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_kept_is_said_and_leaves_nothing() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let session = tablet.opens(json!({"badge": school.lina.2})).await;
    let long = "x".repeat(81);
    for name in ["%2e%2e%2fbox.db", "a%5Cb", "a%00b", "a%0Ab", "%E2%80%AEgnp.exe", "%20", long.as_str(), "%ff"] {
        assert_eq!(tablet.keeps(&session, name, "text/plain", b"x").await.code(), (400, "malformed"), "{name}");
    }
    let large = vec![7; usize::try_from(MAX_WORK_BYTES).expect("size") + 1];
    assert_eq!(tablet.keeps(&session, "film", "video/mp4", &large).await.code(), (413, "too_large"));
    assert_eq!(tablet.keeps("nobody", "film", "video/mp4", &large).await.code(), (401, "session_unknown"));
    assert_eq!(school.files(), Vec::<PathBuf>::new());
    assert_eq!(tablet.keeps(&session, "film", "video/mp4", &large[1..]).await.status, 201, "as large as it may be");
    for name in ["%D8%B3%D9%84%D8%A7%D9%85", "%F0%9F%A6%8A", "l%E2%80%99%C5%93uvre"] {
        assert_eq!(tablet.keeps(&session, name, "text/plain", b"x").await.status, 201, "{name}");
    }
    // Her share is full: what she took away gives way, what she has does not.
    assert_eq!(tablet.work(&session, "DELETE", "film").await.status, 204);
    let (lina, file) = (school.lina.0, WorkId::draw(school.dice.as_ref()));
    let most = work::Work {
        file,
        name: "most".into(),
        media: "video/mp4".into(),
        size_bytes: MAX_PERSON_BYTES - 10,
        kept: Stamp(0),
        sha256: None,
        here: true,
        copied: false,
    };
    school.app.commit(move |conn, book| Ok(work::add(conn, book, lina, &most)?)).await.expect("planted");
    assert_eq!(tablet.keeps(&session, "small", "text/plain", b"1234567").await.status, 201);
    assert_eq!(tablet.finds_works(&session).await.1, Vec::<String>::new());
    assert_eq!(tablet.keeps(&session, "more", "text/plain", b"12345678").await.code(), (507, "work_full"));
    assert_eq!(school.files().len(), 4);

    let teacher = school.staff().await.cookie;
    let open = format!("/api/v1/classes/{}/guests", school.class);
    assert_eq!(school.by_staff(&teacher, "POST", &open, json!({"minutes": 60})).await.status, 201);
    let mut other = school.tablet("T02").await;
    let guest = other.opens(json!({"guest": school.class})).await;
    assert_eq!(other.keeps(&guest, "x", "text/plain", b"x").await.code(), (403, "guest_keeps_nothing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_badge_and_an_ended_session_reach_nothing_more() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let teacher = school.staff().await.cookie;
    let session = tablet.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(tablet.keeps(&session, "chat", "image/png", DRAWING).await.status, 201);
    let void = format!("/api/v1/badges/{}/void", school.lina.1);
    assert_eq!(school.by_staff(&teacher, "POST", &void, json!({"reason": "lost"})).await.status, 204);
    assert_eq!(tablet.work(&session, "GET", "chat").await.code(), (403, "badge_void"));
    assert_eq!(tablet.ask(Some(&session), "GET", "/api/v1/work", Value::Null).await.code(), (403, "badge_void"));
    assert_eq!(tablet.keeps(&session, "x", "text/plain", b"x").await.code(), (403, "badge_void"));
    let current = tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    let end = format!("/api/v1/sessions/{}/end", current.text("session_id"));
    assert_eq!(school.by_staff(&teacher, "POST", &end, json!({})).await.status, 204);
    assert_eq!(tablet.work(&session, "GET", "chat").await.code(), (401, "session_unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_leaves_no_file_without_a_row_and_no_row_without_its_file() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let session = tablet.opens(json!({"badge": school.lina.2})).await;
    for name in ["one", "two"] {
        assert_eq!(tablet.keeps(&session, name, "text/plain", name.as_bytes()).await.status, 201);
    }
    let of_two = school.files().into_iter().find(|path| fs::read(path).expect("read") == b"two").expect("two");
    // Killed while bytes arrive; killed between the file's name and the commit; a disk that lost a file.
    let folder = school.app.work.folder.clone();
    let (part, orphan) = (WorkId::draw(school.dice.as_ref()), WorkId::draw(school.dice.as_ref()));
    fs::write(folder.part(part), b"ha").expect("a part");
    fs::write(folder.path(orphan), b"half").expect("an orphan");
    fs::write(school.dir.path().join("work/lost+found"), b"").expect("not ours");
    let away = school.dir.path().join("away");
    fs::rename(&of_two, &away).expect("lost");
    let school = school.restart().await;
    school.app.forget_old().await;
    tablet.at = school.at;
    assert_eq!(school.files().len(), 2, "the work and what is not ours: {:?}", school.files());
    assert_eq!(tablet.finds_works(&session).await.0, ["one"]);
    assert_eq!(tablet.work(&session, "GET", "two").await.code(), (404, "not_found"));
    // The folder is put back: nothing that was acknowledged is lost.
    fs::rename(&away, &of_two).expect("put back");
    tidy(&school.app).await.expect("tidy");
    assert_eq!(tablet.work(&session, "GET", "two").await.bytes, b"two");
    assert_eq!(tidy(&school.app).await.expect("again"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_child_leaves_no_work_on_the_disk() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let hers = one.opens(json!({"badge": school.lina.2})).await;
    let his = two.opens(json!({"badge": school.noe.2})).await;
    for name in ["a", "b", "b"] {
        assert!(one.keeps(&hers, name, "text/plain", b"hers").await.status < 300);
    }
    assert_eq!(two.keeps(&his, "a", "text/plain", b"his").await.status, 201);
    assert_eq!(school.files().len(), 4);
    erase(&school, school.lina.0).await;
    assert_eq!(school.files().len(), 1);
    assert_eq!(two.work(&his, "GET", "a").await.bytes, b"his");
    assert_eq!(one.work(&hers, "GET", "a").await.code(), (403, "not_enrolled_here"));
    assert_eq!(one.keeps(&hers, "a", "text/plain", b"x").await.code(), (403, "not_enrolled_here"));
    assert_eq!(school.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_reaches_nothing_and_loses_nothing_until_she_is_erased() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let hers = tablet.opens(json!({"badge": school.lina.2})).await;
    assert_eq!(tablet.keeps(&hers, "chat", "image/png", DRAWING).await.status, 201);
    let gone = |deleted| Edit::of(Person::doc(school.lina.0)).with("deleted", Scalar::Flag(deleted));
    school.coordinator_writes(gone(true)).await;
    assert_eq!(tablet.work(&hers, "GET", "chat").await.code(), (403, "not_enrolled_here"));
    school.clock.pass(30 * 24 * 3_600);
    tidy(&school.app).await.expect("tidy");
    assert_eq!(school.files().len(), 1, "the roster may be wrong, or taken back");
    school.coordinator_writes(gone(false)).await;
    let find = |conn: &Connection| work::find(conn, school.lina.0, "chat");
    assert!(school.app.reader.read(find).expect("read").is_some_and(|found| found.here));
    school.coordinator_writes(gone(true)).await;
    erase(&school, school.lina.0).await;
    assert_eq!(school.files().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pupil_keeps_her_works_when_a_roster_names_her() {
    let school = School::open().await;
    let (mut tablet, teacher) = (school.tablet("T01").await, school.staff().await.cookie);
    let path = format!("/api/v1/classes/{}/pupils", school.class);
    let made = school.by_staff(&teacher, "POST", &path, json!({"given_name": "Zoé"})).await.text("person_id");
    let badges = format!("/api/v1/people/{made}/badges");
    let badge = school.by_staff(&teacher, "POST", &badges, json!({})).await.text("payload");
    let session = tablet.opens(json!({"badge": badge})).await;
    assert_eq!(tablet.keeps(&session, "chat", "image/png", DRAWING).await.status, 201);
    let id: PersonId = made.parse().expect("an identifier");
    let rostered = Person {
        id,
        pseudonym: *id.as_bytes(),
        given_name: "Zoé".into(),
        family_name: "GRIS".into(),
        role: Role::Pupil,
        level: "CP".into(),
        animal: "renard".into(),
        deleted: false,
    };
    school.coordinator_writes(rostered.edit()).await;
    assert_eq!(tablet.work(&session, "GET", "chat").await.bytes, DRAWING);
}

async fn erase(school: &School, person: PersonId) {
    let tombstone = Tombstone { doc: Person::doc(person), pseudonym: None };
    let erased = school.app.commit(move |conn, _| Ok::<_, Trouble>(Rows.erased(conn, &shelf(), &tombstone)?));
    erased.await.expect("erased");
}
