//! A small HTTPS client for JSON, over the HTTP stack we serve with: one kept-alive connection, bounded answers.

pub mod download;

use std::{net::IpAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, body::Bytes, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpSocket, lookup_host},
    sync::Mutex,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Largest answer read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The base URL is not `https://host[:port]`.
    #[error("{0:?} is not an https URL")]
    Url(String),
    /// No connection.
    #[error("cannot reach {to}: {why}")]
    Connect {
        /// Host and port.
        to: String,
        /// What the system or TLS says.
        why: String,
    },
    /// The connection broke before the whole answer was here: the request may or may not have been done.
    #[error("the connection to {to} broke: {why}")]
    Broken {
        /// Host and port.
        to: String,
        /// What HTTP says.
        why: String,
    },
    /// No answer in time: the request may or may not have been done.
    #[error("no answer from {0} in time")]
    Late(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// What serde says.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A client of one server. Requests follow each other on one connection, opened when needed.
pub struct Client {
    host: String,
    port: u16,
    tls: TlsConnector,
    from: Option<IpAddr>,
    patience: Duration,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({}:{})", self.host, self.port)
    }
}

impl Client {
    /// A client of `https://host[:port]`; each request must be answered within `patience`.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn new(base_url: &str, tls: ClientConfig, patience: Duration) -> Result<Self, FetchError> {
        let bad = || FetchError::Url(base_url.to_owned());
        let uri: hyper::Uri = base_url.parse().map_err(|_| bad())?;
        if uri.scheme_str() != Some("https") {
            return Err(bad());
        }
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let mut tls = tls;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(443),
            tls: TlsConnector::from(Arc::new(tls)),
            from: None,
            patience,
            connection: Mutex::new(None),
        })
    }

    /// Connects from this local address (the virtual tablets have one each).
    #[must_use]
    pub fn from_address(mut self, from: IpAddr) -> Self {
        self.from = Some(from);
        self
    }

    /// `https://host:port`, as a DPoP `htu` begins.
    pub fn base(&self) -> String {
        format!("https://{}:{}", self.host, self.port)
    }

    /// Sends a request and reads the whole answer. A kept connection that turns out closed before the request was
    /// sent is replaced once.
    ///
    /// # Errors
    /// [`FetchError`]; after [`FetchError::Broken`] and [`FetchError::Late`] the request may have been done.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, FetchError> {
        let mut slot = self.connection.lock().await;
        let exchange = async {
            let mut connection = match slot.take().filter(|c| !c.is_closed()) {
                Some(kept) => kept,
                None => self.connect().await?,
            };
            if connection.ready().await.is_err() {
                connection = self.connect().await?;
            }
            let request = self.request(method, path, headers, body)?;
            let answer = connection.send_request(request).await.map_err(|e| self.broken(&e))?;
            let status = answer.status().as_u16();
            let headers = answer
                .headers()
                .iter()
                .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|e| self.broken(&e))?.to_bytes().to_vec();
            *slot = Some(connection);
            Ok(Answer { status, headers, body })
        };
        timeout(self.patience, exchange).await.unwrap_or_else(|_| Err(FetchError::Late(self.authority())))
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn broken(&self, why: &dyn std::fmt::Display) -> FetchError {
        FetchError::Broken { to: self.authority(), why: why.to_string() }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Request<Full<Bytes>>, FetchError> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, self.authority());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(Full::from(body.unwrap_or_default())).map_err(|e| self.broken(&e))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, FetchError> {
        let failed = |why: &dyn std::fmt::Display| FetchError::Connect { to: self.authority(), why: why.to_string() };
        let address = lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|e| failed(&e))?
            .find(|a| self.from.is_none_or(|f| f.is_ipv4() == a.is_ipv4()))
            .ok_or_else(|| failed(&"no address"))?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|e| failed(&e))?;
        if let Some(from) = self.from {
            socket.bind((from, 0).into()).map_err(|e| failed(&e))?;
        }
        let stream = socket.connect(address).await.map_err(|e| failed(&e))?;
        stream.set_nodelay(true).map_err(|e| failed(&e))?;
        let name = ServerName::try_from(self.host.clone()).map_err(|e| failed(&e))?;
        let stream = self.tls.connect(name, stream).await.map_err(|e| failed(&e))?;
        let (send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        // It ends by itself when the sender is dropped or the server closes.
        tokio::spawn(async move { drop(connection.await) });
        Ok(send)
    }
}
