//! One kept-alive HTTP/1.1 connection over TLS, as cheap for the client as can be: requests are written as they were
//! prepared, of an answer only status, length and nonce are looked for, and all of it is read.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use preau_shared::rig::tls;
use rustls::{ClientConfig, client::Resumption};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Bytes read at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// A server over TLS, and whom to trust there. Every connection makes a whole handshake, as after a power cut.
#[derive(Clone)]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({})", self.address)
    }
}

impl Door {
    /// The server at `address`, with a certificate of `authority` (PEM).
    ///
    /// # Errors
    /// When the authority cannot be read.
    pub fn new(address: SocketAddr, authority: &str) -> Result<Self> {
        let mut tls: ClientConfig = tls::client(authority, None)?;
        tls.resumption = Resumption::disabled();
        Ok(Self { address, tls: Arc::new(tls) })
    }

    /// `https://host:port`.
    pub fn base(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Connects from an address of this machine and agrees on this protocol (ALPN).
    ///
    /// # Errors
    /// What the system or TLS says.
    pub async fn connect(&self, from: Ipv4Addr, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(self.address).await.with_context(|| format!("cannot reach {self:?}"))?;
        stream.set_nodelay(true)?;
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::from(self.address.ip());
        Ok(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The nonce for the next proof.
    pub nonce: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// A connection.
#[derive(Debug)]
pub struct Line {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Line {
    /// Opens one.
    ///
    /// # Errors
    /// What the system or TLS says.
    pub async fn open(door: &Door, from: Ipv4Addr) -> Result<Self> {
        Ok(Self { stream: door.connect(from, b"http/1.1").await?, read: Vec::with_capacity(CHUNK_BYTES) })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no answer of a known length.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.read.clear();
        let head = loop {
            self.more().await?;
            if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break Head::read(std::str::from_utf8(&self.read[..end])?, end + 4)?;
            }
        };
        while self.read.len() < head.begins + head.length {
            self.more().await?;
        }
        Ok(Answer { status: head.status, nonce: head.nonce, body: self.read[head.begins..].to_vec() })
    }

    async fn more(&mut self) -> Result<()> {
        self.read.reserve(CHUNK_BYTES);
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the connection was closed before the whole answer was here");
        }
        Ok(())
    }
}

struct Head {
    status: u16,
    nonce: Option<String>,
    begins: usize,
    length: usize,
}

impl Head {
    fn read(text: &str, begins: usize) -> Result<Self> {
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
        let mut head = Self { status, nonce: None, begins, length: 0 };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name {
                "content-length" => head.length = value.parse()?,
                "dpop-nonce" => head.nonce = Some(value.to_owned()),
                "transfer-encoding" => bail!("an answer in pieces"),
                _ => {}
            }
        }
        Ok(head)
    }
}
