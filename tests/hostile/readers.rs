//! The readers of what comes over a link, each as one function of bytes: for the bounded cases of the suite, and for
//! libFuzzer (`fuzz/`). None may panic, and what one reads is written and read back the same.

use std::sync::Arc;

use preau_shared::{
    dice::Seeded,
    documents::{Document, Kind, Writer},
    ids::BoxId,
    keys::sha256,
    replica::{
        Hop, Input, Keyring, Keys, Knowledge, Mark, Message, Origin, Output, Page, Peer, Pull, Rights, Run, SealSecret,
        Shelf, Side, Timings, Wanted, batch, peer::Config,
    },
    time::Elapsed,
    wire::locker::Said,
};

/// A reader, by its name.
pub(crate) type Reader = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const READERS: &[Reader] = &[
    ("batch", batch),
    ("hello", hello),
    ("run", run),
    ("page", page),
    ("change", change),
    ("seal", seal),
    ("locker", locker),
];

/// What boxes say of kept works.
pub(crate) fn locker(bytes: &[u8]) {
    let Ok(said) = Said::decode(bytes) else { return };
    let again = said.encode().expect("what was read can be written");
    assert_eq!(Said::decode(&again), Ok(said));
}

/// The body of a batch that was opened.
pub(crate) fn batch(bytes: &[u8]) {
    let Ok((message, vitals)) = batch::decode(bytes) else { return };
    let again = batch::encode(&message, vitals.as_ref()).expect("what was read can be written");
    assert_eq!(batch::decode(&again), Ok((message, vitals)));
}

/// A message as a peer hears it, at both ends; what the peer answers can be written.
pub(crate) fn hello(bytes: &[u8]) {
    let Ok((message, _)) = batch::decode(bytes) else { return };
    for side in [Side::Coordinator, Side::Box, Side::Sibling] {
        let keys: Keys = Arc::new(|_| None);
        let uai = "0900001A".parse().expect("uai");
        let box_id = BoxId::from_bytes([1; 16]);
        let rights =
            Rights { side, uai, box_id, coordinator: BoxId::from_bytes([9; 16]), keys, gone: Arc::new(|_| false) };
        let own = Origin { box_id: BoxId::from_bytes([9; 16]), incarnation: 1 };
        let timings = Timings::for_keep_alive(std::time::Duration::from_secs(30));
        let mark = Mark { shelf: Shelf::Territory, origin: own, number: 3, chain: [1; 32] };
        let mut peer = Peer::new(Config { own, rights, timings }, Arc::new(Seeded::new(1)), vec![mark.clone()]);
        let known = Knowledge { marks: vec![mark], digests: vec![(Shelf::Territory, [2; 32])] };
        let heard = [
            Input::Connected,
            Input::Received(message.clone()),
            Input::Surveyed(known.clone()),
            Input::Received(message.clone()),
            Input::Surveyed(known),
        ];
        for output in heard.into_iter().flat_map(|input| peer.handle(Elapsed::default(), input)) {
            if let Output::Send(answer) = output {
                batch::encode(&answer, None).expect("an answer can be written");
            }
        }
    }
}

/// The payload of a run, as it stands and as what was compressed; and a whole run.
pub(crate) fn run(bytes: &[u8]) {
    let origin = Origin { box_id: BoxId::from_bytes([1; 16]), incarnation: 1 };
    let of = |payload: Vec<u8>| Run {
        shelf: Shelf::Territory,
        origin,
        first: 1,
        count: 1,
        prev: [0; 32],
        root: [0; 32],
        payload,
        signature: vec![0; 64],
    };
    let message = batch::decode(bytes).ok().map(|(message, _)| message);
    let whole = if let Some(Message::Runs(runs)) = message { runs.into_iter().next() } else { None };
    for run in [of(bytes.to_vec()), of(zstd::bulk::compress(bytes, 1).expect("zstd"))].into_iter().chain(whole) {
        if let Ok(items) = run.items() {
            assert_eq!(items.len(), usize::try_from(run.count).expect("count"));
            let nested =
                items.iter().filter_map(|item| item.said_before()).any(|(.., said)| said.said_before().is_some());
            assert!(!nested, "what is said again says nothing again");
            assert!(run.without(|_, _| true).is_ok(), "a hole can be made of each");
        }
    }
}

/// The payload of a page, as it stands and as what was compressed; and the documents in it.
pub(crate) fn page(bytes: &[u8]) {
    let pull = Pull { shelf: Shelf::Territory, wanted: Wanted::Everything, after: None };
    for payload in [bytes.to_vec(), zstd::bulk::compress(bytes, 1).expect("zstd")] {
        let page = Page { pull: pull.clone(), next: None, marks: Vec::new(), heads: Vec::new(), payload };
        for copy in page.sheet().into_iter().flat_map(|sheet| sheet.copies) {
            saved(copy.doc.kind, &copy.saved);
        }
    }
    if let Some((kind, rest)) = kind(bytes) {
        saved(kind, &dressed(rest));
    }
}

fn saved(kind: Kind, bytes: &[u8]) {
    let mut document = Document::new(kind);
    if document.merge_saved(bytes).is_ok() {
        assert!(document.merge_saved(&document.save()).is_ok_and(|fresh| fresh.is_empty()), "taken twice");
    }
}

/// A change without magic and checksum, after a byte that says of which kind of document.
pub(crate) fn change(bytes: &[u8]) {
    let Some((kind, rest)) = kind(bytes) else { return };
    let (mut document, change) = (Document::new(kind), dressed(rest));
    if document.apply(Writer::Box, &change).is_ok() {
        let heads = document.heads();
        assert_eq!(heads, [sha256(rest)]);
        let again = Document::load::<Vec<u8>>(kind, Some(&document.save()), &[]).expect("loads");
        assert_eq!((again.heads(), again.fields()), (heads, document.fields()));
    }
}

fn kind(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((Kind::ALL[usize::from(*first) % Kind::ALL.len()], rest))
}

/// With magic and checksum, so that what is deeper is reached.
fn dressed(stripped: &[u8]) -> Vec<u8> {
    let hash = sha256(stripped);
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], stripped].concat()
}

/// An envelope: nobody has these keys, so that nothing opens.
pub(crate) fn seal(bytes: &[u8]) {
    let secret = |n| SealSecret::draw(&Seeded::new(n));
    let public = secret(2).public().expect("key");
    let ring = Keyring::new(Hop::agree(&secret(1), &public, Side::Box, 0x11).expect("keys"));
    assert!(ring.open("preau/1/t/0900001A/01010101010101010101010101010101/down", bytes).is_err());
}
