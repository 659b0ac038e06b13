//! Fetches block lists from where they are published into the folder of lists, each at its time. What comes is looked at
//! before it takes its place; then the folder is looked at as after any change of it ([`super::lists`]).

use std::{path::PathBuf, sync::Arc, time::Duration};

use preau_shared::{
    blocklist::schedule::{Act, Heard, Now, Schedule, When},
    dice::Dice,
    rig::{
        lists::fetch::{BadSource, FetchedList, Ledger, renew},
        task::Tasks,
        tls::{self, TlsError},
    },
    time::{Clock, ClockQuality},
};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Source;
use crate::replica::vitals::Health;

/// The longest nap: a clock that becomes trusted meanwhile is heard of after it.
const NAP: Duration = Duration::from_secs(900);

/// A list as the configuration names it: `[[fetch]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToFetch {
    /// How its file is called in the folder of lists, such as `blacklists.tar.gz`.
    file: String,
    /// Where it is published: several mirrors of the same content, asked one after another.
    urls: Vec<String>,
    /// Every so many hours …
    every_h: Option<u16>,
    /// … or each day in this hour (UTC), which it is if nothing is said: at three.
    at_utc_h: Option<u8>,
    /// The most that is taken, in megabytes.
    #[serde(default = "usual_mb")]
    max_mb: u64,
}

const fn usual_mb() -> u64 {
    200
}

/// What the configuration says of lists to fetch cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// One of them.
    #[error("fetch {0}: {1}")]
    List(String, BadSource),
    /// … its URL.
    #[error("fetch {0}: {1} is no URL of a list: it must begin with https:// and name a host, and no user")]
    Url(String, usize),
    /// … its time.
    #[error("fetch {0}: say every_h (1 to 8760) or at_utc_h (0 to 23), not both")]
    When(String),
    /// There is no folder to put them in.
    #[error("fetch: say in `lists` which folder lists are put into")]
    Nowhere,
    /// The bundle of authorities cannot be used.
    #[error("{}: {}", .0.display(), .1)]
    Authorities(PathBuf, std::io::Error),
    /// … is none.
    #[error("{}: {}", .0.display(), .1)]
    Tls(PathBuf, TlsError),
}

impl ToFetch {
    fn list(&self) -> Result<FetchedList, FetchError> {
        let name = || self.file.clone();
        let when = match (self.every_h, self.at_utc_h) {
            (Some(hours @ 1..=8_760), None) => When::Every(Duration::from_secs(u64::from(hours).saturating_mul(3_600))),
            (None, None) => When::Daily(3),
            (None, Some(hour @ 0..=23)) => When::Daily(hour),
            _ => return Err(FetchError::When(name())),
        };
        let urls = self.urls.iter().enumerate();
        let urls = urls.map(|(at, url)| url.parse().map_err(|_| FetchError::Url(name(), at.saturating_add(1))));
        FetchedList::new(name(), urls.collect::<Result<_, _>>()?, when, self.max_mb)
            .map_err(|why| FetchError::List(name(), why))
    }
}

/// With what lists are fetched.
#[derive(Clone)]
pub(crate) struct With {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    pub(crate) health: Arc<Health>,
}

/// Fetches these lists until the stop. `authorities` is a bundle (PEM) of whom to trust for the servers that have them.
///
/// # Errors
/// [`FetchError`] says what of the configuration cannot be.
pub(crate) fn fetch(
    (wanted, authorities): (&[ToFetch], &PathBuf),
    source: Option<&Source>,
    with: &With,
    tasks: &Tasks,
) -> Result<(), FetchError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let source = source.ok_or(FetchError::Nowhere)?;
    let lists = wanted.iter().map(ToFetch::list).collect::<Result<Vec<_>, _>>()?;
    let bundle = std::fs::read_to_string(authorities);
    let bundle = bundle.map_err(|error| FetchError::Authorities(authorities.clone(), error))?;
    let tls = tls::public_client(&bundle).map_err(|error| FetchError::Tls(authorities.clone(), error))?;
    let (tls, ledger) = (Arc::new(tls), Arc::new(Mutex::new(Ledger::read(&source.home))));
    for list in lists {
        let (source, with, tls, ledger) = (source.clone(), with.clone(), Arc::clone(&tls), Arc::clone(&ledger));
        let mut stop = tasks.stopping();
        let fetching = async move {
            let last = ledger.lock().await.of(&source.folder, &list).map(|fetched| fetched.at);
            let mut schedule = Schedule::start((list.when, list.mirrors.len()), last, with.now(), with.dice.as_ref());
            loop {
                match schedule.next(with.now()) {
                    Act::Wait(wait) => tokio::time::sleep(wait.min(NAP)).await,
                    Act::Ask(mirror) => {
                        let heard = ask((&list, mirror), &source, &with, (&tls, &ledger)).await;
                        schedule.heard(heard, with.now(), with.dice.as_ref());
                    }
                }
            }
        };
        tasks.spawn("fetching lists", async move {
            tokio::select! {
                () = stop.wait() => {}
                () = fetching => {}
            }
        });
    }
    Ok(())
}

type Tools<'t> = (&'t Arc<tls::ClientConfig>, &'t Mutex<Ledger>);

/// Asks one mirror; what became of it is logged; what came and cannot be taken is told to the head while it lasts.
async fn ask(
    (list, mirror): (&FetchedList, usize),
    Source { folder, home }: &Source,
    with: &With,
    (tls, ledger): Tools<'_>,
) -> Heard {
    let known = ledger.lock().await.of(folder, list).cloned();
    let now = with.now().stamp.or_else(|| known.as_ref().map(|known| known.at)).unwrap_or_default();
    match renew((list, mirror), folder, known.as_ref(), (tls, now)).await {
        Ok((fetched, new)) => {
            if !fetched.gone.is_empty() {
                tracing::warn!(file = list.file, gone = ?fetched.gone, "a list has lost categories");
            }
            tracing::info!(file = list.file, new, "a block list was fetched");
            if let Err(error) = ledger.lock().await.note(home, &list.file, fetched) {
                tracing::warn!(%error, "what was fetched cannot be noted: it is fetched again after the next start");
            }
            with.health.set_fetch_error(&list.file, None);
            Heard::Good
        }
        Err(error) => {
            tracing::warn!(file = list.file, %error, "a block list cannot be fetched: the one that is there stays");
            if !error.is_refused() {
                // No line, or nobody there: nothing that a head could mend.
                return Heard::Nothing;
            }
            with.health.set_fetch_error(&list.file, Some(error.to_string()));
            Heard::Refused
        }
    }
}

impl With {
    /// What both clocks say; the wall clock only where it is to be trusted.
    fn now(&self) -> Now {
        let stamp = self.clock.stamp();
        let trusted = self.health.clock(stamp) != ClockQuality::Unknown;
        Now { elapsed: self.clock.elapsed(), stamp: Some(stamp).filter(|_| trusted) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Router,
        extract::State,
        http::{HeaderMap, StatusCode, header},
        response::IntoResponse as _,
        routing::get,
    };
    use preau_shared::{
        dice::Seeded,
        rig::{clock::SystemClock, lists},
    };

    use super::*;

    /// What is published, by turns: a list, one that lost most names, what is no list.
    static SHOWN: [&str; 3] =
        ["a.example\nb.example\nc.example\nd.example\n", "a.example\n", "<html>not today</html>\n"];

    #[tokio::test]
    async fn a_list_is_fetched_once_and_what_is_worse_than_it_is_not_taken() {
        let dir = tempfile::tempdir().expect("dir");
        let source = Source { folder: dir.path().join("lists"), home: dir.path().join("home") };
        let shown = Arc::new(AtomicUsize::new(0));
        let publish = |State(shown): State<Arc<AtomicUsize>>, headers: HeaderMap| async move {
            let at = shown.load(Ordering::Relaxed);
            let tag = format!("\"{at}\"");
            if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == tag) {
                return StatusCode::NOT_MODIFIED.into_response();
            }
            ([(header::ETAG, tag)], SHOWN[at]).into_response()
        };
        let published = Router::new().route("/ads.txt", get(publish)).with_state(Arc::clone(&shown));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/ads.txt", listener.local_addr().expect("address"));
        tokio::spawn(async { axum::serve(listener, published).await });

        let wanted = format!("file = \"ads.txt\"\nurls = [\"http://127.0.0.1:9/ads.txt\", \"{url}\"]\nevery_h = 24\n");
        let list = toml::from_str::<ToFetch>(&wanted).expect("toml").list().expect("a list");
        let health = Arc::new(Health::new(ClockQuality::Synchronised));
        let with = With { clock: Arc::new(SystemClock::start()), dice: Arc::new(Seeded::new(1)), health };
        let rcgen::CertifiedKey { cert, .. } = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("made");
        let tls = Arc::new(tls::public_client(&cert.pem()).expect("trust"));
        let ledger = Mutex::new(Ledger::read(&source.home));
        let ask = async |mirror| ask((&list, mirror), &source, &with, (&tls, &ledger)).await;
        let names = || lists::count(&source.folder).map(|census| census.names()).unwrap_or_default();

        assert_eq!((ask(0).await, names()), (Heard::Nothing, 0), "nobody is there");
        assert_eq!((ask(1).await, names()), (Heard::Good, 4));
        let stands = || fs::metadata(source.folder.join("ads.txt")).and_then(|file| file.modified()).expect("there");
        let before = stands();
        assert_eq!((ask(1).await, stands()), (Heard::Good, before), "it is still the same");
        for worse in 1..SHOWN.len() {
            shown.store(worse, Ordering::Relaxed);
            assert_eq!((ask(1).await, names(), stands()), (Heard::Refused, 4, before), "{worse}");
        }
        // What was fetched is known after a restart.
        assert!(Ledger::read(&source.home).of(&source.folder, &list).is_some());
    }

    #[test]
    fn what_cannot_be_fetched_is_said() {
        let said = |toml: &str| match toml::from_str::<ToFetch>(toml).expect("toml").list() {
            Ok(list) => format!("{:?}", list.when),
            Err(error) => error.to_string(),
        };
        let with = |more: &str| said(&format!("file = \"ads.txt\"\nurls = [\"https://l.example/a\"]\n{more}"));
        assert_eq!(with(""), "Daily(3)");
        assert_eq!(with("every_h = 6"), "Every(21600s)");
        for (more, words) in [
            ("every_h = 0", "every_h"),
            ("at_utc_h = 24", "at_utc_h"),
            ("every_h = 1\nat_utc_h = 1", "not both"),
            ("max_mb = 0", "max_mb"),
        ] {
            assert!(with(more).contains(words), "{more}: {}", with(more));
        }
        assert!(said("file = \"../ads.txt\"\nurls = [\"https://l.example/a\"]").contains("without a folder"));
        assert!(said("file = \"ads.txt\"\nurls = [\"http://l.example/a\"]").contains("https://"));
        assert!(said("file = \"ads.txt\"\nurls = []").contains("mirrors"));
    }
}
