//! Files over HTTP: asked for only when they changed (RFC 9110 §13), written as they come, bounded in size and in time.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use data_encoding::HEXLOWER;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::keys::sha256;

/// Connecting, the head of an answer and each piece of it take at most this.
const PATIENCE: Duration = Duration::from_secs(30);
/// All of it takes at most this: a list of 200 MB comes at 1 Mbit/s.
const ALL_OF_IT: Duration = Duration::from_secs(30 * 60);
/// Redirections that are followed.
const MAX_REDIRECTS: usize = 3;

/// A URL of a file: `https`, or `http` on this machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl(Uri);

/// It is none, or would be asked for in clear, or names a user. It is not repeated: there may be a secret in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a URL must begin with https:// and name a host, and no user")]
pub struct BadUrl;

impl std::str::FromStr for FileUrl {
    type Err = BadUrl;
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let uri: Uri = text.parse().map_err(|_| BadUrl)?;
        let host = uri.host().ok_or(BadUrl)?.trim_matches(['[', ']']);
        let here = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let scheme = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => here,
            Some(_) | None => false,
        };
        let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if scheme && !user { Ok(Self(uri)) } else { Err(BadUrl) }
    }
}

impl FileUrl {
    /// Host and port, for people to read.
    pub fn host(&self) -> String {
        self.0.authority().map(ToString::to_string).unwrap_or_default()
    }

    /// Names it without repeating it: there may be a secret in it.
    pub fn mark(&self) -> String {
        HEXLOWER.encode(&sha256(self.0.to_string().as_bytes()))
    }

    fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Where a redirection leads: another URL, or a path of the same host. Never from a secure one to one in clear.
    fn redirected(&self, to: &str) -> Option<Self> {
        let next = if to.starts_with('/') && !to.starts_with("//") {
            let mut parts = self.0.clone().into_parts();
            parts.path_and_query = Some(to.parse().ok()?);
            Self(Uri::from_parts(parts).ok()?)
        } else {
            to.parse().ok()?
        };
        (next.is_secure() || !self.is_secure()).then_some(next)
    }
}

/// Which version of a file is known, as its server named it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it was modified.
    pub modified: Option<String>,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Nothing: the file is the one that is known.
    Same,
    /// All of it, and how its server names this version.
    File(Tags),
}

/// A file did not come.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No connection, or one that broke, or no answer in time.
    #[error("cannot reach {to}: {why}")]
    Reach {
        /// Host and port.
        to: String,
        /// What the system, TLS or HTTP says.
        why: String,
    },
    /// Another answer than the file.
    #[error("{0} answers {1}")]
    Status(String, u16),
    /// It is larger than was said that it may be.
    #[error("{0} sends more than {max} MB", max = .1 / 1_000_000)]
    TooLarge(String, u64),
    /// It leads to where nobody should be led: in clear, or on and on.
    #[error("{0} leads on to an address that is not asked")]
    Redirected(String),
    /// It cannot be written.
    #[error("{}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
}

/// Asks for a file, which is written to `to`, whole and synced, unless it is the one of the `known` tags.
///
/// # Errors
/// [`DownloadError`]; then what is at `to` is of no use.
pub async fn download(
    (url, known): (&FileUrl, &Tags),
    max_bytes: u64,
    tls: &Arc<ClientConfig>,
    to: &Path,
) -> Result<Came, DownloadError> {
    let all = async {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = in_time(&at, ask(&at, known, tls)).await?;
            let header = |name: header::HeaderName| {
                answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            match answer.status() {
                StatusCode::OK => {
                    let tags = Tags { etag: header(header::ETAG), modified: header(header::LAST_MODIFIED) };
                    write(&at, answer, max_bytes, to).await?;
                    return Ok(Came::File(tags));
                }
                StatusCode::NOT_MODIFIED if *known != Tags::default() => return Ok(Came::Same),
                status if status.is_redirection() => {
                    let next = header(header::LOCATION).and_then(|next| at.redirected(&next));
                    at = next.ok_or_else(|| DownloadError::Redirected(at.host()))?;
                }
                status => return Err(DownloadError::Status(at.host(), status.as_u16())),
            }
        }
        Err(DownloadError::Redirected(url.host()))
    };
    timeout(ALL_OF_IT, all).await.unwrap_or_else(|_| Err(unreached(url, &"it is too slow")))
}

fn unreached(url: &FileUrl, why: &dyn std::fmt::Display) -> DownloadError {
    DownloadError::Reach { to: url.host(), why: why.to_string() }
}

async fn in_time<T>(url: &FileUrl, what: impl Future<Output = Result<T, DownloadError>>) -> Result<T, DownloadError> {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(unreached(url, &"no answer in time")))
}

async fn ask(url: &FileUrl, known: &Tags, tls: &Arc<ClientConfig>) -> Result<Response<Incoming>, DownloadError> {
    let path = url.0.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).header(header::HOST, url.host()).header(header::CONNECTION, "close");
    for (name, value) in [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.modified)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let request = request.body(Empty::new()).map_err(|error| unreached(url, &error))?;
    let host = url.0.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.0.port_u16().unwrap_or(if url.is_secure() { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| unreached(url, &error))?;
    if !url.is_secure() {
        return send(url, TokioIo::new(stream), request).await;
    }
    let name = ServerName::try_from(host).map_err(|error| unreached(url, &error))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    send(url, TokioIo::new(stream.map_err(|error| unreached(url, &error))?), request).await
}

async fn send<S: Read + Write + Unpin + Send + 'static>(
    url: &FileUrl,
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, DownloadError> {
    let (mut send, connection) = http1::handshake(stream).await.map_err(|error| unreached(url, &error))?;
    // It ends by itself when the answer is dropped or the server closes.
    tokio::spawn(async move { drop(connection.await) });
    send.send_request(request).await.map_err(|error| unreached(url, &error))
}

async fn write(url: &FileUrl, mut answer: Response<Incoming>, max_bytes: u64, to: &Path) -> Result<(), DownloadError> {
    let too_large = || DownloadError::TooLarge(url.host(), max_bytes);
    let unwritten = |error| DownloadError::Write(to.to_owned(), error);
    let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > max_bytes) {
        return Err(too_large());
    }
    let mut file = BufWriter::with_capacity(1 << 18, File::create(to).await.map_err(unwritten)?);
    let mut left = max_bytes;
    loop {
        let piece = timeout(PATIENCE, answer.body_mut().frame()).await;
        let Some(piece) = piece.map_err(|_| unreached(url, &"it stopped in the middle"))? else { break };
        let Ok(bytes) = piece.map_err(|error| unreached(url, &error))?.into_data() else { continue };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(length).ok_or_else(too_large)?;
        file.write_all(&bytes).await.map_err(unwritten)?;
    }
    file.flush().await.map_err(unwritten)?;
    file.into_inner().sync_all().await.map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_asked_for_in_secret_or_on_this_machine() {
        for good in
            ["https://lists.example/a.tar.gz?x=1", "http://127.0.0.1:8080/a", "http://[::1]/a", "https://l.example"]
        {
            assert!(good.parse::<FileUrl>().is_ok(), "{good}");
        }
        for bad in
            ["http://lists.example/a", "ftp://lists.example/a", "/a", "", "https://", "https://me:secret@l.example/"]
        {
            assert_eq!(bad.parse::<FileUrl>(), Err(BadUrl), "{bad}");
        }
        let secure: FileUrl = "https://lists.example:8443/a?x=1".parse().expect("one");
        assert_eq!(secure.redirected("/b?y=2"), "https://lists.example:8443/b?y=2".parse().ok());
        assert_eq!(secure.redirected("https://other.example/b"), "https://other.example/b".parse().ok());
        for bad in ["http://127.0.0.1/", "//other.example/b", "b", "file:///etc/passwd", "\u{7f}"] {
            assert_eq!(secure.redirected(bad), None, "{bad}");
        }
    }
}
