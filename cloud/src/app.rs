//! The coordinator's handles, the order in which it comes to life, and how it ends.

mod start_error;

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use preau_shared::{
    dice::Dice,
    documents,
    ids::BoxId,
    messages::Catalogue,
    replica::Origin,
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        dice::SystemDice,
        link::{Link, LinkConfig},
        replicate::{self, News},
        serve,
        shelves::{self, Author},
        task::Tasks,
        tls,
    },
    time::Clock,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, oneshot},
};

pub use self::start_error::StartError;
use crate::{
    broker::{
        embedded::Broker,
        external::Endpoint,
        handout::Handout,
        mosquitto,
        rights::{Admitted, Member, Rights},
    },
    config::Config,
    coordinator::{
        carry,
        links::Links,
        project::Projection,
        switchboard::{Common, Switchboard, everything_upwards},
        upkeep::Upkeep,
    },
    enrolment::{AUTHORITY, Authority, Enrolment, EnrolmentError, Ground, Seals, Terms},
    filter,
    roster::{Desk, DeskParts},
    store::{Database, boxes},
    web,
};

/// Database, in the coordinator's folder.
const DATABASE: &str = "cloud.db";
/// Held while a coordinator runs in the folder.
const LOCK: &str = "lock";

/// The handles that rooms and pages work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// The coordinator's folder.
    pub(crate) dir: Arc<Path>,
    /// Read once.
    pub(crate) config: Arc<Config>,
    /// What it remembers.
    pub(crate) store: Database,
    /// The coordinator as an origin.
    pub(crate) author: Arc<Author>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) dice: Arc<dyn Dice>,
    /// Certificates and the territory's secrets.
    pub(crate) authority: Arc<Authority>,
    /// How boxes join and leave.
    pub(crate) enrolment: Enrolment,
    /// Where each box's link stands.
    pub(crate) links: Links,
    /// Rosters and people.
    pub(crate) desk: Desk,
    /// What answers tablets away from school.
    pub(crate) names: Arc<filter::Names>,
    /// Sentences.
    pub(crate) catalogue: Arc<Catalogue>,
    broker: Option<Broker>,
    handout: Option<Arc<Handout>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.dir.display())
    }
}

impl App {
    /// Shuts a box out for good: row, rights, replication and connection.
    ///
    /// # Errors
    /// [`EnrolmentError::NotFound`] when there is no such box.
    pub(crate) async fn revoke(&self, box_id: BoxId) -> Result<(), EnrolmentError> {
        self.enrolment.revoke(box_id).await?;
        if let Some(broker) = &self.broker {
            broker.cut(box_id).await;
        }
        // Durable and refused by us already: a repeated call writes again what could not be written.
        match &self.handout {
            Some(handout) => handout.shut_out().await,
            None => Ok(()),
        }
    }
}

/// A coordinator that runs.
pub struct Running {
    tasks: Tasks,
    restart: Arc<Notify>,
    _lock: File,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

impl Running {
    /// Brings everything to life, in this order: folder, addresses, database, authority, broker, replication, pages.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config, dir: &Path) -> Result<Self, StartError> {
        let lock = lock(dir)?;
        let console = serve::bind("listen", config.listen).map_err(StartError::Listen)?;
        let admin = serve::bind("admin", config.admin).map_err(StartError::Listen)?;
        let tasks = Tasks::default();
        let restart = Arc::new(Notify::new());
        let built = async {
            let app = build(config, dir, &tasks, &restart).await?;
            let server = &app.authority.server;
            let tls = tls::server(tls::Identity { certificate: &server.chain, key: &server.key }, None)?;
            let pages = web::routes::router(app.clone()).map_err(StartError::Admin)?;
            Ok::<_, StartError>((app, tls, pages))
        };
        let (app, tls, pages) = match built.await {
            Ok(built) => built,
            Err(error) => {
                tasks.stop();
                tasks.ended().await;
                return Err(error);
            }
        };
        serve::https("console", console, Arc::new(tls), pages, &tasks);
        // Last: whoever waits for the coordinator asks here.
        serve::http("admin plane", admin, web::routes::admin(app.clone()), &tasks);
        tracing::info!(listen = %app.config.listen, territory = %app.config.territory, "the coordinator is up");
        Ok(Self { tasks, restart, _lock: lock })
    }

    /// Returns when the program must begin anew (a restored disk was found).
    pub async fn restart_wanted(&self) {
        self.restart.notified().await;
    }

    /// Ends everything and frees addresses and folder.
    pub async fn stop(self) {
        self.tasks.stop();
        self.tasks.ended().await;
    }
}

async fn build(config: Config, dir: &Path, tasks: &Tasks, restart: &Arc<Notify>) -> Result<App, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let dice: Arc<dyn Dice> = Arc::new(SystemDice);
    let store = store(&config, dir, &*dice).await?;
    let authority = Authority::open(dir, &config.territory, &config.names, &*clock, &*dice)?;
    let authority = Arc::new(authority);
    let author = author(&store, &authority, &dice).await?;
    let admitted = Admitted::default();
    for row in store.read(boxes::all).await? {
        let member = Member { uai: row.uai, signing_key: row.signing_key };
        match row.revoked_at {
            None => admitted.admit(row.box_id, member),
            Some(_) => admitted.keep_out(row.box_id, member),
        }
    }
    let ground = Ground {
        folder: dir.join(AUTHORITY),
        database: store.clone(),
        author: author.clone(),
        clock: clock.clone(),
        dice: dice.clone(),
    };
    let seals = Seals::open(ground).await?;
    seals.start(tasks);
    let links = Links::default();
    let (broker, endpoint) = broker(&config, &authority, &admitted, tasks).await?;
    let handout = config
        .broker
        .is_some()
        .then(|| Arc::new(Handout::new(dir, &config, &endpoint, (authority.clone(), store.clone(), clock.clone()))));
    if let Some(handout) = &handout {
        handout
            .write(&*dice)
            .await
            .map_err(|error| StartError::Broker(format!("the folder of the broker: {error}")))?;
    }
    let common = Common {
        store: store.clone(),
        author: author.clone(),
        clock: clock.clone(),
        dice: dice.clone(),
        admitted: admitted.clone(),
        links: links.clone(),
        territory: config.territory.clone(),
        keep_alive: config.keep_alive(),
        bench: Arc::new(Bench::new(apply::LIMIT)),
        news: News::default(),
        seals: seals.clone(),
        on_clone: on_clone(restart),
    };
    let upkeep = Upkeep {
        store: store.clone(),
        author: author.clone(),
        clock: clock.clone(),
        admitted: admitted.clone(),
        news: common.news.clone(),
    };
    upkeep.start(tasks);
    carry::start(store.clone(), author.clone(), clock.clone(), tasks);
    store.keep_leases(clock.clone(), tasks);
    replicate((&config, dir), common, &authority, endpoint, tasks)?;
    let terms = Terms {
        territory: config.territory.clone(),
        domain: config.domain.clone(),
        mqtt: config.mqtt_public(),
        keep_alive_s: config.keep_alive_s,
    };
    let enrolment = Enrolment {
        store: store.clone(),
        author: author.clone(),
        authority: authority.clone(),
        admitted,
        seals,
        clock: clock.clone(),
        dice: dice.clone(),
        terms: Arc::new(terms),
        tries: Arc::default(),
    };
    let desk = Desk::new(DeskParts {
        store: store.clone(),
        author: author.clone(),
        project: Arc::new(Projection),
        clock: clock.clone(),
        dice: dice.clone(),
        badge_key: authority.badge_key,
        secret: authority.evidence_secret(),
    });
    let server = &authority.server;
    let ground = filter::Ground { dir, config: &config, store: &store, server, clock: &clock, dice: &dice };
    let names = filter::start(ground, tasks).await?;
    let (dir, config, catalogue) = (dir.into(), Arc::new(config), Arc::new(Catalogue::load()));
    Ok(App {
        dir,
        config,
        store,
        author,
        clock,
        dice,
        authority,
        enrolment,
        links,
        desk,
        names,
        catalogue,
        broker,
        handout,
    })
}

/// The embedded broker, unless another is configured; and where to connect.
async fn broker(
    config: &Config,
    authority: &Authority,
    admitted: &Admitted,
    tasks: &Tasks,
) -> Result<(Option<Broker>, Endpoint), StartError> {
    if let Some(url) = &config.broker {
        let outside =
            Endpoint::parse(url).ok_or_else(|| StartError::Broker(format!("broker: {url} is no mqtts URL")))?;
        return Ok((None, outside));
    }
    let known = admitted.clone();
    let rights = Rights {
        territory: config.territory.clone(),
        coordinator: authority.coordinator_id,
        school_of: Arc::new(move |box_id| known.find(box_id).map(|member| member.uai)),
    };
    let broker = Broker::start(config.mqtt, authority, rights, tasks).await?;
    let inside = Endpoint { host: broker.inner.ip().to_string(), port: broker.inner.port() };
    Ok((Some(broker), inside))
}

fn replicate(
    (config, dir): (&Config, &Path),
    common: Common,
    authority: &Authority,
    endpoint: Endpoint,
    tasks: &Tasks,
) -> Result<(), StartError> {
    let clock = common.clock.clone();
    let name = mosquitto::member(authority.coordinator_id, config.member);
    let client = if config.member > 1 {
        authority.member(dir, name, clock.stamp(), &*common.dice)?
    } else {
        authority.client.clone()
    };
    // Where several share one database, each hears the schools whose lease it holds.
    let leases = common.store.held().is_some();
    let subscribe = if leases { Vec::new() } else { vec![everything_upwards(&config.territory)] };
    let (sender, events) = Link::start(
        LinkConfig {
            host: endpoint.host,
            port: endpoint.port,
            client_id: name.to_string(),
            ca: authority.root.clone(),
            identity: (client.chain, client.key),
            keep_alive: config.keep_alive(),
            connect_timeout: Duration::from_secs(config.connect_timeout_s),
            retry_cap: Duration::from_secs(config.retry_cap_s),
            subscribe,
        },
        common.dice.clone(),
        tasks,
    )?;
    let (links, clock, keep_alive) = (common.links.clone(), common.clock.clone(), common.keep_alive);
    let in_contact = move || links.any_contact(clock.elapsed(), keep_alive);
    let (author, clock, news) = (common.author.clone(), common.clock.clone(), common.news.clone());
    replicate::close_runs(common.store.clone(), author, clock, news, in_contact, tasks);
    Switchboard::start(common, sender, events, tasks);
    Ok(())
}

/// Who writes here: another life at each start.
async fn author(store: &Database, authority: &Authority, dice: &Arc<dyn Dice>) -> Result<Arc<Author>, StartError> {
    let (coordinator, drawn) = (authority.coordinator_id, dice.clone());
    let origin = store.commit(move |connection| shelves::begin(connection, coordinator, &*drawn)).await?;
    let key = Arc::new(authority.writer_key()?);
    Ok(Arc::new(Author { origin, key, dice: dice.clone(), writer: documents::Writer::Coordinator }))
}

/// Another machine speaks under the name of this life: all begins anew under another.
fn on_clone(restart: &Arc<Notify>) -> Arc<dyn Fn(Origin) + Send + Sync> {
    let restart = restart.clone();
    Arc::new(move |origin| {
        tracing::error!(%origin, "another machine speaks under this name: going on as another life");
        restart.notify_one();
    })
}

/// The file in the coordinator's folder, unless a server is configured.
async fn store(config: &Config, dir: &Path, dice: &dyn Dice) -> Result<Database, StartError> {
    if let Some(address) = config.server().map_err(StartError::Server)? {
        let mut holder = [0; 16];
        dice.fill(&mut holder);
        return Ok(Database::server(address, holder).await?);
    }
    if config.member > 1 {
        return Err(StartError::Server("several coordinators need one that they share".into()));
    }
    let database = dir.join(DATABASE);
    for_our_eyes(&database)?;
    Ok(Database::file(&database)?)
}

/// The database holds names: made by ourselves first, so that nobody else may read it. SQLite gives its companions the
/// same mode.
fn for_our_eyes(database: &Path) -> Result<(), StartError> {
    let opened = File::options().create(true).append(true).mode(0o600).open(database);
    opened.map(drop).map_err(|error| StartError::Folder(database.to_owned(), error))
}

fn lock(dir: &Path) -> Result<File, StartError> {
    let failed = |error| StartError::Folder(dir.to_owned(), error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::Running(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A future that returns at SIGTERM, at Ctrl-C or, with a parent, when standard input closes.
///
/// # Errors
/// When signals cannot be heard.
pub(crate) fn told_to_stop(with_parent: bool) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let gone = with_parent.then(parent_gone).transpose()?;
    Ok(async move {
        let parent_gone = async {
            match gone {
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = parent_gone => {}
        }
    })
}

/// Ends when standard input does. A thread of its own: a blocked read cannot be called off.
fn parent_gone() -> io::Result<oneshot::Receiver<()>> {
    let (say, gone) = oneshot::channel();
    thread::Builder::new().name("parent".into()).spawn(move || {
        let read = io::copy(&mut io::stdin(), &mut io::sink());
        drop((read, say.send(())));
    })?;
    Ok(gone)
}
