//! Documents pulled, and compared.

use super::*;

fn doc(n: u8) -> DocId {
    DocId::new(Kind::Class, [n; 16])
}

#[test]
fn a_new_box_pulls_the_documents_and_then_hears_the_runs() {
    let (now, mut a, mut b) = (Elapsed(secs(100)), End::new(BOX), End::new(CLOUD));
    b.docs = (1..=5).map(|n| (doc(n), n)).collect();
    b.write(now, "long ago");
    b.write(now, "and since");
    b.tell(now, Input::Connected);
    b.said.clear();
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.docs, b.docs);
    assert_eq!(a.marks(), b.marks(), "held without its runs");
    assert!(a.runs.is_empty());
    b.write(now, "from now on");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.marks(), b.marks());
    assert_eq!(a.runs[&(school(), origin(CLOUD))].len(), 1);
}

#[test]
fn a_snapshot_goes_on_after_lost_pages() {
    let (mut now, mut a, mut b) = (Elapsed(secs(100)), End::new(BOX), End::new(CLOUD));
    b.docs = (1..=9).map(|n| (doc(n), n)).collect();
    b.write(now, "long ago");
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    let mut count = 0;
    for _ in 0..200 {
        let lost = std::cell::Cell::new(count);
        carry(now, &mut a, &mut b, |m| {
            lost.set(lost.get() + 1);
            !matches!(m, Message::Page(_) | Message::Pull(_)) || lost.get() % 3 != 0
        });
        count = lost.get();
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
    }
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(!a.peer.is_pulling() && !b.peer.is_pulling());
}

#[test]
fn who_lacks_what_was_folded_away_takes_a_snapshot() {
    let (now, mut a, mut b) = met();
    b.write(now, "one");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    b.tell(now, Input::Disconnected);
    b.write(now, "two");
    b.docs.insert(doc(1), 2);
    b.forget(CLOUD);
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_coordinator_restored_too_late_says_what_is_lost_and_goes_on() {
    let (now, mut a, mut b) = met();
    a.write(now, "acknowledged long ago");
    carry(now, &mut a, &mut b, |_| true);
    a.forget(BOX);
    a.write(now, "since");
    b = End::living(CLOUD, 2);
    b.tell(now, Input::Connected);
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "another box may have it");
    pass(now, secs(200), &mut a, &mut b);
    assert_eq!(a.marks(), b.marks());
    let lost = Alert::Lost { shelf: school(), origin: origin(BOX), first: 1, last: 1 };
    assert!(b.peer.alerts().contains(&lost));
    assert_eq!(b.runs[&(school(), origin(BOX))].len(), 1);
    assert_eq!(b.runs[&(school(), origin(CLOUD))].len(), 1, "its own last life came back from the box");
}

#[test]
fn equal_marks_with_unequal_digests_are_repaired() {
    let (now, mut a, mut b) = met();
    a.write(now, "a name");
    carry(now, &mut a, &mut b, |_| true);
    a.docs = (1..=5).map(|n| (doc(n), n)).collect();
    b.docs = (1..=5).map(|n| (doc(n), n)).collect();
    a.docs.insert(doc(3), 9);
    a.docs.remove(&doc(4));
    a.digest = [1; 32];
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty(), "once is no proof");
    pass(now, secs(60), &mut a, &mut b);
    let alert = Alert::DigestMismatch { shelf: school() };
    assert!(a.saw(&Output::Alert(alert.clone())) && b.saw(&Output::Alert(alert)));
    assert_eq!(b.docs.remove(&doc(7)), Some(1), "what the coordinator lacked was handed over");
    assert_eq!(a.docs, b.docs);
    let pages = b.seen.iter().filter(|o| matches!(o, Output::Send(Message::Page(_)))).count();
    assert_eq!(pages, 2, "only what differs is told");
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_page_that_outran_its_runs_is_asked_for_again() {
    let (mut now, mut a, mut b) = met();
    a.docs = (1..=2).map(|n| (doc(n), n)).collect();
    b.docs = (1..=2).map(|n| (doc(n), n + 1)).collect();
    a.digest = [1; 32];
    let before = a.docs.clone();
    while !a.peer.is_pulling() {
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |m| !matches!(m, Message::Pull(_)));
    }
    // Meanwhile the coordinator writes: its page tells of it, and its runs are lost.
    b.write(now, "what only the page tells");
    while a.peer.is_pulling() {
        carry(now, &mut a, &mut b, |m| !matches!(m, Message::Runs(_)));
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
    }
    assert!(b.seen.iter().any(|o| matches!(o, Output::Send(Message::Page(_)))));
    assert_eq!(a.docs, before, "nobody could give it back to a coordinator that lost it");
    pass(now, secs(600), &mut a, &mut b);
    b.docs.remove(&doc(7));
    assert_eq!((&a.docs, a.marks()), (&b.docs, b.marks()));
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}
