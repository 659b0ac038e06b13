//! What a box is measured beside: the same listener with one bare axum handler behind it, in a process of its own with as
//! many threads. It reads the body, checks the same DPoP proof, takes each proof once, and answers a body of the same
//! size; it remembers nothing else and writes nothing.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use preau_shared::{
    keys::{
        dpop::{self, Expected, Thumbprint},
        draw_token,
    },
    rig::{
        dice::SystemDice,
        serve::{bind, https},
        task::Tasks,
        tls,
    },
    wire::ClaimGrant,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::{crowd::SESSIONS, line::Door};
use crate::bench::territory::{cpu, free_port};

/// The word that makes a bench's program the bare side.
pub const WORD: &str = "bare";
/// As many as a box has (`edge/src/serve.rs`).
const WORKERS: usize = 2;
/// It listens within so long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The bare side as a process of its own; it ends with us.
#[derive(Debug)]
pub struct Bare {
    /// Where it listens.
    pub door: Door,
    process: Child,
}

impl Bare {
    /// Starts this very program again, with the certificate of the box in `home` and bodies of so many bytes.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn start(home: &Path, body_bytes: usize) -> Result<Self> {
        let listen = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORD).arg(home).args([listen.to_string(), body_bytes.to_string()]);
        let process = command.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
        let door = Door::new(listen, &grant(home)?.authority)?;
        let began = Instant::now();
        while tokio::net::TcpStream::connect(listen).await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "the bare side does not listen");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { door, process })
    }

    /// Processor time that it has used.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.process.id())
    }
}

/// What the box in `home` was granted.
///
/// # Errors
/// When it never claimed.
pub fn grant(home: &Path) -> Result<ClaimGrant> {
    Ok(serde_json::from_slice(&fs::read(home.join("identity/grant.json"))?)?)
}

/// What the process does: serves until its input ends. `words` are those after [`WORD`].
///
/// # Errors
/// When it cannot listen.
pub fn serve(words: &[String]) -> Result<()> {
    let [home, listen, body_bytes] = words else { anyhow::bail!("{WORD} FOLDER ADDRESS BYTES") };
    let (home, listen, body_bytes): (PathBuf, SocketAddr, usize) = (home.into(), listen.parse()?, body_bytes.parse()?);
    let (certificate, key) = (grant(&home)?.lan_certificate, fs::read_to_string(home.join("identity/lan.key"))?);
    let config = tls::server(tls::Identity { certificate: &certificate, key: &key }, None)?;
    let bare = Arc::new(Handler {
        nonce: draw_token(&SystemDice),
        taken: Mutex::default(),
        body: Bytes::from(vec![b' '; body_bytes]),
    });
    let router = Router::new().route(SESSIONS, post(sign_in)).fallback(nonce).with_state(bare);
    let listener = bind("the bare side", listen).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let (_inside, tasks) = (runtime.enter(), Tasks::default());
    https("the bare side", listener, Arc::new(config), router, &tasks);
    while std::io::stdin().read(&mut [0; 64]).context("its parent")? > 0 {}
    Ok(())
}

struct Handler {
    nonce: String,
    taken: Mutex<BTreeSet<(Thumbprint, String)>>,
    body: Bytes,
}

async fn sign_in(State(bare): State<Arc<Handler>>, headers: HeaderMap, asked: Bytes) -> Response {
    std::future::ready(if bare.holds(&headers) && !asked.is_empty() {
        (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], bare.body.clone()).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    })
    .await
}

async fn nonce(State(bare): State<Arc<Handler>>) -> Response {
    std::future::ready((StatusCode::UNAUTHORIZED, [("dpop-nonce", bare.nonce.clone())]).into_response()).await
}

impl Handler {
    /// The proof was made for this request beside its token, carries the nonce and comes for the first time.
    fn holds(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text("authorization").and_then(|value| value.strip_prefix("DPoP "));
        let (Some(proof), Some(host), Some(_)) = (text("dpop"), text("host"), token) else { return false };
        let url = format!("https://{host}{SESSIONS}");
        let Ok(proof) = dpop::verify(proof, Expected { method: "POST", url: &url, token }) else { return false };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        proof.nonce.as_deref() == Some(&self.nonce) && taken.insert((proof.key, proof.jti))
    }
}
