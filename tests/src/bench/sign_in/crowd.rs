//! Tablets of a school, each with its key, its token and the badge of one pupil. Proofs are made before a clock runs.

use std::{iter::repeat, net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use preau_shared::{
    keys::dpop::{Expected, TabletKey},
    wire::{Enrol, Enrolled, Receipt, SessionOpened, SignIn, StepOutcome, StepReport, WipeOrder},
};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::line::{Answer, Door, Line};

/// Where a sign-in goes.
pub const SESSIONS: &str = "/api/v1/sessions";

/// Tablets have addresses from here on.
const TABLETS_LIVE: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
/// Connections that several tablets share come from here on.
const HANDS_LIVE: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);

fn nth_address(first: Ipv4Addr, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(first.to_bits() + number)
}

/// A request of a tablet, before it is proved.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// The token that travels beside; none at the enrolment.
    pub token: Option<&'a str>,
    /// The current nonce; empty while it is not known.
    pub nonce: &'a str,
}

/// A tablet.
#[derive(Debug)]
pub struct Tablet {
    /// Its own address on loopback, as each tablet of a school has one.
    pub address: Ipv4Addr,
    /// The tablet token.
    pub token: String,
    key: TabletKey,
    /// The body of its sign-in.
    pub badge: Vec<u8>,
    /// The answer to its last sign-in.
    pub opened: Option<Vec<u8>>,
    proofs: u64,
}

impl Tablet {
    fn new(number: u32, badge: &str) -> Result<Self> {
        let sign_in = SignIn { badge: Some(badge.to_owned()), ..SignIn::default() };
        let address = nth_address(TABLETS_LIVE, number);
        let badge = serde_json::to_vec(&sign_in)?;
        Ok(Self { address, token: String::new(), key: TabletKey::generate()?, badge, opened: None, proofs: 0 })
    }

    /// A proof for this request.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn prove(&mut self, base: &str, ask: Ask<'_>) -> Result<String> {
        self.proofs += 1;
        let url = format!("{base}{}", ask.path);
        let request = Expected { method: ask.method, url: &url, token: ask.token };
        let nonce = (!ask.nonce.is_empty()).then_some(ask.nonce);
        Ok(self.key.prove(request, nonce, &format!("{:016x}", self.proofs))?)
    }

    /// A whole request, as the bytes of HTTP/1.1.
    fn request(&mut self, door: &Door, ask: Ask<'_>, body: &[u8]) -> Result<Vec<u8>> {
        let proof = self.prove(&door.base(), ask)?;
        let token = ask.token.map(|t| format!("authorization: DPoP {t}\r\n")).unwrap_or_default();
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n{token}dpop: {proof}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            ask.method,
            ask.path,
            door.address,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Ok(bytes)
    }

    /// Its next sign-in.
    fn sign_in(&mut self, door: &Door, nonce: &str) -> Result<Vec<u8>> {
        let (token, badge) = (self.token.clone(), self.badge.clone());
        self.request(door, Ask { method: "POST", path: SESSIONS, token: Some(&token), nonce }, &badge)
    }

    async fn enrol(&mut self, hand: &mut Hand, code: &str) -> Result<()> {
        let name = self.address.to_string();
        let request = Enrol {
            code: code.to_owned(),
            serial: Some(name.clone()),
            name,
            model: None,
            case_id: None,
            capabilities: None,
            key: self.key.jwk().clone(),
        };
        let ask = Ask { method: "POST", path: "/api/v1/tablets", token: None, nonce: &hand.nonce.clone() };
        let request = self.request(&hand.door, ask, &serde_json::to_vec(&request)?)?;
        let answer = hand.ask(&request, 201).await?;
        let enrolled: Enrolled = serde_json::from_slice(&answer.body)?;
        self.token = enrolled.token;
        self.wiped(hand, WipeOrder { wipe_id: enrolled.wipe_id, steps: enrolled.steps }).await
    }

    /// Leaves, and is wiped: free for the next.
    async fn leave(&mut self, hand: &mut Hand) -> Result<()> {
        let Some(opened) = self.opened.take() else { return Ok(()) };
        let opened: SessionOpened = serde_json::from_slice(&opened)?;
        ensure!(opened.recorded, "a sign-in was not recorded");
        let token = opened.token.context("a session token")?;
        let ask =
            Ask { method: "DELETE", path: "/api/v1/sessions/current", token: Some(&token), nonce: &hand.nonce.clone() };
        let request = self.request(&hand.door, ask, b"")?;
        let order = hand.ask(&request, 202).await?;
        self.wiped(hand, serde_json::from_slice(&order.body)?).await
    }

    async fn wiped(&mut self, hand: &mut Hand, order: WipeOrder) -> Result<()> {
        let done = |name| StepReport { name, outcome: StepOutcome::Done };
        let receipt = Receipt { steps: order.steps.into_iter().map(|step| done(step.name)).collect() };
        let (token, path) = (self.token.clone(), format!("/api/v1/wipes/{}/receipt", order.wipe_id));
        let ask = Ask { method: "POST", path: &path, token: Some(&token), nonce: &hand.nonce.clone() };
        let request = self.request(&hand.door, ask, &serde_json::to_vec(&receipt)?)?;
        hand.ask(&request, 204).await?;
        Ok(())
    }
}

/// A connection, with the nonce that it last heard.
#[derive(Debug)]
pub struct Hand {
    door: Door,
    line: Line,
    nonce: String,
}

impl Hand {
    /// Connects, and asks for a nonce as a stranger.
    async fn open(door: &Door, number: u32) -> Result<Self> {
        let mut line = Line::open(door, nth_address(HANDS_LIVE, number)).await?;
        let asking = format!("GET /api/v1/tablets/me HTTP/1.1\r\nhost: {}\r\n\r\n", door.address);
        let nonce = line.ask(asking.as_bytes()).await?.nonce.context("no nonce")?;
        Ok(Self { door: door.clone(), line, nonce })
    }

    async fn ask(&mut self, request: &[u8], status: u16) -> Result<Answer> {
        let answer = self.line.ask(request).await?;
        let said = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, said());
        if let Some(nonce) = &answer.nonce {
            self.nonce.clone_from(nonce);
        }
        Ok(answer)
    }
}

/// What a burst of sign-ins took.
#[derive(Debug, Default, Clone)]
pub struct Burst {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Each sign-in, from its request to the last byte of its answer, in seconds.
    pub each: Vec<f64>,
    /// Bytes of the bodies.
    pub body_bytes: usize,
    /// Processor time of the server meanwhile.
    pub cpu: Duration,
}

impl Burst {
    /// Processor time of the server for a sign-in, in seconds.
    pub fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() / crate::bench::table::count(self.each.len())
    }

    /// Sign-ins a second.
    pub fn rate(&self) -> f64 {
        crate::bench::table::count(self.each.len()) / self.seconds
    }
}

/// Time between the last preparation and a burst.
const BREATH: Duration = Duration::from_millis(50);
/// Connections over which tablets are enrolled and cleared.
const HANDS: u32 = 30;

/// The tablets of a school. A number of connections share them, each working through its part.
#[derive(Debug)]
pub struct Crowd {
    /// The tablets.
    pub tablets: Vec<Tablet>,
}

impl Crowd {
    /// Enrols a tablet for each badge.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn enrol(door: &Door, code: &str, badges: &[String]) -> Result<Self> {
        let tablets = (0..).zip(badges).map(|(n, badge)| Tablet::new(n, badge)).collect::<Result<_>>()?;
        let (mut crowd, code) = (Self { tablets }, code.to_owned());
        crowd.each(door, async move |tablet, hand| tablet.enrol(hand, &code).await).await?;
        Ok(crowd)
    }

    /// Whoever is signed in leaves, and her tablet is wiped.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn leave(&mut self, door: &Door) -> Result<()> {
        let (used, free) = std::mem::take(&mut self.tablets).into_iter().partition(|tablet| tablet.opened.is_some());
        self.tablets = used;
        self.each(door, Tablet::leave).await?;
        self.tablets.extend::<Vec<_>>(free);
        Ok(())
    }

    /// Answers of the bare side are dropped: nobody is signed in there.
    pub fn forget(&mut self) {
        self.tablets.iter_mut().for_each(|tablet| tablet.opened = None);
    }

    /// Every tablet signs in once, over so many connections, which take turns at the moments in `due`, in ascending order
    /// and counted from the start; beyond them each asks again when it is answered. Proofs are made, and connections warm,
    /// before the clock runs.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn sign_in(
        &mut self,
        door: &Door,
        (hands, due): (u32, &[Duration]),
        cpu: impl Fn() -> Result<Duration>,
    ) -> Result<Burst> {
        let mut ready = Vec::new();
        let every = usize::try_from(hands)?;
        for (first, (n, mut tablets)) in (0..).zip(self.parts(hands)).enumerate() {
            let hand = Hand::open(door, n).await?;
            let due = due.iter().skip(first).step_by(every).map(Some).chain(repeat(None));
            let ask = |(tablet, due): (&mut Tablet, Option<&Duration>)| {
                Ok((tablet.sign_in(door, &hand.nonce)?, due.copied()))
            };
            let asked = tablets.iter_mut().zip(due).map(ask).collect::<Result<Vec<_>>>()?;
            ready.push((hand, tablets, asked));
        }
        // What the last burst left behind is cleared away first: its connections are closed.
        sleep(BREATH).await;
        let (before, began, mut set) = (cpu()?, Instant::now(), JoinSet::new());
        for (mut hand, mut tablets, asked) in ready {
            set.spawn(async move {
                let mut each = Vec::with_capacity(asked.len());
                for (tablet, (request, due)) in tablets.iter_mut().zip(asked) {
                    let sent = moment(due.map(|due| began + due)).await;
                    let answer = hand.ask(&request, 201).await?;
                    each.push(sent.elapsed().as_secs_f64());
                    tablet.opened = Some(answer.body);
                }
                // The connection is handed back too: it is not closed while the clock runs.
                Ok::<_, anyhow::Error>((each, tablets, hand))
            });
        }
        let done = set.join_all().await;
        let seconds = began.elapsed().as_secs_f64();
        let mut burst = Burst { seconds, cpu: cpu()?.saturating_sub(before), ..Burst::default() };
        for part in done {
            let (each, tablets, _hand) = part?;
            burst.each.extend(each);
            burst.body_bytes += tablets.iter().filter_map(|t| t.opened.as_ref()).map(Vec::len).sum::<usize>();
            self.tablets.extend(tablets);
        }
        Ok(burst)
    }

    /// Each tablet does something with the hand that it comes to.
    async fn each<F>(&mut self, door: &Door, act: F) -> Result<()>
    where
        F: AsyncFn(&mut Tablet, &mut Hand) -> Result<()>,
    {
        let parts = (0..).zip(self.parts(HANDS)).map(async |(n, mut tablets)| {
            let mut hand = Hand::open(door, n).await?;
            for tablet in &mut tablets {
                act(tablet, &mut hand).await?;
            }
            Ok::<_, anyhow::Error>(tablets)
        });
        for tablets in try_join_all(parts).await? {
            self.tablets.extend(tablets);
        }
        Ok(())
    }

    fn parts(&mut self, hands: u32) -> Vec<Vec<Tablet>> {
        let size = self.tablets.len().div_ceil(usize::try_from(hands).unwrap_or(1));
        let mut rest = std::mem::take(&mut self.tablets).into_iter();
        std::iter::from_fn(|| Some(rest.by_ref().take(size).collect()).filter(|part: &Vec<_>| !part.is_empty()))
            .collect()
    }
}

/// Waits for a moment. Whoever comes after it, because the answer before was late, has waited since then.
async fn moment(due: Option<Instant>) -> Instant {
    let now = Instant::now();
    match due {
        Some(due) if due > now => {
            sleep_until(due).await;
            Instant::now()
        }
        Some(due) => due,
        None => now,
    }
}

/// The stable code of a problem, or the status.
pub fn code(status: u16, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("code").and_then(Value::as_str).map_or_else(|| status.to_string(), str::to_owned)
}
