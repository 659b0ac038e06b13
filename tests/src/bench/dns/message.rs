//! The few bytes of DNS that a bench needs. Written apart from the product's reader, which is what is measured.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

/// An address.
pub const A: u16 = 1;
/// An address of the new kind.
pub const AAAA: u16 = 28;
/// How a site is reached over HTTPS.
pub const HTTPS: u16 = 65;
/// The name is not.
pub const NXDOMAIN: u8 = 3;
/// The name is.
pub const NOERROR: u8 = 0;

/// A question of the Internet class, recursion desired.
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(wire(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// A name's labels, each with its length before it.
pub fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.extend(u8::try_from(label.len()));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// What an answer with this number says of the name; none when it is another's, or no answer.
pub fn code(answer: &[u8], id: u16) -> Option<u8> {
    let ours = answer.get(..2)? == id.to_be_bytes() && answer.get(2)? & 0x80 != 0;
    ours.then(|| answer.get(3).map(|flags| flags & 0x0f))?
}

/// A socket for questions to this server.
///
/// # Errors
/// When the machine has none.
pub fn socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

/// Asks once; what the answer says, none when none came within `patience`.
pub fn ask(socket: &UdpSocket, id: u16, (name, kind): (&str, u16), patience: Duration) -> Option<u8> {
    socket.set_read_timeout(Some(patience)).ok()?;
    socket.send(&query(id, name, kind)).ok()?;
    let mut bytes = [0; 2048];
    loop {
        let length = socket.recv(&mut bytes).ok()?;
        if let Some(code) = code(&bytes[..length], id) {
            return Some(code);
        }
    }
}
