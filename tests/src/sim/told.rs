//! Messages in short, for the eye.

use preau_shared::replica::{Mark, Message, Origin, Run};

/// A message in short.
pub(super) fn told(message: &Message) -> String {
    let mark = |mark: &Mark| {
        let [first, ..] = mark.chain;
        format!("{}:{}={}#{first:02x}", mark.shelf, short(&mark.origin), mark.number)
    };
    let run = |run: &Run| format!("{}:{}={}..{}", run.shelf, short(&run.origin), run.first, run.last());
    let marks = |marks: &[Mark]| marks.iter().map(mark).collect::<Vec<_>>().join(" ");
    match message {
        Message::Hello(hello) => {
            let asks = if hello.answer_wanted { " asks" } else { "" };
            let known = hello.knowledge.as_ref().map_or("in short".into(), |known| marks(&known.marks));
            format!("hello{asks} {known}")
        }
        Message::Runs(runs) => {
            format!("runs {}", runs.iter().map(run).collect::<Vec<_>>().join(" "))
        }
        Message::Have(have) => format!("have {}", marks(have)),
        Message::Skip(head) => format!("skip {}", run(head)),
        Message::Page(page) => format!("page {:?} next {:?} {}", page.pull, page.next, marks(&page.marks)),
        Message::Nack { .. } | Message::Pull(_) | Message::Buckets(..) | Message::Differ(..) | Message::Mend(..) => {
            let text = format!("{message:?}");
            text.get(..text.floor_char_boundary(2_000)).unwrap_or_default().to_owned()
        }
    }
}

fn short(origin: &Origin) -> String {
    let [first, ..] = origin.box_id.as_bytes();
    format!("{first:02x}.{:016x}", origin.incarnation)
}
