//! The coordinator's whole configuration: read once from `preau-cloud.toml`, typed, with an error that names file and line.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use preau_shared::wire::is_slug;
use serde::Deserialize;

use crate::{
    broker::{external::Endpoint, mosquitto::MEMBERS},
    store::Address,
};

/// Name of the file in the coordinator's folder.
pub(crate) const FILE: &str = "preau-cloud.toml";

/// What an administrator may set. Every member but `territory` has a default.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The territory's short name, in topics and certificates: `a-z`, `0-9`, `-`.
    pub territory: String,
    /// Boxes are `<slug>.box.<domain>`.
    pub domain: String,
    /// Host names and addresses of the coordinator, beside `localhost` and `127.0.0.1`.
    pub names: Vec<String>,
    /// HTTPS: console, API, claims.
    pub listen: SocketAddr,
    /// The embedded broker's address.
    pub mqtt: SocketAddr,
    /// `host:port` of the broker as boxes reach it; without it, the address in `mqtt`.
    pub mqtt_public: Option<String>,
    /// `mqtts://host:port` of a broker to use instead of the embedded one.
    pub broker: Option<String>,
    /// `postgres://user:password@host:port/database` of a PostgreSQL to use instead of a file in the folder.
    pub store: Option<String>,
    /// PEM file of the authority of that server's certificate, for `?sslmode=require`.
    pub store_authority: Option<PathBuf>,
    /// Which of several coordinators this is, from 1: they share `store`, `broker` and a copy of the folder `authority`.
    pub member: u8,
    /// Admin plane, plain HTTP: never a public address.
    pub admin: SocketAddr,
    /// DNS over TLS for tablets away from school (RFC 7858, port 853); without it they ask over HTTPS alone.
    pub dns_tls: Option<SocketAddr>,
    /// Resolvers to ask for names that are allowed, in order.
    pub upstream: Vec<SocketAddr>,
    /// Folder of block lists in UT1 form, the same as the boxes have; none: nothing is blocked by category.
    pub lists: Option<PathBuf>,
    /// MQTT keep-alive told to boxes, in seconds; a box is out of contact after 1.5 times as long.
    pub keep_alive_s: u16,
    /// MQTT connect time-out, in seconds.
    pub connect_timeout_s: u64,
    /// Longest pause before another try, in seconds; the pause itself is drawn (full jitter).
    pub retry_cap_s: u64,
    /// Log directive.
    pub log: String,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The store's URL may hold a password.
        write!(f, "Config({})", self.territory)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            territory: String::new(),
            domain: "preau.internal".into(),
            names: Vec::new(),
            listen: SocketAddr::from(([0, 0, 0, 0], 443)),
            mqtt: SocketAddr::from(([0, 0, 0, 0], 8_883)),
            mqtt_public: None,
            broker: None,
            store: None,
            member: 1,
            store_authority: None,
            admin: SocketAddr::from(([127, 0, 0, 1], 9_443)),
            dns_tls: None,
            upstream: vec![SocketAddr::from(([9, 9, 9, 9], 53)), SocketAddr::from(([149, 112, 112, 112], 53))],
            lists: None,
            keep_alive_s: 30,
            connect_timeout_s: 10,
            retry_cap_s: 60,
            log: "info".into(),
        }
    }
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened.
    #[error("{0}: {1}")]
    Open(PathBuf, std::io::Error),
    /// The file is not what is expected; the message names line and column.
    #[error("{0}: {1}")]
    Parse(PathBuf, Box<toml::de::Error>),
    /// A value makes no sense.
    #[error("{0}: {1}: {2}")]
    Value(PathBuf, &'static str, &'static str),
}

impl Config {
    /// Reads `file`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and line and column or the member that is wrong.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError::Open(file.into(), e))?;
        let config: Self = toml::from_str(&text).map_err(|e| ConfigError::Parse(file.into(), Box::new(e)))?;
        let wrong = |member, what| Err(ConfigError::Value(file.into(), member, what));
        if !is_slug(&config.territory) {
            return wrong("territory", "1 to 40 of a-z, 0-9 and -");
        }
        if !(2..=3_600).contains(&config.keep_alive_s) {
            return wrong("keep_alive_s", "between 2 and 3600 seconds");
        }
        if config.connect_timeout_s == 0 || config.retry_cap_s == 0 {
            return wrong("connect_timeout_s, retry_cap_s", "at least 1 second");
        }
        if config.upstream.is_empty() {
            return wrong("upstream", "at least one resolver, as [\"192.0.2.1:53\"]");
        }
        if config.broker.as_deref().is_some_and(|url| Endpoint::parse(url).is_none()) {
            return wrong("broker", "mqtts://host:port");
        }
        if config.broker.is_some() && config.mqtt_public.is_none() {
            return wrong("mqtt_public", "host:port of the outside broker, as boxes reach it");
        }
        if !(1..=MEMBERS).contains(&config.member) {
            return wrong("member", "from 1 to 8");
        }
        if config.member > 1 && config.broker.is_none() {
            return wrong("member", "several coordinators need a broker and a store that they share");
        }
        Ok(config)
    }

    /// `host:port` of the broker, as boxes are told.
    pub fn mqtt_public(&self) -> String {
        self.mqtt_public.clone().unwrap_or_else(|| self.mqtt.to_string())
    }

    /// The server of the database, if there is one.
    ///
    /// # Errors
    /// In words: what is wrong with its URL.
    pub(crate) fn server(&self) -> Result<Option<Address>, String> {
        self.store.as_deref().map(|url| Address::read(url, self.store_authority.as_deref())).transpose()
    }

    /// MQTT keep-alive.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_alive_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_or_value_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join(FILE);
        for (text, named) in [
            ("territory = \"belfort\"\nlisten = 7\n", "line 2"),
            ("territory = \"belfort\"\nkeepalive = 7\n", "keepalive"),
            ("territory = \"Territoire de Belfort\"\n", "territory"),
            ("territory = \"belfort\"\nkeep_alive_s = 1\n", "keep_alive_s"),
            ("territory = \"belfort\"\nupstream = []\n", "upstream"),
            ("territory = \"belfort\"\nbroker = \"mqtt://plain\"\n", "mqtts"),
        ] {
            std::fs::write(&file, text).expect("write");
            let error = Config::read(&file).expect_err(text).to_string();
            assert!(error.contains(named) && error.contains(FILE), "{error}");
        }
        std::fs::write(&file, "territory = \"belfort\"\n").expect("write");
        assert_eq!(Config::read(&file).expect("defaults").keep_alive_s, 30);
    }
}
