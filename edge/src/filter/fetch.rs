//! Fetches block lists from where they are published into the folder of lists, each at its time. What comes is looked at
//! before it takes its place; then the folder is looked at as after any change of it ([`super::lists`]).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use preau_shared::{
    blocklist::schedule::{Act, Heard, Now, Schedule, When},
    dice::Dice,
    rig::{
        fetch::download::DownloadError,
        lists::fetch::{BadSource, FetchedList, Ledger, RenewError, renew},
        task::Tasks,
        tls::{self, ClientConfig, TlsError},
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
}

/// Whom to trust for the servers that have lists cannot be read.
#[derive(Debug, thiserror::Error)]
enum NoTrust {
    #[error("authorities: {}: {}", .0.display(), .1)]
    Open(PathBuf, std::io::Error),
    #[error("authorities: {}: {}", .0.display(), .1)]
    Tls(PathBuf, TlsError),
}

/// Read before each question: a system renews its bundle while a box runs, and one without it filters all the same.
fn trust(authorities: &Path) -> Result<Arc<ClientConfig>, NoTrust> {
    let bundle = std::fs::read_to_string(authorities).map_err(|error| NoTrust::Open(authorities.into(), error))?;
    tls::public_client(&bundle).map(Arc::new).map_err(|error| NoTrust::Tls(authorities.into(), error))
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
/// One that cannot be read is told to the head; the lists that are there stay.
///
/// # Errors
/// [`FetchError`] says what of the configuration cannot be.
pub(crate) fn fetch(
    (wanted, authorities): (&[ToFetch], &Path),
    source: Option<&Source>,
    with: &With,
    tasks: &Tasks,
) -> Result<(), FetchError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let source = source.ok_or(FetchError::Nowhere)?;
    let lists = wanted.iter().map(ToFetch::list).collect::<Result<Vec<_>, _>>()?;
    let (authorities, ledger) = (Arc::<Path>::from(authorities), Arc::new(Mutex::new(Ledger::read(&source.home))));
    for list in lists {
        let (source, with, ledger) = (source.clone(), with.clone(), Arc::clone(&ledger));
        let authorities = Arc::clone(&authorities);
        let mut stop = tasks.stopping();
        let fetching = async move {
            let last = ledger.lock().await.of(&source.folder, &list).map(|fetched| fetched.at);
            let mut schedule = Schedule::start((list.when, list.mirrors.len()), last, with.now(), with.dice.as_ref());
            loop {
                match schedule.next(with.now()) {
                    Act::Wait(wait) => tokio::time::sleep(wait.min(NAP)).await,
                    Act::Ask(mirror) => {
                        let heard = match trust(&authorities) {
                            Ok(tls) => ask((&list, mirror), &source, &with, (&tls, &ledger)).await,
                            Err(error) => with.cannot(&list, &error),
                        };
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

type Tools<'t> = (&'t Arc<ClientConfig>, &'t Mutex<Ledger>);

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
            tracing::info!(file = list.file, new, gone = ?fetched.gone, "a block list was fetched");
            let gone = (!fetched.gone.is_empty()).then(|| {
                let gone = fetched.gone.join(", ");
                format!(
                    "the block list {} has no more names of {gone}: a policy that names them blocks nothing by them",
                    list.file
                )
            });
            if let Err(error) = ledger.lock().await.note(home, &list.file, fetched) {
                tracing::warn!(%error, "what was fetched cannot be noted: it is fetched again after the next start");
            }
            with.health.set_trouble(&list.file, gone);
            Heard::Good
        }
        // No line, or nobody there: nothing that a head could mend.
        Err(error @ RenewError::Download(DownloadError::Reach { .. })) => {
            tracing::warn!(file = list.file, %error, "a block list cannot be fetched: the one that is there stays");
            Heard::Nothing
        }
        Err(error) if error.is_refused() => {
            with.cannot(list, &error);
            Heard::Refused
        }
        Err(error) => with.cannot(list, &error),
    }
}

impl With {
    /// Tells whoever can mend it that a list cannot be fetched.
    fn cannot(&self, list: &FetchedList, error: &dyn std::fmt::Display) -> Heard {
        tracing::warn!(file = list.file, %error, "a block list cannot be fetched: the one that is there stays");
        self.health.set_trouble(&list.file, Some(format!("{}: {error}", list.file)));
        Heard::Nothing
    }

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
        let bundle = dir.path().join("bundle.pem");
        assert!(matches!(trust(&bundle), Err(NoTrust::Open(..))));
        fs::write(&bundle, "no authority").expect("written");
        assert!(matches!(trust(&bundle), Err(NoTrust::Tls(..))));
        fs::write(&bundle, cert.pem()).expect("written");
        let tls = trust(&bundle).expect("trust");
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
