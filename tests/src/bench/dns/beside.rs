//! What every server is measured beside: a bare echo, the least that one datagram in and one out costs. And the upstream
//! of all: any name has an address, for an hour. Both are this program again, one thread each.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::message::{self, A, AAAA};

/// The word that makes a bench's program the echo.
pub const ECHO: &str = "echo";
/// The word that makes it the upstream.
pub const UPSTREAM: &str = "upstream";
/// Seconds for which an answer holds.
const TTL: u32 = 3_600;
/// The class in which the upstream tells how often it was asked.
const CHAOS: [u8; 2] = [0, 3];
/// The longest datagram.
const LONGEST: usize = 2_048;

/// Sends every datagram back, marked as an answer. Does not return.
///
/// # Errors
/// When it cannot listen or send.
pub fn echo(listen: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(listen)?;
    let mut bytes = [0; LONGEST];
    loop {
        let (length, from) = socket.recv_from(&mut bytes)?;
        bytes[2] |= 0x80;
        socket.send_to(&bytes[..length], from)?;
    }
}

/// Answers every question. Does not return.
///
/// # Errors
/// When it cannot listen.
pub fn upstream(listen: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(listen)?;
    let (mut bytes, mut asked) = ([0; LONGEST], 0_u32);
    loop {
        let (length, from) = socket.recv_from(&mut bytes)?;
        let Some((answer, counts)) = answer(&bytes[..length], asked) else { continue };
        asked = asked.wrapping_add(u32::from(counts));
        // Whoever asked may be gone.
        drop(socket.send_to(&answer, from));
    }
}

/// How often the upstream was asked until now.
///
/// # Errors
/// When it does not say.
pub fn asked(upstream: SocketAddr) -> Result<u32> {
    let socket = message::socket(upstream)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut question = message::query(1, "asked", A);
    let class = question.len() - 2;
    question[class..].copy_from_slice(&CHAOS);
    let mut bytes = [0; LONGEST];
    for _ in 0..5 {
        socket.send(&question)?;
        match socket.recv(&mut bytes) {
            Ok(length) => {
                let count = bytes[..length].last_chunk().context("a short answer")?;
                return Ok(u32::from_be_bytes(*count));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("the upstream does not answer")
}

/// The answer, and whether the question counts.
fn answer(question: &[u8], asked: u32) -> Option<(Vec<u8>, bool)> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(question[end]) + 1;
    }
    let end = end + 5;
    let fixed = question.get(end - 4..end)?;
    let (kind, class) = (u16::from_be_bytes([fixed[0], fixed[1]]), [fixed[2], fixed[3]]);
    let data: Option<Vec<u8>> = match (kind, class) {
        (_, CHAOS) => Some(asked.to_be_bytes().to_vec()),
        (A, _) => Some(vec![192, 0, 2, 1 + question[end / 2] % 250]),
        (AAAA, _) => Some([&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat()),
        _ => None,
    };
    let mut answer = question[..2].to_vec();
    answer.extend([0x80 | (question[2] & 1), 0x80, 0, 1]);
    answer.extend(if data.is_some() { [0, 1, 0, 0, 0, 0] } else { [0, 0, 0, 1, 0, 0] });
    answer.extend(&question[12..end]);
    // What there is not is said by a zone's beginning (SOA), which stands at the name itself.
    let (kind, data) = data.map_or_else(|| (6, beginning()), |data| (kind, data));
    answer.extend([0xc0, 12]);
    answer.extend(kind.to_be_bytes());
    answer.extend(class);
    answer.extend(TTL.to_be_bytes());
    answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
    answer.extend(data);
    Some((answer, class != CHAOS))
}

/// Two names (the root), then five numbers of which the last is how long "there is none" holds.
fn beginning() -> Vec<u8> {
    [&[0, 0][..], &[1_u32, TTL, TTL, TTL, TTL].map(u32::to_be_bytes).concat()].concat()
}
