//! Bytes to exactly one question, or to what is sent back instead.

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, RecordType},
};

use super::answer;

/// The largest query that is read, in bytes: a name, its type, and a few options.
pub const MAX_QUERY_BYTES: usize = 4_096;
/// A header (RFC 1035 §4.1.1).
const HEADER_BYTES: usize = 12;
/// Records after the question: one OPT (RFC 6891), perhaps a cookie or padding next to it, a signature.
const MAX_ADDITIONAL: u16 = 3;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The asker's number for it.
    pub id: u16,
    /// The name asked for, folded: lower case, without the final dot; empty for the root.
    pub name: String,
    /// The record type asked for.
    pub kind: RecordType,
    /// As it was asked: case and all, to be sent back.
    pub(super) asked: Query,
    pub(super) edns: Option<Extended>,
    pub(super) recursion_desired: bool,
    pub(super) checking_disabled: bool,
}

/// What EDNS(0) said (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extended {
    /// The largest answer that the asker takes by UDP, in bytes.
    pub(super) payload: u16,
    pub(super) dnssec_ok: bool,
}

/// There is no question to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Nothing is sent back: too short, or itself an answer, which must never be answered.
    Silence,
    /// This is sent back.
    Reply(Vec<u8>),
}

impl Question {
    /// Reads a datagram or a message of a stream. Total: any bytes are answered.
    ///
    /// # Errors
    /// [`Unread`] is what to do instead.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unread> {
        let header = Header::read(bytes).ok_or(Unread::Silence)?;
        if header.is_answer {
            return Err(Unread::Silence);
        }
        let reply = |code| Unread::Reply(answer::bare(header.id, header.op_code, code));
        if header.op_code != OpCode::Query {
            return Err(reply(ResponseCode::NotImp));
        }
        // Checked before anything is allocated for what the counts promise.
        let sound = bytes.len() <= MAX_QUERY_BYTES && header.counts.questions == 1 && header.counts.is_plain();
        let message =
            sound.then(|| Message::from_vec(bytes).ok()).flatten().ok_or_else(|| reply(ResponseCode::FormErr))?;
        let asked = message.queries.first().cloned().ok_or_else(|| reply(ResponseCode::FormErr))?;
        let edns = message.edns.as_ref();
        let question = Self {
            id: header.id,
            name: folded(&asked).ok_or_else(|| reply(ResponseCode::FormErr))?,
            kind: asked.query_type,
            edns: edns.map(|e| Extended { payload: e.max_payload(), dnssec_ok: e.flags().dnssec_ok }),
            recursion_desired: message.metadata.recursion_desired,
            checking_disabled: message.metadata.checking_disabled,
            asked,
        };
        match question.unserved(edns.map_or(0, hickory_proto::op::Edns::version)) {
            Some(code) => Err(Unread::Reply(answer::failure(&question, code))),
            None => Ok(question),
        }
    }

    /// The query, as a resolver takes it.
    pub fn query(&self) -> &Query {
        &self.asked
    }

    fn unserved(&self, version: u8) -> Option<ResponseCode> {
        if version > 0 {
            // RFC 6891 §6.1.3.
            return Some(ResponseCode::BADVERS);
        }
        if self.asked.query_class != DNSClass::IN {
            return Some(ResponseCode::Refused);
        }
        // Zone transfers are not ours; ANY is refused as RFC 8482 §4 allows.
        matches!(self.kind, RecordType::AXFR | RecordType::IXFR | RecordType::ANY | RecordType::OPT)
            .then_some(ResponseCode::Refused)
    }
}

/// The folded name; none when a label holds what no host name may (a dot, a space, a control).
fn folded(query: &Query) -> Option<String> {
    let mut name = String::with_capacity(query.name.len());
    for label in query.name.iter() {
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            if !byte.is_ascii_graphic() || matches!(byte, b'.' | b'\\') {
                return None;
            }
            name.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    Some(name)
}

struct Header {
    id: u16,
    is_answer: bool,
    op_code: OpCode,
    counts: Counts,
}

struct Counts {
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Counts {
    const fn is_plain(&self) -> bool {
        self.answers == 0 && self.authorities == 0 && self.additionals <= MAX_ADDITIONAL
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let [id0, id1, flags, _, qd0, qd1, an0, an1, ns0, ns1, ar0, ar1] = *header;
        Some(Self {
            id: u16::from_be_bytes([id0, id1]),
            is_answer: flags & 0x80 != 0,
            op_code: OpCode::from_u8((flags >> 3) & 0x0f),
            counts: Counts {
                questions: u16::from_be_bytes([qd0, qd1]),
                answers: u16::from_be_bytes([an0, an1]),
                authorities: u16::from_be_bytes([ns0, ns1]),
                additionals: u16::from_be_bytes([ar0, ar1]),
            },
        })
    }
}

/// Whether a message is an answer.
pub(super) const ANSWER: MessageType = MessageType::Response;
