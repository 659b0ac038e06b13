//! The box's whole configuration: read once from `preau-edge.toml`, typed, with an error that names file and line.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::filter::ToFetch;

/// Name of the file in the box's folder.
pub(crate) const FILE: &str = "preau-edge.toml";

/// What an administrator may set. Every member has a default that suits an appliance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// HTTPS for tablets, teachers and the head.
    pub(crate) listen: SocketAddr,
    /// DNS over UDP and TCP.
    pub(crate) dns: SocketAddr,
    /// DNS over TLS; when this is not said: port 853 beside [`Self::dns`] on port 53, and nowhere beside another port.
    pub(crate) dns_tls: Option<SocketAddr>,
    /// Admin plane, plain HTTP: never an address of the pupils' network.
    pub(crate) admin: SocketAddr,
    /// Mutual TLS for the other boxes of the school.
    pub(crate) lan: SocketAddr,
    /// Where the other boxes find this one, when that is not the address it listens on or the one the system would use.
    pub(crate) lan_announce: Option<SocketAddr>,
    /// Upstream resolvers.
    pub(crate) upstream: Vec<SocketAddr>,
    /// Folder of block lists: `<category>/domains`, files such as `ads.txt`, archives of UT1 (`.tar.gz`); none: nothing is
    /// blocked by category.
    pub(crate) lists: Option<PathBuf>,
    /// Lists that are fetched into that folder.
    pub(crate) fetch: Vec<ToFetch>,
    /// Bundle (PEM) of the authorities of the servers that have them.
    pub(crate) authorities: PathBuf,
    /// `host:port` of the broker, instead of the one told at the claim.
    pub(crate) mqtt: Option<String>,
    /// Connect time-out towards the broker and the other boxes, in seconds.
    pub(crate) connect_timeout_s: u64,
    /// Longest pause before another try, in seconds; the pause itself is drawn (full jitter).
    pub(crate) retry_cap_s: u64,
    /// Opens enrolment at start for so many minutes and writes the code to `enrolment_code` in the folder; 0: an adult opens it.
    pub(crate) enrolment_open_min: u64,
    /// So many tablets may come through that window.
    pub(crate) enrolment_tablets: u32,
    /// What pupils may keep on this box together, in megabytes.
    pub(crate) work_mb: u64,
    /// Where the machine says for how long it has been running, as Linux does: the code in the school's safe opens only just
    /// after its plug was put in.
    pub(crate) uptime: PathBuf,
    /// At this hour (UTC) of the night a training room goes back to its beginning; other schools have no use for it.
    pub(crate) training_night_utc_h: u8,
    /// Log directive.
    pub(crate) log: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 443)),
            dns: SocketAddr::from(([0, 0, 0, 0], 53)),
            dns_tls: None,
            admin: SocketAddr::from(([127, 0, 0, 1], 9_443)),
            lan: SocketAddr::from(([0, 0, 0, 0], 8_444)),
            lan_announce: None,
            upstream: vec![SocketAddr::from(([9, 9, 9, 9], 53)), SocketAddr::from(([149, 112, 112, 112], 53))],
            lists: None,
            fetch: Vec::new(),
            authorities: "/etc/ssl/certs/ca-certificates.crt".into(),
            mqtt: None,
            connect_timeout_s: 10,
            retry_cap_s: 60,
            enrolment_open_min: 0,
            enrolment_tablets: 30,
            work_mb: 20_000,
            uptime: "/proc/uptime".into(),
            training_night_utc_h: 2,
            log: "info".into(),
        }
    }
}

/// The configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be opened.
    #[error("{0}: {1}")]
    Open(PathBuf, std::io::Error),
    /// The file is not what is expected; the message names line and column.
    #[error("{0}: {1}")]
    Parse(PathBuf, Box<toml::de::Error>),
}

/// The ports of DNS (RFC 1035 §4.2) and of DNS over TLS (RFC 7858 §3.1).
const DNS: u16 = 53;
const DNS_TLS: u16 = 853;

impl Config {
    /// Where names are asked over TLS, if anywhere.
    pub(crate) fn dns_tls(&self) -> Option<SocketAddr> {
        let beside = || SocketAddr::new(self.dns.ip(), DNS_TLS);
        self.dns_tls.or_else(|| (self.dns.port() == DNS).then(beside))
    }

    /// Reads `file`; a file that does not exist means the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and line and column of what is wrong.
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(ConfigError::Open(file.into(), e)),
        };
        toml::from_str(&text).map_err(|e| ConfigError::Parse(file.into(), Box::new(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join(FILE);
        assert!(Config::read(&file).is_ok(), "no file: defaults");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nlisten_to = 3\n").expect("write");
        let error = Config::read(&file).expect_err("unknown member").to_string();
        assert!(error.contains("line 2") && error.contains("listen_to"), "{error}");
    }
}
