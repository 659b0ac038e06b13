//! Bytes to exactly one question, or to what is sent back instead.

use super::{
    answer,
    wire::{CLASS_IN, Code, HEADER_BYTES, MAX_NAME_BYTES, Step, fold, kind, past_name, step, u16_at, u32_at},
};

/// The largest query that is read, in bytes: a name, its type, and a few options.
pub const MAX_QUERY_BYTES: usize = 4_096;
/// Records after the question: one OPT (RFC 6891), perhaps a signature next to it.
const MAX_ADDITIONAL: u16 = 3;
/// Type and class, after a name.
const TYPE_AND_CLASS: usize = 4;
/// Padding to hide a message's length (RFC 7830).
const PADDING: u16 = 12;

/// One question, in the bytes that it came in.
#[derive(Debug, Clone, Copy)]
pub struct Question<'p> {
    /// The asker's number for it.
    pub id: u16,
    /// The record type asked for.
    pub kind: u16,
    /// The question as it was asked, case and all, to be sent back.
    pub(super) asked: &'p [u8],
    pub(super) edns: Option<Extended>,
    /// Bits of the query that go back with its answer.
    pub(super) recursion_desired: bool,
    pub(super) checking_disabled: bool,
    key: Key,
}

/// A folded name, and the type asked for in two bytes behind it.
#[derive(Debug, Clone, Copy)]
struct Key {
    bytes: [u8; MAX_NAME_BYTES + 2],
    name: usize,
}

/// What EDNS(0) said (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extended {
    /// The largest answer that the asker takes by UDP, in bytes.
    pub(super) payload: u16,
    pub(super) version: u8,
    pub(super) dnssec_ok: bool,
    /// Whether the asker hides how long its messages are (RFC 7830).
    pub(super) padded: bool,
}

/// There is no question to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Nothing is sent back: too short, or itself an answer, which must never be answered.
    Silence,
    /// This is sent back.
    Reply(Vec<u8>),
}

impl<'p> Question<'p> {
    /// Reads a datagram or a message of a stream. Total: any bytes are answered.
    ///
    /// # Errors
    /// [`Unread`] is what to do instead.
    pub fn parse(packet: &'p [u8]) -> Result<Self, Unread> {
        let header: &[u8; HEADER_BYTES] = packet.first_chunk().ok_or(Unread::Silence)?;
        let [id0, id1, flags, more_flags, ..] = *header;
        if flags & 0x80 != 0 {
            return Err(Unread::Silence);
        }
        let (id, op_code) = (u16::from_be_bytes([id0, id1]), (flags >> 3) & 0x0f);
        let reply = |code| Unread::Reply(answer::bare(id, op_code, code));
        if op_code != 0 {
            return Err(reply(Code::NotImp));
        }
        let read = Read::of(packet, header).ok_or_else(|| reply(Code::FormErr))?;
        let question = Self {
            id,
            kind: read.kind,
            asked: read.asked,
            edns: read.edns,
            recursion_desired: flags & 0x01 != 0,
            checking_disabled: more_flags & 0x10 != 0,
            key: read.key,
        };
        match question.unserved(read.class) {
            Some(code) => {
                let mut bytes = Vec::new();
                answer::failure(&question, code, &mut bytes);
                Err(Unread::Reply(bytes))
            }
            None => Ok(question),
        }
    }

    /// The name asked for, folded: lower case, without the final dot; empty for the root.
    pub fn name(&self) -> &str {
        let name = self.key.bytes.get(..self.key.name).unwrap_or_default();
        // It is ASCII: see `fold`.
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// What the question is about, whoever asks and however it is written: the folded name and the type.
    pub fn key(&self) -> &[u8] {
        self.key.bytes.get(..self.key.name.saturating_add(2)).unwrap_or_default()
    }

    /// Name, type and class as they were asked.
    pub fn asked(&self) -> &'p [u8] {
        self.asked
    }

    fn unserved(&self, class: u16) -> Option<Code> {
        if self.edns.is_some_and(|edns| edns.version > 0) {
            // RFC 6891 §6.1.3.
            return Some(Code::BadVers);
        }
        // Transfers and the like are not ours.
        let own = kind::FIRST_QUESTION..=kind::LAST_QUESTION;
        (class != CLASS_IN || self.kind == kind::OPT || own.contains(&self.kind)).then_some(Code::Refused)
    }
}

/// What stands in a message that asks.
struct Read<'p> {
    key: Key,
    kind: u16,
    class: u16,
    asked: &'p [u8],
    edns: Option<Extended>,
}

impl<'p> Read<'p> {
    fn of(packet: &'p [u8], header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let [.., qd0, qd1, an0, an1, ns0, ns1, ar0, ar1] = *header;
        let additional = u16::from_be_bytes([ar0, ar1]);
        let plain = [qd0, qd1, an0, an1, ns0, ns1] == [0, 1, 0, 0, 0, 0] && additional <= MAX_ADDITIONAL;
        if !plain || packet.len() > MAX_QUERY_BYTES {
            return None;
        }
        let (mut key, end) = Key::read(packet)?;
        let (kind, class) = (u16_at(packet, end)?, u16_at(packet, end.saturating_add(2))?);
        key.bytes.get_mut(key.name..)?.first_chunk_mut::<2>()?.copy_from_slice(&kind.to_be_bytes());
        let end = end.saturating_add(TYPE_AND_CLASS);
        Some(Self { key, kind, class, asked: packet.get(HEADER_BYTES..end)?, edns: extended(packet, end, additional)? })
    }
}

impl Key {
    /// The name of the question, and where what follows it begins. No pointer can stand there: nothing stands before.
    fn read(packet: &[u8]) -> Option<(Self, usize)> {
        let mut key = Self { bytes: [0; MAX_NAME_BYTES + 2], name: 0 };
        let mut at = HEADER_BYTES;
        loop {
            match step(packet, at)? {
                Step::Pointer(_) => return None,
                Step::End(next) => return Some((key, next)),
                Step::Label { from, to } => {
                    if key.name > 0 {
                        key.push(b'.')?;
                    }
                    for byte in packet.get(from..to)? {
                        key.push(fold(*byte)?)?;
                    }
                    at = to;
                }
            }
        }
    }

    /// Adds a byte; none when the name is longer than names are.
    fn push(&mut self, byte: u8) -> Option<()> {
        // A name of 255 bytes on the wire has 253 as text.
        *self.bytes.get_mut(self.name).filter(|_| self.name < MAX_NAME_BYTES - 2)? = byte;
        self.name = self.name.saturating_add(1);
        Some(())
    }
}

/// What EDNS says in the records after the question; none when they cannot be read, or there are two (RFC 6891 §6.1.1).
#[expect(clippy::option_option, reason = "unreadable, absent, there")]
fn extended(packet: &[u8], mut at: usize, records: u16) -> Option<Option<Extended>> {
    let mut found = None;
    for _ in 0..records {
        let data = past_name(packet, at)?;
        let (kind, class, ttl) = (u16_at(packet, data)?, u16_at(packet, data + 2)?, u32_at(packet, data + 4)?);
        let from = data.saturating_add(10);
        let to = from.saturating_add(usize::from(u16_at(packet, data + 8)?));
        let options = packet.get(from..to)?;
        if kind == kind::OPT {
            let [_, version, flags, _] = ttl.to_be_bytes();
            let sound = found.is_none() && packet.get(at) == Some(&0);
            let padded = padded(options).filter(|_| sound)?;
            found = Some(Extended { payload: class, version, dnssec_ok: flags & 0x80 != 0, padded });
        }
        at = to;
    }
    Some(found)
}

/// Whether options, each with its length, have padding among them; none when they do not fit.
fn padded(mut options: &[u8]) -> Option<bool> {
    let mut padded = false;
    while !options.is_empty() {
        let (code, length) = (u16_at(options, 0)?, usize::from(u16_at(options, 2)?));
        options = options.get(length.saturating_add(4)..)?;
        padded |= code == PADDING;
    }
    Some(padded)
}
