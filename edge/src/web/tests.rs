//! The contract, asked over a real socket: the whole router, a real database, clocks moved by hand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use preau_shared::{
    badge::Badge,
    dice::{Dice, Seeded},
    documents::{self, Class, Person, Writer as Side},
    ids::{BadgeId, BoxId, ClassId, PersonId},
    journal::CredentialKind,
    keys::{
        SigningKey,
        dpop::{Expected, TabletKey},
    },
    messages::Catalogue,
    replica::shelf::{Origin, Shelf},
    rig::{
        reader::Reader,
        shelves::{self, Author},
        writer::Writer,
    },
    time::{Clock, ClockQuality, Elapsed, Stamp},
    wire::{MAX_BODY_BYTES, Role},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    app::{App, Parts},
    replica::{project::Rows, vitals::Health},
    store::{Trouble, credentials, schema},
};

const BADGE_KEY: [u8; 32] = [7; 32];

#[derive(Default)]
struct Hand(Mutex<Duration>);
impl Hand {
    fn pass(&self, seconds: u64) {
        *self.0.lock().expect("clock") += Duration::from_secs(seconds);
    }
}
impl Clock for Hand {
    fn stamp(&self) -> Stamp {
        Stamp(1_790_000_000_000).after(self.elapsed().0)
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(*self.0.lock().expect("clock"))
    }
}

/// A school in a folder: one class, two pupils, their teacher and the head.
struct School {
    dir: tempfile::TempDir,
    clock: Arc<Hand>,
    dice: Arc<Seeded>,
    app: App,
    at: SocketAddr,
    code: String,
    class: ClassId,
    lina: (PersonId, BadgeId, String),
    noe: (PersonId, BadgeId, String),
    teacher: (PersonId, BadgeId, String),
}

struct Answer {
    status: u16,
    nonce: String,
    cookie: String,
    body: Value,
}

impl Answer {
    fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
    fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }
}

async fn send(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(at).await.expect("connect");
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("head");
    stream.write_all(body).await.expect("body");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let header = |name: &str| {
        let found = head.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    Answer {
        status: head[9..12].parse().expect("status"),
        nonce: header("dpop-nonce"),
        cookie: header("set-cookie").split(';').next().unwrap_or_default().to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

impl School {
    async fn open() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let dice = Arc::new(Seeded::new(1));
        let draw_person = || PersonId::draw(dice.as_ref());
        let badge = |person: PersonId| (person, BadgeId::draw(dice.as_ref()), Badge::draw(dice.as_ref()).payload());
        let (lina, noe, teacher) = (badge(draw_person()), badge(draw_person()), badge(draw_person()));
        let class = ClassId::draw(dice.as_ref());
        let (clock, app) = Self::start(dir.path(), &dice);
        let seed = (lina.clone(), noe.clone(), teacher.clone());
        let coordinator = author(9, Side::Coordinator);
        app.writer
            .commit(move |conn| {
                let put = |edit| shelves::edit(conn, &coordinator, &shelf(), Stamp(0), &edit, &Rows);
                let (lina, noe, teacher) = seed;
                for ((id, badge, payload), name, role) in [
                    (lina.clone(), "Lina", Role::Pupil),
                    (noe.clone(), "Noé", Role::Pupil),
                    (teacher.clone(), "Mme A", Role::Teacher),
                ] {
                    let person = Person {
                        id,
                        pseudonym: *id.as_bytes(),
                        given_name: name.into(),
                        family_name: "X".into(),
                        role,
                        level: "CP".into(),
                        animal: "renard".into(),
                        deleted: false,
                    };
                    put(person.edit())?;
                    let hash = Badge::parse(&payload).expect("badge").keyed_hash(&BADGE_KEY);
                    let badge = documents::Badge {
                        id: badge,
                        person: id,
                        hash,
                        void: false,
                        void_reason: String::new(),
                        expires: None,
                    };
                    put(badge.edit())?;
                }
                let class = Class {
                    id: class,
                    name: "CP A".into(),
                    level: "CP".into(),
                    school_year: "2026-2027".into(),
                    members: [lina.0, noe.0].into(),
                    teachers: [teacher.0].into(),
                    deleted: false,
                };
                put(class.edit())?;
                credentials::replace(
                    conn,
                    &credentials::Credential {
                        person: teacher.0,
                        kind: CredentialKind::Pin,
                        phc: phc("123456"),
                        login: String::new(),
                    },
                )?;
                Ok::<_, Trouble>(())
            })
            .await
            .expect("seeded");
        let code = app.open_enrolment(Duration::from_secs(3_600), 30).await.expect("window").code;
        let at = serve(&app).await;
        Self { dir, clock, dice, app, at, code, class, lina, noe, teacher }
    }

    fn start(dir: &std::path::Path, dice: &Arc<Seeded>) -> (Arc<Hand>, App) {
        let database = dir.join("box.db");
        let writer = Writer::open(&database, schema::migrate).expect("writer");
        let reader = Reader::open(&database, 2).expect("reader");
        let parts = Parts {
            writer,
            reader,
            author: Arc::new(author(1, Side::Box)),
            shelf: shelf(),
            badge_key: BADGE_KEY,
            school_name: "Jean Moulin".into(),
            words: Arc::new(Catalogue::load()),
            health: Arc::new(Health::new(ClockQuality::Synchronised)),
        };
        let clock = Arc::new(Hand::default());
        let app = App::start(parts, &database, clock.clone(), dice.clone()).expect("alive");
        (clock, app)
    }

    /// The box stops and starts again on the same disk.
    async fn restart(self) -> Self {
        let Self { dir, dice, app, code, class, lina, noe, teacher, .. } = self;
        drop(app);
        let (clock, app) = Self::start(dir.path(), &dice);
        let at = serve(&app).await;
        Self { dir, clock, dice, app, at, code, class, lina, noe, teacher }
    }

    async fn tablet(&self, name: &str) -> Device {
        let key = TabletKey::generate().expect("key");
        let mut device = Device { at: self.at, key, nonce: String::new(), token: None, jti: self.dice.u64() };
        let enrolled = device.enrol(&self.code, name, name).await;
        assert_eq!(enrolled.status, 201, "{}", enrolled.body);
        device.token = Some(enrolled.text("token"));
        let freed = device.receipt(&enrolled.text("wipe_id"), "done").await;
        assert_eq!(freed.status, 204, "{}", freed.body);
        device
    }

    async fn staff(&self) -> Answer {
        let ask = json!({"badge": self.teacher.2, "second_factor": "123456"});
        send(self.at, "POST", "/api/v1/staff/session", &[], ask.to_string().as_bytes()).await
    }

    async fn by_staff(&self, cookie: &str, method: &str, path: &str, body: Value) -> Answer {
        let headers = [("Cookie", cookie), ("Origin", "https://box")];
        send(self.at, method, path, &headers, body.to_string().as_bytes()).await
    }
}

/// A tablet as it speaks to the box.
struct Device {
    at: SocketAddr,
    key: TabletKey,
    nonce: String,
    token: Option<String>,
    jti: u64,
}

impl Device {
    async fn ask(&mut self, token: Option<&str>, method: &str, path: &str, body: Value) -> Answer {
        loop {
            let answer = self.ask_once(token, method, path, &body).await;
            let again = answer.body["code"] == "use_dpop_nonce";
            self.nonce = answer.nonce.clone();
            if !again {
                return answer;
            }
        }
    }
    async fn ask_once(&mut self, token: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
        self.jti = self.jti.wrapping_add(1);
        let url = format!("https://box{path}");
        let proof = self
            .key
            .prove(Expected { method, url: &url, token }, Some(&self.nonce), &self.jti.to_string())
            .expect("proof");
        let authorization = format!("DPoP {}", token.unwrap_or_default());
        let mut headers = vec![("DPoP", proof.as_str())];
        if token.is_some() {
            headers.push(("Authorization", authorization.as_str()));
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        send(self.at, method, path, &headers, &body).await
    }
    async fn enrol(&mut self, code: &str, name: &str, serial: &str) -> Answer {
        let ask = json!({"code": code, "name": name, "serial": serial, "key": self.key.jwk()});
        self.ask(None, "POST", "/api/v1/tablets", ask).await
    }
    async fn me(&mut self) -> Answer {
        let token = self.token.clone();
        self.ask(token.as_deref(), "GET", "/api/v1/tablets/me", Value::Null).await
    }
    async fn sign_in(&mut self, ask: Value) -> Answer {
        let token = self.token.clone();
        self.ask(token.as_deref(), "POST", "/api/v1/sessions", ask).await
    }
    async fn scan(&mut self, payload: &str) -> Answer {
        self.sign_in(json!({ "badge": payload })).await
    }
    async fn sign_out(&mut self, session: &str) -> Answer {
        self.ask(Some(session), "DELETE", "/api/v1/sessions/current", Value::Null).await
    }
    async fn receipt(&mut self, wipe: &str, outcome: &str) -> Answer {
        let token = self.token.clone();
        let steps: Vec<Value> = crate::tablets::wipe::STEPS
            .iter()
            .map(|step| json!({"name": step, "outcome": if *step == "storage" { outcome } else { "done" }}))
            .collect();
        self.ask(token.as_deref(), "POST", &format!("/api/v1/wipes/{wipe}/receipt"), json!({ "steps": steps })).await
    }
}

fn shelf() -> Shelf {
    Shelf::School("0900001A".parse().expect("uai"))
}

fn author(n: u8, writer: Side) -> Author {
    Author {
        origin: Origin { box_id: BoxId::from_bytes([n; 16]), incarnation: 1 },
        key: SigningKey::from_seed(&[n; 32]).expect("key"),
        dice: Arc::new(Seeded::new(u64::from(n))),
        writer,
    }
}

fn phc(secret: &str) -> String {
    use argon2::password_hash::PasswordHasher as _;
    let quick = argon2::Params::new(64, 1, 1, None).expect("params");
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, quick)
        .hash_password_with_salt(secret.as_bytes(), &[5; 16])
        .expect("hash")
        .to_string()
}

async fn serve(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let at = listener.local_addr().expect("address");
    let router = super::routes::routes(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

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
    assert_eq!(school.app.seats.who("127.0.0.1".parse().expect("ip"), school.app.clock.elapsed()).len(), 1);

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
    assert_eq!(other.sign_in(json!({"guest": school.class})).await.body["person"]["level"], "CP");
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
    let ask = |payload: &str| preau_shared::wire::SignIn { badge: Some(payload.into()), ..Default::default() };
    let (a, b) = tokio::join!(
        crate::sign_in::scan::open(&school.app, &life, ask(&school.lina.2), None),
        crate::sign_in::scan::open(&school.app, &life, ask(&school.noe.2), None),
    );
    assert!(a.is_ok() != b.is_ok(), "one of {a:?} and {b:?}");
    let winner = if a.is_ok() { &school.lina.2 } else { &school.noe.2 };
    assert_eq!(two.scan(winner).await.status, 201);
    let left = one.me().await;
    assert_eq!(left.body["state"], "wiping", "{}", left.body);
    assert!(left.body["wipe"]["wipe_id"].is_string());
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
