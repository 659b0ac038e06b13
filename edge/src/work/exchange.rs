//! The talk of kept works with one other box of the school, over a connection of its own, so that a film never holds up
//! what the school must know. Each asks what changed since it last looked and then fetches what it lacks, one piece at a
//! time and slowly; each answers the other one. Nothing here is waited for by anybody in front of a class.

use std::{collections::BTreeSet, pin::Pin, time::Duration};

use preau_shared::{
    ids::{BoxId, WorkId},
    rig::{
        neighbour::Carried,
        replicate::LinkEvent,
        task::{Stop, Tasks},
    },
    wire::locker::{Line, Page, Said},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, Sleep, interval, sleep},
};

use super::{
    MAX_ARRIVING, MAX_PERSON_BYTES, MAX_WORK_BYTES,
    fetch::{self, Ended, Fetch},
    media, name, remove,
};
use crate::{
    app::App,
    store::{
        Trouble,
        work::{copies, lines, merge, wanted},
    },
};

/// Bytes that are fetched in a second at most: a lesson's films and pages share the cable.
const BYTES_A_SECOND: u64 = 4 * 1024 * 1024;
/// While tablets send works of their own, what is fetched comes so many times slower.
const SLOWER: u32 = 8;
/// Longest time until something is said, and what could not be done is tried again.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

/// After so many beats, about an hour, what could not be fetched is tried again.
const BEATS_OF_REFUSAL: u32 = 720;

/// Starts the talk with a sister; it ends with its carrier. Who says nothing for `silence` is gone.
pub(crate) fn start(app: App, sister: BoxId, carried: Carried, silence: Duration, tasks: &Tasks) {
    let Carried { inbound, outbound } = carried;
    let talk = Talk {
        app,
        sister,
        outbound,
        asked: None,
        is_first: true,
        asking: false,
        round: 0,
        after: 0,
        has_swept: false,
        refused: BTreeSet::new(),
        beats: 0,
        fetch: None,
        pause: None,
    };
    let beat = silence.checked_div(6).unwrap_or(LONGEST_BEAT).clamp(Duration::from_millis(1), LONGEST_BEAT);
    tasks.spawn("works with a sister", talk.run(inbound, beat, tasks.stopping()));
}

struct Talk {
    app: App,
    sister: BoxId,
    outbound: mpsc::Sender<Vec<u8>>,
    /// It asked what changed after this number, and waits.
    asked: Option<u64>,
    /// It has had no answer on this connection.
    is_first: bool,
    /// This box asked what changed, and waits.
    asking: bool,
    /// Which time it is that they meet.
    round: i64,
    /// This box has all up to this number of the other one.
    after: u64,
    /// It has told all that it has since they met.
    has_swept: bool,
    /// What could not be fetched lately.
    refused: BTreeSet<WorkId>,
    /// Beats since that was forgotten.
    beats: u32,
    fetch: Option<Fetch>,
    /// Until the next piece.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Talk {
    async fn run(mut self, mut inbound: mpsc::Receiver<LinkEvent>, beat: Duration, mut stop: Stop) {
        let mut committed = self.app.writer.committed();
        let mut beat = interval(beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut in_contact = false;
        loop {
            let done = tokio::select! {
                event = inbound.recv() => match event {
                    Some(LinkEvent::Connected) => {
                        in_contact = true;
                        self.begin()
                    }
                    Some(LinkEvent::Disconnected) => {
                        in_contact = false;
                        self.end();
                        Ok(())
                    }
                    Some(LinkEvent::Message(bytes)) => self.hear(&bytes).await,
                    None => return,
                },
                news = committed.changed(), if self.asked.is_some() => match news {
                    Ok(()) => self.answer(false),
                    Err(_) => return,
                },
                _ = beat.tick(), if in_contact => self.beat().await,
                () = passed(&mut self.pause) => {
                    self.pause = None;
                    self.go_on().await
                }
                () = stop.wait() => return,
            };
            if let Err(error) = done {
                tracing::warn!(%error, sister = %self.sister, "kept works could not be exchanged");
            }
        }
    }

    /// They meet: this box asks for all.
    fn begin(&mut self) -> Result<(), Trouble> {
        self.end();
        self.is_first = true;
        self.after = 0;
        self.has_swept = false;
        self.refused.clear();
        self.round = self.app.reader.read(|conn| Ok::<_, Trouble>(copies::next_round(conn, self.sister)?))?;
        self.ask();
        Ok(())
    }

    fn end(&mut self) {
        self.asked = None;
        self.asking = false;
        self.fetch = None;
        self.pause = None;
    }

    async fn beat(&mut self) -> Result<(), Trouble> {
        self.beats = self.beats.saturating_add(1);
        if self.beats >= BEATS_OF_REFUSAL {
            self.beats = 0;
            self.refused.clear();
        }
        self.answer(true)?;
        if !self.asking {
            self.ask();
        }
        if self.fetch.is_none() && self.pause.is_none() { self.seek().await } else { Ok(()) }
    }

    async fn hear(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        match Said::decode(bytes) {
            Ok(Said::Since(after)) => {
                self.app.work.sisters.heard(self.sister, after);
                self.asked = Some(after);
                let must = std::mem::take(&mut self.is_first);
                self.answer(must)
            }
            Ok(Said::Page(page)) => self.take(page).await,
            Ok(Said::From { file, at }) => {
                let bytes = match fetch::piece(&self.app, file, at).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        tracing::warn!(%error, "a kept work cannot be given to another box");
                        Vec::new()
                    }
                };
                self.say(&Said::Piece { file, at, bytes });
                Ok(())
            }
            Ok(Said::Piece { file, at, bytes }) => self.piece(file, at, &bytes).await,
            Err(why) => {
                tracing::debug!(%why, sister = %self.sister, "another box said what is not understood here");
                Ok(())
            }
        }
    }

    /// Tells what changed since it asked; that nothing did only when it must hear something.
    fn answer(&mut self, must: bool) -> Result<(), Trouble> {
        let Some(after) = self.asked else { return Ok(()) };
        let now = self.app.clock.stamp();
        let page = self.app.reader.read(|conn| Ok::<_, Trouble>(lines::since(conn, after, now)?))?;
        if must || page.last != after {
            self.asked = None;
            let full = self.app.work.sisters.of(self.sister).lacks_room;
            self.say(&Said::Page(Page { full, ..page }));
        }
        Ok(())
    }

    /// Takes what it told, and asks for what comes after.
    async fn take(&mut self, page: Page) -> Result<(), Trouble> {
        if !std::mem::take(&mut self.asking) || page.last < self.after || (page.more && page.last == self.after) {
            return Ok(());
        }
        self.app.work.sisters.is_full(self.sister, page.full);
        let (from, is_first) = ((self.sister, self.round), self.after == 0);
        let (told, last, more) = (page.lines.len(), page.last, page.more);
        let mut lines = page.lines;
        lines.retain(is_sound);
        if lines.len() < told {
            tracing::warn!(sister = %self.sister, "another box tells of works that no box keeps");
        }
        if told > 0 || is_first {
            let gone = self
                .app
                .commit(move |conn, book| {
                    let left = merge::take(conn, book, from, &lines)?;
                    if !more {
                        merge::tell_apart(conn, book, name::numbered)?;
                    }
                    Ok(super::keep::unnamed(conn, left)?)
                })
                .await?;
            remove(&self.app, &gone).await;
        }
        self.after = last;
        if !more {
            self.told_all(from).await?;
        }
        self.ask();
        if self.fetch.is_none() && self.pause.is_none() { self.seek().await } else { Ok(()) }
    }

    /// It has told all that it has, for the first time since they met: what it did not name it has not.
    async fn told_all(&mut self, from: (BoxId, i64)) -> Result<(), Trouble> {
        if self.has_swept {
            return Ok(());
        }
        self.app.commit(move |conn, _| Ok(copies::told_all(conn, from)?)).await?;
        self.has_swept = true;
        Ok(())
    }

    /// Looks for something to fetch.
    async fn seek(&mut self) -> Result<(), Trouble> {
        let (sister, refused) = (self.sister, &self.refused);
        let next =
            self.app.reader.read(|conn| Ok::<_, Trouble>(wanted::next(conn, sister, refused, MAX_PERSON_BYTES)?))?;
        let has_room = match next {
            Some(next) => fetch::has_room(&self.app, next.size_bytes)?,
            None => true,
        };
        if self.app.work.sisters.lacks_room(sister, !has_room) && !has_room {
            tracing::warn!(%sister, "no room here for works of another box: they stay on one disk");
        }
        let Some(next) = next.filter(|_| has_room) else { return Ok(()) };
        let Ok(place) = self.app.work.fetching.clone().try_acquire_owned() else { return Ok(()) };
        self.fetch = Some(Fetch::open(&self.app.work.folder, next, place).await.map_err(super::unwritten)?);
        self.pause(0);
        Ok(())
    }

    /// Asks for the next piece; ends what is whole.
    async fn go_on(&mut self) -> Result<(), Trouble> {
        let Some(fetch) = &self.fetch else { return self.seek().await };
        if let Some((file, at)) = fetch.next() {
            self.say(&Said::From { file, at });
            return Ok(());
        }
        let Some(fetch) = self.fetch.take() else { return Ok(()) };
        let file = fetch.file();
        self.pause(0);
        match fetch.finish(&self.app).await {
            Ok(Ended::Here | Ended::Unwanted) => Ok(()),
            Ok(Ended::Damaged) => {
                tracing::warn!(%file, sister = %self.sister, "the bytes of a kept work are not what was told");
                self.refused.insert(file);
                Ok(())
            }
            Err(error) => {
                self.refused.insert(file);
                Err(error)
            }
        }
    }

    async fn piece(&mut self, file: WorkId, at: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let Some(fetch) = self.fetch.as_mut().filter(|fetch| fetch.next() == Some((file, at))) else { return Ok(()) };
        match fetch.take(file, at, bytes).await {
            Ok(true) => self.pause(bytes.len()),
            Ok(false) => {
                self.refused.insert(file);
                self.fetch = None;
                self.pause(0);
                self.app.work.folder.drop_fetched(&[file]).map_err(super::unwritten)?;
            }
            Err(error) => {
                self.refused.insert(file);
                self.fetch = None;
                return Err(super::unwritten(error));
            }
        }
        Ok(())
    }

    /// Waits for as long as so many bytes may take.
    fn pause(&mut self, bytes: usize) {
        let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / BYTES_A_SECOND;
        let is_busy = self.app.work.arriving.available_permits() < MAX_ARRIVING;
        let pause = Duration::from_micros(micros).saturating_mul(if is_busy { SLOWER } else { 1 });
        self.pause = Some(Box::pin(sleep(pause)));
    }

    fn ask(&mut self) {
        self.asking = true;
        self.say(&Said::Since(self.after));
    }

    /// One question and one piece of each are under way at most: who fills the queue beyond that is not answered.
    fn say(&self, said: &Said) {
        match said.encode() {
            Ok(bytes) => drop(self.outbound.try_send(bytes)),
            Err(error) => tracing::error!(%error, "kept works cannot be told"),
        }
    }
}

async fn passed(pause: &mut Option<Pin<Box<Sleep>>>) {
    match pause {
        Some(pause) => pause.await,
        None => std::future::pending().await,
    }
}

/// Whether a box could keep such a work.
fn is_sound(line: &Line) -> bool {
    line.state.about().is_none_or(|about| {
        name::parse(&about.name).is_ok_and(|name| name == about.name)
            && media::of(&about.media).word == about.media
            && about.size_bytes <= MAX_WORK_BYTES
    })
}
