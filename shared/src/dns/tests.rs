//! Read and written beside hickory's messages, which say what is right.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata, rdata::opt::EdnsOption},
};
use proptest::prelude::*;

use super::{
    answer::{BLOCKED_TTL_S, STALE_TTL_S},
    wire::{Code, HEADER_BYTES},
    *,
};

const EDE: u16 = 15;

fn named(name: &str) -> Name {
    Name::from_ascii(name).expect("name")
}

fn asking(name: &str, kind: RecordType, payload: Option<u16>) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 4_711;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(named(name), kind));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        message.set_edns(edns);
    }
    message.to_vec().expect("bytes")
}

/// The message that is written for a question.
fn told(asked: &[u8], write: impl Fn(&Question<'_>, &mut Vec<u8>)) -> (Vec<u8>, Message) {
    let mut out = vec![7; 3];
    write(&Question::parse(asked).expect("a question"), &mut out);
    let message = Message::from_vec(&out).expect("readable");
    (out, message)
}

/// What an upstream says to a question.
fn said(asked: &[u8], code: ResponseCode, answers: Vec<Record>, authorities: Vec<Record>) -> Option<Found> {
    let question = Question::parse(asked).expect("a question");
    let mut message = Message::new(1, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.add_queries(Message::from_vec(asked).expect("readable").queries);
    message.add_answers(answers);
    message.add_authorities(authorities);
    Found::read(question.asked(), &message.to_vec().expect("bytes"))
}

fn address(name: &str, ttl: u32) -> Record {
    Record::from_rdata(named(name), ttl, RData::A(Ipv4Addr::new(192, 0, 2, 1).into()))
}

#[test]
fn a_blocked_name_does_not_exist_and_says_why() {
    let asked = asking("WwW.Jeux.Example.", RecordType::A, Some(4_096));
    assert_eq!(Question::parse(&asked).expect("a question").name(), "www.jeux.example");
    let (_, answer) = told(&asked, |question, out| answer::blocked(question, Carrier::Udp, "games", out));
    assert_eq!((answer.metadata.id, answer.metadata.response_code), (4_711, ResponseCode::NXDomain));
    assert!(answer.metadata.recursion_desired && answer.metadata.recursion_available);
    assert_eq!(answer.queries[0].name.to_ascii(), "WwW.Jeux.Example.");
    let edns = answer.edns.as_ref().expect("edns");
    assert_eq!(edns.option(EDE.into()), Some(&EdnsOption::Unknown(EDE, b"\0\x0fgames".to_vec())));
    let RData::SOA(soa) = &answer.authorities[0].data else { panic!("how long it lasts") };
    assert_eq!((soa.minimum, soa.serial, soa.refresh, soa.retry, soa.expire), (BLOCKED_TTL_S, 1, 3_600, 600, 86_400));
    let plain = asking("jeux.example.", RecordType::A, None);
    assert_eq!(told(&plain, |question, out| answer::blocked(question, Carrier::Udp, "games", out)).1.edns, None);
}

#[test]
fn a_stranger_is_refused_and_hears_why() {
    let (_, answer) = told(&asking("atlas.example.", RecordType::A, Some(1_232)), |question, out| {
        answer::refused(question, Carrier::Encrypted, out);
    });
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::Refused, 0));
    let edns = answer.edns.as_ref().expect("edns");
    assert_eq!(edns.option(EDE.into()), Some(&EdnsOption::Unknown(EDE, vec![0, 18])));
}

#[test]
fn own_names_have_the_addresses_of_the_family_asked_for() {
    let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().expect("ip"), "::1".parse().expect("ip")];
    for (kind, answers) in [(RecordType::A, 1), (RecordType::AAAA, 1), (RecordType::HTTPS, 0)] {
        let asked = asking("moulin.box.example.", kind, None);
        let (_, answer) = told(&asked, |question, out| answer::local(question, Carrier::Udp, &addresses, out));
        assert_eq!((answer.answers.len(), answer.authorities.len()), (answers, 1 - answers), "{kind}");
        assert!(answer.metadata.authoritative);
    }
    let (_, answer) =
        told(&asking("x.example.", RecordType::ANY, None), |q, out| answer::anything(q, Carrier::Udp, out));
    assert_eq!(answer.answers[0].record_type(), RecordType::HINFO);
}

#[test]
fn what_does_not_fit_is_cut_and_comes_whole_by_stream() {
    let addresses: Vec<IpAddr> = (0..100).map(|n| IpAddr::from([192, 0, 2, n])).collect();
    for (payload, limit) in [(None, 512), (Some(900), 900), (Some(65_535), 1_232)] {
        let asked = asking("big.example.", RecordType::A, payload);
        let by = |carrier| told(&asked, |question, out| answer::local(question, carrier, &addresses, out));
        let (bytes, cut) = by(Carrier::Udp);
        assert!(bytes.len() <= limit && cut.metadata.truncation && cut.answers.is_empty());
        assert_eq!(cut.edns.is_some(), payload.is_some());
        assert_eq!(by(Carrier::Tcp).1.answers.len(), 100);
    }
}

#[test]
fn times_are_cut_to_a_child_s_turn() {
    let asked = asking("long.example.", RecordType::A, Some(1_232));
    let found = said(&asked, ResponseCode::NoError, vec![address("long.example.", 70)], vec![]).expect("found");
    for (age, ttl) in [(0, 60), (30, 40), (90, 1)] {
        let (_, answer) = told(&asked, |question, out| answer::found(question, Carrier::Udp, &found, age, out));
        assert_eq!(answer.answers, vec![address("long.example.", ttl)]);
    }
    let (_, answer) = told(&asked, |question, out| answer::stale(question, Carrier::Udp, &found, out));
    assert_eq!(answer.answers[0].ttl, STALE_TTL_S);
    assert!(answer.edns.expect("edns").option(EDE.into()).is_some());
}

#[test]
fn what_an_upstream_said_is_said_again_with_all_that_it_leads_to() {
    let asked = asking("WWW.alias.example.", RecordType::HTTPS, None);
    let elsewhere = rdata::SVCB::new(1, named("svc.other.example."), vec![]);
    let answers = vec![
        Record::from_rdata(named("www.alias.example."), 300, RData::CNAME(rdata::CNAME(named("End.Alias.example.")))),
        Record::from_rdata(named("end.alias.example."), 20, RData::HTTPS(rdata::HTTPS(elsewhere))),
        Record::from_rdata(
            named("end.alias.example."),
            30,
            RData::HTTPS(rdata::HTTPS(rdata::SVCB::new(2, Name::root(), vec![]))),
        ),
    ];
    let found = said(&asked, ResponseCode::NoError, answers.clone(), vec![]).expect("found");
    assert_eq!(*found.leads_to, ["end.alias.example".to_owned(), "svc.other.example".to_owned()]);
    assert_eq!((found.lasts_s, found.is_answer()), (20, true));
    // The same question in another case: what points into it holds.
    let again = asking("www.ALIAS.example.", RecordType::HTTPS, None);
    let (_, answer) = told(&again, |question, out| answer::found(question, Carrier::Tcp, &found, 0, out));
    assert_eq!(answer.answers.len(), 3);
    assert!(answer.answers.iter().zip(&answers).all(|(told, said)| told.data == said.data && told.name == said.name));
    // A "no" lasts as its SOA says.
    let soa = rdata::SOA::new(named("a.example."), named("b.example."), 1, 2, 3, 4, 5);
    let no = Record::from_rdata(named("alias.example."), 17, RData::SOA(soa));
    let found = said(&asked, ResponseCode::NXDomain, vec![], vec![no]).expect("found");
    assert_eq!((found.code, found.lasts_s, found.is_answer()), (Code::NxDomain, 17, false));
    // Of another question, or a failure.
    let other = Question::parse(&again).expect("a question");
    let mut message = Message::new(1, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(named("www.alias.exampla."), RecordType::HTTPS));
    assert_eq!(Found::read(other.asked(), &message.to_vec().expect("bytes")), None);
    assert_eq!(said(&asked, ResponseCode::ServFail, vec![], vec![]), None);
}

#[test]
fn whoever_is_led_elsewhere_hears_where_and_what_is_there() {
    let target = "safe.search.example";
    let packet = wire::question(target, 1).expect("a question");
    let data = Record::from_rdata(named("end.example."), 70, RData::A(Ipv4Addr::new(192, 0, 2, 9).into()));
    let cname = Record::from_rdata(named("safe.search.example."), 9, RData::CNAME(rdata::CNAME(named("end.example."))));
    let found = said(&packet, ResponseCode::NoError, vec![cname, data], vec![]).expect("found");
    let asked = asking("WWW.search.example.", RecordType::A, Some(1_232));
    let (_, answer) = told(&asked, |question, out| answer::alias(question, Carrier::Udp, (target, &found, 30), out));
    let heard: Vec<(String, u32, RecordType)> =
        answer.answers.iter().map(|r| (r.name.to_ascii(), r.ttl, r.record_type())).collect();
    let name = |name: &str| name.to_owned();
    assert_eq!(
        heard,
        [(name("WWW.search.example."), 60, RecordType::CNAME), (name("safe.search.example."), 40, RecordType::A)]
    );
    assert_eq!(answer.answers[1].data, RData::A(Ipv4Addr::new(192, 0, 2, 9).into()));
    assert_eq!(wire::question(&"a".repeat(64), 1), None);
}

#[test]
fn aliases_that_never_end_are_no_answer() {
    let asked = asking("a.example.", RecordType::A, None);
    let question = Question::parse(&asked).expect("a question");
    let mut message = asked.clone();
    message[2] |= 0x80;
    message[7] = 1;
    let at = u8::try_from(message.len() + 12).expect("short");
    // Its target points to itself.
    message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, at]);
    assert!(Found::read(question.asked(), &message).is_some_and(|found| found.leads_to.is_empty()));
}

#[test]
fn encrypted_answers_hide_their_length_from_those_who_hide_theirs() {
    let mut padded = asking("jeux.example.", RecordType::A, Some(1_232));
    let length = padded.len();
    padded[length - 1] = 8;
    padded.extend([0, 12, 0, 4, 0, 0, 0, 0]);
    for (asked, carrier, even) in [
        (padded.clone(), Carrier::Encrypted, true),
        (padded, Carrier::Tcp, false),
        (asking("jeux.example.", RecordType::A, Some(1_232)), Carrier::Encrypted, false),
    ] {
        let (bytes, _) = told(&asked, |question, out| answer::blocked(question, carrier, "games", out));
        assert_eq!(bytes.len() % 468 == 0, even, "{carrier:?}");
    }
}

#[test]
fn what_is_no_question_gets_its_code_or_silence() {
    let sound = asking("example.org.", RecordType::A, None);
    let with = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        bytes
    };
    let extended = |more: &[u8], records: u8| {
        let mut bytes = with(11, records);
        bytes.extend(more);
        bytes
    };
    const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
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
        (with(12, 0xc0), Some(1)),
        (asking("example.org.", RecordType::AXFR, None), Some(5)),
        (asking("example.org.", RecordType::ANY, None), Some(0)),
        (extended(OPT, 1), Some(0)),
        (extended(&[OPT, OPT].concat(), 2), Some(1)),
        (extended(OPT, 2), Some(1)),
        (extended(&[OPT, &[0]].concat(), 4), Some(1)),
        // Of a name that is not the root; of options longer than they say.
        (extended(&[0xc0, 12, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0], 1), Some(1)),
        (extended(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 12, 0, 9], 1), Some(1)),
    ] {
        assert_eq!(code(&bytes), expected, "{bytes:?}");
    }
    // A version of EDNS that is not spoken says which one is.
    let mut newer = extended(OPT, 1);
    let at = newer.len() - 5;
    newer[at] = 1;
    let Err(Unread::Reply(reply)) = Question::parse(&newer) else { panic!("answered") };
    assert_eq!(Message::from_vec(&reply).expect("readable").metadata.response_code.high(), 1);
}

#[test]
fn names_are_read_up_to_their_longest() {
    let label = "a".repeat(63);
    let long = format!("{label}.{label}.{label}.{}.", "b".repeat(61));
    let asked = asking(&long, RecordType::A, None);
    assert_eq!(Question::parse(&asked).map(|question| question.name().len()), Ok(253));
    let mut longer = asked[..asked.len() - 5].to_vec();
    longer.extend([1, b'c', 0, 0, 1, 0, 1]);
    assert!(matches!(Question::parse(&longer), Err(Unread::Reply(_))));
    assert_eq!(Question::parse(&asking(".", RecordType::NS, None)).map(|question| question.name().len()), Ok(0));
}

impl PartialEq for Question<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.key(), self.asked) == (other.id, other.key(), other.asked)
    }
}

/// Any bytes, often nearly a message.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec!["www.example.org.", "a.", ".", "x.y.z.example."]);
    let harmed = (names, any::<bool>(), prop::collection::vec((0..120_usize, any::<u8>()), 0..4), 0..80_usize);
    let harmed = harmed.prop_map(|(name, edns, harms, cut)| {
        let mut bytes = asking(name, RecordType::AAAA, edns.then_some(1_232));
        for (at, byte) in harms {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(60)));
        bytes
    });
    prop_oneof![harmed, prop::collection::vec(any::<u8>(), 0..600)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_datagram_is_answered_so_that_hickory_can_read_it(bytes in nearly()) {
        let Ok(question) = Question::parse(&bytes) else { return Ok(()) };
        let mut out = Vec::new();
        answer::blocked(&question, Carrier::Udp, "x", &mut out);
        let message = Message::from_vec(&out).expect("readable");
        prop_assert_eq!(message.metadata.id, question.id);
        let name = message.queries[0].name.iter().collect::<Vec<_>>().join(&b'.').to_ascii_lowercase();
        prop_assert_eq!(name, question.name().as_bytes());
        prop_assert_eq!(u16::from(message.queries[0].query_type), question.kind);
    }

    #[test]
    fn any_answer_of_an_upstream_is_read_or_refused(
        ttl: u32,
        harms in prop::collection::vec((0..200_usize, any::<u8>()), 0..6),
        age: u32,
    ) {
        let asked = asking("www.alias.example.", RecordType::A, None);
        let question = Question::parse(&asked).expect("a question");
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(named("www.alias.example."), RecordType::A));
        message.add_answer(Record::from_rdata(named("www.alias.example."), ttl, RData::CNAME(rdata::CNAME(named("b.example.")))));
        message.add_answer(address("b.example.", ttl));
        let mut bytes = message.to_vec().expect("bytes");
        for (at, byte) in harms {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        if let Some(found) = Found::read(question.asked(), &bytes) {
            let mut out = Vec::new();
            answer::found(&question, Carrier::Udp, &found, age, &mut out);
            prop_assert!(out.len() >= HEADER_BYTES + question.asked().len());
        }
    }
}
