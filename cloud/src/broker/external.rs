//! A broker outside: only its URL is ours. Its rights must be the same (for Mosquitto: `use_identity_as_username` and an
//! ACL by pattern); the coordinator checks the school of each message anyhow.

/// Port of MQTT over TLS (IANA).
const MQTTS_PORT: u16 = 8883;

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Name or address.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `mqtts://host[:port]`; `None` for every other text: MQTT without TLS is not spoken here.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("mqtts://")?.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, MQTTS_PORT),
        };
        let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        plain.then(|| Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mqtt_over_tls_is_a_broker() {
        let at = |host: &str, port| Some(Endpoint { host: host.into(), port });
        assert_eq!(Endpoint::parse("mqtts://mqtt.example.org"), at("mqtt.example.org", 8883));
        assert_eq!(Endpoint::parse("mqtts://127.0.0.1:18883/"), at("127.0.0.1", 18883));
        for wrong in ["mqtt://mqtt.example.org", "mqtts://", "mqtts://a b", "mqtts://host:x", "mqtts://u@host"] {
            assert_eq!(Endpoint::parse(wrong), None, "{wrong}");
        }
    }
}
