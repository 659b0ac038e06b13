use proptest::prelude::*;

use super::*;
use crate::{ids::BoxId, keys::SigningKey, replica::run::Item, time::ClockQuality, wire::TabletCounts};

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
        last_number: 812,
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
    let hello = |answer_wanted| Message::Hello {
        speaks: SPEAKS,
        marks: vec![mark(4), mark(5)],
        digests: vec![(Shelf::Territory, [1; 32]), (school(), [2; 32])],
        answer_wanted,
    };
    vec![
        hello(true),
        Message::Runs(vec![run(), run()]),
        Message::Have(vec![mark(5)]),
        Message::Nack { shelf: school(), origin: origin(), first: 6, reason: Reason::Signature },
    ]
}

#[test]
fn what_is_written_is_read_back() {
    for message in messages() {
        let bytes = encode(&message, Some(vitals())).expect("encode");
        let (read, told) = decode(&bytes).expect("decode");
        assert_eq!(read, message);
        assert_eq!(told, Some(vitals().bounded()), "a long sentence is cut at a character");
    }
}

#[test]
fn each_fault_of_the_envelope_has_its_name() {
    let good = encode(&messages()[2], None).expect("encode");
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        decode(&bytes)
    };
    assert_eq!(decode(&[]), Err(BatchError::Short(0)));
    assert_eq!(decode(&good[..9]), Err(BatchError::Short(9)));
    assert_eq!(with(0, 2), Err(BatchError::Version(2)));
    assert_eq!(with(1, 1), Err(BatchError::Seal(1)));
    assert_eq!(with(2, good[2] ^ 1), Err(BatchError::Damaged));
    assert_eq!(decode(&good[..good.len() - 1]), Err(BatchError::Damaged));
    assert_eq!(decode(&vec![1; MAX_BATCH_BYTES + 1]), Err(BatchError::Long(MAX_BATCH_BYTES + 1)));
    assert_eq!(decode(&enveloped(b"\x00\x09")), Err(BatchError::Unreadable("its body is no message")));
    let mut longer = good[18..].to_vec();
    longer.push(0);
    assert_eq!(decode(&enveloped(&longer)), Err(BatchError::Unreadable("bytes follow its message")));
    let many = Message::Have(vec![mark(1); MAX_MARKS + 1]);
    let refused = BatchError::TooMany { what: "marks", found: MAX_MARKS + 1, most: MAX_MARKS };
    assert_eq!(encode(&many, None), Err(refused.clone()));
    let body = postcard::to_stdvec(&BodyOut { vitals: None, message: &many }).expect("body");
    assert_eq!(decode(&enveloped(&body)), Err(refused));
}

#[test]
fn saying_that_all_is_well_costs_little() {
    let hello = Message::Hello {
        speaks: SPEAKS,
        marks: vec![mark(900), mark(14)],
        digests: vec![(school(), [2; 32])],
        answer_wanted: false,
    };
    let bytes = encode(&hello, None).expect("encode");
    assert!(bytes.len() <= 300, "{} bytes", bytes.len());
}

fn enveloped(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![VERSION, UNSEALED];
    bytes.extend(&sha256(body)[..CHECK_BYTES]);
    bytes.extend(body);
    bytes
}

proptest! {
    /// Rubbish, and rubbish whose check fits, is an error or a message; never a panic.
    #[test]
    fn rubbish_is_an_error(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&body).is_err());
        drop(decode(&enveloped(&body)));
    }

    /// One changed byte never gets past the check.
    #[test]
    fn damage_is_found(which in 0_usize..4, at in any::<proptest::sample::Index>(), flip in 1_u8..) {
        let mut bytes = encode(&messages()[which], Some(vitals())).expect("encode");
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(decode(&bytes).is_err());
    }

    /// Changed bytes with a check that fits them (a hostile box) are an error or another message within limits.
    #[test]
    fn a_liar_is_bounded(which in 0_usize..4, changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)) {
        let mut body = encode(&messages()[which], Some(vitals())).expect("encode").split_off(18);
        for (at, to) in changes {
            let at = at.index(body.len());
            body[at] = to;
        }
        if let Ok((message, told)) = decode(&enveloped(&body)) {
            prop_assert!(encode(&message, told).is_ok());
        }
    }
}
