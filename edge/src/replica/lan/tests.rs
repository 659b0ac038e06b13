//! A box and the school's document; whether others answer is the story's to tell.

use std::sync::Mutex;

use preau_shared::{
    dice::Seeded,
    documents::{Edit, Writer as WriterOf},
    keys::{PublicKey, SigningKey},
    messages::Catalogue,
    replica::{Origin, Rights, Side, Timings},
    rig::{
        apply::{self, Bench},
        replicate::{Envelope, News},
        shelves::Author,
        writer::Writer,
    },
    time::{Clock, ClockQuality, Elapsed, Stamp},
};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::{app::Parts, replica::vitals::Health, store::schema, web::session_host::Hosts};

const OWN: u8 = 5;
const COORDINATOR: u8 = 99;

fn id(n: u8) -> BoxId {
    BoxId::from_bytes([n; 16])
}

fn uai() -> Uai {
    "0900001A".parse().expect("uai")
}

fn author(n: u8, writer: WriterOf) -> Author {
    Author {
        origin: Origin { box_id: id(n), incarnation: 1 },
        key: Arc::new(SigningKey::from_seed(&[n; 32]).expect("key")),
        dice: Arc::new(Seeded::new(n.into())),
        writer,
    }
}

#[derive(Default)]
struct Hand(Mutex<Duration>);

impl Clock for Hand {
    fn stamp(&self) -> Stamp {
        Stamp(1_790_000_000_000)
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(*self.0.lock().expect("clock"))
    }
}

/// A box in a folder, which listens nowhere.
struct Boxed {
    lan: Lan,
    statuses: watch::Receiver<Statuses>,
    _dir: tempfile::TempDir,
}

impl Boxed {
    fn new() -> Self {
        tls::install_provider();
        let dir = tempfile::tempdir().expect("dir");
        let database = dir.path().join("box.db");
        let parts = Parts {
            writer: Writer::open(&database, schema::migrate).expect("writer"),
            reader: Reader::open(&database, 1).expect("reader"),
            author: Arc::new(author(OWN, WriterOf::Box)),
            shelf: Shelf::School(uai()),
            badge_key: [7; 32],
            school_name: "Les Tilleuls".into(),
            words: Arc::new(Catalogue::load()),
            health: Arc::new(Health::new(ClockQuality::Synchronised)),
            work_max_bytes: 1_000_000,
            agents: crate::tablets::agent::Ports::default(),
            night_utc_h: 2,
            hosts: Hosts::default(),
        };
        let app = App::start(parts, &database, Arc::new(Hand::default()), Arc::new(Seeded::new(1))).expect("alive");
        let replication = Replication {
            store: Sqlite { writer: app.writer.clone(), reader: app.reader.clone() },
            author: app.author.clone(),
            project: Arc::new(Rows),
            clock: app.clock.clone(),
            dice: app.dice.clone(),
            bench: Arc::new(Bench::new(apply::LIMIT)),
            news: News::default(),
            envelope: Envelope::Direct,
            rights: Rights {
                side: Side::Box,
                uai: uai(),
                box_id: id(OWN),
                coordinator: id(COORDINATOR),
                keys: Arc::new(|_| None),
                gone: Arc::new(|_| false),
            },
            timings: Timings::for_keep_alive(Duration::from_secs(4)),
            vitals: None,
            on_clone: Arc::new(|_| {}),
        };
        let key = KeyPair::generate().expect("key");
        let certificate = CertificateParams::new(["tilleuls.box.example".to_owned()]).expect("name");
        let certificate = certificate.self_signed(&key).expect("certificate").pem();
        let papers = tls::Identity { certificate: &certificate, key: &key.serialize_pem() };
        let visit = Visit {
            tls: Arc::new(tls::guest(papers, &certificate, PROTOCOL).expect("guest")),
            host: tls::host_name(&certificate).expect("host"),
            connect_timeout: Duration::from_secs(2),
            retry_cap: Duration::from_secs(1),
            silence: Duration::from_secs(12),
        };
        let (say, statuses) = watch::channel(BTreeMap::new());
        let lan = Lan {
            of: Of { reader: app.reader.clone(), uai: uai(), own: id(OWN) },
            app,
            visit_works: visit.clone(),
            listens: "127.0.0.1:8444".parse().expect("address"),
            announced: None,
            visit,
            replication,
            tasks: Tasks::default(),
            ties: BTreeMap::new(),
            last: None,
            say,
        };
        Self { lan, statuses, _dir: dir }
    }

    /// The coordinator's word came.
    async fn coordinator_says(&self, edit: Edit) {
        let (by, shelf) = (author(COORDINATOR, WriterOf::Coordinator), Shelf::School(uai()));
        let act = move |conn: &Connection| shelves::edit(conn, &by, &shelf, Stamp(1), &edit, &Rows);
        self.lan.app.writer.commit::<_, ShelfError>(act).await.expect("written");
    }

    async fn school_of(&self, boxes: impl IntoIterator<Item = u8>) {
        let school = School {
            uai: uai(),
            name: "Les Tilleuls".into(),
            slug: "tilleuls".into(),
            latitude: None,
            longitude: None,
            deleted: false,
            box_keys: boxes.into_iter().map(|n| (id(n), PublicKey([n; 32]))).collect(),
        };
        self.coordinator_says(school.edit()).await;
    }

    /// Looks at the document; gives the boxes that it is tied to, and those that visit.
    async fn ties(&mut self) -> (Vec<BoxId>, Vec<BoxId>) {
        self.lan.tend().await.expect("tended");
        let shown: Vec<BoxId> = self.statuses.borrow().keys().copied().collect();
        assert!(self.lan.ties.keys().eq(&shown), "the page tells the same");
        let visits = |id: &BoxId| matches!(self.lan.ties.get(id).expect("tie").way, Way::Host(_));
        let visitors = shown.iter().copied().filter(visits).collect();
        (shown, visitors)
    }

    fn told(&self) -> Option<SocketAddr> {
        school::box_lan(&self.lan.of.fields().expect("fields"), id(OWN))
    }
}

#[tokio::test]
async fn ties_follow_the_schools_document() {
    let mut own = Boxed::new();
    assert_eq!(
        (own.ties().await, own.told()),
        ((vec![], vec![]), None),
        "nothing is written before the school is known"
    );
    own.school_of([OWN]).await;
    assert_eq!((own.ties().await.0, own.told()), (vec![], Some(own.lan.listens)));
    own.school_of([2, OWN, 8]).await;
    assert_eq!(own.ties().await, (vec![id(2), id(8)], vec![id(2)]), "the lower one visits");
    own.coordinator_says(school::revoke_box(&uai(), id(2))).await;
    assert_eq!(own.ties().await.0, [id(8)]);
    let moved = "10.0.0.7:8444".parse().expect("address");
    own.lan.announced = Some(moved);
    own.lan.last = None;
    own.ties().await;
    assert_eq!(own.told(), Some(moved));
    own.coordinator_says(school::revoke_box(&uai(), id(OWN))).await;
    assert_eq!(own.ties().await.0, [], "a box that knows that it is revoked keeps to itself");
}

#[tokio::test]
async fn no_more_ties_than_the_limit() {
    let mut own = Boxed::new();
    own.school_of(1..=20).await;
    assert_eq!(own.ties().await.0.len(), MAX_SISTERS);
}
