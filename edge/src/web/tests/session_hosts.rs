//! The host of a session, asked over a real socket: its page and its order to clear, and nothing else to anybody.

use preau_shared::ids::SessionHostId;

use super::school::{Answer, School, send_as};

impl School {
    async fn at_host(&self, host: &str, method: &str, path: &str, cookie: Option<&str>) -> Answer {
        let mut headers = vec![("Host", host)];
        headers.extend(cookie.map(|cookie| ("Cookie", cookie)));
        send_as(self.at, (method, path), &headers, &[]).await
    }

    async fn page_of(&self, host: &str) -> u16 {
        self.at_host(host, "GET", "/", None).await.status
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_served_while_its_session_lasts_and_never_again() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let opened = tablet.scan(&school.lina.2).await;
    let (token, host) = (opened.text("token"), format!("s-{}.box:8443", opened.text("host")));
    let page = school.at_host(&host, "GET", "/", None).await;
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.bytes).expect("HTML");
    assert!(html.contains("src=\"https://box:8443/static/") && html.contains("<symbol id=\"camera\""), "{html}");
    let head = page.head.to_lowercase();
    for rule in [
        "default-src 'none'",
        "script-src https://box:8443;",
        "frame-ancestors https://box:8443\r",
        "cache-control: no-store",
    ] {
        assert!(head.contains(rule), "{rule}: {head}");
    }
    assert!(!head.contains("clear-site-data"), "{head}");
    // Nothing but the page is there: neither API nor the tablet's own page, nor files.
    for path in ["/tablette", "/api/v1/tablets/me", "/enseignant", "/sw.js", "/static/x/tablet/main.js"] {
        assert_eq!(school.at_host(&host, "GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(school.at_host(&host, "POST", "/", None).await.status, 404);
    // Whoever left a cookie for all hosts left it to nobody.
    let with = school.at_host(&host, "GET", "/", Some("cahier=Lina")).await;
    assert!(with.head.to_lowercase().contains("clear-site-data: \"cookies\""), "{}", with.head);
    // The same after a reload, after another sign-in of nobody, and after a restart of the box.
    let current = tablet.ask(Some(&token), "GET", "/api/v1/sessions/current", serde_json::Value::Null).await;
    assert_eq!(current.text("host"), opened.text("host"));
    let school = school.restart().await;
    assert_eq!(school.page_of(&host).await, 200);
    tablet.at = school.at;

    assert_eq!(tablet.sign_out(&token).await.status, 202);
    assert_eq!(school.page_of(&host).await, 404);
    let school = school.restart().await;
    assert_eq!(school.page_of(&host).await, 404, "a restart brought it back");
    let cleared = school.at_host(&host, "GET", "/clear", None).await;
    let head = cleared.head.to_lowercase();
    assert!(cleared.status == 204 && head.contains("clear-site-data: \"cookies\", \"storage\""), "{head}");
    assert!(head.contains("access-control-allow-origin: https://box:8443\r"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_sessions_have_one_host_and_a_host_of_nobody_gets_nothing() {
    let school = School::open().await;
    let (mut one, mut two) = (school.tablet("T01").await, school.tablet("T02").await);
    let (lina, noe) = (one.scan(&school.lina.2).await.text("host"), two.scan(&school.noe.2).await.text("host"));
    assert!(lina.parse::<SessionHostId>().is_ok() && noe.parse::<SessionHostId>().is_ok());
    assert_ne!(lina, noe);
    // Her badge elsewhere ends her first stay: its host is nobody's from then on.
    let mut three = school.tablet("T03").await;
    let again = three.scan(&school.lina.2).await.text("host");
    assert_ne!(again, lina);
    assert_eq!(school.page_of(&format!("s-{lina}.box")).await, 404);
    assert_eq!(school.page_of(&format!("s-{again}.box")).await, 200);
    for host in [&format!("s-{}.box", "0".repeat(32)), "x.box", "s-.box", &format!("S-{}.box", again.to_uppercase())] {
        let answer = school.at_host(host, "GET", "/", None).await;
        assert!(answer.status == 404 || host.starts_with("S-"), "{host}: {}", answer.status);
    }
    // A host of somebody else is none of ours: the box answers as it always did.
    assert_eq!(school.at_host(&format!("s-{again}.other"), "GET", "/tablette", None).await.status, 200);
    assert_eq!(school.at_host("127.0.0.1", "GET", "/tablette", None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tablets_page_frames_hosts_below_the_boxs_name_alone() {
    let school = School::open().await;
    let head = school.at_host("box", "GET", "/tablette", None).await.head.to_lowercase();
    assert!(head.contains("frame-src https://*.box:*; connect-src 'self' https://*.box:*"), "{head}");
    assert!(head.contains("frame-ancestors 'none'"), "{head}");
    let head = school.at_host("box", "GET", "/enseignant", None).await.head.to_lowercase();
    assert!(!head.contains("frame-src https"), "{head}");
}
