//! A time without the box: what a tablet keeps for it, and what it tells when the box is back.

use std::num::NonZeroU32;

use data_encoding::HEXLOWER;
use preau_shared::{
    documents::{Catalogue, CatalogueItem, ItemKind, Writer as Side},
    ids::CatalogueId,
    journal::{Entry, Why},
    keys::pbkdf2_sha256,
    rig::shelves,
    time::Stamp,
    wire::{MAX_STAYS_TOLD, UnpluggedKit},
};
use serde_json::{Value, json};

use super::school::{Answer, Device, School, author, shelf};
use crate::{replica::project::Rows, store::Trouble};

impl Device {
    async fn kit(&mut self) -> UnpluggedKit {
        let token = self.token.clone();
        let kit = self.ask(token.as_deref(), "GET", "/api/v1/tablets/me/unplugged", Value::Null).await;
        serde_json::from_value(kit.body).expect("a kit")
    }

    async fn tells(&mut self, stays: Value) -> Answer {
        let token = self.token.clone();
        self.ask(token.as_deref(), "POST", "/api/v1/tablets/me/stays", json!({ "stays": stays })).await
    }

    /// Where the box says that it stands, and the wipe it owes.
    async fn stands(&mut self) -> (String, String) {
        let me = self.me().await;
        (me.text("state"), me.body["wipe"]["wipe_id"].as_str().unwrap_or_default().to_owned())
    }
}

impl School {
    fn entries(&self) -> Vec<Entry> {
        let all = self
            .app
            .reader
            .read(|conn| Ok::<_, Trouble>(shelves::entries(conn, &shelf(), &self.app.author.origin, 0, 10_000)?));
        all.expect("journal").into_iter().map(|(_, _, entry)| entry).collect()
    }

    fn stays(&self) -> usize {
        self.entries().iter().filter(|entry| matches!(entry, Entry::Unplugged { .. })).count()
    }

    /// The class gets documents, and everybody a link.
    async fn gives(&self, titles: &[&str]) {
        let item = |(at, title): (usize, &&str)| CatalogueItem {
            key: format!("{at:03}"),
            kind: if at == 0 { ItemKind::Link } else { ItemKind::Document },
            title: (*title).to_owned(),
            url: "https://example.org/".into(),
            icon: "document".into(),
        };
        let catalogue = Catalogue {
            id: CatalogueId::draw(self.dice.as_ref()),
            levels: [String::new()].into(),
            class: Some(self.class),
            items: titles.iter().enumerate().map(item).collect(),
            deleted: false,
        };
        let coordinator = author(9, Side::Coordinator);
        let given = self.app.writer.commit(move |conn| {
            shelves::edit(conn, &coordinator, &shelf(), Stamp(1), &catalogue.edit(), &Rows)?;
            Ok::<_, Trouble>(())
        });
        given.await.expect("given");
    }
}

fn stay(n: u32) -> String {
    format!("{n:032x}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_keeps_a_verifier_and_the_last_classs_documents_and_nothing_of_anybody() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    school.gives(&["Lumni", "Poésie", "Tables"]).await;
    let teacher = school.staff().await.cookie;
    let asked = async |method: &str| {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        school.by_staff(&teacher, method, "/api/v1/unplugged-code", body).await
    };
    assert!(tablet.me().await.body["unplugged"].is_null(), "no code yet");

    // Nobody sat here yet.
    let kit = tablet.kit().await;
    assert!(kit.documents.is_empty());
    assert_eq!(tablet.me().await.body["unplugged"], kit.number);
    let code = asked("GET").await.text("code");
    assert_eq!((code.len(), code.chars().all(|c| c.is_ascii_digit())), (6, true), "{code}");
    let becomes = |kit: &UnpluggedKit, code: &str| {
        let salt = HEXLOWER.decode(kit.salt.as_bytes()).expect("salt");
        HEXLOWER.encode(&pbkdf2_sha256(code.as_bytes(), &salt, NonZeroU32::new(kit.rounds).expect("rounds")))
    };
    assert_eq!(becomes(&kit, &code), kit.verifier);
    assert_ne!(becomes(&kit, "1234567"), kit.verifier);

    // Lina sat here, then her teacher.
    for way in [json!({"badge": school.lina.2}), json!({"badge": school.teacher.2, "second_factor": "123456"})] {
        let session = tablet.sign_in(way).await.text("token");
        let wipe = tablet.sign_out(&session).await.text("wipe_id");
        assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);
    }
    let kit = tablet.kit().await;
    let titles: Vec<&str> = kit.documents.iter().map(|d| d.title.as_str()).collect();
    assert_eq!(titles, ["Poésie", "Tables"]);
    let text = serde_json::to_string(&kit).expect("text");
    for named in ["Lina", "renard", &code, &school.lina.0.to_string(), &school.class.to_string()] {
        assert!(!text.contains(named), "{named} is kept: {text}");
    }

    // Another code, by whoever is of the staff, asked for her own again when she has been there for long.
    assert_eq!(asked("POST").await.status, 201);
    assert_ne!(tablet.kit().await.verifier, kit.verifier);
    assert_eq!(tablet.me().await.body["unplugged"], kit.number + 1);
    school.clock.pass(600);
    assert_eq!(asked("POST").await.code(), (401, "second_factor_required"));
    assert_eq!(asked("GET").await.status, 200, "reading it asks for nothing more");
    let stranger = school.by_staff("", "GET", "/api/v1/unplugged-code", Value::Null).await;
    assert_eq!(stranger.code(), (401, "staff_required"));
    let audited = school
        .entries()
        .into_iter()
        .filter(|entry| matches!(entry, Entry::Audit { what, .. } if what.contains("without the box")));
    assert_eq!(audited.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stays_told_are_journalled_once_and_the_tablet_is_cleared() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let told = json!([
        {"stay_id": stay(1), "lasted_s": 60, "began_ago_s": 90},
        {"stay_id": stay(2), "lasted_s": u32::MAX},
        {"stay_id": stay(1), "lasted_s": 61},
    ]);
    assert_eq!(tablet.tells(json!([])).await.status, 204);
    assert_eq!(tablet.stands().await, ("free".into(), String::new()), "nothing was told");
    assert_eq!(tablet.tells(told.clone()).await.status, 204);
    let (state, wipe) = tablet.stands().await;
    assert_eq!(state, "wiping");
    assert_eq!(tablet.scan(&school.lina.2).await.code(), (409, "tablet_not_free"));
    assert_eq!(school.stays(), 2);
    let lasted: Vec<u32> = school
        .entries()
        .iter()
        .filter_map(|entry| if let Entry::Unplugged { lasted_s, .. } = entry { Some(*lasted_s) } else { None })
        .collect();
    assert_eq!(lasted, [60, 366 * 24 * 3_600], "nobody sits longer than a year");

    // The answer was lost, and another stay had been forgotten.
    assert_eq!(tablet.tells(told.clone()).await.status, 204);
    assert_eq!(tablet.stands().await.1, wipe, "told again, nothing changes");
    assert_eq!(tablet.tells(json!([{"stay_id": stay(3), "lasted_s": 5}])).await.status, 204);
    assert_eq!(tablet.receipt(&wipe, "done").await.code(), (404, "wipe_unknown"), "cleared before the last of them");
    let (_, wipe) = tablet.stands().await;
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);

    // After a restart of the box, too, and whoever sits there then stays.
    let school = school.restart().await;
    tablet.at = school.at;
    assert_eq!(tablet.scan(&school.lina.2).await.status, 201);
    assert_eq!(tablet.tells(told).await.status, 204);
    assert_eq!(tablet.stands().await.0, "in_use");
    assert_eq!(school.stays(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_box_took_to_sit_there_is_gone_when_stays_are_told() {
    let school = School::open().await;
    let (mut tablet, mut lost) = (school.tablet("T01").await, school.tablet("T02").await);
    let session = tablet.scan(&school.lina.2).await.text("token");
    assert_eq!(tablet.tells(json!([{"stay_id": stay(1), "lasted_s": 1}])).await.status, 204);
    let beat = tablet.ask(Some(&session), "POST", "/api/v1/sessions/current/heartbeat", Value::Null).await;
    assert_eq!(beat.code(), (401, "session_unknown"));
    assert!(
        school.entries().iter().any(|e| matches!(e, Entry::SignOut { why: Why::Silent, .. })),
        "as one that vanished"
    );
    let (state, wipe) = tablet.stands().await;
    assert_eq!((state.as_str(), tablet.receipt(&wipe, "done").await.status), ("wiping", 204));
    assert_eq!(tablet.scan(&school.lina.2).await.status, 201, "she sits down again");

    // A tablet that is lost tells, and stays lost.
    let id = lost.me().await.text("tablet_id").parse().expect("id");
    let set = school.app.commit(move |conn, _| {
        Ok(crate::store::tablet_life::set(conn, id, preau_shared::wire::TabletState::Lost, None)?)
    });
    set.await.expect("lost");
    assert_eq!(lost.tells(json!([{"stay_id": stay(1), "lasted_s": 1}])).await.status, 204);
    assert_eq!(lost.stands().await.0, "lost");
    assert_eq!(school.stays(), 2, "the same name at another tablet is another stay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_tablet_tells_is_refused() {
    let school = School::open().await;
    let (mut tablet, mut other) = (school.tablet("T01").await, school.tablet("T02").await);
    let one = |lasted: Value| json!([{"stay_id": stay(1), "lasted_s": lasted}]);
    let many = |count: u32| (0..count).map(|n| json!({"stay_id": stay(n), "lasted_s": 1})).collect::<Value>();
    let too_many = u32::try_from(MAX_STAYS_TOLD).expect("small") + 1;
    for (told, code) in [
        (one(json!(-1)), (400, "malformed")),
        (one(json!(1.5)), (400, "malformed")),
        (one(json!(1e300)), (400, "malformed")),
        (one(json!("60")), (400, "malformed")),
        (json!([{"stay_id": "no name", "lasted_s": 1}]), (400, "malformed")),
        (json!({"stay_id": stay(1)}), (400, "malformed")),
        (json!(null), (400, "malformed")),
        (many(too_many), (400, "malformed")),
        (many(10_000), (413, "too_large")),
    ] {
        assert_eq!(
            tablet.tells(told.clone()).await.code(),
            code,
            "{}",
            &told.to_string()[..60.min(told.to_string().len())]
        );
    }
    // With another tablet's token the proof does not hold.
    let mine = tablet.token.clone();
    tablet.token = other.token.clone();
    assert_eq!(tablet.tells(one(json!(1))).await.code(), (401, "proof_invalid"));
    tablet.token = mine;
    assert_eq!(school.stays(), 0);
    assert_eq!((tablet.stands().await.0, other.stands().await.0), ("free".into(), "free".into()));

    // What a tablet may have told in a month is bounded, and nothing of the last part is taken.
    let part = |from: u32| {
        let stays = (from..from + too_many - 1).map(|n| json!({"stay_id": stay(n), "lasted_s": 1}));
        stays.collect::<Value>()
    };
    for at in 0..crate::store::unplugged::KEPT_PER_TABLET / (too_many - 1) {
        assert_eq!(tablet.tells(part(at * (too_many - 1))).await.status, 204);
    }
    assert_eq!(tablet.tells(json!([{"stay_id": stay(1_000_000), "lasted_s": 1}])).await.code(), (429, "locked_out"));
    assert_eq!(school.stays(), 4_096);
}
