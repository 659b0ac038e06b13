//! A school in a folder, served on a real socket, and the tablets and teachers that speak to it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use preau_shared::{
    badge::Badge,
    dice::{Dice, Seeded},
    documents::{self, Class, Person, Writer as Side},
    ids::{BadgeId, BoxId, ClassId, PersonId, Uai},
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
    wire::Role,
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
    web::session_host::Hosts,
};

const UAI: &str = "0900001A";
pub(super) const BADGE_KEY: [u8; 32] = [7; 32];

#[derive(Default)]
pub(super) struct Hand {
    elapsed: Mutex<Duration>,
    /// The machine has lost its time, and starts in 1970.
    lost: AtomicBool,
    /// For how long the machine has been running, where it tells.
    machine: Mutex<Option<Duration>>,
}
impl Hand {
    pub(super) fn pass(&self, seconds: u64) {
        *self.elapsed.lock().expect("clock") += Duration::from_secs(seconds);
    }
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }
    pub(super) fn runs_for(&self, seconds: u64) {
        *self.machine.lock().expect("clock") = Some(Duration::from_secs(seconds));
    }
    pub(super) fn find(&self) {
        self.lost.store(false, Ordering::SeqCst);
    }
}
impl Clock for Hand {
    fn stamp(&self) -> Stamp {
        let lost = self.lost.load(Ordering::SeqCst);
        Stamp(if lost { 0 } else { 1_790_000_000_000 }).after(self.elapsed().0)
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(*self.elapsed.lock().expect("clock"))
    }
    fn machine(&self) -> Option<Duration> {
        *self.machine.lock().expect("clock")
    }
}

/// A school in a folder: one class, two pupils, their teacher and the head.
pub(super) struct School {
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: Arc<Hand>,
    pub(super) dice: Arc<Seeded>,
    pub(super) app: App,
    pub(super) at: SocketAddr,
    pub(super) code: String,
    pub(super) class: ClassId,
    pub(super) lina: (PersonId, BadgeId, String),
    pub(super) noe: (PersonId, BadgeId, String),
    pub(super) teacher: (PersonId, BadgeId, String),
    pub(super) head: (PersonId, BadgeId, String),
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) nonce: String,
    pub(super) cookie: String,
    pub(super) body: Value,
    pub(super) bytes: Vec<u8>,
    /// Status line and headers.
    pub(super) head: String,
}

impl Answer {
    pub(super) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
    pub(super) fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }
}

pub(super) async fn send(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = [&[("Host", "box")], headers].concat();
    send_as(at, (method, path), &headers, body).await
}

/// … to a host that the headers name.
pub(super) async fn send_as(
    at: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(at).await.expect("connect");
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("head");
    stream.write_all(body).await.expect("body");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head");
    let body = bytes.split_off(end + 4);
    let header = |name: &str| {
        let found = head.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    Answer {
        status: head[9..12].parse().expect("status"),
        nonce: header("dpop-nonce"),
        cookie: header("set-cookie").split(';').next().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        bytes: body,
        head,
    }
}

impl School {
    pub(super) async fn open() -> Self {
        Self::open_as(Shelf::School(UAI.parse().expect("uai"))).await
    }

    /// The same people in a training room.
    pub(super) async fn open_in_training() -> Self {
        Self::open_as(Shelf::School(Uai::training(1).expect("a room"))).await
    }

    async fn open_as(shelf: Shelf) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let dice = Arc::new(Seeded::new(1));
        let draw_person = || PersonId::draw(dice.as_ref());
        let badge = |person: PersonId| (person, BadgeId::draw(dice.as_ref()), Badge::draw(dice.as_ref()).payload());
        let (lina, noe) = (badge(draw_person()), badge(draw_person()));
        let (teacher, head) = (badge(draw_person()), badge(draw_person()));
        let class = ClassId::draw(dice.as_ref());
        let (clock, app) = Self::start(dir.path(), &dice, ClockQuality::Synchronised, &shelf);
        let seed = (lina.clone(), noe.clone(), teacher.clone(), head.clone());
        let coordinator = author(9, Side::Coordinator);
        let Shelf::School(uai) = shelf.clone() else { panic!("a school's shelf") };
        app.writer
            .commit(move |conn| {
                let put = |edit| shelves::edit(conn, &coordinator, &shelf, Stamp(0), &edit, &Rows);
                let school = documents::School {
                    uai,
                    name: "Jean Moulin".into(),
                    slug: "jean-moulin".into(),
                    latitude: None,
                    longitude: None,
                    deleted: false,
                    box_keys: BTreeMap::new(),
                };
                put(school.edit())?;
                let (lina, noe, teacher, head) = seed;
                for ((id, badge, payload), name, role) in [
                    (lina.clone(), "Lina", Role::Pupil),
                    (noe.clone(), "Noé", Role::Pupil),
                    (teacher.clone(), "Mme A", Role::Teacher),
                    (head.clone(), "M. B", Role::Head),
                ] {
                    let person = Person {
                        id,
                        pseudonym: *id.as_bytes(),
                        given_name: name.into(),
                        family_name: "X".into(),
                        role,
                        level: if role == Role::Pupil { "CP".into() } else { String::new() },
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
                        series: 0,
                        short: None,
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
                for person in [teacher.0, head.0] {
                    let (kind, phc, login) = (CredentialKind::Pin, phc("123456"), String::new());
                    credentials::replace(conn, &credentials::Credential { person, kind, phc, login })?;
                }
                Ok::<_, Trouble>(())
            })
            .await
            .expect("seeded");
        let code = app.open_enrolment(Duration::from_secs(3_600), 30).await.expect("window").code;
        let at = serve(&app).await;
        Self { dir, clock, dice, app, at, code, class, lina, noe, teacher, head }
    }

    fn start(dir: &std::path::Path, dice: &Arc<Seeded>, quality: ClockQuality, shelf: &Shelf) -> (Arc<Hand>, App) {
        let database = dir.join("box.db");
        let writer = Writer::open(&database, schema::migrate).expect("writer");
        let reader = Reader::open(&database, 2).expect("reader");
        let parts = Parts {
            writer,
            reader,
            author: Arc::new(author(1, Side::Box)),
            shelf: shelf.clone(),
            badge_key: BADGE_KEY,
            school_name: "Jean Moulin".into(),
            words: Arc::new(Catalogue::load()),
            health: Arc::new(Health::new(quality)),
            work_max_bytes: 1_000_000_000,
            agents: crate::tablets::agent::Ports::default(),
            night_utc_h: 2,
            hosts: Hosts::under(Some("box".into())),
        };
        let clock = Arc::new(Hand::default());
        let app = App::start(parts, &database, clock.clone(), dice.clone()).expect("alive");
        (clock, app)
    }

    /// The box stops and starts again on the same disk.
    pub(super) async fn restart(self) -> Self {
        self.restart_with(ClockQuality::Synchronised).await
    }

    /// … and knows so well what time it is.
    pub(super) async fn restart_with(self, quality: ClockQuality) -> Self {
        let Self { dir, dice, app, code, class, lina, noe, teacher, head, .. } = self;
        let shelf = app.shelf.clone();
        drop(app);
        let (clock, app) = Self::start(dir.path(), &dice, quality, &shelf);
        let at = serve(&app).await;
        Self { dir, clock, dice, app, at, code, class, lina, noe, teacher, head }
    }

    /// What comes from the coordinator.
    pub(super) async fn coordinator_writes(&self, edit: documents::Edit) {
        let (coordinator, shelf) = (author(9, Side::Coordinator), self.app.shelf.clone());
        let told = self.app.writer.commit(move |conn| {
            shelves::edit(conn, &coordinator, &shelf, Stamp(0), &edit, &Rows)?;
            Ok::<_, Trouble>(())
        });
        told.await.expect("told");
    }

    pub(super) async fn tablet(&self, name: &str) -> Device {
        let key = TabletKey::generate().expect("key");
        let mut device = Device { at: self.at, key, nonce: String::new(), token: None, jti: self.dice.u64() };
        let enrolled = device.enrol(&self.code, name, name).await;
        assert_eq!(enrolled.status, 201, "{}", enrolled.body);
        device.token = Some(enrolled.text("token"));
        let freed = device.receipt(&enrolled.text("wipe_id"), "done").await;
        assert_eq!(freed.status, 204, "{}", freed.body);
        device
    }

    pub(super) async fn staff(&self) -> Answer {
        self.at_the_page(&self.teacher.2).await
    }

    pub(super) async fn head(&self) -> Answer {
        self.at_the_page(&self.head.2).await
    }

    async fn at_the_page(&self, badge: &str) -> Answer {
        self.at_the_page_with(badge, "123456").await
    }

    pub(super) async fn at_the_page_with(&self, badge: &str, pin: &str) -> Answer {
        let ask = json!({"badge": badge, "second_factor": pin});
        send(self.at, "POST", "/api/v1/staff/session", &[], ask.to_string().as_bytes()).await
    }

    pub(super) async fn by_staff(&self, cookie: &str, method: &str, path: &str, body: Value) -> Answer {
        let headers = [("Cookie", cookie), ("Origin", "https://box")];
        send(self.at, method, path, &headers, body.to_string().as_bytes()).await
    }
}

/// A tablet as it speaks to the box.
pub(super) struct Device {
    pub(super) at: SocketAddr,
    pub(super) key: TabletKey,
    pub(super) nonce: String,
    pub(super) token: Option<String>,
    pub(super) jti: u64,
}

impl Device {
    pub(super) async fn ask(&mut self, token: Option<&str>, method: &str, path: &str, body: Value) -> Answer {
        loop {
            let answer = self.ask_once(token, method, path, &body).await;
            let again = answer.body["code"] == "use_dpop_nonce";
            self.nonce = answer.nonce.clone();
            if !again {
                return answer;
            }
        }
    }
    pub(super) async fn ask_once(&mut self, token: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send_once(token, (method, path), &[], &body).await
    }
    pub(super) async fn send_once(
        &mut self,
        token: Option<&str>,
        (method, path): (&str, &str),
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.jti = self.jti.wrapping_add(1);
        let (path_alone, _) = path.split_once('?').unwrap_or((path, ""));
        let url = format!("https://box{path_alone}");
        let proof = self
            .key
            .prove(Expected { method, url: &url, token }, Some(&self.nonce), &self.jti.to_string())
            .expect("proof");
        let authorization = format!("DPoP {}", token.unwrap_or_default());
        let mut headers = vec![("DPoP", proof.as_str())];
        if token.is_some() {
            headers.push(("Authorization", authorization.as_str()));
        }
        headers.extend_from_slice(more);
        send(self.at, method, path, &headers, body).await
    }
    pub(super) async fn enrol(&mut self, code: &str, name: &str, serial: &str) -> Answer {
        let ask = json!({"code": code, "name": name, "serial": serial, "key": self.key.jwk()});
        self.ask(None, "POST", "/api/v1/tablets", ask).await
    }
    pub(super) async fn me(&mut self) -> Answer {
        let token = self.token.clone();
        self.ask(token.as_deref(), "GET", "/api/v1/tablets/me", Value::Null).await
    }
    pub(super) async fn sign_in(&mut self, ask: Value) -> Answer {
        let token = self.token.clone();
        self.ask(token.as_deref(), "POST", "/api/v1/sessions", ask).await
    }
    pub(super) async fn scan(&mut self, payload: &str) -> Answer {
        self.sign_in(json!({ "badge": payload })).await
    }
    pub(super) async fn sign_out(&mut self, session: &str) -> Answer {
        self.ask(Some(session), "DELETE", "/api/v1/sessions/current", Value::Null).await
    }
    pub(super) async fn receipt(&mut self, wipe: &str, outcome: &str) -> Answer {
        let token = self.token.clone();
        let steps: Vec<Value> = crate::tablets::wipe::STEPS
            .iter()
            .map(|step| json!({"name": step, "outcome": if *step == "storage" { outcome } else { "done" }}))
            .collect();
        self.ask(token.as_deref(), "POST", &format!("/api/v1/wipes/{wipe}/receipt"), json!({ "steps": steps })).await
    }
}

pub(super) fn shelf() -> Shelf {
    Shelf::School(UAI.parse().expect("uai"))
}

pub(super) fn author(n: u8, writer: Side) -> Author {
    Author {
        origin: Origin { box_id: BoxId::from_bytes([n; 16]), incarnation: 1 },
        key: Arc::new(SigningKey::from_seed(&[n; 32]).expect("key")),
        dice: Arc::new(Seeded::new(u64::from(n))),
        writer,
    }
}

pub(super) fn phc(secret: &str) -> String {
    use argon2::password_hash::PasswordHasher as _;
    let quick = argon2::Params::new(64, 1, 1, None).expect("params");
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, quick)
        .hash_password_with_salt(secret.as_bytes(), &[5; 16])
        .expect("hash")
        .to_string()
}

pub(super) async fn serve(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let at = listener.local_addr().expect("address");
    let router = crate::web::routes::routes(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}
