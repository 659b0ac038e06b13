//! The spine of a sign-in: parse, hear secrets, and one commit in which facts are gathered, judged and written. No slow hash
//! on the path of a pupil's badge, and no read beside the commit where nobody gives a secret.

use std::{net::IpAddr, sync::Arc};

use preau_shared::{
    badge::{Badge, StandIn},
    documents::badge,
    ids::{SessionHostId, SessionId, TabletId},
    journal::{Entry, Why},
    keys::sha256,
    refusal::Refusal,
    rig::writer::in_savepoint,
    second_factor::Secret,
    time::{ClockQuality, Stamp},
    wire::{SessionOpened, SignIn, TabletState},
};
use rusqlite::Connection;

use super::{
    decide::{Opening, Said, asked_of, decide},
    leave::{self, Ended},
    lockout::Name,
    welcome::{Party, Welcome, sitting},
};
use crate::{
    app::App,
    classroom::{
        live::Change,
        watch::{JOURNALLED, Moved, TWICE_WITHIN},
    },
    store::{
        Trouble,
        badges::{Facts, Holder, Shown, Way, facts_for, holders_of},
        journal::Book,
        offers::Offers,
        sessions::{self, Session},
        tablet_life,
    },
    tablets::{
        life::{self, Event},
        owner,
    },
    web::bearers::Bearer,
};

/// Badges on one tablet at most.
pub(crate) const MAX_PAIR: usize = 3;
/// At so many misses an adult is called.
pub(crate) const CALLS_AT: u32 = 2;
/// Longest account identifier that is looked at, in bytes.
pub(crate) const MAX_LOGIN_BYTES: usize = 64;

/// What a request asks for, parsed.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) way: Way,
    /// Second factor or password.
    pub(crate) secret: Option<String>,
}

/// Signs somebody in on this tablet.
///
/// # Errors
/// The refusals of [`decide`]; `locked_out`; `malformed` and `badge_malformed` when the request is not of the form.
pub(crate) async fn open(
    app: &App,
    bearer: Bearer,
    ask: SignIn,
    address: Option<IpAddr>,
) -> Result<SessionOpened, Trouble> {
    let opened = admit(app, bearer, ask, address).await;
    if let Err(Trouble::Refused { refusal, .. } | Trouble::Asks { refusal, .. }) = &opened {
        if *refusal == Refusal::TabletUnknown {
            app.bearers.forget(&bearer.token);
            return opened;
        }
        Box::pin(note_refusal(app, bearer.tablet, *refusal)).await;
    }
    opened
}

async fn admit(app: &App, bearer: Bearer, ask: SignIn, address: Option<IpAddr>) -> Result<SessionOpened, Trouble> {
    let asked = parse(app, bearer.tablet, ask).await?;
    // What few take stands on the heap: each sign-in of a class that waits for the disk holds as much memory as the longest way.
    let said = if asked.gives_a_secret() { Box::pin(hear(app, bearer, &asked)).await? } else { Vec::new() };
    let attempt = Arc::new(Attempt::new(app, bearer, &asked.way, said));
    match record(app, &attempt).await {
        Ok((seated, ended)) => {
            seat(app, &seated.session, &seated.opening, address);
            ended.tell(app);
            Ok(attempt.answer(app, seated))
        }
        Err(trouble) if trouble.is_disk() => from_memory(app, &attempt, address, &trouble),
        Err(trouble) if trouble.is(Refusal::SecondFactorRequired) => {
            // Whoever is locked out hears that first.
            Box::pin(hear(app, bearer, &asked)).await?;
            Err(trouble)
        }
        Err(trouble) if trouble.is(Refusal::BadgeUnknown) => {
            note_stand_ins(app, bearer, &asked.way)?;
            Err(trouble)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Refusals are journalled, so many of one tablet as tell the story; what only asks for more is none.
async fn note_refusal(app: &App, tablet: TabletId, refusal: Refusal) {
    if [Refusal::SecondFactorRequired, Refusal::TabletNotFree, Refusal::Overloaded].contains(&refusal) {
        return;
    }
    if app.watch.refused(tablet, app.clock.elapsed()) > JOURNALLED {
        return;
    }
    let entry = Entry::Refused { tablet, code: refusal.code().into() };
    if let Err(error) = app.commit(move |conn, book| book.note(conn, &entry)).await {
        tracing::warn!(%error, "a refusal could not be journalled");
    }
}

impl Asked {
    /// Whether secrets must be compared before anything is decided.
    fn gives_a_secret(&self) -> bool {
        match self.way {
            Way::Badges(_) => self.secret.is_some(),
            Way::Account(_) => true,
            Way::Guest(_) | Way::LetIn(_) => false,
        }
    }
}

/// Reads the request: exactly one way in.
async fn parse(app: &App, tablet: TabletId, ask: SignIn) -> Result<Asked, Trouble> {
    let badges = match (&ask.badge, &ask.badges) {
        (Some(one), None) => Some(std::slice::from_ref(one)),
        (None, Some(several)) if (1..=MAX_PAIR).contains(&several.len()) => Some(several.as_slice()),
        (None, None) => None,
        (_, Some(_)) => return Err(one_way()),
    };
    match (badges, ask.account, ask.guest) {
        (Some(badges), None, None) => {
            let mut way = Vec::new();
            for text in badges {
                way.push(shown(app, tablet, text).await?);
            }
            Ok(Asked { way: Way::Badges(way), secret: ask.second_factor })
        }
        (None, Some(login), None) if (1..=MAX_LOGIN_BYTES).contains(&login.trim().len()) => {
            Ok(Asked { way: Way::Account(login.trim().to_lowercase()), secret: ask.password })
        }
        (None, None, Some(class)) => Ok(Asked { way: Way::Guest(class), secret: None }),
        (Some(_) | None, _, _) => Err(one_way()),
    }
}

/// What a camera or fingers gave: the code of a badge, or what stands in for it, which takes a slow hash and is counted.
async fn shown(app: &App, tablet: TabletId, text: &str) -> Result<Shown, Trouble> {
    match (Badge::parse(text), StandIn::parse(text)) {
        (Ok(badge), _) => Ok(Shown::Code(badge.keyed_hash(&app.badge_key))),
        (Err(_), Some(code)) => {
            app.tries.check(&[Name::ShortCodes(tablet)], app.clock.elapsed())?;
            let foreign = matches!(code, StandIn::Foreign(_));
            let hash = Box::pin(app.factors.stand_in(code, app.badge_key)).await?;
            Ok(if foreign { Shown::Foreign(hash) } else { Shown::Short(hash) })
        }
        (Err(error), None) => Err(Trouble::because(Refusal::BadgeMalformed, error.to_string())),
    }
}

/// Those that are nobody's count; another system's code waits for an adult who knows whose it is.
fn note_stand_ins(app: &App, bearer: Bearer, way: &Way) -> Result<(), Trouble> {
    let (Way::Badges(shown), now) = (way, app.clock.elapsed()) else { return Ok(()) };
    let holders = app.reader.read(|conn| holders_of(conn, &*app.offers.settled(conn)?, way))?;
    let unknown = shown.iter().zip(&holders).filter(|(_, holder)| holder.badge.is_none());
    for (shown, _) in unknown {
        match shown {
            Shown::Code(_) => {}
            Shown::Short(_) => {
                app.tries.wrong(&[Name::ShortCodes(bearer.tablet)], now);
            }
            Shown::Foreign(hash) => {
                app.tries.wrong(&[Name::ShortCodes(bearer.tablet)], now);
                app.watch.stranger(bearer.tablet, *hash, now);
                app.live.tell(Change::Badges);
            }
        }
    }
    Ok(())
}

fn one_way() -> Trouble {
    Trouble::because(
        Refusal::Malformed,
        format!("one of `badge`, `badges` (1 to {MAX_PAIR}), `account` with `password`, or `guest`"),
    )
}

/// Compares secrets, for those who are asked for one. In a pair, the factors of those who have one stand in the order of
/// the badges with a space between.
async fn hear(app: &App, bearer: Bearer, asked: &Asked) -> Result<Vec<Said>, Trouble> {
    let stamp = app.clock.stamp();
    let facts = app.reader.read(|conn| {
        let life = bearer.life(conn)?;
        let settled = app.offers.settled(conn)?;
        Ok::<_, Trouble>(facts_for(conn, &settled, (life.tablet, life.state), &asked.way, stamp)?)
    })?;
    let tablet = bearer.tablet;
    let state = app.unrecorded.state(tablet).unwrap_or(facts.tablet);
    let now = app.clock.elapsed();
    let mut secrets = asked.secret.as_deref().unwrap_or_default().split_whitespace();
    let mut said = Vec::new();
    let usable = state == TabletState::Free;
    for holder in &facts.holders {
        let staff = holder.person.as_ref().is_some_and(|p| p.is_staff());
        let one = match facts.holders.len() {
            // A password may hold spaces.
            1 => asked.secret.as_deref(),
            _ if holder.factor.is_some() || staff => secrets.next(),
            _ => None,
        };
        if let (true, Way::Badges(_), Some((factor, _))) = (usable, &asked.way, holder.factor) {
            said.push(hear_pupil(app, tablet, holder, one).map_err(|refusal| Trouble::Asks { refusal, factor })?);
            continue;
        }
        let phcs: Vec<String> = asked_of(&asked.way, holder).iter().map(|c| c.phc.clone()).collect();
        let counted = counted(tablet, &asked.way, holder.person.as_ref().map(|p| p.id));
        let account = matches!(asked.way, Way::Account(_));
        if !usable || (phcs.is_empty() && !account && !staff) {
            said.push(Said::Nothing);
            continue;
        }
        app.tries.check(&counted, now)?;
        let heard = app.factors.hear(one, phcs).await?;
        match heard {
            Said::Wrong => {
                app.tries.wrong(&counted, now);
            }
            Said::Right => counted.iter().take(1).for_each(|name| app.tries.forget(*name)),
            Said::Nothing => {}
        }
        said.push(heard);
    }
    Ok(said)
}

/// A pupil's second factor. From the second miss on an adult is called; the child may go on trying until the count is
/// full, and then for a while only the adult's tap opens.
fn hear_pupil(app: &App, tablet: TabletId, holder: &Holder, text: Option<&str>) -> Result<Said, Refusal> {
    let (Some(person), Some((factor, known))) = (&holder.person, &holder.factor) else { return Ok(Said::Nothing) };
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Said::Nothing) };
    let (now, counted) = (app.clock.elapsed(), [Name::Person(person.id), Name::Tablet(tablet)]);
    let full = app.tries.check(&counted, now).is_err();
    let right = Secret::parse(*factor, text).is_ok_and(|given| given.keyed_hash(&app.badge_key, person.id).is(known));
    if right && !full {
        app.tries.forget(Name::Person(person.id));
        return Ok(Said::Right);
    }
    if !full && app.tries.wrong(&counted, now) < CALLS_AT {
        return Ok(Said::Wrong);
    }
    if app.calls.raise(person.id, tablet, now) {
        app.live.tell(Change::Called { person: person.id, tablet });
    }
    Err(Refusal::AdultCalled)
}

/// Tells the tablet which pad to show.
fn asks(refusal: Refusal, facts: &Facts, said: &[Said]) -> Trouble {
    let lacks = |at: usize| said.get(at) != Some(&Said::Right);
    let asked = (0..).zip(&facts.holders).find(|(at, holder)| holder.factor.is_some() && lacks(*at));
    match asked.and_then(|(_, holder)| holder.factor) {
        Some((factor, _)) if [Refusal::SecondFactorRequired, Refusal::SecondFactorWrong].contains(&refusal) => {
            Trouble::Asks { refusal, factor }
        }
        Some(_) | None => refusal.into(),
    }
}

/// What a wrong secret counts against: the person or account first, then the tablet.
fn counted(tablet: TabletId, way: &Way, person: Option<preau_shared::ids::PersonId>) -> Vec<Name> {
    let first = match (way, person) {
        (Way::Account(login), _) => Some(account_name(login)),
        (Way::Badges(_) | Way::Guest(_) | Way::LetIn(_), person) => person.map(Name::Person),
    };
    first.into_iter().chain([Name::Tablet(tablet)]).collect()
}

/// The name under which tries at an account are counted.
pub(crate) fn account_name(login: &str) -> Name {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(login.as_bytes());
    Name::Account([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// All that a sign-in is judged by beside what is stored.
struct Attempt {
    bearer: Bearer,
    way: Way,
    said: Vec<Said>,
    /// Names of the session to come, and the token that will be told.
    session: SessionId,
    host: SessionHostId,
    token: String,
    opened: Stamp,
    trusted: Option<Stamp>,
    /// What memory knows better than a failing disk.
    in_memory: Option<TabletState>,
    offers: Arc<Offers>,
}

/// Who sits down where, and what the tablet is told.
struct Seated {
    session: Session,
    opening: Opening,
    welcome: Welcome,
    /// The turn of the school's accounts, where it works in one per tablet.
    one_account: Option<i64>,
}

impl Opening {
    /// Those who sit down.
    fn party(&self) -> Party {
        Party { people: self.people.clone(), class: self.class.clone(), classes: self.classes.clone() }
    }
}

impl Attempt {
    fn new(app: &App, bearer: Bearer, way: &Way, said: Vec<Said>) -> Self {
        let opened = app.clock.stamp();
        let session = SessionId::draw_at(opened, app.dice.as_ref());
        Self {
            bearer,
            way: way.clone(),
            said,
            session,
            host: SessionHostId::draw(app.dice.as_ref()),
            token: sessions::draw_token(session, app.dice.as_ref()),
            opened,
            trusted: app.trusted_now(),
            in_memory: app.unrecorded.state(bearer.tablet),
            offers: Arc::clone(&app.offers),
        }
    }

    /// What the tablet is told once it is done.
    fn answer(&self, app: &App, seated: Seated) -> SessionOpened {
        seated.welcome.answer(&app.words, &seated.session, Some(self.token.clone()))
    }

    fn token_hash(&self) -> [u8; 32] {
        sha256(self.token.as_bytes())
    }

    /// Facts, decision and answer on one state of the store.
    fn judge(&self, conn: &Connection) -> Result<Seated, Trouble> {
        let settled = self.offers.settled(conn)?;
        let life = self.bearer.life(conn)?;
        let state = self.in_memory.unwrap_or(life.state);
        let facts = facts_for(conn, &settled, (life.tablet, state), &self.way, self.opened)?;
        let opening =
            decide(&self.way, &facts, &self.said, self.trusted).map_err(|refusal| asks(refusal, &facts, &self.said))?;
        let session = Session {
            id: self.session,
            tablet: life.tablet,
            how: opening.how,
            people: opening.people.iter().map(|p| p.id).collect(),
            class: opening.class.as_ref().map(|c| c.id),
            opened: self.opened,
            taken: false,
            chooses: false,
            works_with: None,
            host: Some(self.host),
        };
        let party = opening.party();
        let welcome = Welcome::read(conn, (&settled, self.opened), &session, party)?;
        Ok(Seated { session, opening, welcome, one_account: settled.one_account })
    }
}

/// The commit: it is judged inside it, so that of two sign-ins on one tablet one wins.
async fn record(app: &App, attempt: &Arc<Attempt>) -> Result<(Seated, Ended), Trouble> {
    let attempt = Arc::clone(attempt);
    app.commit_bare(move |conn, book| {
        let seated = attempt.judge(conn)?;
        let Seated { session, opening, one_account, .. } = &seated;
        let write = |conn: &_| write(conn, book, (session, *one_account), opening, Some(&attempt.token_hash()));
        // What only writes rows can fail by the disk alone; what edits documents may be refused.
        let only_rows = opening.ends.is_empty() && opening.voids.is_empty() && one_account.is_none();
        // What its savepoint took back is no reason to take back the group.
        let ended = if only_rows { Ok(write(conn)?) } else { in_savepoint(conn, write) };
        Ok(ended.map(|ended| (seated, ended)))
    })
    .await?
}

/// The rows of a sign-in: what it ends elsewhere, the session, the tablet, the journal.
pub(crate) fn write(
    conn: &Connection,
    book: &Book,
    (session, turn): (&Session, Option<i64>),
    opening: &Opening,
    token: Option<&[u8; 32]>,
) -> Result<Ended, Trouble> {
    let mut ended = Ended::default();
    for old in &opening.ends {
        ended.and(leave::end(conn, book, old, Why::Elsewhere)?);
    }
    for old in &opening.voids {
        book.edit(conn, &badge::void(*old, "reprinted"))?;
        book.note(conn, &Entry::BadgeVoided { badge: *old, by: None })?;
    }
    // Nobody is let in at a tablet that is not free.
    let state = life::next(TabletState::Free, Event::SignedIn)?;
    sessions::open(conn, session, token)?;
    tablet_life::take(conn, session.tablet, session.id, state)?;
    owner::claim(conn, book, (session.tablet, turn), (&opening.people, opening.how))?;
    let people = opening.people.iter().map(|p| p.in_journal()).collect();
    book.note(conn, &Entry::SignIn { session: session.id, tablet: session.tablet, people, how: opening.how })?;
    Ok(ended)
}

/// Tells the filter and the teacher's page.
pub(crate) fn seat(app: &App, session: &Session, opening: &Opening, address: Option<IpAddr>) {
    app.seats.sit(sitting(session, &opening.people, opening.class.as_ref()), address, app.clock.elapsed());
    app.calls.settle(&session.people, session.tablet);
    app.watch.met(session.tablet);
    for old in &opening.ends {
        let soon = session.opened.since(old.opened) < TWICE_WITHIN;
        for person in old.people.iter().filter(|person| soon && session.people.contains(person)) {
            let at = app.clock.elapsed();
            app.watch.moved(Moved { person: *person, from: old.tablet, to: session.tablet, at });
        }
    }
    app.live.tell(Change::Opened { session: session.id, tablet: session.tablet, people: session.people.clone() });
}

/// The disk fails: the class goes on, and says so.
fn from_memory(
    app: &App,
    attempt: &Attempt,
    address: Option<IpAddr>,
    trouble: &Trouble,
) -> Result<SessionOpened, Trouble> {
    app.disk_failed(trouble);
    let mut seated = app.reader.read(|conn| attempt.judge(conn))?;
    seated.session.host = None;
    let Seated { session, opening, .. } = &seated;
    if !app.unrecorded.open(session.clone(), attempt.token_hash()) {
        return Err(Refusal::TabletNotFree.into());
    }
    for old in &opening.ends {
        app.seats.leave(old.id);
    }
    seat(app, session, opening, address);
    Ok(SessionOpened { recorded: false, ..attempt.answer(app, seated) })
}

impl App {
    /// Wall-clock time for validity dates; none while the clock is not to be trusted.
    pub(crate) fn trusted_now(&self) -> Option<Stamp> {
        let now = self.clock.stamp();
        match self.health.clock(now) {
            ClockQuality::Synchronised | ClockQuality::Carried => Some(now),
            ClockQuality::Unknown => None,
        }
    }
}
