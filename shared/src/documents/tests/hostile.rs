//! Hostile bytes: whatever is done to a change or a saved document, there is no panic, nothing grows, and a document is
//! changed by a valid change or not at all. `PREAU_HOSTILE` says how many mutations of each; the seed is printed when
//! one fails.

use super::*;

/// Mutations of each kind when nobody says otherwise.
const FEW: u32 = 600;
/// What one run may add to the memory of the whole test program, beside its other tests.
const MOST_MEMORY_KB: u64 = 256 * 1024;

#[expect(clippy::disallowed_methods, reason = "a test's count of cases")]
fn cases() -> ProptestConfig {
    let cases = std::env::var("PREAU_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The most memory this program ever had, in KB (proc(5), `VmHWM`).
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// What is done to bytes: some overwritten, a piece doubled or taken out, the end cut off; the checksum mostly re-made.
#[derive(Debug, Clone)]
struct Harm {
    hits: Vec<(prop::sample::Index, u8)>,
    piece: Option<(prop::sample::Index, usize, bool)>,
    cut: Option<prop::sample::Index>,
    reseal: bool,
}

fn harm() -> impl Strategy<Value = Harm> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 0x7f, 0x80, 0xff])];
    (
        prop::collection::vec((any::<prop::sample::Index>(), byte), 0..4),
        prop::option::weighted(0.2, (any::<prop::sample::Index>(), 1..24_usize, any::<bool>())),
        prop::option::weighted(0.1, any::<prop::sample::Index>()),
        prop::bool::weighted(0.95),
    )
        .prop_map(|(hits, piece, cut, reseal)| Harm { hits, piece, cut, reseal })
}

impl Harm {
    fn done_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (at, byte) in &self.hits {
            let at = 8 + at.index(bytes.len() - 8);
            bytes[at] = *byte;
        }
        if let Some((at, length, double)) = self.piece {
            let at = 8 + at.index(bytes.len() - 8);
            let piece: Vec<u8> = bytes[at..].iter().take(length).copied().collect();
            let replaced = if double { 0 } else { piece.len() };
            drop(bytes.splice(at..at + replaced, piece.iter().filter(|_| double).copied()));
        }
        if let Some(cut) = self.cut {
            bytes.truncate(9 + cut.index(bytes.len().max(10) - 9));
        }
        if self.reseal && bytes.len() > 8 { resealed(bytes) } else { bytes }
    }
}

/// Gives the length that a chunk announces the value it has, so that what is deeper is reached.
fn relengthed(bytes: &[u8]) -> Vec<u8> {
    let mut body = &bytes[9..];
    while body.first().is_some_and(|byte| byte & 0x80 != 0) {
        body = &body[1..];
    }
    let body = body.get(1..).unwrap_or_default();
    framed(bytes[8], body)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut framed = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, kind];
    let mut length = body.len();
    while length >= 0x80 {
        framed.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    framed.push(u8::try_from(length).expect("seven bits"));
    framed.extend(body);
    resealed(framed)
}

/// A document of a badge and a change of somebody else that follows.
fn stage() -> (Document, Vec<u8>) {
    let (mut here, _) = twins(&badge().edit());
    write(&mut here, BOX, &badge::void(badge().id, "lost"));
    let mut author = here.clone();
    let later = Badge { expires: Some(crate::time::Stamp(77)), void_reason: "reprinted".into(), ..badge() };
    let change = write(&mut author, BOX, &later.edit());
    (here, change)
}

#[test]
fn mutated_changes_do_no_harm() {
    let (start, change) = stage();
    let before = (start.heads(), start.fields());
    let mut runner = proptest::test_runner::TestRunner::new(cases());
    let memory = peak_kb();
    let done = runner.run(&(harm(), any::<bool>()), |(harm, relength)| {
        let mut here = start.clone();
        let mut bytes = harm.done_to(&change);
        if relength && bytes.len() > 10 {
            bytes = relengthed(&bytes);
        }
        match here.apply(Writer::Box, &bytes) {
            Ok(()) => prop_assert!(here.fields().flag("void")),
            Err(_) => prop_assert_eq!(&before, &(here.heads(), here.fields())),
        }
        // Still a document: it is saved, loaded and written.
        let mut again = Document::load::<Vec<u8>>(Kind::Badge, Some(&here.save()), &[]).expect("load");
        write(&mut again, [42; 16], &Edit::of(Badge::doc(badge().id)).with_text("void_reason", "still written"));
        Ok(())
    });
    done.unwrap_or_else(|why| panic!("{why}"));
    assert!(peak_kb().saturating_sub(memory) < MOST_MEMORY_KB);
}

#[test]
fn mutated_saved_documents_do_no_harm() {
    let (mut theirs, change) = stage();
    theirs.apply(Writer::Box, &change).expect("ours");
    for at in 0..30 {
        let edit = Edit::of(Badge::doc(badge().id)).with("expires", Scalar::Int(at * 1_000_003));
        write(&mut theirs, if at % 3 == 0 { BOX } else { COORDINATOR }, &edit);
    }
    let saved = theirs.save();
    let (start, _) = stage();
    let before = (start.heads(), start.fields());
    let mut runner = proptest::test_runner::TestRunner::new(cases());
    let memory = peak_kb();
    let done = runner.run(&(harm(), any::<bool>(), any::<bool>()), |(harm, relength, empty)| {
        let mut bytes = harm.done_to(&saved);
        if relength && bytes.len() > 10 {
            bytes = relengthed(&bytes);
        }
        if empty {
            // Nothing held: what is taken is what was saved.
            let mut here = Document::new(Kind::Badge);
            match here.merge_saved(&bytes) {
                Ok(_) => prop_assert_eq!((here.heads(), here.fields()), (theirs.heads(), theirs.fields())),
                Err(_) => prop_assert!(here.heads().is_empty()),
            }
        } else {
            let mut here = start.clone();
            match here.merge_saved(&bytes) {
                Ok(_) => prop_assert_eq!((here.heads(), here.fields()), (theirs.heads(), theirs.fields())),
                Err(_) => prop_assert_eq!(&before, &(here.heads(), here.fields())),
            }
        }
        Ok(())
    });
    done.unwrap_or_else(|why| panic!("{why}"));
    assert!(peak_kb().saturating_sub(memory) < MOST_MEMORY_KB);
}

/// A few bytes that stand for millions of values are refused before they are unfolded.
#[test]
fn a_saved_document_that_would_unfold_is_not_unfolded() {
    // No actors, no heads, no changes; one column of operations: ten million times the action "set".
    let column = [0x80, 0xad, 0xe2, 0x04, 0x01];
    let mut body = vec![0, 0, 0, 1, 0x42, u8::try_from(column.len()).expect("small")];
    body.extend(column);
    assert_eq!(Document::new(Kind::Badge).merge_saved(&framed(0, &body)), Err(DocumentError::TooLarge));
    // The same as nothing, ten million times.
    let column = [0x00, 0x80, 0xad, 0xe2, 0x04];
    body.truncate(6);
    body.extend(column);
    assert_eq!(Document::new(Kind::Badge).merge_saved(&framed(0, &body)), Err(DocumentError::TooLarge));
    // A bundle, and a deflated change.
    for kind in [2, 3] {
        assert_eq!(Document::new(Kind::Badge).merge_saved(&framed(kind, &body)), Err(DocumentError::Malformed));
        assert_eq!(Document::new(Kind::Badge).apply(Writer::Box, &framed(kind, &body)), Err(DocumentError::Malformed));
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn random_bytes_are_no_change_and_no_document(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut document = Document::new(Kind::Badge);
        prop_assert!(document.apply(Writer::Coordinator, &framed(1, &bytes)).is_err());
        prop_assert!(document.apply(Writer::Coordinator, &bytes).is_err());
        prop_assert!(document.merge_saved(&framed(0, &bytes)).is_err());
        prop_assert!(document.merge_saved(&bytes).is_err());
        prop_assert!(document.heads().is_empty());
    }
}
