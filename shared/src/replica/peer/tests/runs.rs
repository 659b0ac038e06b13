//! Runs told, held, and told again.

use super::*;

#[test]
fn what_one_writes_the_other_holds_and_says_so() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    b.write(now, "a name");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
    let of_marks = |marks: Vec<Mark>, who| marks.into_iter().filter(|m| m.origin == origin(who)).collect::<Vec<_>>();
    assert_eq!(
        (of_marks(a.peer.theirs(), BOX), of_marks(b.peer.theirs(), CLOUD)),
        (of_marks(a.marks(), BOX), of_marks(b.marks(), CLOUD))
    );
    assert!(a.peer.alerts().is_empty() && b.peer.alerts().is_empty());
}

#[test]
fn a_meeting_with_nothing_to_tell_is_two_messages() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    a.tell(now, Input::Connected);
    // A box that wrote since it last heard what the other holds says all it holds, once.
    assert_eq!(carry(now, &mut a, &mut b, |_| true), 2);
    let spoken = |end: &End| {
        end.seen.iter().filter(|o| matches!(o, Output::Send(Message::Hello(h)) if h.knowledge.is_some())).count()
    };
    let before = (spoken(&a), spoken(&b));
    a.tell(now, Input::Connected);
    assert_eq!(carry(now, &mut a, &mut b, |_| true), 2);
    assert_eq!((spoken(&a), spoken(&b)), before, "a summary is enough");
}

#[test]
fn a_copy_of_a_box_that_still_runs_is_named_and_refused() {
    let (now, mut a, mut b) = met();
    a.write(now, "the first life");
    carry(now, &mut a, &mut b, |_| true);
    a.tell(now, Input::Disconnected);
    // The same disk in another machine, that found out and began another life.
    let mut copy = End::living(BOX, 2);
    copy.runs = a.runs.clone();
    copy.peer = Peer::new(copy.peer.config.clone(), copy.peer.dice.clone(), copy.marks());
    copy.tell(now, Input::Connected);
    carry(now, &mut copy, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "a restored disk alone is no copy");
    let later = now.after(secs(60));
    copy.tell(later, Input::Disconnected);
    a.tell(later, Input::Connected);
    carry(later, &mut a, &mut b, |_| true);
    assert!(b.peer.alerts().is_empty(), "its first words may have been on their way for long");
    let later = later.after(secs(60));
    a.tell(later, Input::Disconnected);
    copy.tell(later, Input::Connected);
    carry(later, &mut copy, &mut b, |_| true);
    let alert = Alert::Superseded { origin: Origin { incarnation: 2, ..origin(BOX) } };
    assert!(copy.peer.alerts().contains(&alert) && b.peer.alerts().contains(&alert));
    let before = b.marks();
    copy.write(later, "kept on its own disk");
    carry(later, &mut copy, &mut b, |_| true);
    assert_eq!(b.marks(), before);
    assert!(!copy.seen.iter().any(|o| matches!(o, Output::NewIncarnation)), "or each would chase the other");
}

#[test]
fn nothing_is_acknowledged_before_it_is_stored() {
    let (now, mut a, mut b) = met();
    a.write(now, "a badge");
    let runs = a.said.pop().expect("runs");
    let out = b.peer.handle(now, Input::Received(runs));
    assert!(out.iter().any(|o| matches!(o, Output::Commit(_))));
    assert!(!out.iter().any(|o| matches!(o, Output::Send(_))), "{out:?}");
    let out = b.peer.handle(now, Input::Stored(a.marks()));
    let mine = a.marks().into_iter().filter(|m| m.origin == origin(BOX)).collect();
    assert!(out.contains(&Output::Send(Message::Have(mine))), "{out:?}");
    assert!(!out.iter().any(|o| matches!(o, Output::Fetch { .. })), "what came from there does not go back: {out:?}");
}

#[test]
fn what_is_lost_is_sent_again() {
    let (mut now, mut a, mut b) = met();
    a.write(now, "a badge");
    a.said.clear();
    for _ in 0..20 {
        now = a.wake.min(b.wake);
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |_| true);
    }
    assert_eq!(a.runs, b.runs);
    assert!(now.since(Elapsed(secs(100))) < secs(90), "and contact is kept by heartbeats");
    assert!(a.peer.is_open() && b.peer.is_open());
}

#[test]
fn what_my_former_life_wrote_is_held_there_before_anything_that_may_rest_on_it() {
    let (now, a, mut b) = met();
    let mut next = End::living(BOX, 2);
    next.runs = a.runs.clone();
    let never_sent = End::new(BOX).write_as(BOX, BOX, "of the life before");
    next.runs.insert((school(), origin(BOX)), vec![never_sent]);
    next.write_as(BOX, BOX, "new");
    next.peer = Peer::new(next.peer.config.clone(), next.peer.dice.clone(), next.marks());
    b.tell(now, Input::Connected);
    b.said.clear();
    next.tell(now, Input::Connected);
    let told = std::cell::RefCell::new(Vec::new());
    let first_is_lost = |m: &Message| {
        let Message::Runs(runs) = m else { return true };
        told.borrow_mut().extend(runs.iter().map(|run| run.origin.incarnation));
        told.borrow().len() > 1
    };
    let mut at = now;
    for _ in 0..20 {
        carry(at, &mut next, &mut b, first_is_lost);
        at = next.wake.min(b.wake);
        next.tell(at, Input::Tick);
        b.tell(at, Input::Tick);
    }
    assert_eq!(told.into_inner(), [1, 1, 2], "first, again, and only then what came after it");
    assert_eq!(next.marks(), b.marks());
}

#[test]
fn repeated_and_reordered_runs_change_nothing() {
    let (now, mut a, mut b) = met();
    let runs: Vec<Run> = (0..4).map(|n| a.write_as(BOX, BOX, &format!("entry {n}"))).collect();
    for n in [3, 1, 0, 0, 2, 1, 1, 3] {
        b.tell(now, Input::Received(Message::Runs(vec![runs[n].clone()])));
    }
    assert_eq!(b.runs[&(school(), origin(BOX))], runs[..2], "what came too early was not kept");
    a.tell(now, Input::Stored(a.marks()));
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
}

#[test]
fn the_coordinators_runs_come_down_before_anything_goes_up() {
    let (now, mut a, mut b) = met();
    a.tell(now, Input::Disconnected);
    a.write(now, "a sign-in");
    b.write(now, "a void");
    b.said.clear();
    a.tell(now, Input::Connected);
    let hold = |m: &Message| !matches!(m, Message::Runs(_));
    carry(now, &mut a, &mut b, hold);
    let soon = now.after(secs(1));
    a.tell(soon, Input::Tick);
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))) && !a.peer.is_settled(soon));
    let later = now.after(secs(2));
    a.tell(later, Input::Tick);
    assert!(a.said.iter().any(|m| matches!(m, Message::Runs(_))), "but not for ever");
    assert!(a.peer.is_settled(later));
}

#[test]
fn silence_ends_contact_and_a_hello_renews_it() {
    let (mut now, mut a, mut b) = met();
    for _ in 0..40 {
        now = a.wake;
        a.tell(now, Input::Tick);
        a.said.clear();
    }
    assert!(!a.peer.is_open());
    b.write(now, "a void");
    b.said.clear();
    for _ in 0..10 {
        now = a.wake;
        a.tell(now, Input::Tick);
        b.tell(now, Input::Tick);
        carry(now, &mut a, &mut b, |_| true);
    }
    assert!(a.peer.is_open());
    assert_eq!(a.runs, b.runs);
}

#[test]
fn a_run_signed_by_another_box_is_refused_and_nothing_is_lost() {
    let (now, mut a, mut b) = met();
    let forged = End::new(BOX).write_as(BOX, 2, "a forged entry");
    let foreign = End::new(2).write_as(2, 2, "another box's entry");
    let mut elsewhere = End::new(BOX).write_as(BOX, BOX, "another school's entry");
    elsewhere.shelf = Shelf::School("0900002B".parse().expect("uai"));
    let cases = [(forged, Reason::Signature), (foreign, Reason::UnknownKey), (elsewhere, Reason::ForeignShelf)];
    for (run, reason) in cases {
        let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
        b.tell(now, Input::Received(Message::Runs(vec![run.clone()])));
        assert!(b.said.contains(&Message::Nack { shelf, origin, first, reason }), "{reason}");
        assert!(b.saw(&Output::Quarantine { run, reason }), "{reason}");
    }
    b.said.clear();
    assert!(!b.runs.contains_key(&(school(), origin(BOX))));
    a.write(now, "a true entry");
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs, "the true line goes on");
}

#[test]
fn a_nack_stops_that_line_until_the_next_hello() {
    let (now, mut a, mut b) = met();
    a.write(now, "an entry of a newer program");
    a.said.clear();
    let (shelf, origin) = (school(), origin(BOX));
    let nack = Message::Nack { shelf: shelf.clone(), origin, first: 1, reason: Reason::Items };
    a.tell(now, Input::Received(nack));
    assert!(a.peer.alerts().contains(&Alert::Refused { shelf, origin, reason: Reason::Items }));
    a.tell(now, Input::Tick);
    assert!(a.said.is_empty());
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs, "nothing was dropped");
    assert!(a.peer.alerts().is_empty());
}

#[test]
fn a_restored_disk_is_found() {
    let (now, mut a, mut b) = met();
    a.write(now, "before the backup");
    carry(now, &mut a, &mut b, |_| true);
    b.runs.clear();
    b.write_as(BOX, BOX, "before the backup");
    b.write_as(BOX, BOX, "after the backup");
    b.tell(now, Input::Stored(b.marks()));
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert!(a.saw(&Output::NewIncarnation));
    a.write(now, "must not go out under the old name");
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))));
}

#[test]
fn a_second_history_is_not_taken() {
    let (now, mut a, mut b) = met();
    a.write(now, "one history");
    carry(now, &mut a, &mut b, |_| true);
    let held = b.runs.clone();
    let mut clone = End::new(BOX);
    clone.write_as(BOX, BOX, "another history");
    let run = clone.write_as(BOX, BOX, "that goes on");
    b.tell(now, Input::Received(Message::Runs(vec![run.clone()])));
    assert!(b.saw(&Output::Quarantine { run, reason: Reason::Fork }));
    assert_eq!(b.runs, held);
}

#[test]
fn without_a_common_version_nothing_is_exchanged_and_nothing_dropped() {
    let (now, mut a, mut b) = met();
    let hello = Message::Hello(Hello {
        speaks: (7, 9),
        incarnation: 1,
        summary: [0; 16],
        knowledge: None,
        answer_wanted: true,
    });
    a.tell(now, Input::Connected);
    a.said.clear();
    a.tell(now, Input::Received(hello));
    a.write(now, "kept");
    assert!(!a.said.iter().any(|m| matches!(m, Message::Runs(_))));
    assert!(a.peer.alerts().contains(&Alert::TooOld { theirs: (7, 9) }));
    a.tell(now, Input::Connected);
    carry(now, &mut a, &mut b, |_| true);
    assert_eq!(a.runs, b.runs);
    assert!(a.peer.alerts().is_empty());
}
