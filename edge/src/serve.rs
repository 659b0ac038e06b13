//! The order in which the box comes to life, and how it stops.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{anyhow, bail};
use preau_shared::{
    dice::Dice,
    documents::{self, School},
    keys::SigningKey,
    messages::Catalogue,
    policy::Lists,
    replica::{Keys, Rights, Shelf, Side, Timings},
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        dice::SystemDice,
        dns_front::{self, Own},
        keep,
        link::{Link, LinkConfig},
        log,
        reader::Reader,
        replicate::{self, Envelope, LinkStatus, News, Replication},
        serve::{bind, http, https, more_open_files},
        shelves::{self, Author},
        store::Sqlite,
        task::{Stop, Tasks},
        tls,
        writer::Writer,
    },
    time::{Clock, ClockQuality},
    wire::{Direction, Topic},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    EdgeCommand, Serve,
    app::{App, FORGET_EVERY, Parts, SWEEP_EVERY},
    claim,
    config::{self, Config},
    filter::{self, Filter},
    identity::{FOLDER, Identity, seals::SEAL_KEYS},
    replica::{Ties, lan, project::Rows, pump, seals, vitals::Health},
    store,
    tablets::{agent::Ports, enrol},
    web::{admin, routes::routes, session_host::Hosts},
};

type Status = watch::Receiver<LinkStatus>;

/// Threads of the runtime: an appliance has two to four cores, and the writer has its own.
const WORKERS: usize = 2;
/// Threads for what blocks (a password, the block lists): the allocator keeps memory for each that ever ran.
const BLOCKING: usize = 2;
/// Runs that the coordinator has had long enough are cut so often.
const FOLD_EVERY: Duration = Duration::from_secs(60 * 60);
/// Read-only connections.
const READERS: usize = 3;
/// The database's file in the folder.
const DATABASE: &str = "box.db";
/// Held while a box serves the folder.
const LOCK: &str = "preau-edge.lock";
/// Where the code of a window opened by the configuration is written.
const ENROLMENT_CODE: &str = "enrolment_code";

/// Runs a command to its end.
pub(crate) fn run(command: EdgeCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()?;
    match command {
        EdgeCommand::Serve(options) => runtime.block_on(serve(options)),
        EdgeCommand::Claim(options) => {
            log::start("warn");
            runtime.block_on(claim::claim(&options.dir, &options.code, &options.cloud, &options.ca_file))?;
            Ok(())
        }
        EdgeCommand::ServeDns(options) => {
            log::start("info");
            Ok(runtime.block_on(filter::serve_alone(&options))?)
        }
    }
}

async fn serve(options: Serve) -> anyhow::Result<()> {
    let file = options.config.clone().unwrap_or_else(|| options.dir.join(config::FILE));
    let config = Arc::new(Config::read(&file)?);
    log::start(&config.log);
    let _only_one = lock(&options.dir)?;
    if let Err(error) = more_open_files() {
        tracing::warn!(%error, "fewer tablets than the box allows may connect");
    }
    let (identity, signing) = Identity::read(&options.dir)?;
    let tasks = Tasks::default();
    let listeners = (
        bind("HTTPS for tablets", config.listen).map_err(|e| anyhow!(e))?,
        bind("admin plane", config.admin).map_err(|e| anyhow!(e))?,
        bind("other boxes of the school", config.lan).map_err(|e| anyhow!(e))?,
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start_on_machine(&config.uptime));
    let dice: Arc<dyn Dice> = Arc::new(SystemDice);
    let app = bring_to_life((&options.dir, &config), &identity, signing, (&clock, &dice)).await?;
    let ties = replicate_to(&app, (&config, &options.dir, &identity), listeners.2, &tasks)?;
    let (filter, names) = filter_names(&app, (&options.dir, &config), &identity, &tasks).await?;
    open_enrolment(&app, &config, &options.dir).await?;
    chores(&app, ties.link.clone(), &tasks);
    let lan = tls::Identity { certificate: &identity.grant.lan_certificate, key: &identity.lan_key };
    let door = routes(app.clone()).merge(dns_front::https::for_everybody(names.front));
    https("HTTPS for tablets", listeners.0, Arc::new(tls::server(lan, None)?), door, &tasks);
    http("admin plane", listeners.1, admin::routes(app, ties, filter), &tasks);
    tracing::info!(box_id = %identity.grant.box_id, school = %identity.grant.uai, "the box serves");
    until_told(options.with_parent, tasks.stopping()).await?;
    tasks.stop();
    tasks.ended().await;
    Ok(())
}

/// One box at a time in a folder.
fn lock(dir: &Path) -> anyhow::Result<File> {
    let path: PathBuf = dir.join(LOCK);
    fs::create_dir_all(dir).map_err(|e| anyhow::anyhow!("{}: {e}", dir.display()))?;
    let file = File::create(&path).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!(
                "{}: another box already serves this folder: stop it first, or choose another --dir",
                dir.display()
            )
        }
        Err(TryLockError::Error(e)) => anyhow::bail!("{}: {e}", path.display()),
    }
}

async fn bring_to_life(
    (dir, config): (&Path, &Config),
    identity: &Identity,
    key: SigningKey,
    (clock, dice): (&Arc<dyn Clock>, &Arc<dyn Dice>),
) -> anyhow::Result<App> {
    let database = dir.join(DATABASE);
    let writer = Writer::open(&database, store::migrate)
        .map_err(|e| anyhow!("{}: {e}: restore the last backup, or claim the box anew", database.display()))?;
    let reader = Reader::open(&database, READERS)?;
    // A database is one school's for life: what it holds of people is never shown at another, nor in a training room.
    if let Some(other) = reader.read(store::school::uai)?.filter(|uai| *uai != identity.grant.uai) {
        let (file, own) = (database.display(), &identity.grant.uai);
        bail!("{file} is of school {other} and this box is of {own}: move the file away, or put its own identity back");
    }
    let (box_id, draw) = (identity.grant.box_id, Arc::clone(dice));
    let origin = writer.commit(move |conn| shelves::begin(conn, box_id, draw.as_ref())).await?;
    let author = Author { origin, key: Arc::new(key), dice: Arc::clone(dice), writer: documents::Writer::Box };
    let parts = Parts {
        reader,
        writer,
        author: Arc::new(author),
        shelf: Shelf::School(identity.grant.uai.clone()),
        badge_key: identity.badge_key,
        school_name: identity.grant.school_name.clone(),
        words: Arc::new(Catalogue::load()),
        health: Arc::new(Health::new(ClockQuality::Carried)),
        work_max_bytes: config.work_mb.saturating_mul(1_000_000),
        agents: Ports::default(),
        night_utc_h: config.training_night_utc_h,
        hosts: Hosts::under(tls::host_above_others(&identity.grant.lan_certificate)?),
    };
    App::start(parts, &database, Arc::clone(clock), Arc::clone(dice)).map_err(|e| anyhow!(e))
}

/// Ties the box to its coordinator and to the other boxes of its school. Nothing waits for them.
fn replicate_to(
    app: &App,
    (config, dir, identity): (&Config, &Path, &Identity),
    lan: TcpListener,
    tasks: &Tasks,
) -> anyhow::Result<Ties> {
    let grant = &identity.grant;
    let keep_alive = Duration::from_secs(u64::from(grant.keep_alive_s));
    let up = Topic {
        territory: grant.territory.clone(),
        uai: grant.uai.clone(),
        box_id: grant.box_id,
        direction: Direction::Up,
    };
    let (sender, events) = Link::start(link_config(config, identity, &up, keep_alive)?, Arc::clone(&app.dice), tasks)?;
    let carried = pump::carry(&up, sender, events, tasks);
    let (tell, stop) = (app.clone(), tasks.clone());
    let store = Sqlite { writer: app.writer.clone(), reader: app.reader.clone() };
    let news = News::default();
    let replication = Replication {
        store: store.clone(),
        author: Arc::clone(&app.author),
        project: Arc::new(Rows),
        clock: Arc::clone(&app.clock),
        dice: Arc::clone(&app.dice),
        bench: Arc::new(Bench::new(apply::LIMIT)),
        news: news.clone(),
        envelope: Envelope::Sealed {
            sealing: seals::sealing(app, dir.join(FOLDER).join(SEAL_KEYS), identity, tasks)?,
            says: up.to_string(),
            hears: Topic { direction: Direction::Down, ..up.clone() }.to_string(),
        },
        rights: Rights {
            side: Side::Box,
            uai: grant.uai.clone(),
            box_id: grant.box_id,
            coordinator: grant.coordinator_id,
            keys: keys_of(app, identity),
            gone: Arc::new(|_| false),
        },
        timings: Timings::for_keep_alive(keep_alive),
        vitals: Some(Arc::new(move || tell.vitals_now())),
        on_clone: Arc::new(move |origin| {
            tracing::error!(%origin, "another machine speaks under the name of this box: going on as another life after a restart");
            stop.stop();
        }),
    };
    let sisters = lan::open(app, (config, identity), lan, &replication, tasks)?;
    let link = replication.start(carried.inbound, carried.outbound, tasks);
    let ties = Ties { link, sisters };
    let contact = ties.clone();
    let in_contact = move || contact.link.borrow().in_contact || contact.sisters.in_contact();
    replicate::close_runs(store, Arc::clone(&app.author), Arc::clone(&app.clock), news, in_contact, tasks);
    Ok(ties)
}

fn link_config(config: &Config, identity: &Identity, up: &Topic, keep_alive: Duration) -> anyhow::Result<LinkConfig> {
    let grant = &identity.grant;
    let broker = config.mqtt.as_ref().unwrap_or(&grant.mqtt);
    let (host, port) = broker
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .ok_or_else(|| anyhow!("mqtt = {broker:?}: expected host:port, such as coordinator.example:8883"))?;
    Ok(LinkConfig {
        host: host.to_owned(),
        port,
        client_id: grant.box_id.to_string(),
        ca: grant.authority.clone(),
        identity: (grant.mqtt_certificate.clone(), identity.mqtt_key.clone()),
        keep_alive,
        connect_timeout: Duration::from_secs(config.connect_timeout_s),
        retry_cap: Duration::from_secs(config.retry_cap_s),
        subscribe: vec![Topic { direction: Direction::Down, ..up.clone() }.to_string()],
    })
}

/// The coordinator's writer key is pinned by the claim; other boxes of the school are known by the school's document.
fn keys_of(app: &App, identity: &Identity) -> Keys {
    let (coordinator, writer_key) = (identity.grant.coordinator_id, identity.writer_key);
    let (own, own_key) = (identity.grant.box_id, app.author.key.public());
    let (reader, shelf, school) = (app.reader.clone(), app.shelf.clone(), School::doc(&identity.grant.uai));
    Arc::new(move |origin| {
        if origin.box_id == coordinator {
            return Some(writer_key);
        }
        if origin.box_id == own {
            return Some(own_key);
        }
        let fields = reader.read(|conn| shelves::document(conn, &shelf, &school)).ok().flatten()?;
        School::from_fields(&school, &fields)?.box_keys.get(&origin.box_id).copied()
    })
}

/// Lists are read beside the runtime's threads: millions of names take seconds.
async fn filter_names(
    app: &App,
    (dir, config): (&Path, &Config),
    identity: &Identity,
    tasks: &Tasks,
) -> anyhow::Result<(Arc<Filter>, filter::Bound)> {
    let source = config.lists.clone().map(|folder| filter::Source { folder, home: filter::lists_home(dir) });
    let (from, dice) = (source.clone(), Arc::clone(&app.dice));
    let load = move || from.map_or(Lists::None, |source| source.load(dice.as_ref()));
    let lists = tokio::task::spawn_blocking(load).await?;
    let names = [Some(format!("{}.box.preau", identity.grant.slug)), app.hosts.above().map(str::to_owned)];
    let own = Own::new(names.into_iter().flatten(), &[config.listen.ip()]);
    let filter = Arc::new(Filter::new(Arc::clone(&app.seats), lists, own, Arc::clone(&app.clock)));
    app.health.set_blocklist(filter.blocklist_version());
    let with =
        filter::With { clock: Arc::clone(&app.clock), dice: Arc::clone(&app.dice), health: Arc::clone(&app.health) };
    filter::fetch((&config.fetch, config.authorities.as_path()), source.as_ref(), &with, tasks)?;
    if let Some(source) = source {
        filter::follow_lists(Arc::clone(&filter), source, (Arc::clone(&app.dice), Arc::clone(&app.health)), tasks);
    }
    // A full disk does not stop a box: such a tablet asks by its address as before.
    if let Err(error) = enrol::name_all_for_filter(app).await {
        tracing::warn!(%error, "some tablets have no name under which to ask the filter");
    }
    filter::follow(Arc::clone(&filter), app.reader.clone(), app.writer.committed(), tasks)?;
    let bound = filter::start(&filter, config.dns, &config.upstream, tasks).await?;
    tracing::info!(address = %bound.address, "names are filtered");
    if let Some(listen) = config.dns_tls() {
        let lan = tls::Identity { certificate: &identity.grant.lan_certificate, key: &identity.lan_key };
        match bound.encrypted(listen, tls::server(lan, None)?, tasks).await {
            Ok(address) => tracing::info!(%address, "names are filtered over TLS"),
            // Nobody is kept from signing in for it: tablets ask by their addresses, as before.
            Err(error) => {
                tracing::error!(%error, "names are not filtered over TLS");
                app.health.set_trouble("dns_tls", Some(format!("names over TLS: {error}")));
            }
        }
    }
    Ok((filter, bound))
}

/// A window opened by the configuration: its code goes to a file that only this account reads.
async fn open_enrolment(app: &App, config: &Config, dir: &Path) -> anyhow::Result<()> {
    if config.enrolment_open_min == 0 {
        return Ok(());
    }
    let lasts = Duration::from_secs(config.enrolment_open_min.saturating_mul(60));
    let window = app.open_enrolment(lasts, config.enrolment_tablets).await.map_err(|e| anyhow!(e))?;
    keep::secret(&dir.join(ENROLMENT_CODE), window.code.as_bytes())?;
    Ok(())
}

/// What recurs: silent sessions end, old rows are forgotten, screens learn whether the coordinator is in reach.
fn chores(app: &App, mut link: Status, tasks: &Tasks) {
    let (sweeping, mut stop) = (app.clone(), tasks.stopping());
    tasks.spawn("sweep", async move {
        let (mut sweep, mut forget) = (interval(SWEEP_EVERY), interval(FORGET_EVERY));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = sweep.tick() => sweeping.sweep().await,
                _ = forget.tick() => sweeping.forget_old().await,
                () = stop.wait() => return,
            }
        }
    });
    let (folding, mut stop) = (app.clone(), tasks.stopping());
    tasks.spawn("folding", async move {
        let mut fold = interval(FOLD_EVERY);
        fold.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = fold.tick() => folding.fold().await,
                () = stop.wait() => return,
            }
        }
    });
    let (watching, mut stop, mut told) = (app.clone(), tasks.stopping(), None);
    tasks.spawn("link's state", async move {
        loop {
            let (error, in_contact) = {
                let status = link.borrow_and_update();
                (status.last_error.clone(), status.in_contact)
            };
            watching.health.set_link_error(error);
            if told != Some(in_contact) {
                told = Some(in_contact);
                watching.live.tell_wan(in_contact);
            }
            tokio::select! {
                changed = link.changed() => if changed.is_err() { return },
                () = stop.wait() => return,
            }
        }
    });
}

async fn until_told(with_parent: bool, mut stop: Stop) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let parent_gone = async {
        if !with_parent {
            return std::future::pending().await;
        }
        // A thread of its own: a blocked read of standard input would hold up the runtime's end.
        let (gone, heard) = tokio::sync::oneshot::channel();
        let watching = std::thread::Builder::new().name("parent".into()).spawn(move || {
            let mut nothing = [0; 64];
            while io::stdin().read(&mut nothing).is_ok_and(|n| n > 0) {}
            // Nobody hears it when the box has stopped already.
            let _ = gone.send(());
        });
        if watching.is_ok() {
            drop(heard.await);
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = parent_gone => {}
        () = stop.wait() => {}
    }
    Ok(())
}
