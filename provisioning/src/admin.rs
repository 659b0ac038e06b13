//! The admin plane of a box or of the coordinator: plain HTTP on its own loopback address.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use preau_shared::rig::fetch::MAX_ANSWER_BYTES;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};

/// A program that runs answers its admin plane at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /admin/v1/status` of a box.
#[derive(Debug, Clone, Deserialize)]
pub struct BoxState {
    /// Under which name the box writes: box and life, joined by a point.
    pub origin: String,
    /// People of the school that it knows.
    pub people: u64,
    /// Tablets enrolled.
    pub tablets: u64,
    /// Number of its last journal entry or edit.
    pub written: u64,
    /// Up to which number the coordinator has acknowledged.
    pub acknowledged: u64,
    /// What the coordinator has not acknowledged.
    pub exposure: Exposure,
    /// The link to the coordinator.
    pub wan: Link,
}

/// What stands on the box's disk only.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Exposure {
    /// Entries.
    pub entries: u64,
    /// Age of the oldest, in milliseconds.
    pub oldest_age_ms: Option<u64>,
}

/// The link to the coordinator.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Link {
    /// Whether the MQTT link is up.
    pub connected: bool,
}

/// Reads a page of the admin plane.
///
/// # Errors
/// When nothing answers, or with another status than 200.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
        // The connection must be driven while the answer is awaited; it ends with this call.
        let answer = async {
            let answer = send.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|e| anyhow::anyhow!("{e}"))?.to_bytes().to_vec();
            if status != hyper::StatusCode::OK {
                bail!("http://{address}{path} answered {status}");
            }
            Ok(body)
        };
        tokio::pin!(connection);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The server may close first; what it sent is still to be read.
            _ = &mut connection => answer.await,
        }
    };
    timeout(PATIENCE, exchange).await.with_context(|| format!("no answer from http://{address}{path}"))?
}

/// Reads a box's state.
///
/// # Errors
/// When it does not answer as [`BoxState`].
pub async fn box_state(address: SocketAddr) -> anyhow::Result<BoxState> {
    let body = get(address, "/admin/v1/status").await?;
    serde_json::from_slice(&body).context("the box's admin status is not what this program knows")
}
