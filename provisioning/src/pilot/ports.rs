//! Loopback ports for the pilot's programs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context as _, bail};
use preau_shared::dice::Dice;

/// Free ports are looked for here: below the range from which systems give ports to clients, so that a box that was
/// killed finds its own port again.
const LOWEST: u16 = 20_000;
const SPAN: u64 = 11_000;
/// So many ports are tried before giving up.
const MAX_TRIES: u32 = 2_000;

/// Gives out ports: one after the other from a base, or any free ones.
pub(super) enum Ports<'a> {
    /// `--port-base`: always the same, and an error when one is in use.
    From(u16),
    /// Drawn.
    Free(&'a dyn Dice, Vec<u16>),
}

impl Ports<'_> {
    /// The next address, free for TCP and UDP at this moment.
    pub(super) fn next(&mut self, what: &str) -> anyhow::Result<SocketAddr> {
        match self {
            Self::From(port) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
                *port = port.checked_add(1).context("--port-base leaves too few ports")?;
                if !is_free(address) {
                    bail!(
                        "{what}: {address} is in use by another program: choose another --port-base, or leave it out"
                    );
                }
                Ok(address)
            }
            Self::Free(dice, given) => {
                for _ in 0..MAX_TRIES {
                    let port = LOWEST.saturating_add(u16::try_from(dice.below(SPAN)).unwrap_or(0));
                    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                    if !given.contains(&port) && is_free(address) {
                        given.push(port);
                        return Ok(address);
                    }
                }
                bail!("{what}: no free port between {LOWEST} and {}", u64::from(LOWEST) + SPAN)
            }
        }
    }
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn a_port_in_use_is_named() {
        let dice = Seeded::new(3);
        let address = Ports::Free(&dice, vec![]).next("test").expect("free");
        let _held = TcpListener::bind(address).expect("bind");
        let error = Ports::From(address.port()).next("the box").expect_err("in use").to_string();
        assert!(error.contains("the box") && error.contains("in use"), "{error}");
    }
}
