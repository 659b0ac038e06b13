//! Where the other boxes of the school find this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use preau_shared::rig::route::speaks_from;

/// Addresses of nobody (RFC 5737, RFC 3849): the way to them is the way to anywhere.
const ANYWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// The address to tell: the configured one; else the one listened on; else, with its port, the one from which the system
/// would speak to the other boxes or to anywhere. `None` while there is no network.
pub(super) fn to_tell(
    listens: SocketAddr,
    announced: Option<SocketAddr>,
    others: impl IntoIterator<Item = SocketAddr>,
) -> Option<SocketAddr> {
    if announced.is_some() {
        return announced;
    }
    if !listens.ip().is_unspecified() {
        return Some(listens);
    }
    let reachable = |to: &SocketAddr| listens.is_ipv6() || to.is_ipv4();
    // What only this machine can use is of no use to another.
    let from = |to| speaks_from(to).filter(|own| !own.is_loopback());
    let from = others.into_iter().chain(ANYWHERE).filter(reachable).find_map(from)?;
    Some(SocketAddr::new(from, listens.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_or_listened_on_is_told_as_it_is() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        let (any, own, other) = (at("0.0.0.0:8444"), at("10.0.0.2:8444"), at("10.0.0.9:1"));
        assert_eq!(to_tell(any, Some(own), []), Some(own));
        assert_eq!(to_tell(own, None, [other]), Some(own));
        assert_eq!(to_tell(own, Some(other), []), Some(other));
        // Whatever the network of this machine is like, a way to itself is no address to tell.
        let found = to_tell(any, None, [at("127.0.0.1:1")]);
        assert!(found.is_none_or(|found| !found.ip().is_loopback() && found.port() == 8444), "{found:?}");
    }
}
