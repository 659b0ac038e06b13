//! Brings the pilot to life, as a DSI would by hand: coordinator, schools, rosters, staff, claims, boxes.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use preau_shared::{dice::Dice, ids::Uai, roster::onde, time::Clock};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    child::{Recipe, Supervised, last_lines},
    folder::Folder,
    machine::Machine,
    ports::Ports,
    relay::{Line, Wan},
    stage::{Cloud, School, Stage},
    upstream,
};
use crate::{
    admin,
    coordinator::{ADDRESS_FILE, Address, BadgeLine, Coordinator, Staff},
    invent,
    out::Reader,
    roster::{write_badges, write_secret},
};

/// The territory's short name.
const TERRITORY: &str = "belfort";
/// The coordinator's own name, below which tablets ask it for names over TLS.
const COORDINATOR: &str = "coordinator.preau.internal";
/// A program that does not come to life within this time will not.
const LIFE_PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(40);
/// Enrolment stays open for the whole run.
const ENROLMENT_OPEN_MIN: u32 = 60 * 24 * 30;
/// Tablets of visitors that may be enrolled beside the virtual ones.
const VISITORS_TABLETS: u16 = 200;
/// With fewer classes none is left to visitors.
const CLASSES_TO_SPARE_ONE: usize = 3;

/// What the pilot is asked to set up.
pub(super) struct Wish<'a> {
    pub(super) rosters: Option<&'a Path>,
    pub(super) tablets: u16,
    pub(super) port_base: Option<u16>,
}

/// What all steps need.
pub(super) struct Tools {
    pub(super) reader: Reader,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<dyn Dice>,
    /// Says what is being done.
    pub(super) step: Box<dyn Fn(&str) + Send + Sync>,
}

/// A school to be set up.
struct Intake {
    uai: Uai,
    name: String,
    place: Option<(f64, f64)>,
    file: PathBuf,
}

/// Does it all.
pub(super) async fn raise(folder: Folder, wish: &Wish<'_>, tools: Tools) -> anyhow::Result<Stage> {
    let dir = folder.path().to_owned();
    fs::create_dir_all(dir.join("logs"))?;
    let intakes = intakes(&dir, wish.rosters, &tools)?;
    let lists = dir.join("lists");
    invent::lists::write(&lists)?;
    let mut ports = match wish.port_base {
        Some(base) => Ports::From(base),
        None => Ports::Free(&*tools.dice, Vec::new()),
    };
    (tools.step)("the coordinator comes to life");
    let cloud = raise_cloud(&dir, &lists, &mut ports).await?;
    let year = invent::school_year_label(tools.clock.stamp());
    let mut schools = Vec::new();
    for intake in &intakes {
        (tools.step)(&format!("{}: roster, badges, box", intake.name));
        let desk = Desk { dir: &dir, cloud: &cloud, tools: &tools, year: &year, lists: &lists, tablets: wish.tablets };
        schools.push(desk.raise_school(intake, &mut ports).await?);
    }
    for school in &mut schools {
        (tools.step)(&format!("{}: the box learns its school", school.name));
        await_people(&dir, school).await?;
    }
    Ok(Stage { folder, reader: tools.reader, clock: tools.clock, cloud, schools, kills: 0.into() })
}

/// The rosters to import: a folder's, or invented ones written into ours.
fn intakes(dir: &Path, rosters: Option<&Path>, tools: &Tools) -> anyhow::Result<Vec<Intake>> {
    if let Some(folder) = rosters {
        return given(folder);
    }
    let folder = dir.join("rosters");
    fs::create_dir_all(&folder)?;
    let invented = invent::schools(&*tools.dice, tools.clock.stamp());
    invented
        .into_iter()
        .map(|school| {
            let file = folder.join(format!("{}.csv", school.uai));
            write_secret(&file, &school.onde)?;
            Ok(Intake { uai: school.uai, name: school.name.into(), place: Some(school.place), file })
        })
        .collect()
}

/// A folder of `<UAI>.csv` files and, perhaps, `schools.csv`.
fn given(folder: &Path) -> anyhow::Result<Vec<Intake>> {
    let told = schools_csv(&folder.join("schools.csv"))?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let file = entry?.path();
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if file.extension().and_then(|e| e.to_str()).is_some_and(|e| e.eq_ignore_ascii_case("csv")) && stem != "schools"
        {
            let uai: Uai = stem
                .parse()
                .with_context(|| format!("{}: a roster is named <UAI>.csv, as 0310047H.csv", file.display()))?;
            let (name, place) = told
                .iter()
                .find(|(u, _, _)| *u == uai)
                .map_or_else(|| (format!("École {uai}"), None), |(_, name, place)| (name.clone(), *place));
            found.push(Intake { uai, name, place, file });
        }
    }
    if found.is_empty() {
        bail!("{} holds no <UAI>.csv roster", folder.display());
    }
    found.sort_by(|a, b| a.uai.cmp(&b.uai));
    Ok(found)
}

type Told = (Uai, String, Option<(f64, f64)>);

fn schools_csv(file: &Path) -> anyhow::Result<Vec<Told>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_path(file)?;
    let mut told = Vec::new();
    for (line, record) in (2..).zip(reader.records()) {
        let record = record.with_context(|| format!("{} line {line}", file.display()))?;
        let cell = |at: usize| record.get(at).filter(|c| !c.is_empty());
        let uai = cell(0).unwrap_or_default().trim_start_matches('\u{feff}').parse();
        let uai = uai.with_context(|| format!("{} line {line}: the first column is the UAI", file.display()))?;
        let name = cell(1).with_context(|| format!("{} line {line}: the school has no name", file.display()))?;
        let place = cell(2).and_then(|c| c.parse().ok()).zip(cell(3).and_then(|c| c.parse().ok()));
        told.push((uai, name.to_owned(), place));
    }
    Ok(told)
}

/// This very program: the pilot's processes are copies of it.
pub(super) fn recipe(dir: &Path, name: &str, arguments: &[&str]) -> anyhow::Result<Recipe> {
    Ok(Recipe {
        name: name.to_owned(),
        program: std::env::current_exe().context("this program does not know its own file")?,
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        log: dir.join("logs").join(format!("{name}.log")),
    })
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not valid UTF-8: choose another --dir", path.display()))
}

async fn raise_cloud(dir: &Path, lists: &Path, ports: &mut Ports<'_>) -> anyhow::Result<Cloud> {
    let home = dir.join("cloud");
    fs::create_dir_all(&home)?;
    let listen = ports.next("the coordinator")?;
    let mqtt = ports.next("the broker")?;
    let admin = ports.next("the coordinator's admin plane")?;
    let (dns_tls, resolver) = (ports.next("the coordinator's DNS over TLS")?, ports.next("its resolver")?);
    // No school's line is before it: it is never cut.
    upstream::open(resolver, watch::channel(Line::Up).1).await?;
    let lists = Value::from(text(lists)?);
    let config = format!(
        "territory = \"{TERRITORY}\"\nnames = [\"{COORDINATOR}\"]\nlisten = \"{listen}\"\nmqtt = \"{mqtt}\"\n\
         admin = \"{admin}\"\ndns_tls = \"{dns_tls}\"\nupstream = [\"{resolver}\"]\nlists = {lists}\n\
         keep_alive_s = 4\nconnect_timeout_s = 2\nretry_cap_s = 2\n"
    );
    write_secret(&home.join("preau-cloud.toml"), config.as_bytes())?;
    let recipe = recipe(dir, "cloud", &["cloud", "serve", "--dir", text(&home)?, "--with-parent"])?;
    let log = recipe.log.clone();
    let process = Supervised::start(recipe)?;
    let token_file = home.join("admin/token");
    await_life("the coordinator", &log, &process, async || {
        token_file.exists() && admin::get(admin, "/healthz").await.is_ok()
    })
    .await?;
    let address =
        Address { url: format!("https://{listen}"), ca_file: home.join("ca.pem"), token_file: token_file.clone() };
    write_secret(&dir.join(ADDRESS_FILE), &serde_json::to_vec_pretty(&address)?)?;
    Ok(Cloud {
        process,
        api: Coordinator::open(&address)?,
        url: address.url,
        mqtt,
        dns_tls,
        admin,
        ca_file: address.ca_file,
        token_file,
        password_file: home.join("admin/password"),
    })
}

/// Waits until `alive`, as long as the process stands.
async fn await_life(what: &str, log: &Path, process: &Supervised, alive: impl AsyncFn() -> bool) -> anyhow::Result<()> {
    let life = async {
        while !alive().await {
            // A program that fell at its first step says why; starting it again and again would hide that.
            if process.state().starts > 2 {
                return false;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        true
    };
    match tokio::time::timeout(LIFE_PATIENCE, life).await {
        Ok(true) => Ok(()),
        Ok(false) => bail!("{what} does not start: {}", last_lines(log)),
        Err(_) => bail!("{what} does not answer within {} s: {}", LIFE_PATIENCE.as_secs(), last_lines(log)),
    }
}

/// What setting up one school needs.
struct Desk<'a> {
    dir: &'a Path,
    cloud: &'a Cloud,
    tools: &'a Tools,
    year: &'a str,
    lists: &'a Path,
    tablets: u16,
}

impl Desk<'_> {
    async fn raise_school(&self, intake: &Intake, ports: &mut Ports<'_>) -> anyhow::Result<School> {
        let uai = &intake.uai;
        let created = self.cloud.api.add_school(uai, &intake.name, intake.place).await?;
        let home = self.dir.join(uai.as_str());
        fs::create_dir_all(&home)?;
        let badges = self.people(intake).await?;
        let badges_file = home.join("badges.csv");
        write_badges(&badges_file, &badges)?;
        let code = self.cloud.api.issue_box(uai, true).await?;
        let ca = text(&self.cloud.ca_file)?;
        let arguments = ["edge", "claim", &code, "--dir", text(&home)?, "--cloud", &self.cloud.url, "--ca-file", ca];
        recipe(self.dir, &format!("claim-{uai}"), &arguments)?.finish().await?;

        let listen = ports.next("the box")?;
        let dns = ports.next("the box's DNS")?;
        let admin = ports.next("the box's admin plane")?;
        let wan = Wan::open(ports.next("the WAN relay")?, self.cloud.mqtt, Arc::clone(&self.tools.dice)).await?;
        let resolver = ports.next("the resolver")?;
        upstream::open(resolver, wan.watch()).await?;
        let lan = ports.next("the box's door for other boxes")?;
        let dns_tls = ports.next("the box's DNS over TLS")?;
        let (config, uptime) =
            (self.box_config(&[listen, dns, dns_tls, admin, lan, resolver, wan.address])?, home.join("uptime"));
        let config = format!("{config}uptime = {}\n", Value::from(text(&uptime)?));
        let machine = Machine::running(uptime)?;
        write_secret(&home.join("preau-edge.toml"), config.as_bytes())?;
        let recipe = recipe(self.dir, uai.as_str(), &["edge", "serve", "--dir", text(&home)?, "--with-parent"])?;
        Ok(School {
            uai: uai.clone(),
            name: intake.name.clone(),
            slug: created.get("slug").and_then(Value::as_str).unwrap_or_default().to_owned(),
            process: Supervised::start(recipe)?,
            machine,
            url: format!("https://{listen}"),
            dns,
            dns_tls,
            admin,
            wan,
            ca_file: self.cloud.ca_file.clone(),
            code_file: home.join("enrolment_code"),
            enrolment_code: String::new(),
            badges_file,
            spared_class: spared_class(&badges),
            badges,
            counted: std::sync::Mutex::default(),
        })
    }

    fn box_config(&self, addresses: &[SocketAddr; 7]) -> anyhow::Result<String> {
        let [listen, dns, dns_tls, admin, lan, resolver, wan] = addresses;
        let lists = Value::from(text(self.lists)?);
        let tablets = self.tablets.saturating_add(VISITORS_TABLETS);
        Ok(format!(
            "listen = \"{listen}\"\ndns = \"{dns}\"\ndns_tls = \"{dns_tls}\"\nadmin = \"{admin}\"\nlan = \"{lan}\"\n\
             upstream = [\"{resolver}\"]\nlists = {lists}\nmqtt = \"{wan}\"\nconnect_timeout_s = 2\nretry_cap_s = 2\n\
             enrolment_open_min = {ENROLMENT_OPEN_MIN}\nenrolment_tablets = {tablets}\n"
        ))
    }

    /// Imports the roster like anybody's, invents the staff that ONDE does not know, and gathers their badges.
    async fn people(&self, intake: &Intake) -> anyhow::Result<Vec<BadgeLine>> {
        let bytes = fs::read(&intake.file).with_context(|| format!("cannot read {}", intake.file.display()))?;
        // Read here too: an unreadable file is then named with its line before anything is sent.
        let roster = onde::read(&bytes).with_context(|| format!("{} is not a roster", intake.file.display()))?;
        let plan = self.cloud.api.plan_roster(&intake.uai, self.year, bytes).await;
        let plan = plan.with_context(|| format!("{}", intake.file.display()))?;
        let mut badges = self.cloud.api.apply_roster(&plan, false).await?;
        let classes: BTreeSet<String> =
            roster.rows.into_iter().map(|r| r.class_name).filter(|c| !c.is_empty()).collect();
        self.cloud.api.give_documents(&intake.uai, &documents(&classes)).await?;
        let staff = self.staff(&classes);
        let mut staff_badges = self.cloud.api.add_staff(&intake.uai, &staff).await?;
        for badge in &mut staff_badges {
            let same =
                |s: &&Staff| s.given_name == badge.given_name && s.class_name.as_deref().unwrap_or("") == badge.class;
            if badge.second_factor.is_empty()
                && let Some(member) = staff.iter().find(same)
            {
                badge.second_factor.clone_from(&member.pin);
            }
        }
        badges.sort_by(|a, b| order(a).cmp(&order(b)));
        badges.extend(staff_badges);
        Ok(badges)
    }

    /// One teacher a class, and a head.
    fn staff(&self, classes: &BTreeSet<String>) -> Vec<Staff> {
        let dice = &*self.tools.dice;
        let member = |role, class_name: Option<&String>| {
            let (given_name, family_name) = invent::adult(dice);
            let pin = format!("{:06}", dice.below(1_000_000));
            Staff { given_name, family_name, class_name: class_name.cloned(), role, pin }
        };
        let teachers = classes.iter().map(|class| member("teacher", Some(class)));
        teachers.chain(std::iter::once(member("head", None))).collect()
    }
}

/// Youngest first, as a school lists itself.
fn order(badge: &BadgeLine) -> (&str, &str, &str) {
    // `CP` stands before `CE1`, unlike in the alphabet.
    let level = if badge.level == "CP" { "" } else { &badge.level };
    (level, &badge.class, &badge.given_name)
}

/// The first class of a school that has enough of them.
fn spared_class(badges: &[BadgeLine]) -> Option<String> {
    let pupils = || badges.iter().filter(|b| b.role == "pupil" && !b.class.is_empty());
    let classes: BTreeSet<&str> = pupils().map(|b| b.class.as_str()).collect();
    (classes.len() >= CLASSES_TO_SPARE_ONE).then(|| pupils().next().map(|b| b.class.clone())).flatten()
}

/// Waits until the box knows everybody and has opened enrolment.
async fn await_people(dir: &Path, school: &mut School) -> anyhow::Result<()> {
    let wanted = u64::try_from(school.badges.len())?;
    let log = dir.join("logs").join(format!("{}.log", school.uai));
    let (admin, code_file) = (school.admin, school.code_file.clone());
    await_life(&format!("the box of {}", school.name), &log, &school.process, async || {
        code_file.exists() && admin::box_state(admin).await.is_ok_and(|state| state.people >= wanted)
    })
    .await?;
    let code = fs::read_to_string(&school.code_file)?;
    school.enrolment_code = code.trim().to_owned();
    Ok(())
}

/// Two documents for each class, so that a child's environment shows what a teacher gave out.
fn documents(classes: &BTreeSet<String>) -> Value {
    let both = |class: &String| {
        [
            json!({ "class_name": class, "title": "Poésie de la semaine", "url": "https://fr.vikidia.org/wiki/Po%C3%A9sie" }),
            json!({ "class_name": class, "title": "Les volcans", "url": "https://www.lumni.fr/dossier/les-volcans" }),
        ]
    };
    classes.iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_folder_names_its_schools() {
        let dir = tempfile::tempdir().expect("dir");
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("write");
        write("0310047H.csv", "x");
        write("notes.txt", "x");
        write("schools.csv", "\u{feff}uai,name,latitude,longitude\n0310047H,\"Les Tilleuls\",43.6,1.4\n");
        let found = given(dir.path()).expect("found");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].place), ("Les Tilleuls", Some((43.6, 1.4))));
        write("school.csv", "x");
        assert!(given(dir.path()).err().expect("named wrongly").to_string().contains("<UAI>.csv"));
    }
}
