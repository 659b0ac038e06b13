use proptest::prelude::*;

use super::*;
use crate::{
    documents::{DocId, Kind},
    ids::BoxId,
    keys::SigningKey,
    replica::{
        page::Loose,
        page::{Copy, Sheet},
        run::Item,
        seal,
        tombstone::{Erasure, Tombstone},
    },
    time::ClockQuality,
    wire::TabletCounts,
};

fn origin() -> Origin {
    Origin { box_id: BoxId::from_bytes([3; 16]), incarnation: 7 }
}

fn school() -> Shelf {
    Shelf::School("0900001A".parse().expect("uai"))
}

fn mark(number: u64) -> Mark {
    Mark { shelf: school(), origin: origin(), number, chain: [9; 32] }
}

fn run() -> Run {
    let key = SigningKey::from_seed(&[1; 32]).expect("key");
    let item = Item::Entry { salt: [0; 16], body: vec![1, 2, 3] };
    Run::close(school(), origin(), 1, [0; 32], &[item], &key).expect("run")
}

fn vitals() -> Vitals {
    Vitals {
        tablets: TabletCounts { total: 30, in_use: 12, wiping: 1, lost: 0 },
        signed_in: 13,
        written: 812,
        unsynced: 3,
        oldest_unsynced_age_ms: Some(1_500),
        lag_ms: Some(180),
        clock: ClockQuality::Carried,
        version: "0.1.0".into(),
        blocklist_version: None,
        last_error: Some("é".repeat(400)),
        unsynced_files: 0,
    }
}

fn messages() -> Vec<Message> {
    let knowledge =
        Knowledge { marks: vec![mark(4), mark(5)], digests: vec![(Shelf::Territory, [1; 32]), (school(), [2; 32])] };
    let hello = |knowledge: Option<Knowledge>| {
        let summary = knowledge.clone().unwrap_or_default().summary();
        Message::Hello(Hello { speaks: SPEAKS, incarnation: u64::MAX, summary, knowledge, answer_wanted: true })
    };
    let doc = DocId::new(Kind::Class, [4; 16]);
    let pull = Pull { shelf: school(), wanted: Wanted::Buckets(vec![1, 2]), after: Some(doc) };
    let tombstone = Tombstone { doc, pseudonym: Some([1; 16]) };
    let erased = vec![Erasure { tombstone, changes: vec![[7; 16]], proof: vec![8; 64] }];
    let sheet = Sheet {
        copies: vec![Copy { doc, epoch: 1, cut: Some(vec![[3; 32]]), saved: vec![5; 90] }],
        erased: erased.clone(),
        entries: vec![],
    };
    vec![
        hello(Some(knowledge)),
        hello(None),
        Message::Runs(vec![run(), run()]),
        Message::Have(vec![mark(5)]),
        Message::Nack { shelf: school(), origin: origin(), first: 6, reason: Reason::Signature },
        Message::Skip(Run { payload: Vec::new(), ..run() }),
        Message::Page(Page::new(pull.clone(), &sheet, Some(doc), vec![mark(1)]).expect("page")),
        Message::Pull(pull),
        Message::Buckets(school(), vec![u64::MAX; BUCKETS]),
        Message::Differ(school(), vec![9, 200]),
        Message::Mend(
            school(),
            Lacking {
                lives: vec![origin()],
                changes: vec![Loose { doc, epoch: 0, cut: Vec::new(), bytes: vec![6; 40] }],
                erased,
            },
        ),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    for message in messages() {
        let bytes = encode(&message, Some(&vitals())).expect("encode");
        let (read, told) = decode(&bytes).expect("decode");
        assert_eq!(read, message);
        assert_eq!(told, Some(vitals().bounded()), "a long sentence is cut at a character");
    }
}

#[test]
fn each_fault_has_its_name() {
    assert_eq!(decode(b"\x00\x7f"), Err(BatchError::Unreadable("its body is no message")));
    let mut longer = encode(&messages()[3], None).expect("encode");
    longer.push(0);
    assert_eq!(decode(&longer), Err(BatchError::Unreadable("bytes follow its message")));
    let many = Message::Have(vec![mark(1); MAX_MARKS + 1]);
    let refused = BatchError::TooMany { what: "marks", found: MAX_MARKS + 1, most: MAX_MARKS };
    assert_eq!(encode(&many, None), Err(refused.clone()));
    let body = postcard::to_stdvec(&BodyOut { vitals: None, message: &many }).expect("body");
    assert_eq!(decode(&body), Err(refused));
}

#[test]
fn saying_that_all_is_well_costs_little() {
    let sealed = |message: &Message, vitals| encode(message, vitals).expect("encode").len() + seal::OVERHEAD_BYTES;
    let told = Vitals { last_error: None, ..vitals() };
    let hello = sealed(&messages()[1], Some(&told));
    assert!(hello <= 130, "{hello} bytes of hello");
    let beat = sealed(&Message::Have(Vec::new()), None);
    assert!(beat <= 36, "{beat} bytes of heartbeat");
}

#[test]
fn a_page_that_unfolds_too_far_is_none() {
    let Message::Page(mut page) = messages()[6].clone() else { unreachable!("a page") };
    assert!(page.sheet().is_some());
    page.payload = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("zstd");
    assert_eq!(page.sheet(), None);
}

proptest! {
    /// Rubbish is an error or a message; never a panic.
    #[test]
    fn rubbish_is_bounded(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(decode(&body));
    }

    /// Changed bytes of a hostile box are an error or another message within limits.
    #[test]
    fn a_liar_is_bounded(which in 0_usize..11, changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)) {
        let mut body = encode(&messages()[which], Some(&vitals())).expect("encode");
        for (at, to) in changes {
            let at = at.index(body.len());
            body[at] = to;
        }
        if let Ok((message, told)) = decode(&body) {
            prop_assert!(encode(&message, told.as_ref()).is_ok());
        }
    }
}
