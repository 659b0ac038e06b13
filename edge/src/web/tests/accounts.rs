//! A school of one account per tablet: whose a tablet is, and that an adult always wins.

use preau_shared::{
    documents::{
        School as Document, Writer as Side,
        school::{Accounts, switch_accounts},
    },
    ids::TabletId,
    rig::shelves,
    time::Stamp,
};
use serde_json::{Value, json};

use super::school::{Device, School, author, shelf};
use crate::{replica::project::Rows, store::Trouble};

impl School {
    /// The DSI switches, as the box hears it.
    async fn switch(&self, to: Accounts) {
        let coordinator = author(9, Side::Coordinator);
        let switched = self.app.writer.commit(move |conn| {
            let uai = "0900001A".parse().expect("uai");
            let fields = shelves::document(conn, &shelf(), &Document::doc(&uai))?.expect("the school");
            if let Some(edit) = switch_accounts(&uai, &fields, to) {
                shelves::edit(conn, &coordinator, &shelf(), Stamp(0), &edit, &Rows)?;
            }
            Ok::<_, Trouble>(())
        });
        switched.await.expect("switched");
    }
}

impl Device {
    async fn owner(&mut self) -> String {
        self.me().await.body["owner"]["given_name"].as_str().unwrap_or("nobody").to_owned()
    }

    async fn comes_and_goes(&mut self, ask: Value) {
        let opened = self.sign_in(ask).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        self.leaves(&opened.text("token")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_is_the_first_pupils_until_the_school_is_switched_back() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    one.comes_and_goes(json!({"badge": school.lina.2})).await;
    assert_eq!(one.owner().await, "nobody", "many accounts, unless the DSI switches");

    school.switch(Accounts::One).await;
    one.comes_and_goes(json!({"badges": [school.lina.2, school.noe.2]})).await;
    assert_eq!(one.owner().await, "nobody", "a pair claims nothing");
    one.comes_and_goes(json!({"badge": school.lina.2})).await;
    assert_eq!(one.owner().await, "Lina");
    let refused = one.scan(&school.noe.2).await;
    assert_eq!(refused.code(), (403, "tablet_of_another"));
    assert!(!refused.body.to_string().contains("Lina"), "it names nobody: {}", refused.body);
    one.comes_and_goes(json!({"badge": school.lina.2})).await;
    one.comes_and_goes(json!({"badges": [school.noe.2, school.lina.2]})).await;
    // She may sit at a tablet of nobody, and gets no second one.
    two.comes_and_goes(json!({"badge": school.lina.2})).await;
    assert_eq!(two.owner().await, "nobody");
    two.comes_and_goes(json!({"badge": school.noe.2})).await;
    assert_eq!(two.owner().await, "Noé");

    // Offline, across a restart.
    let school = school.restart().await;
    (one.at, two.at) = (school.at, school.at);
    assert_eq!((one.owner().await, two.owner().await), ("Lina".into(), "Noé".into()));
    assert_eq!(two.scan(&school.lina.2).await.code(), (403, "tablet_of_another"));
    school.switch(Accounts::Many).await;
    two.comes_and_goes(json!({"badge": school.lina.2})).await;
    assert_eq!(two.owner().await, "nobody");
    // Switched again, nobody owns what was owned before.
    school.switch(Accounts::One).await;
    assert_eq!((one.owner().await, two.owner().await), ("nobody".into(), "nobody".into()));
    two.comes_and_goes(json!({"badge": school.lina.2})).await;
    assert_eq!(two.owner().await, "Lina");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adult_opens_gives_and_frees_any_tablet() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    school.switch(Accounts::One).await;
    one.comes_and_goes(json!({"badge": school.lina.2})).await;
    let id = one.me().await.text("tablet_id");
    let cookie = school.staff().await.cookie;
    let class = format!("/api/v1/classes/{}", school.class);

    // Her own badge, guests, and a child who forgot hers.
    one.comes_and_goes(json!({"badge": school.teacher.2, "second_factor": "123456"})).await;
    assert_eq!(school.by_staff(&cookie, "POST", &format!("{class}/guests"), json!({"minutes": 60})).await.status, 201);
    one.comes_and_goes(json!({"guest": school.class})).await;
    let let_in = json!({"person_id": school.noe.0, "tablet_id": id});
    assert_eq!(school.by_staff(&cookie, "POST", &format!("{class}/let-in"), let_in).await.status, 201);
    let his = one.me().await.body["session"]["token"].as_str().expect("a token").to_owned();
    one.leaves(&his).await;
    assert_eq!(one.owner().await, "Lina", "it stays hers");

    let owner = |id: &str| format!("/api/v1/tablets/{id}/owner");
    let to = |person| json!({"person_id": person});
    assert_eq!(school.by_staff("", "PUT", &owner(&id), to(school.noe.0)).await.code(), (401, "staff_required"));
    assert_eq!(school.by_staff(&cookie, "PUT", &owner(&id), to(school.head.0)).await.code(), (404, "not_found"));
    let nowhere = owner(&TabletId::from_bytes([3; 16]).to_string());
    assert_eq!(school.by_staff(&cookie, "PUT", &nowhere, to(school.noe.0)).await.code(), (404, "not_found"));
    assert_eq!(school.by_staff(&cookie, "PUT", &owner(&id), to(school.noe.0)).await.status, 204);
    let view = school.by_staff(&cookie, "GET", &class, Value::Null).await;
    assert_eq!(view.body["tablets"][0]["owner"]["given_name"], "Noé");
    assert_eq!(one.scan(&school.lina.2).await.code(), (403, "tablet_of_another"));
    // A tablet for a pupil: giving him another frees the first.
    let other = two.me().await.text("tablet_id");
    assert_eq!(school.by_staff(&cookie, "PUT", &owner(&other), to(school.noe.0)).await.status, 204);
    assert_eq!((one.owner().await, two.owner().await), ("nobody".into(), "Noé".into()));
    assert_eq!(school.by_staff(&cookie, "DELETE", &owner(&other), Value::Null).await.status, 204);
    assert_eq!(two.owner().await, "nobody");
    two.comes_and_goes(json!({"badge": school.lina.2})).await;
    school.switch(Accounts::Many).await;
    assert_eq!(school.by_staff(&cookie, "PUT", &owner(&id), to(school.noe.0)).await.code(), (404, "not_found"));
}
