//! Names on two tablets of one school: each asks under its own name, over HTTPS and over TLS, and hears what its pupil may;
//! who leaves takes her policy along.

use std::{net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use hyper::Method;
use preau_shared::{
    dns::wire,
    ids::{FilterId, TabletId},
    rig::tls,
    wire::{FilterName, SessionOpened},
};
use preau_tests::{
    browser::{Browser, Opening},
    pilot::Pilot,
    tablet::{Tablet, Teacher, client, code},
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    accounts::{comes_and_goes, switch},
    screens::morning,
};

/// Of a category that is closed to the youngest, of one that is closed to everybody, and of none.
const GAMES: &str = "jeux-01.example";
const ADULT: &str = "www.adultes-03.example";
const ATLAS: &str = "atlas.example";
/// The coordinator of a pilot, in its certificate.
const COORDINATOR: &str = "coordinator.preau.internal";

/// A question for an address, with EDNS.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = wire::question(name, wire::kind::A).expect("a name");
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// What a tablet hears of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It has an address.
    Open,
    /// It does not exist, for whoever asked.
    Blocked,
    /// Whoever asked is answered nothing.
    Refused,
}

fn heard(answer: &[u8]) -> Result<Heard> {
    match (answer.get(3).map(|flags| flags & 0x0f), answer.get(7)) {
        (Some(0), Some(1..)) => Ok(Heard::Open),
        (Some(3), _) => Ok(Heard::Blocked),
        (Some(5), Some(0)) => Ok(Heard::Refused),
        other => bail!("no answer to a name: {other:?}"),
    }
}

/// Whom a tablet asks: its box or, away from school, the coordinator.
struct Resolver<'p> {
    url: &'p str,
    ca: &'p Path,
    dot: &'p str,
    /// The name below which it is asked over TLS.
    host: String,
}

impl Resolver<'_> {
    async fn over_https(&self, path: &str, name: &str) -> Result<Heard> {
        let client = client(self.url, self.ca)?;
        let message = [("content-type", "application/dns-message")];
        let posted = client.send(Method::POST, path, &message, Some(question(name))).await?;
        ensure!(posted.status == 200 && posted.header("content-type") == Some("application/dns-message"));
        let get = format!("{path}?dns={}", data_encoding::BASE64URL_NOPAD.encode(&question(name)));
        let got = client.send(Method::GET, &get, &[], None).await?;
        ensure!(got.status == 200 && heard(&got.body)? == heard(&posted.body)?, "GET and POST differ on {name}");
        heard(&got.body)
    }

    async fn over_tls(&self, server: String, name: &str) -> Result<Heard> {
        let at: SocketAddr = self.dot.parse()?;
        let mut tls = tls::client(&std::fs::read_to_string(self.ca)?, None)?;
        tls.alpn_protocols = vec![b"dot".to_vec()];
        let connector = TlsConnector::from(Arc::new(tls));
        let mut stream = connector.connect(ServerName::try_from(server)?, TcpStream::connect(at).await?).await?;
        // Two at once: the answers come back in their order.
        let message = question(name);
        let framed = [&u16::try_from(message.len())?.to_be_bytes()[..], &message].concat();
        stream.write_all(&[framed.clone(), framed].concat()).await?;
        let mut both = Vec::new();
        for _ in 0..2 {
            let length = stream.read_u16().await?;
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await?;
            both.push(heard(&answer)?);
        }
        ensure!(both[0] == both[1]);
        Ok(both[0])
    }

    /// What a tablet hears over HTTPS and over TLS, which is the same.
    async fn hears(&self, tablet: FilterId, name: &str) -> Result<Heard> {
        let https = self.over_https(&format!("/dns-query/{tablet}"), name).await?;
        let tls = self.over_tls(format!("{tablet}.{}", self.host), name).await?;
        ensure!(https == tls, "{name}: over HTTPS {https:?}, over TLS {tls:?}");
        Ok(https)
    }

    /// Waits until a tablet hears this; one way is enough, while rules change between two questions.
    async fn comes_to_hear(&self, tablet: FilterId, name: &str, wanted: Heard) -> Result<()> {
        for _ in 0..150 {
            if self.over_tls(format!("{tablet}.{}", self.host), name).await? == wanted {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("{name} is never {wanted:?} at {}", self.url)
    }
}

/// A school with its box, and how it is asked.
struct School {
    pilot: Pilot,
}

impl School {
    fn url(&self) -> &str {
        self.pilot.text("/schools/0/box/url")
    }
    fn ca(&self) -> &Path {
        Path::new(self.pilot.text("/schools/0/box/ca_file"))
    }

    fn inside(&self) -> Resolver<'_> {
        let (dot, host) = (self.pilot.text("/schools/0/box/dot"), self.pilot.named("127.0.0.1"));
        Resolver { url: self.url(), ca: self.ca(), dot, host }
    }

    fn outside(&self) -> Resolver<'_> {
        let (url, ca, dot) =
            (self.pilot.text("/cloud/url"), self.pilot.text("/cloud/ca_file"), self.pilot.text("/cloud/dot"));
        Resolver { url, ca: Path::new(ca), dot, host: COORDINATOR.to_owned() }
    }

    async fn over_https(&self, path: &str, name: &str) -> Result<bool> {
        Ok(self.inside().over_https(path, name).await? == Heard::Open)
    }

    /// Whether a tablet hears an address of a name at its box.
    async fn hears(&self, tablet: FilterId, name: &str) -> Result<bool> {
        Ok(self.inside().hears(tablet, name).await? == Heard::Open)
    }

    /// The DSI says that a tablet is lost.
    async fn lose(&self, tablet: TabletId) -> Result<()> {
        let dsi = client(self.pilot.text("/cloud/url"), Path::new(self.pilot.text("/cloud/ca_file")))?;
        let token = std::fs::read_to_string(self.pilot.text("/cloud/admin/token_file"))?;
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/api/v1/schools/{}/tablets/{tablet}/lost", self.pilot.text("/schools/0/uai"));
        let said = dsi.send(Method::PUT, &path, &headers, Some(br#"{"lost":true}"#.to_vec())).await?;
        ensure!(said.status == 200, "{}", code(&said));
        Ok(())
    }

    async fn enrol(&self, name: &str) -> Result<(Tablet, FilterId)> {
        let code = self.pilot.text("/schools/0/enrolment_code");
        let mut tablet = Tablet::enrol(self.url(), self.ca(), code, name).await?;
        let id = tablet.myself().await?.filter_id.context("a name for the filter")?;
        Ok((tablet, id))
    }

    async fn sit(&self, tablet: &mut Tablet, levels: &[&str]) -> Result<SessionOpened> {
        let pupils = self.pilot.people("pupil")?;
        let pupil = pupils.iter().find(|pupil| levels.contains(&pupil.level.as_str())).context("a pupil")?;
        let shown = tablet.show(&pupil.payload).await?;
        shown.map_err(|code| anyhow::anyhow!("{}: {code}", pupil.given_name))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tablet_hears_what_its_pupil_may() -> Result<()> {
    let school = School { pilot: morning().await? };
    let ((mut young, youngs), (mut old, olds)) =
        (school.enrol("Tablette 01").await?, school.enrol("Tablette 02").await?);
    for tablet in [youngs, olds] {
        ensure!(!school.hears(tablet, GAMES).await?, "nobody sits there yet");
    }
    let lina = school.sit(&mut young, &["CP", "CE1"]).await?;
    let noe = school.sit(&mut old, &["CM1", "CM2"]).await?;
    for (tablet, name, open) in [
        (youngs, GAMES, false),
        (olds, GAMES, true),
        (youngs, ADULT, false),
        (olds, ADULT, false),
        (youngs, ATLAS, true),
        (olds, ATLAS, true),
    ] {
        ensure!(school.hears(tablet, name).await? == open, "{name} for {tablet}");
    }
    // Both are behind one address, which alone tells nobody apart; a name that nobody has opens nothing.
    ensure!(!school.over_https("/dns-query", GAMES).await? && school.over_https("/dns-query", ATLAS).await?);
    let nobody = FilterId::from_bytes([7; 16]);
    ensure!(!school.hears(nobody, GAMES).await?);

    // The head gives the tablet another name: the one before is nobody's.
    let head = school.pilot.people("head")?.remove(0);
    let head = Teacher::sign_in(school.url(), school.ca(), &head.payload, &head.second_factor).await?;
    let tablet = old.myself().await?.tablet_id;
    let renamed = head.act("POST", &format!("/api/v1/tablets/{tablet}/filter-id"), None).await?;
    let FilterName { filter_id: renamed } = renamed.json()?;
    school.inside().comes_to_hear(renamed, GAMES, Heard::Open).await?;
    ensure!(school.hears(renamed, GAMES).await? && !school.hears(olds, GAMES).await?);

    // Who leaves takes her policy along, at once.
    old.leave(&noe).await?;
    ensure!(!school.hears(renamed, GAMES).await?, "the next child is not the last one");
    young.leave(&lina).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_at_home_hears_the_same() -> Result<()> {
    let school = School { pilot: morning().await? };
    let (inside, outside) = (school.inside(), school.outside());
    let (mut tablet, id) = school.enrol("Tablette 01").await?;
    // It is nobody's yet, and the strictest rules of the school hold.
    outside.comes_to_hear(id, ATLAS, Heard::Open).await?;
    ensure!(outside.hears(id, GAMES).await? == Heard::Blocked && outside.hears(id, ADULT).await? == Heard::Blocked);

    // It becomes hers.
    switch(&school.pilot, "one").await?;
    let pupils = school.pilot.people("pupil")?;
    let noe = pupils.iter().find(|pupil| ["CM1", "CM2"].contains(&pupil.level.as_str())).context("a pupil")?;
    let mut turns = 0;
    while comes_and_goes(&mut tablet, &noe.payload).await?.is_none() {
        turns += 1;
        ensure!(turns < 100, "the tablet never becomes hers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let session = tablet.show(&noe.payload).await?.map_err(anyhow::Error::msg)?;
    outside.comes_to_hear(id, GAMES, Heard::Open).await?;
    for name in [GAMES, ADULT, ATLAS, "jeux-02.example", "use-application-dns.net"] {
        let (at_school, at_home) = (inside.hears(id, name).await?, outside.hears(id, name).await?);
        ensure!(at_school == at_home, "{name}: {at_school:?} at school, {at_home:?} at home");
    }
    // At home it is still hers, with nobody signed in.
    tablet.leave(&session).await?;
    ensure!(inside.hears(id, GAMES).await? == Heard::Blocked && outside.hears(id, GAMES).await? == Heard::Open);

    // Strangers are answered nothing, whichever way they come.
    let nobody = FilterId::from_bytes([7; 16]);
    ensure!(outside.hears(nobody, ATLAS).await? == Heard::Refused);
    ensure!(outside.over_tls(COORDINATOR.to_owned(), ATLAS).await? == Heard::Refused);
    let message = [("content-type", "application/dns-message")];
    let stranger = client(outside.url, outside.ca)?;
    ensure!(stranger.send(Method::POST, "/dns-query", &message, Some(question(ATLAS))).await?.status == 404);

    // Lost is lost.
    school.lose(tablet.myself().await?.tablet_id).await?;
    outside.comes_to_hear(id, ATLAS, Heard::Refused).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_said_in_the_words_of_http() -> Result<()> {
    let school = School { pilot: morning().await? };
    let client = client(school.url(), school.ca())?;
    let message = [("content-type", "application/dns-message")];
    let long = format!("/dns-query?dns={}", "A".repeat(8_000));
    for (method, path, headers, body, status) in [
        (Method::GET, "/dns-query", &[][..], None, 400),
        (Method::GET, "/dns-query?dns=%21", &[], None, 400),
        (Method::GET, "/dns-query?dns=AAAA", &[], None, 400),
        // A message that is too long to be a question is answered as such.
        (Method::GET, long.as_str(), &[], None, 200),
        (Method::POST, "/dns-query", &[], Some(question(ATLAS)), 415),
        (Method::POST, "/dns-query", &message, Some(Vec::new()), 400),
        (Method::POST, "/dns-query", &message, Some(vec![0; 5_000]), 413),
        (Method::POST, "/dns-query/not-a-tablet", &message, Some(question(ATLAS)), 404),
        (Method::PUT, "/dns-query", &message, Some(question(ATLAS)), 405),
    ] {
        let answer = client.send(method.clone(), path, headers, body).await?;
        ensure!(answer.status == status, "{method} {:.40}: {}", path, answer.status);
    }
    Ok(())
}

/// Another program's eyes: `kdig` reads every way to ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kdig_reads_every_way_to_ask() -> Result<()> {
    let school = School { pilot: morning().await? };
    let (mut tablet, id) = school.enrol("Tablette 01").await?;
    let noe = school.sit(&mut tablet, &["CM1", "CM2"]).await?;
    let host = format!("{id}.{}", school.pilot.named("127.0.0.1"));
    let (ca, https) = (school.ca().display().to_string(), format!("+https=/dns-query/{id}"));
    let port = |pointer: &str| school.pilot.text(pointer).rsplit(':').next().map(str::to_owned).context("a port");
    let (dns, dot, doh) = (port("/schools/0/box/dns")?, port("/schools/0/box/dot")?, port("/schools/0/box/url")?);
    let trusted = [format!("+tls-ca={ca}"), format!("+tls-hostname={host}")];
    let (tls, https): (Vec<String>, Vec<String>) = (
        [vec!["+tls".to_owned(), "+padding".to_owned()], trusted.to_vec()].concat(),
        [vec![https], vec![format!("+tls-ca={ca}"), format!("+tls-hostname={}", school.pilot.named("127.0.0.1"))]]
            .concat(),
    );
    for (way, port, options) in [
        ("UDP", &dns, vec!["+notcp".to_owned()]),
        ("TCP", &dns, vec!["+tcp".to_owned()]),
        ("TLS", &dot, tls),
        ("HTTPS", &doh, https),
    ] {
        let ask = |words: &[&str]| -> Result<String> {
            let out = Command::new("kdig").args(["@127.0.0.1", "-p", port]).args(&options).args(words).output();
            let out = out.context("kdig, of knot-dnsutils")?;
            let text = String::from_utf8(out.stdout)?;
            ensure!(out.status.success(), "{way} {words:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
            Ok(text)
        };
        let open = ask(&[ATLAS, "A", "+edns"])?;
        ensure!(
            open.contains("NOERROR") && open.contains("192.0.2.") && open.contains("atlas.example."),
            "{way}: {open}"
        );
        let blocked = ask(&[ADULT, "AAAA", "+edns"])?;
        ensure!(blocked.contains("NXDOMAIN") && blocked.contains("Blocked"), "{way}: {blocked}");
        ensure!(ask(&[ATLAS, "ANY"])?.contains("RFC8482"), "{way}");
        ensure!(ask(&[GAMES, "A"])?.contains("NOERROR"), "{way}: one pupil sits at this address");
        ensure!(ask(&["1.0.168.192.in-addr.arpa", "PTR"])?.contains("NXDOMAIN"), "{way}");
        // By the name under which the tablet asks over TLS its system finds the box.
        ensure!(ask(&[&host, "A"])?.contains("127.0.0.1"), "{way}: {host}");
        ensure!(ask(&["version.bind", "CH", "TXT"])?.contains("REFUSED"), "{way}: no other class");
    }
    tablet.leave(&noe).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_asks_the_box_and_nobody_else() -> Result<()> {
    let school = School { pilot: morning().await? };
    let (mut tablet, id) = school.enrol("Tablette 01").await?;
    let noe = school.sit(&mut tablet, &["CM1", "CM2"]).await?;
    let template = format!("{}/dns-query/{id}{{?dns}}", school.pilot.page());
    let browser = Browser::open(Opening { resolver: Some(&template), ..Opening::default() }).await?;
    // Whatever the page of a site that leads nowhere says, whether its name exists comes first.
    let says = async |name: &str| -> Result<String> {
        drop(browser.client().goto(&format!("http://{name}:8099/")).await);
        Ok(browser.client().source().await?)
    };
    let (blocked, open) = (says(ADULT).await?, says(GAMES).await?);
    ensure!(blocked.contains("ERR_NAME_NOT_RESOLVED"), "{blocked:.600}");
    ensure!(!open.contains("ERR_NAME_NOT_RESOLVED"), "{open:.600}");
    tablet.leave(&noe).await?;
    ensure!(says("www.jeux-02.example").await?.contains("ERR_NAME_NOT_RESOLVED"), "nobody sits there");
    browser.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_killed_while_its_lists_change_answers_by_a_good_one() -> Result<()> {
    const KILLS: u64 = 6;
    let school = School { pilot: morning().await? };
    let uai = school.pilot.text("/schools/0/uai").to_owned();
    let lists = school.pilot.folder().join("pilot/lists");
    for kill in 0..KILLS {
        // Other lists lie there: the box compiles them as soon as it is up, and is killed at another moment each time.
        let names: String = (0..60_000).map(|n| format!("jeu-{n}-{kill}.example\n")).collect();
        let games = lists.join("games/domains");
        let before = std::fs::read_to_string(&games)?;
        let kept: String =
            before.lines().filter(|line| line.starts_with("jeux-")).map(|line| format!("{line}\n")).collect();
        std::fs::write(&games, format!("{kept}{names}"))?;
        school.pilot.tell(&["kill", "box", &uai]).await?;
        ensure!(
            !answered(&school, GAMES).await?,
            "after kill {kill}, the strictest policy holds for whoever is unknown"
        );
        tokio::time::sleep(Duration::from_millis(40 * kill)).await;
    }
    let last = format!("jeu-7-{}.example", KILLS - 1);
    timeout(Duration::from_secs(60), async {
        while answered(&school, &last).await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ensure!(!answered(&school, GAMES).await? && answered(&school, ATLAS).await?);
        Ok(())
    })
    .await
    .context("the last lists are never in force")?
}

/// Asks until the box answers.
async fn answered(school: &School, name: &str) -> Result<bool> {
    let answer = async {
        loop {
            match school.over_https("/dns-query", name).await {
                Ok(open) => return open,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(Duration::from_secs(30), answer).await.context("the box does not come back")
}
