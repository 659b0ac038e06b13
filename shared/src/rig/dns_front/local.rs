//! Names that never go outside: our own, those that mean this very network, and those by which a browser or a
//! system would look for another resolver and walk around the filter.

use std::{collections::BTreeMap, net::IpAddr};

use super::Ruling;
use crate::{
    ids::{FilterId, SessionHostId},
    policy::scope::suffixes,
    wire::SESSION_HOST,
};

/// Zones without an answer from outside: special-use names (RFC 6761, 6762, 7686, 8375, 9476), reverse zones of private
/// networks (RFC 6303), discovery of designated resolvers (RFC 9462), and the name by which Firefox asks whether it may
/// turn on its own DoH.
const ABSENT: [&str; 16] = [
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "16.172.in-addr.arpa",
    "254.169.in-addr.arpa",
    "127.in-addr.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "alt",
    "home.arpa",
    "internal",
    "invalid",
    "local",
    "localhost",
    "onion",
    "resolver.arpa",
    "use-application-dns.net",
];

/// The last labels of those.
const ABSENT_ENDS: [&str; 8] = ["arpa", "alt", "internal", "invalid", "local", "localhost", "onion", "net"];

/// Our own names; a program without any still knows those that never go outside.
#[derive(Debug, Default)]
pub struct Own(BTreeMap<String, Vec<IpAddr>>);

impl Own {
    /// Names with the addresses at which tablets reach us.
    pub fn new(names: impl IntoIterator<Item = String>, addresses: &[IpAddr]) -> Self {
        let fold = |name: String| name.trim_end_matches('.').to_ascii_lowercase();
        Self(names.into_iter().map(|name| (fold(name), addresses.to_vec())).collect())
    }

    /// What is answered at once, whoever asks.
    pub fn ruling(&self, name: &str) -> Option<Ruling> {
        if let Some(addresses) = self.0.get(name).or_else(|| self.below(name)) {
            return Some(Ruling::Own(addresses.clone()));
        }
        // Most names end otherwise than all of these.
        let (_, last) = name.rsplit_once('.').unwrap_or(("", name));
        let may_be = ABSENT_ENDS.contains(&last);
        (may_be && suffixes(name).any(|suffix| ABSENT.contains(&suffix))).then_some(Ruling::Absent)
    }

    /// The addresses of a name below ours: one on which a session's pages run, or under which a tablet asks over TLS, whose
    /// system must find us by it. Whether there is such a session or tablet, the door says.
    fn below(&self, name: &str) -> Option<&Vec<IpAddr>> {
        // Numbers have 32 digits: of most names nothing is looked for.
        let (label, host) = [32, 32 + SESSION_HOST.len()].into_iter().find_map(|at| {
            let (label, rest) = name.split_at_checked(at)?;
            Some((label, rest.strip_prefix('.')?))
        })?;
        let of_session = label.strip_prefix(SESSION_HOST).is_some_and(|number| number.parse::<SessionHostId>().is_ok());
        (of_session || label.parse::<FilterId>().is_ok()).then(|| self.0.get(host)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_absent_zone_ends_otherwise() {
        assert!(ABSENT.iter().all(|zone| zone.rsplit('.').next().is_some_and(|last| ABSENT_ENDS.contains(&last))));
    }

    #[test]
    fn own_names_have_addresses_and_private_ones_none() {
        let address = IpAddr::from([192, 168, 1, 2]);
        let own = Own::new(["Moulin.box.Example.".to_owned()], &[address]);
        for (name, ruling) in [
            ("moulin.box.example", Some(Ruling::Own(vec![address]))),
            ("other.box.example", None),
            ("s-000102030405060708090a0b0c0d0e0f.moulin.box.example", Some(Ruling::Own(vec![address]))),
            ("s-0001.moulin.box.example", None),
            ("000102030405060708090a0b0c0d0e0f.moulin.box.example", Some(Ruling::Own(vec![address]))),
            ("000102030405060708090a0b0c0d0e0.moulin.box.example", None),
            ("000102030405060708090a0b0c0d0e0g.moulin.box.example", None),
            ("000102030405060708090a0b0c0d0e0f.other.box.example", None),
            ("a.s-000102030405060708090a0b0c0d0e0f.moulin.box.example", None),
            ("s-000102030405060708090a0b0c0d0e0f.other.box.example", None),
            ("printer.local", Some(Ruling::Absent)),
            ("use-application-dns.net", Some(Ruling::Absent)),
            ("_dns.resolver.arpa", Some(Ruling::Absent)),
            ("1.0.0.10.in-addr.arpa", Some(Ruling::Absent)),
            ("notlocal", None),
            ("localhost", Some(Ruling::Absent)),
            ("example.org", None),
        ] {
            assert_eq!(own.ruling(name), ruling, "{name}");
        }
    }
}
