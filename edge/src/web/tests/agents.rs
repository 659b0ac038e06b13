//! Agents of tablets: who may be one, and what they may say.

use preau_shared::keys::dpop::TabletKey;
use serde_json::{Value, json};

use super::school::{Answer, Device, School};

impl School {
    /// A program that wants to be bound to this tablet; not yet.
    fn agent(&self) -> Device {
        let key = TabletKey::generate().expect("key");
        Device {
            at: self.at,
            key,
            nonce: String::new(),
            token: None,
            jti: preau_shared::dice::Dice::u64(self.dice.as_ref()),
        }
    }
}

impl Device {
    async fn bind(&mut self, code: &str, tablet: &str, steps: Value) -> Answer {
        let key = self.key.jwk().clone();
        let ask = json!({"code": code, "tablet": tablet, "kind": "freekiosk", "steps": steps, "key": key});
        let bound = self.ask(None, "POST", "/api/v1/agents", ask).await;
        if bound.status == 201 {
            self.token = Some(bound.text("token"));
        }
        bound
    }

    async fn owes(&mut self) -> Value {
        let token = self.token.clone();
        let me = self.ask(token.as_deref(), "GET", "/api/v1/agents/me", Value::Null).await;
        assert_eq!(me.status, 200, "{}", me.body);
        me.body["wipe"].clone()
    }

    async fn reports(&mut self, wipe: &str, outcomes: &[(&str, &str)]) -> Answer {
        let steps: Vec<Value> =
            outcomes.iter().map(|(name, outcome)| json!({"name": name, "outcome": outcome})).collect();
        let token = self.token.clone();
        self.ask(token.as_deref(), "POST", &format!("/api/v1/wipes/{wipe}/receipt"), json!({ "steps": steps })).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_needs_the_code_a_tablet_and_a_step() {
    let school = School::open().await;
    let _tablets = (school.tablet("T01").await, school.tablet("T02").await, school.tablet("Double").await);
    let mut agent = school.agent();
    let all = json!(["downloads", "camera", "apps", "make coffee"]);
    assert_eq!(agent.bind("WRONGONE", "T01", all.clone()).await.code(), (403, "enrolment_closed"));
    assert_eq!(agent.bind(&school.code, "T09", all.clone()).await.code(), (404, "not_found"));
    assert_eq!(agent.bind(&school.code, "T01", json!(["make coffee"])).await.code(), (400, "malformed"));
    assert_eq!(agent.bind(&school.code, " T01 ", all.clone()).await.status, 201);
    assert_eq!(agent.owes().await, Value::Null);
    // Another one takes its place, and it hears nothing more.
    let mut next = school.agent();
    assert_eq!(next.bind(&school.code, "T01", all).await.status, 201);
    let token = agent.token.clone();
    let gone = agent.ask(token.as_deref(), "GET", "/api/v1/agents/me", Value::Null).await;
    assert_eq!(gone.code(), (401, "tablet_unknown"));
    // Its token signs nobody in: it is no tablet's.
    let token = next.token.clone();
    let asked = next.ask(token.as_deref(), "POST", "/api/v1/sessions", json!({"badge": school.lina.2})).await;
    assert_eq!(asked.code(), (401, "tablet_unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_half_may_fail_and_come_again_in_any_order() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let mut agent = school.agent();
    assert_eq!(agent.bind(&school.code, "T01", json!(["downloads", "apps"])).await.status, 201);
    let session = tablet.scan(&school.lina.2).await.text("token");
    let wipe = tablet.sign_out(&session).await.text("wipe_id");
    let order = agent.owes().await;
    assert_eq!((&order["wipe_id"], order["steps"].as_array().map(Vec::len)), (&json!(wipe), Some(2)));

    // The agent, started again in the middle, does one step; the page fails one of its own.
    let half = agent.reports(&wipe, &[("downloads", "done")]).await;
    assert_eq!((half.code(), &half.body["steps"]), ((409, "wipe_incomplete"), &json!(["apps"])));
    assert_eq!(tablet.receipt(&wipe, "failed").await.code(), (409, "wipe_incomplete"));
    assert_eq!(agent.reports(&wipe, &[("downloads", "done"), ("apps", "done")]).await.status, 202);
    assert_eq!(tablet.me().await.body["state"], "wiping");
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 204);
    assert_eq!(tablet.me().await.body["state"], "free");

    // The agent's half does not come: after a while an adult is told what to look at. It comes late, and is good.
    let session = tablet.scan(&school.lina.2).await.text("token");
    let wipe = tablet.sign_out(&session).await.text("wipe_id");
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 202);
    school.app.sweep().await;
    assert_eq!(tablet.me().await.body["unconfirmed"], Value::Null);
    school.clock.pass(61);
    school.app.sweep().await;
    assert_eq!(tablet.me().await.body["unconfirmed"], json!(["downloads", "apps"]));
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 202, "the page says it again");
    assert_eq!(tablet.me().await.body["unconfirmed"], json!(["downloads", "apps"]));
    let school = school.restart().await;
    (agent.at, tablet.at) = (school.at, school.at);
    assert_eq!(agent.reports(&wipe, &[("downloads", "done"), ("apps", "done")]).await.status, 204);
    assert_eq!(tablet.me().await.body["state"], "free");

    // A report with a step twice counts by its worst line, and steps that nobody asked for do nothing.
    let session = tablet.scan(&school.lina.2).await.text("token");
    let wipe = tablet.sign_out(&session).await.text("wipe_id");
    assert_eq!(tablet.receipt(&wipe, "done").await.status, 202);
    let twice = [("downloads", "done"), ("apps", "failed"), ("apps", "done"), ("pages", "done")];
    assert_eq!(agent.reports(&wipe, &twice).await.code(), (409, "wipe_incomplete"));
    let said = tablet.receipt(&wipe, "done").await;
    assert_eq!((said.code(), &said.body["steps"]), ((409, "wipe_incomplete"), &json!(["apps"])));
    assert_eq!(tablet.me().await.body["unconfirmed"], json!(["apps"]));
}
