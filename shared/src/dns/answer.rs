//! What is answered, as bytes that fit what the asker can take.

use std::net::IpAddr;

use hickory_proto::{
    op::{Edns, Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{SOA, opt::EdnsOption},
    },
};

use super::question::{ANSWER, Question};

/// A tablet may keep an answer for so long, in seconds: the next child there has another policy.
pub const MAX_TTL_S: u32 = 60;
/// A tablet may keep a refusal for so long, in seconds.
pub const BLOCKED_TTL_S: u32 = 10;
/// How long an answer past its time may be kept, in seconds (RFC 8767 §4).
pub const STALE_TTL_S: u32 = 30;
/// The largest answer by UDP, in bytes: it crosses any path without fragments.
pub const MAX_DATAGRAM_BYTES: u16 = 1_232;

/// Extended errors (RFC 8914 §4).
const EDE: u16 = 15;
const EDE_STALE: u16 = 3;
const EDE_BLOCKED: u16 = 15;
const EDE_UNREACHABLE: u16 = 22;

/// By what an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Datagrams: an answer that does not fit is cut, and the asker comes back by stream.
    Udp,
    /// A stream.
    Tcp,
}

/// What the upstream said about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `NoError`, or `NXDomain`.
    pub code: ResponseCode,
    /// Records that answer.
    pub answers: Vec<Record>,
    /// The zone's SOA, when there is no answer.
    pub authorities: Vec<Record>,
}

/// The name is refused by policy: it does not exist for this asker (RFC 8914 code 15, with `word` as its text).
pub fn blocked(question: &Question, word: &str) -> Message {
    let mut message = base(question, ResponseCode::NXDomain);
    message.add_authority(soa(question.asked.name.clone(), BLOCKED_TTL_S));
    explain(&mut message, EDE_BLOCKED, word);
    message
}

/// A name of our own: its addresses of the family asked for; no record for other types.
pub fn local(question: &Question, addresses: &[IpAddr]) -> Message {
    let mut message = base(question, ResponseCode::NoError);
    for address in addresses {
        let data = match (question.kind, address) {
            (RecordType::A, IpAddr::V4(v4)) => RData::A((*v4).into()),
            (RecordType::AAAA, IpAddr::V6(v6)) => RData::AAAA((*v6).into()),
            _ => continue,
        };
        message.add_answer(Record::from_rdata(question.asked.name.clone(), MAX_TTL_S, data));
    }
    if message.answers.is_empty() {
        message.add_authority(soa(question.asked.name.clone(), MAX_TTL_S));
    }
    message.metadata.authoritative = true;
    message
}

/// A name that we know does not exist.
pub fn absent(question: &Question) -> Message {
    let mut message = base(question, ResponseCode::NXDomain);
    message.add_authority(soa(question.asked.name.clone(), MAX_TTL_S));
    message
}

/// What the upstream said, so many seconds ago.
pub fn found(question: &Question, found: &Found, age_s: u32) -> Message {
    let lasting = |ttl: u32| ttl.saturating_sub(age_s).clamp(1, MAX_TTL_S);
    records(question, found, lasting)
}

/// What the upstream said some time ago and cannot be asked now (RFC 8767).
pub fn stale(question: &Question, found: &Found) -> Message {
    let mut message = records(question, found, |_| STALE_TTL_S);
    explain(&mut message, EDE_STALE, "");
    message
}

/// The upstream cannot be asked.
pub fn unreachable(question: &Question) -> Message {
    let mut message = base(question, ResponseCode::ServFail);
    explain(&mut message, EDE_UNREACHABLE, "");
    message
}

/// A message that fits the carrier and the asker.
pub fn encode(question: &Question, message: &Message, carrier: Carrier) -> Vec<u8> {
    let limit = match carrier {
        Carrier::Udp => question.edns.map_or(512, |edns| edns.payload.clamp(512, MAX_DATAGRAM_BYTES)),
        Carrier::Tcp => u16::MAX,
    };
    match message.to_vec() {
        Ok(bytes) if bytes.len() <= usize::from(limit) => bytes,
        Ok(_) => message.truncate().to_vec().unwrap_or_else(|_| servfail(question)),
        Err(_) => servfail(question),
    }
}

/// An answer of one code and nothing else.
pub(super) fn failure(question: &Question, code: ResponseCode) -> Vec<u8> {
    encode(question, &base(question, code), Carrier::Udp)
}

/// An answer to what could not be read: a header alone.
pub(super) fn bare(id: u16, op_code: OpCode, code: ResponseCode) -> Vec<u8> {
    let [id0, id1] = id.to_be_bytes();
    vec![id0, id1, 0x80 | (u8::from(op_code) << 3), code.low() & 0x0f, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn servfail(question: &Question) -> Vec<u8> {
    bare(question.id, OpCode::Query, ResponseCode::ServFail)
}

fn base(question: &Question, code: ResponseCode) -> Message {
    let mut message = Message::new(question.id, ANSWER, OpCode::Query);
    message.metadata.recursion_desired = question.recursion_desired;
    message.metadata.recursion_available = true;
    message.metadata.checking_disabled = question.checking_disabled;
    message.metadata.response_code = code;
    message.add_query(question.asked.clone());
    if let Some(asked) = question.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_DATAGRAM_BYTES).set_dnssec_ok(asked.dnssec_ok).set_rcode_high(code.high());
        message.set_edns(edns);
    }
    message
}

fn records(question: &Question, found: &Found, ttl: impl Fn(u32) -> u32) -> Message {
    let mut message = base(question, found.code);
    let lasting = |record: &Record| Record::from_rdata(record.name.clone(), ttl(record.ttl), record.data.clone());
    message.add_answers(found.answers.iter().map(lasting));
    message.add_authorities(found.authorities.iter().map(lasting));
    message
}

/// Adds an extended error; it rides on EDNS, so only to those who speak it.
fn explain(message: &mut Message, code: u16, word: &str) {
    if let Some(edns) = &mut message.edns {
        let text = [&code.to_be_bytes(), word.as_bytes()].concat();
        edns.options_mut().insert(EdnsOption::Unknown(EDE, text));
    }
}

/// The record that says how long "no" lasts (RFC 2308).
fn soa(name: Name, ttl: u32) -> Record {
    let nobody = Name::root();
    Record::from_rdata(name, ttl, RData::SOA(SOA::new(nobody.clone(), nobody, 1, 3_600, 600, 86_400, ttl)))
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use proptest::prelude::*;

    use super::{super::question::Unread, *};

    fn asking(name: &str, kind: RecordType, payload: Option<u16>) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.id = 4_711;
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).expect("name"), kind));
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            message.set_edns(edns);
        }
        message.to_vec().expect("bytes")
    }
    fn question(name: &str, kind: RecordType, payload: Option<u16>) -> Question {
        Question::parse(&asking(name, kind, payload)).expect("a question")
    }
    fn read(question: &Question, message: &Message, carrier: Carrier) -> Message {
        Message::from_vec(&encode(question, message, carrier)).expect("readable")
    }

    #[test]
    fn a_blocked_name_does_not_exist_and_says_why() {
        let asked = question("WwW.Jeux.Example.", RecordType::A, Some(4_096));
        assert_eq!(asked.name, "www.jeux.example");
        let answer = read(&asked, &blocked(&asked, "games"), Carrier::Udp);
        assert_eq!((answer.metadata.id, answer.metadata.response_code), (4_711, ResponseCode::NXDomain));
        assert_eq!(answer.queries[0].name.to_ascii(), "WwW.Jeux.Example.");
        let edns = answer.edns.as_ref().expect("edns");
        assert_eq!(edns.option(EDE.into()), Some(&EdnsOption::Unknown(EDE, b"\0\x0fgames".to_vec())));
        let plain = question("jeux.example.", RecordType::A, None);
        assert_eq!(read(&plain, &blocked(&plain, "games"), Carrier::Udp).edns, None);
    }

    #[test]
    fn own_names_have_the_addresses_of_the_family_asked_for() {
        let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().expect("ip"), "::1".parse().expect("ip")];
        for (kind, answers) in [(RecordType::A, 1), (RecordType::AAAA, 1), (RecordType::HTTPS, 0)] {
            let asked = question("moulin.box.example.", kind, None);
            assert_eq!(read(&asked, &local(&asked, &addresses), Carrier::Udp).answers.len(), answers, "{kind}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_comes_whole_by_stream() {
        let addresses: Vec<IpAddr> = (0..100).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        for (payload, limit) in [(None, 512), (Some(900), 900), (Some(65_535), 1_232)] {
            let asked = question("big.example.", RecordType::A, payload);
            let message = local(&asked, &addresses);
            assert!(encode(&asked, &message, Carrier::Udp).len() <= limit);
            assert!(read(&asked, &message, Carrier::Udp).metadata.truncation);
            assert_eq!(read(&asked, &message, Carrier::Tcp).answers.len(), 100);
        }
    }

    #[test]
    fn times_are_cut_to_a_child_s_turn() {
        let asked = question("long.example.", RecordType::A, None);
        let data = RData::A(std::net::Ipv4Addr::new(192, 0, 2, 1).into());
        let record = Record::from_rdata(asked.asked.name.clone(), 70, data);
        let found = Found { code: ResponseCode::NoError, answers: vec![record], authorities: vec![] };
        for (age, ttl) in [(0, 60), (30, 40), (90, 1)] {
            assert_eq!(super::found(&asked, &found, age).answers[0].ttl, ttl);
        }
        assert_eq!(stale(&asked, &found).answers[0].ttl, STALE_TTL_S);
    }

    #[test]
    fn what_is_no_question_gets_its_code_or_silence() {
        let sound = asking("example.org.", RecordType::A, None);
        let with = |at: usize, byte: u8| {
            let mut bytes = sound.clone();
            bytes[at] = byte;
            bytes
        };
        let code = |bytes: &[u8]| match Question::parse(bytes) {
            Err(Unread::Reply(reply)) => Some(reply[3] & 0x0f),
            Err(Unread::Silence) => None,
            Ok(_) => Some(0),
        };
        for (bytes, expected) in [
            (sound.clone(), Some(0)),
            (sound[..11].to_vec(), None),
            (with(2, 0x80), None),
            (with(2, 0x28), Some(4)),
            (with(5, 2), Some(1)),
            (with(4, 0xff), Some(1)),
            (with(7, 1), Some(1)),
            (sound[..20].to_vec(), Some(1)),
            (with(13, b'.'), Some(1)),
            (asking("example.org.", RecordType::AXFR, None), Some(5)),
            (asking("example.org.", RecordType::ANY, None), Some(5)),
        ] {
            assert_eq!(code(&bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn any_datagram_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Question::parse(&bytes);
        }

        #[test]
        fn a_damaged_question_is_answered(at in 0..40_usize, byte: u8, cut in 0..60_usize) {
            let mut bytes = asking("www.example.org.", RecordType::AAAA, Some(1_232));
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length.saturating_sub(cut));
            if let Ok(question) = Question::parse(&bytes) {
                prop_assert!(!encode(&question, &blocked(&question, "x"), Carrier::Udp).is_empty());
            }
        }
    }
}
