use std::time::Instant;

use super::*;
use crate::documents::{Badge, Chunk, Edit, Kind, Scalar, Writer};

const BOX: [u8; 16] = [2; 16];

fn edit(reason: &str) -> Edit {
    Edit::of(Badge::doc(crate::ids::BadgeId::from_bytes([5; 16]))).with("void_reason", Scalar::Text(reason.into()))
}

/// Changes of one author, each standing on the one before, with these reasons.
fn changes(reasons: &[&str]) -> Vec<Received> {
    let mut author = Document::new(Kind::Badge);
    let mut write = |reason: &&str| {
        let bytes = author.edit(BOX, Writer::Box, &edit(reason)).expect("edit").expect("a change");
        Received { chunk: Chunk::read(&bytes).expect("ours"), bytes }
    };
    reasons.iter().map(&mut write).collect()
}

/// Gives up after two stuck threads: a stuck one takes its limit.
fn wary() -> Bench {
    Bench { most_stuck: 2, ..Bench::new(LIMIT) }
}

/// Applies, but never comes back from a change that says so.
fn tarpit(document: &mut Document, changes: &[Received], at: &mut dyn FnMut(usize)) -> Vec<Result<(), DocumentError>> {
    let says = |change: &Received, word: &str| {
        change.chunk.sets.iter().any(|set| matches!(&set.value, Scalar::Text(text) if text.starts_with(word)))
    };
    for (place, change) in changes.iter().enumerate() {
        at(place);
        while says(change, "for ever") {
            thread::park();
        }
        assert!(!says(change, "panic"), "planted");
    }
    document.apply_all(changes, at)
}

#[test]
fn what_is_handed_over_is_applied_as_it_would_be_here() {
    let mut these = changes(&["a", "b", "c", "d"]);
    let missing = these.remove(2);
    let bench = Bench::new(LIMIT);
    let (mut here, mut there) = (Document::new(Kind::Badge), Document::new(Kind::Badge));
    let said = bench.apply(&mut there, these.clone()).expect("now");
    let direct: Vec<_> = these.iter().map(|change| here.apply_chunk(&change.chunk, &change.bytes)).collect();
    assert_eq!((&said, here.heads()), (&direct, there.heads()));
    assert_eq!(said, [Ok(()), Ok(()), Err(DocumentError::MissingDependency)]);
    let rest = vec![missing, these[2].clone(), these[0].clone()];
    assert_eq!(bench.apply(&mut there, rest).expect("now"), [Ok(()), Ok(()), Ok(())]);
    assert_eq!(there.fields().text("void_reason"), Some("d"));
    assert_eq!(bench.stuck(), 0);
    assert_eq!(bench.apply(&mut there, Vec::new()).expect("now"), []);
}

#[test]
fn a_stuck_change_is_left_behind_and_the_others_are_applied() {
    let bench = wary();
    let mut document = Document::new(Kind::Badge);
    let these = changes(&["a", "b", "for ever", "d"]);
    let said = bench.apply_by(&mut document, these, tarpit).expect("now");
    assert_eq!(said, [Ok(()), Ok(()), Err(DocumentError::TooSlow), Err(DocumentError::MissingDependency)]);
    assert_eq!((document.fields().text("void_reason"), bench.stuck()), (Some("b"), 1));
    // Until no more threads may be left behind.
    let said = bench.apply_by(&mut document, changes(&["for ever"]), tarpit).expect("now");
    assert_eq!((said, bench.stuck()), (vec![Err(DocumentError::TooSlow)], 2));
    let before = document.heads();
    assert_eq!(bench.apply(&mut document, changes(&["z"])), Err(ApplyError::NotNow));
    assert_eq!(document.heads(), before);
}

#[test]
fn a_panic_is_an_error_of_its_change_alone() {
    let bench = Bench::new(Duration::from_secs(60));
    let mut document = Document::new(Kind::Badge);
    let said = bench.apply_by(&mut document, changes(&["a", "panic", "c"]), tarpit).expect("now");
    assert_eq!(said, [Ok(()), Err(DocumentError::Misfit), Err(DocumentError::MissingDependency)]);
    assert_eq!((document.fields().text("void_reason"), bench.stuck()), (Some("a"), 0));
}

/// `cargo test -p preau-shared --features rig costs -- --ignored --nocapture`; the best of nine rounds.
#[test]
#[ignore = "measures"]
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "prints what it measured")]
fn what_the_thread_costs() {
    let words: Vec<String> = (0..200).map(|at| format!("word {at}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let these = changes(&words);
    let bench = Bench::new(LIMIT);
    for together in [1, 10, 50, 200] {
        let mut best = [Duration::MAX; 3];
        for _ in 0..9 {
            let mut documents = [0; 3].map(|_| Document::new(Kind::Badge));
            for (way, document) in documents.iter_mut().enumerate() {
                let start = Instant::now();
                for some in these.chunks(together) {
                    let said = match way {
                        0 => some.iter().map(|one| document.apply_chunk(&one.chunk, &one.bytes)).collect(),
                        1 => document.apply_all(some, &mut |_| {}),
                        _ => bench.apply(document, some.to_vec()).expect("now"),
                    };
                    assert!(said.iter().all(Result::is_ok));
                }
                best[way] = best[way].min(start.elapsed());
            }
            assert!(documents.iter().all(|document| document.heads() == documents[0].heads()));
        }
        let [single, all, bench] = best.map(|time| time.as_secs_f64() * 1e6 / 200.0);
        eprintln!(
            "{together:3} together: {single:.0} us a change one by one, {all:.0} us together, {bench:.0} us on the thread"
        );
    }
}
