//! What is answered, as bytes that fit what the asker can take.

use std::net::IpAddr;

use super::{
    found::Found,
    question::Question,
    wire::{self, CLASS_IN, Code, HEADER_BYTES, kind},
};

/// A tablet may keep an answer for so long, in seconds: the next child there has another policy.
pub const MAX_TTL_S: u32 = 60;
/// A tablet may keep a refusal for so long, in seconds.
pub const BLOCKED_TTL_S: u32 = 10;
/// How long an answer past its time may be kept, in seconds (RFC 8767 §4).
pub const STALE_TTL_S: u32 = 30;
/// The largest answer by UDP, in bytes: it crosses any path without fragments.
pub const MAX_DATAGRAM_BYTES: u16 = 1_232;
/// The smallest that everybody takes (RFC 1035 §4.2.1).
const MIN_DATAGRAM_BYTES: u16 = 512;

/// Extended errors (RFC 8914 §4).
const EDE: u16 = 15;
const EDE_STALE: u16 = 3;
const EDE_BLOCKED: u16 = 15;
const EDE_PROHIBITED: u16 = 18;
const EDE_UNREACHABLE: u16 = 22;
/// Padding (RFC 7830), to a multiple of so many bytes (RFC 8467 §4.1).
const PADDING: u16 = 12;
const PADDED_BYTES: usize = 468;
/// The name of the question, as a pointer to it (RFC 1035 §4.1.4).
const ITS_NAME: [u8; 2] = [0xc0, 12];

/// By what an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Datagrams: an answer that does not fit is cut, and the asker comes back by stream.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that nobody reads on the way (RFC 7858, RFC 8484): the length of an answer says nothing either.
    Encrypted,
}

/// The name is refused by policy: it does not exist for this asker (RFC 8914 code 15, with `word` as its text).
pub fn blocked(question: &Question<'_>, carrier: Carrier, word: &str, out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, Code::NxDomain, out);
    reply.no(BLOCKED_TTL_S);
    reply.finish(carrier, Some((EDE_BLOCKED, word)));
}

/// Whoever asks is answered nothing here (RFC 8914 code 18, *Prohibited*).
pub fn refused(question: &Question<'_>, carrier: Carrier, out: &mut Vec<u8>) {
    Reply::begin(question, Code::Refused, out).finish(carrier, Some((EDE_PROHIBITED, "")));
}

/// A name of our own: its addresses of the family asked for; no record for other types.
pub fn local(question: &Question<'_>, carrier: Carrier, addresses: &[IpAddr], out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, Code::NoError, out);
    for address in addresses {
        match (question.kind, address) {
            (kind::A, IpAddr::V4(v4)) => reply.answer(kind::A, MAX_TTL_S, &v4.octets()),
            (kind::AAAA, IpAddr::V6(v6)) => reply.answer(kind::AAAA, MAX_TTL_S, &v6.octets()),
            _ => {}
        }
    }
    if reply.answers == 0 {
        reply.no(MAX_TTL_S);
    }
    reply.authoritative();
    reply.finish(carrier, None);
}

/// A name that we know does not exist.
pub fn absent(question: &Question<'_>, carrier: Carrier, out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, Code::NxDomain, out);
    reply.no(MAX_TTL_S);
    reply.finish(carrier, None);
}

/// Whoever asks for whatever there is hears that nobody tells (RFC 8482 §4.2).
pub fn anything(question: &Question<'_>, carrier: Carrier, out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, Code::NoError, out);
    reply.answer(kind::HINFO, MAX_TTL_S, b"\x07RFC8482\0");
    reply.finish(carrier, None);
}

/// What the upstream said, so many seconds ago.
pub fn found(question: &Question<'_>, carrier: Carrier, found: &Found, age_s: u32, out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, found.code, out);
    reply.records(found, |ttl| ttl.saturating_sub(age_s).clamp(1, MAX_TTL_S));
    reply.finish(carrier, None);
}

/// The name is an alias for whoever asks, with what the upstream said about the name that it leads to.
pub fn alias(question: &Question<'_>, carrier: Carrier, (name, found, age_s): (&str, &Found, u32), out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, found.code, out);
    if let Some(target) = wire::name(name) {
        reply.answer(kind::CNAME, MAX_TTL_S, &target);
        // Where the alias' own name stands, as a pointer: the answer is short.
        let at = u16::try_from(reply.out.len().saturating_sub(target.len())).unwrap_or(u16::MAX);
        let its_name = (0xc000 | at).to_be_bytes();
        for (lasts, data) in found.of_type(question.kind) {
            reply.record(its_name, question.kind, lasts.saturating_sub(age_s).clamp(1, MAX_TTL_S), data);
            reply.answers = reply.answers.saturating_add(1);
        }
    }
    reply.finish(carrier, None);
}

/// What the upstream said some time ago and cannot be asked now (RFC 8767).
pub fn stale(question: &Question<'_>, carrier: Carrier, found: &Found, out: &mut Vec<u8>) {
    let mut reply = Reply::begin(question, found.code, out);
    reply.records(found, |_| STALE_TTL_S);
    reply.finish(carrier, Some((EDE_STALE, "")));
}

/// The upstream cannot be asked.
pub fn unreachable(question: &Question<'_>, carrier: Carrier, out: &mut Vec<u8>) {
    Reply::begin(question, Code::ServFail, out).finish(carrier, Some((EDE_UNREACHABLE, "")));
}

/// An answer of one code and nothing else.
pub(super) fn failure(question: &Question<'_>, code: Code, out: &mut Vec<u8>) {
    Reply::begin(question, code, out).finish(Carrier::Udp, None);
}

/// An answer to what could not be read: a header alone.
pub(super) fn bare(id: u16, op_code: u8, code: Code) -> Vec<u8> {
    let [id0, id1] = id.to_be_bytes();
    vec![id0, id1, 0x80 | (op_code << 3), code.low(), 0, 0, 0, 0, 0, 0, 0, 0]
}

/// An answer as it is written.
struct Reply<'q, 'o> {
    question: &'q Question<'q>,
    code: Code,
    out: &'o mut Vec<u8>,
    answers: u16,
    authorities: u16,
    flags: u8,
}

impl<'q, 'o> Reply<'q, 'o> {
    fn begin(question: &'q Question<'q>, code: Code, out: &'o mut Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        out.extend_from_slice(question.asked);
        let flags = 0x80 | u8::from(question.recursion_desired);
        Self { question, code, out, answers: 0, authorities: 0, flags }
    }

    fn authoritative(&mut self) {
        self.flags |= 0x04;
    }

    /// A record of a name that stands in the message already.
    fn record(&mut self, name: [u8; 2], of: u16, ttl: u32, data: &[u8]) {
        self.out.extend_from_slice(&name);
        self.out.extend_from_slice(&of.to_be_bytes());
        self.out.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        self.out.extend_from_slice(&length(data).to_be_bytes());
        self.out.extend_from_slice(data);
    }

    /// A record of the name asked for.
    fn answer(&mut self, of: u16, ttl: u32, data: &[u8]) {
        self.record(ITS_NAME, of, ttl, data);
        self.answers = self.answers.saturating_add(1);
    }

    /// The record that says how long "no" lasts (RFC 2308): nobody's, serial 1, refreshed each hour.
    fn no(&mut self, ttl: u32) {
        let mut soa = *b"\0\0\0\0\0\x01\0\0\x0e\x10\0\0\x02\x58\0\x01\x51\x80\0\0\0\0";
        if let Some(minimum) = soa.last_chunk_mut::<4>() {
            *minimum = ttl.to_be_bytes();
        }
        self.record(ITS_NAME, kind::SOA, ttl, &soa);
        self.authorities = self.authorities.saturating_add(1);
    }

    fn records(&mut self, found: &Found, ttl: impl Fn(u32) -> u32) {
        let start = self.out.len();
        self.out.extend_from_slice(&found.records);
        for at in &found.lifetimes {
            let at = start.saturating_add(usize::from(*at));
            if let Some(bytes) = self.out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
                *bytes = ttl(u32::from_be_bytes(*bytes)).to_be_bytes();
            }
        }
        (self.answers, self.authorities) = (found.answers, found.authorities);
    }

    /// Writes the header and EDNS; what does not fit is cut to the question alone. An extended error rides on EDNS, so only
    /// to those who speak it.
    fn finish(mut self, carrier: Carrier, error: Option<(u16, &str)>) {
        let explained = error.map_or(0, |(_, word)| word.len().saturating_add(6));
        let extended = if self.question.edns.is_some() { explained.saturating_add(11) } else { 0 };
        let limit = match (carrier, self.question.edns) {
            (Carrier::Udp, Some(edns)) => edns.payload.clamp(MIN_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES),
            (Carrier::Udp, None) => MIN_DATAGRAM_BYTES,
            (Carrier::Tcp | Carrier::Encrypted, _) => u16::MAX,
        };
        if self.out.len().saturating_add(extended) > usize::from(limit) {
            self.out.truncate(HEADER_BYTES.saturating_add(self.question.asked.len()));
            (self.answers, self.authorities) = (0, 0);
            self.flags |= 0x02;
        }
        self.extend(carrier, error);
        self.header();
    }

    fn extend(&mut self, carrier: Carrier, error: Option<(u16, &str)>) {
        let Some(edns) = self.question.edns else { return };
        let dnssec_ok = if edns.dnssec_ok { 0x80 } else { 0 };
        self.out.push(0);
        self.out.extend_from_slice(&kind::OPT.to_be_bytes());
        self.out.extend_from_slice(&MAX_DATAGRAM_BYTES.to_be_bytes());
        self.out.extend_from_slice(&[self.code.high(), 0, dnssec_ok, 0]);
        let options_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        if let Some((code, word)) = error {
            self.out.extend_from_slice(&EDE.to_be_bytes());
            self.out.extend_from_slice(&length(word.as_bytes()).saturating_add(2).to_be_bytes());
            self.out.extend_from_slice(&code.to_be_bytes());
            self.out.extend_from_slice(word.as_bytes());
        }
        if edns.padded && carrier == Carrier::Encrypted {
            let so_far = self.out.len().saturating_add(4);
            let whole = so_far.next_multiple_of(PADDED_BYTES).min(usize::from(u16::MAX));
            let zeros = whole.saturating_sub(so_far);
            self.out.extend_from_slice(&PADDING.to_be_bytes());
            self.out.extend_from_slice(&u16::try_from(zeros).unwrap_or(0).to_be_bytes());
            self.out.resize(so_far.saturating_add(zeros), 0);
        }
        let options = self.out.get_mut(options_at..).unwrap_or_default();
        let bytes = u16::try_from(options.len().saturating_sub(2)).unwrap_or(0);
        if let Some(length) = options.first_chunk_mut::<2>() {
            *length = bytes.to_be_bytes();
        }
    }

    fn header(&mut self) {
        let [id0, id1] = self.question.id.to_be_bytes();
        let checking_disabled = if self.question.checking_disabled { 0x10 } else { 0 };
        let [an0, an1] = self.answers.to_be_bytes();
        let [ns0, ns1] = self.authorities.to_be_bytes();
        let additional = u8::from(self.question.edns.is_some());
        // Recursion is to be had here.
        let more_flags = 0x80 | checking_disabled | self.code.low();
        let header = [id0, id1, self.flags, more_flags, 0, 1, an0, an1, ns0, ns1, 0, additional];
        if let Some(first) = self.out.first_chunk_mut::<HEADER_BYTES>() {
            *first = header;
        }
    }
}

/// The length of data that is never long.
fn length(data: &[u8]) -> u16 {
    u16::try_from(data.len()).unwrap_or(u16::MAX)
}
