//! A pupil's second factor, from the head's choice to the adult's tap.

use serde_json::{Value, json};

use super::school::{Answer, Device, School};

const HERS: &str = "chat-chien-lapin";

impl School {
    /// The head asks a level for something.
    async fn asks(&self, level: &str, factor: &str) -> Answer {
        let head = self.head().await.cookie;
        self.by_staff(&head, "PUT", &format!("/api/v1/factors/{level}"), json!({ "factor": factor })).await
    }

    /// Lina as the teacher sees her.
    async fn lina_in_the_list(&self, cookie: &str) -> Value {
        let class = self.by_staff(cookie, "GET", &format!("/api/v1/classes/{}", self.class), Value::Null).await;
        let pupils = class.body["pupils"].as_array().cloned().unwrap_or_default();
        pupils.into_iter().find(|p| p["given_name"] == "Lina").unwrap_or_default()
    }
}

impl Device {
    async fn gives(&mut self, badge: &str, secret: &str) -> Answer {
        self.sign_in(json!({ "badge": badge, "second_factor": secret })).await
    }

    async fn chooses(&mut self, session: &str, code: &str) -> Answer {
        self.ask(Some(session), "PUT", "/api/v1/sessions/current/code", json!({ "code": code })).await
    }

    /// Signs out and is clean again.
    pub(super) async fn leaves(&mut self, session: &str) {
        let order = self.sign_out(session).await;
        assert_eq!(self.receipt(&order.text("wipe_id"), "done").await.status, 204, "{}", order.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_chooses_and_a_child_chooses_hers_once() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let teacher = school.staff().await.cookie;
    let by_teacher = school.by_staff(&teacher, "PUT", "/api/v1/factors/CP", json!({"factor": "pictures"})).await;
    assert_eq!(by_teacher.code(), (403, "forbidden"));
    assert_eq!(school.asks("CM9", "digits").await.code(), (404, "not_found"));
    assert_eq!(school.asks("CP", "retina").await.code(), (400, "malformed"));
    assert_eq!(school.asks("CP", "pictures").await.status, 204);
    let levels = school.by_staff(&teacher, "GET", "/api/v1/factors", Value::Null).await;
    assert_eq!(levels.body, json!([{"level": "CP", "factor": "pictures", "pupils": 2}]));

    // She has none yet: her badge is enough once more, and the tablet lets her choose.
    let opened = tablet.scan(&school.lina.2).await;
    assert_eq!((opened.status, &opened.body["environment"]["choose_code"]), (201, &json!("pictures")));
    let session = opened.text("token");
    assert_eq!(tablet.chooses(&session, "chat-chat-chat").await.code(), (422, "code_too_simple"));
    assert_eq!(tablet.chooses(&session, "4217").await.code(), (400, "malformed"));
    assert_eq!(tablet.chooses(&session, HERS).await.status, 204);
    assert_eq!(tablet.chooses(&session, "vache-vache-chat").await.code(), (403, "forbidden"), "once");
    tablet.leaves(&session).await;

    let asked = tablet.scan(&school.lina.2).await;
    assert_eq!((asked.code(), &asked.body["factor"]), ((401, "second_factor_required"), &json!("pictures")));
    let opened = tablet.gives(&school.lina.2, HERS).await;
    assert_eq!((opened.status, &opened.body["environment"]["choose_code"]), (201, &Value::Null));
    tablet.leaves(&opened.text("token")).await;

    // It holds after a restart, and another factor asks for another code.
    let school = school.restart().await;
    tablet.at = school.at;
    assert_eq!(tablet.scan(&school.lina.2).await.code(), (401, "second_factor_required"));
    assert_eq!(school.asks("CP", "digits").await.status, 204);
    let opened = tablet.scan(&school.lina.2).await;
    assert_eq!(opened.body["environment"]["choose_code"], "digits");
    tablet.leaves(&opened.text("token")).await;
    assert_eq!(school.asks("CP", "none").await.status, 204);
    assert_eq!(tablet.scan(&school.lina.2).await.body["environment"]["choose_code"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_two_misses_an_adult_is_called_and_one_tap_lets_in() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    assert_eq!(school.asks("CP", "pictures").await.status, 204);
    let session = tablet.scan(&school.lina.2).await.text("token");
    assert_eq!(tablet.chooses(&session, HERS).await.status, 204);
    tablet.leaves(&session).await;
    let teacher = school.staff().await.cookie;

    let first = tablet.gives(&school.lina.2, "chien-chat-lapin").await;
    assert_eq!((first.code(), &first.body["factor"]), ((401, "second_factor_wrong"), &json!("pictures")));
    assert_eq!(school.lina_in_the_list(&teacher).await["calling"], Value::Null);
    let second = tablet.gives(&school.lina.2, "nonsense").await;
    assert_eq!((second.code(), &second.body["factor"]), ((403, "adult_called"), &json!("pictures")));
    school.clock.pass(7);
    let lina = school.lina_in_the_list(&teacher).await;
    let tablet_id = lina["calling"]["tablet_id"].clone();
    assert_eq!((&lina["calling"]["tablet_name"], &lina["calling"]["for_s"]), (&json!("T01"), &json!(7)));

    // She may still find it by herself; then nobody is called any more.
    let opened = tablet.gives(&school.lina.2, HERS).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    assert_eq!(school.lina_in_the_list(&teacher).await["calling"], Value::Null);
    tablet.leaves(&opened.text("token")).await;

    // Or the adult taps, and she chooses a new one.
    for _ in 0..2 {
        tablet.gives(&school.lina.2, "vache-vache-chat").await;
    }
    let let_in = json!({"person_id": school.lina.0, "tablet_id": tablet_id, "new_code": true});
    let path = format!("/api/v1/classes/{}/let-in", school.class);
    assert_eq!(school.by_staff(&teacher, "POST", &path, let_in).await.status, 201);
    assert_eq!(school.lina_in_the_list(&teacher).await["calling"], Value::Null);
    let me = tablet.me().await;
    assert_eq!(me.body["session"]["environment"]["choose_code"], "pictures", "{}", me.body);
    let session = me.body["session"]["token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(tablet.chooses(&session, "vache-vache-chat").await.status, 204);
    tablet.leaves(&session).await;
    assert_eq!(tablet.gives(&school.lina.2, HERS).await.code(), (401, "second_factor_wrong"), "the old one");
    assert_eq!(tablet.gives(&school.lina.2, "vache-vache-chat").await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wrong_codes_open_nothing_and_lock_nobody_out_for_good() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    assert_eq!(school.asks("CP", "digits").await.status, 204);
    let session = tablet.scan(&school.lina.2).await.text("token");
    assert_eq!(tablet.chooses(&session, "4217").await.status, 204);
    tablet.leaves(&session).await;
    let mut called = 0;
    for n in 0..1_000 {
        // The right one is among them: once the count is full it opens nothing either.
        let answer = tablet.gives(&school.lina.2, &format!("{:04}", 4_000 + n)).await;
        assert_ne!(answer.status, 201, "try {n}");
        called += u32::from(answer.code() == (403, "adult_called"));
    }
    assert!(called >= 990, "{called}");
    // A classmate at the same tablet is not kept out by it, and she herself is not for long.
    let noe = tablet.scan(&school.noe.2).await;
    assert_eq!(noe.status, 201, "{}", noe.body);
    tablet.leaves(&noe.text("token")).await;
    school.clock.pass(301);
    assert_eq!(tablet.gives(&school.lina.2, "4217").await.status, 201);
}
