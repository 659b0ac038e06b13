use preau_shared::{
    dice::Seeded,
    documents,
    rig::{clock::SystemClock, shelves},
};
use rcgen::{CertificateParams, KeyPair};
use x509_parser::{parse_x509_certificate, pem::parse_x509_pem};

use super::*;
use crate::enrolment::Ground;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A coordinator's enrolment over a real file, with one school.
struct World {
    enrolment: Enrolment,
    uai: Uai,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let dice: Arc<dyn Dice> = Arc::new(Seeded::new(7));
        let database = dir.path().join("cloud.db");
        let store = Database::file(&database).expect("store");
        let authority = Arc::new(Authority::open(dir.path(), "belfort", &[], &*clock, &*dice).expect("authority"));
        let (coordinator, drawn) = (authority.coordinator_id, dice.clone());
        let origin = store.commit(move |c| shelves::begin(c, coordinator, &*drawn)).await.expect("origin");
        let key = authority.writer_key().expect("key");
        let author =
            Arc::new(Author { origin, key: key.into(), dice: dice.clone(), writer: documents::Writer::Coordinator });
        let uai: Uai = "0900001A".parse().expect("uai");
        let school = School {
            uai: uai.clone(),
            name: "École Jean-Moulin".into(),
            slug: "jean-moulin".into(),
            latitude: None,
            longitude: None,
            deleted: false,
            box_keys: std::collections::BTreeMap::new(),
        };
        let (by, shelf, now) = (author.clone(), Shelf::School(uai.clone()), clock.stamp());
        let edit = move |c: &Tx| shelves::edit(c, &by, &shelf, now, &school.edit(), &Projection);
        store.commit(edit).await.expect("school");
        let terms = Terms {
            territory: "belfort".into(),
            domain: "preau.internal".into(),
            mqtt: "127.0.0.1:8883".into(),
            keep_alive_s: 4,
        };
        let ground = Ground {
            folder: dir.path().join("authority"),
            database: store.clone(),
            author: author.clone(),
            clock: clock.clone(),
            dice: dice.clone(),
        };
        let enrolment = Enrolment {
            store,
            author,
            authority,
            admitted: Admitted::default(),
            seals: Seals::open(ground).await.expect("sealing keys"),
            clock,
            dice,
            terms: Arc::new(terms),
            tries: Arc::default(),
        };
        Self { enrolment, uai, _dir: dir }
    }

    async fn code(&self, automatic: bool) -> String {
        self.enrolment.issue(self.uai.clone(), automatic).await.expect("code")
    }
}

fn request() -> String {
    let key = KeyPair::generate().expect("key");
    CertificateParams::default().serialize_request(&key).expect("request").pem().expect("pem")
}

fn claim(code: &str) -> Claim {
    Claim {
        code: code.to_owned(),
        signing_key: HEXLOWER.encode(&[5; 32]),
        seal_key: HEXLOWER.encode(&[6; 32]),
        mqtt_request: request(),
        lan_request: request(),
    }
}

#[tokio::test]
async fn a_code_admits_one_box_and_answers_it_again() {
    let world = World::new().await;
    let code = world.code(true).await;
    assert_eq!(code.len(), 19, "four groups of four: {code}");
    let first = claim(&code.to_lowercase().replace('-', " "));
    let answer = world.enrolment.receive(first.clone(), HERE).await.expect("granted");
    let grant = answer.grant.expect("at once");
    assert_eq!((grant.uai.clone(), grant.slug.as_str()), (world.uai.clone(), "jean-moulin"));
    assert_eq!((grant.seal_number, grant.seal_key.len()), (1, 64), "what the box seals to");
    let again = world.enrolment.receive(first, HERE).await.expect("again");
    assert_eq!(again.words, answer.words);
    let repeated = again.grant.expect("the same");
    assert_eq!((repeated.box_id, &repeated.mqtt_certificate), (grant.box_id, &grant.mqtt_certificate));
    let stolen = world.enrolment.receive(claim(&code), HERE).await;
    assert!(matches!(stolen, Err(EnrolmentError::Refused)), "other keys");
    let member = world.enrolment.admitted.find(&grant.box_id).expect("may speak");
    assert_eq!(member, Member { uai: world.uai.clone(), signing_key: PublicKey([5; 32]) });
    let (shelf, doc) = (Shelf::School(world.uai.clone()), School::doc(&world.uai));
    let fields =
        world.enrolment.store.read(move |c| shelves::document(c, &shelf, &doc)).await.expect("read").expect("school");
    let school = School::from_fields(&doc, &fields).expect("school");
    assert_eq!(school.box_keys.get(&grant.box_id), Some(&PublicKey([5; 32])), "other boxes learn its key");
}

#[tokio::test]
async fn without_a_persons_yes_there_are_words_only() {
    let world = World::new().await;
    let asked = claim(&world.code(false).await);
    let pending = world.enrolment.receive(asked.clone(), HERE).await.expect("pending");
    assert!(pending.grant.is_none());
    let waiting = world.enrolment.waiting().await.expect("waiting");
    assert_eq!(waiting, [Waiting { claim_id: pending.claim_id, uai: world.uai.clone(), words: pending.words.clone() }]);
    world.enrolment.confirm(pending.claim_id).await.expect("confirmed");
    assert!(world.enrolment.waiting().await.expect("none").is_empty());
    assert!(world.enrolment.receive(asked, HERE).await.expect("granted").grant.is_some());
    let unknown = world.enrolment.confirm(ClaimId::from_bytes([9; 16])).await;
    assert!(matches!(unknown, Err(EnrolmentError::NotFound("claim"))));
}

#[tokio::test]
async fn a_revoked_box_gets_nothing_more() {
    let world = World::new().await;
    let asked = claim(&world.code(true).await);
    let grant = world.enrolment.receive(asked.clone(), HERE).await.expect("granted").grant.expect("grant");
    let sister = world.code(true).await;
    let sister = world.enrolment.receive(claim(&sister), HERE).await.expect("granted").grant.expect("grant");
    let members = async || {
        let (uai, shelf, doc) = (world.uai.clone(), Shelf::School(world.uai.clone()), School::doc(&world.uai));
        let read = world.enrolment.store.read(move |c| shelves::document(c, &shelf, &doc)).await;
        let fields = read.expect("read").expect("school");
        let keys = School::from_fields(&School::doc(&uai), &fields).expect("school").box_keys.len();
        (documents::school::members(&uai, &fields), keys)
    };
    assert_eq!(members().await, ([grant.box_id, sister.box_id].into(), 2));
    world.enrolment.revoke(grant.box_id).await.expect("revoked");
    // Its sisters hear of it; what it wrote before can still be checked.
    assert_eq!(members().await, ([sister.box_id].into(), 2));
    assert_eq!(world.enrolment.admitted.find(&grant.box_id), None);
    assert!(matches!(world.enrolment.receive(asked, HERE).await, Err(EnrolmentError::Refused)));
}

#[tokio::test]
async fn guesses_and_nonsense_are_refused() {
    let world = World::new().await;
    let code = world.code(true).await;
    let unreadable = Claim { mqtt_request: "x".repeat(100_000), ..claim(&code) };
    let answer = world.enrolment.receive(unreadable, HERE).await;
    assert!(matches!(answer, Err(EnrolmentError::Authority(AuthorityError::Request))));
    for guess in ["", "AAAA-AAAA-AAAA-AAAA", "é", "AAAA", &"A".repeat(1_000)] {
        assert!(matches!(world.enrolment.receive(claim(guess), HERE).await, Err(EnrolmentError::Refused)), "{guess}");
    }
    let sixth = world.enrolment.receive(claim(&code), HERE).await;
    assert!(matches!(sixth, Err(EnrolmentError::Wait(_))), "five wrong codes an hour");
    let elsewhere = world.enrolment.receive(claim(&code), [10, 0, 0, 9].into()).await;
    assert!(elsewhere.expect("another address").grant.is_some());
}

#[tokio::test]
async fn certificates_carry_our_names_and_only_their_purpose() {
    let world = World::new().await;
    let mut greedy = CertificateParams::new(vec!["coordinator.example".into()]).expect("params");
    greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("key");
    let asked = greedy.serialize_request(&key).expect("request").pem().expect("pem");
    let claimed = Claim { mqtt_request: asked.clone(), lan_request: asked, ..claim(&world.code(true).await) };
    let grant = world.enrolment.receive(claimed, HERE).await.expect("granted").grant.expect("grant");
    for (pem, client, server) in [(&grant.mqtt_certificate, true, false), (&grant.lan_certificate, false, true)] {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).expect("pem");
        let (_, certificate) = parse_x509_certificate(&pem.contents).expect("certificate");
        assert_eq!(certificate.subject().to_string(), format!("CN={}", grant.box_id));
        assert!(!certificate.is_ca());
        let purpose = certificate.extended_key_usage().expect("readable").expect("there").value;
        assert_eq!((purpose.client_auth, purpose.server_auth, purpose.any), (client, server, false));
        let names = certificate.subject_alternative_name().expect("readable").map(|n| n.value.general_names.len());
        assert_eq!(names, server.then_some(4), "localhost, 127.0.0.1, its own host name and those below it");
    }
}
