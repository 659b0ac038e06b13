//! Where the other boxes of the school find this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

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
    let from = others.into_iter().chain(ANYWHERE).filter(reachable).find_map(speaks_from)?;
    Some(SocketAddr::new(from, listens.port()))
}

/// From which address the system would speak to that one. Nothing is sent.
fn speaks_from(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    // What only this machine can use is of no use to another.
    socket.local_addr().ok().map(|own| own.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
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
