//! A class is silent: whose tablets, since when, until when.

use serde_json::{Value, json};

use super::school::{Device, School, send};

impl Device {
    async fn is_quiet(&mut self, session: &str) -> bool {
        let now = self.ask(Some(session), "GET", "/api/v1/sessions/current", Value::Null).await;
        now.body["environment"]["quiet"] == true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_is_silent_until_the_sound_is_given_back_or_the_evening_comes() {
    let school = School::open().await;
    let (teacher, path) = (school.staff().await.cookie, format!("/api/v1/classes/{}/quiet", school.class));
    let (mut lina, mut adult) = (school.tablet("T01").await, school.tablet("T02").await);
    let hers = lina.scan(&school.lina.2).await.text("token");
    let badge = json!({"badge": school.teacher.2, "second_factor": "123456"});
    let adults = adult.sign_in(badge).await.text("token");
    assert!(!lina.is_quiet(&hers).await);
    assert_eq!(send(school.at, "POST", &path, &[], b"").await.code(), (401, "staff_required"));
    assert_eq!(school.by_staff(&teacher, "POST", &path, Value::Null).await.status, 204);
    assert!(lina.is_quiet(&hers).await && !adult.is_quiet(&adults).await, "an adult's own tablet is hers");
    let view = school.by_staff(&teacher, "GET", &format!("/api/v1/classes/{}", school.class), Value::Null).await;
    assert_eq!(view.body["quiet"], true);

    // The box restarts at 8:31; whoever sits down then is silent, too.
    let school = school.restart().await;
    let mut noe = school.tablet("T03").await;
    let opened = noe.scan(&school.noe.2).await;
    assert_eq!(opened.body["environment"]["quiet"], true);
    let teacher = school.staff().await.cookie;
    assert_eq!(school.by_staff(&teacher, "DELETE", &path, Value::Null).await.status, 204);
    assert!(!noe.is_quiet(&opened.text("token")).await);

    // Nobody gives it back: by the next morning it is.
    let mut morning = school.tablet("T04").await;
    assert_eq!(school.by_staff(&teacher, "POST", &path, Value::Null).await.status, 204);
    assert!(noe.is_quiet(&opened.text("token")).await);
    school.clock.pass(13 * 3_600);
    assert_eq!(morning.scan(&school.lina.2).await.body["environment"]["quiet"], false);
}
