//! What must stay at the coordinator is planted in a school's roster and looked for everywhere else: national numbers,
//! identifiers of an ENT, birth dates, addresses, and the hashes that prove who is who (invariants 7 and 10).
//!
//! Batches are sealed, so that a captured payload would show nothing in any case. What they carry is looked for where it
//! lies open: in the shelves of the coordinator, from which all of them are made, and in every file of the box, which
//! took them in. Runs and saved documents are unfolded first.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use data_encoding::HEXLOWER;
use preau_shared::documents::{DocId, Document, Edit, Kind, Scalar, Writer};
use preau_tests::{pilot::Pilot, tablet::Tablet};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use tokio::time::sleep;

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const SCHOOL: &str = "0900991N";
const CHILD: &str = "Zéphyrine";
const PATIENCE: Duration = Duration::from_secs(60);
/// Most of one unfolded frame.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

const HEADER: &str = "Nom élève;Prénom élève;Date naissance;Sexe;INE;Adresse1;Cp1;Commune1;Niveau;Libellé classe;\
    Identifiant ENT;UID ENT";
const PUPILS: [&str; 3] = [
    "DUPLANT;Zéphyrine;12/03/2017;F;123456789PL;7 rue du Secret planté;90000;Belfort;CE2;CE2 A;ent-planted-0001;uid-planted-1",
    "DUPLANT;Anatole;29/02/2016;M;234567890PM;7 rue du Secret planté;90000;Belfort;CM1;CM1 B;ent-planted-0002;uid-planted-2",
    "LAGRAINE;Clothilde;01/09/2018;F;345678901PN;9 rue du Secret planté;90000;Belfort;CP;CP C;ent-planted-0003;uid-planted-3",
];

/// What was planted: how it is called here, and its bytes.
type Planted = BTreeMap<String, Vec<u8>>;

fn planted() -> Planted {
    let mut planted = Planted::new();
    for line in PUPILS {
        let cells: Vec<&str> = line.split(';').collect();
        let [day, month, year] = cells[2].split('/').collect::<Vec<_>>()[..] else { panic!("a date") };
        for (what, text) in [
            ("birth date", cells[2].to_owned()),
            ("birth date, turned", format!("{year}-{month}-{day}")),
            ("INE", cells[4].to_owned()),
            ("address", cells[5].to_owned()),
            ("ENT identifier", cells[10].to_owned()),
            ("ENT identifier", cells[11].to_owned()),
        ] {
            planted.insert(format!("{what} {text}"), text.into_bytes());
        }
    }
    planted
}

/// The evidence that the coordinator made of it, as it is kept and as bytes, and the key it is made under.
fn evidence(cloud: &Path) -> Result<Planted> {
    let mut planted = Planted::new();
    let database = open(&cloud.join("cloud.db"))?;
    let mut statement = database.prepare("SELECT ine, born, name FROM evidence")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (at, what) in ["INE", "birth", "name"].into_iter().enumerate() {
            let Some(trace) = row.get::<_, Option<String>>(at)? else { continue };
            planted.insert(format!("bytes of the trace of {what} {trace}"), HEXLOWER.decode(trace.as_bytes())?);
            planted.insert(format!("trace of {what} {trace}"), trace.into_bytes());
        }
    }
    ensure!(planted.len() >= 2 * 3 * PUPILS.len(), "no evidence was kept: {planted:?}");
    let mut keys = files(cloud)?;
    keys.retain(|file| file.file_name().is_some_and(|name| name == "evidence.key"));
    let key = fs::read(keys.first().context("the evidence key")?)?;
    planted.insert("evidence key".into(), key.trim_ascii().to_vec());
    Ok(planted)
}

fn files(under: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(under)? {
        let entry = entry?;
        // Sockets are no files; what is removed meanwhile is gone.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn open(database: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

/// Everything that was looked at, so that a blind search is seen to be one.
#[derive(Debug, Default)]
struct Search {
    planted: Planted,
    hits: Vec<String>,
    /// Places where the child's name stands, which is meant to be there.
    named: Vec<String>,
    frames: usize,
    documents: usize,
    bytes: usize,
}

impl Search {
    fn of(planted: &Planted) -> Self {
        Self { planted: planted.clone(), ..Self::default() }
    }

    fn look(&mut self, place: &str, bytes: &[u8]) {
        self.bytes += bytes.len();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let hits =
            self.planted.iter().filter(|(_, needle)| holds(needle)).map(|(what, _)| format!("{what} in {place}"));
        self.hits.extend(hits);
        if holds(CHILD.as_bytes()) {
            self.named.push(place.to_owned());
        }
    }

    /// … and at what is folded up inside: zstd frames wherever they begin, saved documents with their whole past.
    fn unfold(&mut self, place: &str, bytes: &[u8]) {
        self.look(place, bytes);
        for at in places(bytes, &[0x28, 0xb5, 0x2f, 0xfd]) {
            let mut plain = Vec::new();
            let Ok(decoder) = zstd::Decoder::new(&bytes[at..]) else { continue };
            // What follows the frame is not its business.
            drop(decoder.single_frame().take(MOST_BYTES).read_to_end(&mut plain));
            if !plain.is_empty() {
                self.frames += 1;
                self.unfold(&format!("{place}, decompressed"), &plain);
            }
        }
        for at in places(bytes, &[0x85, 0x6f, 0x4a, 0x83]).into_iter().filter(|at| bytes.get(at + 8) == Some(&0)) {
            let Ok(document) = Document::load::<Vec<u8>>(Kind::Person, Some(&bytes[at..]), &[]) else { continue };
            self.documents += 1;
            for change in document.changes_since(&[]) {
                self.look(&format!("{place}, a change of a saved document"), &change);
            }
        }
    }

    fn tables(&mut self, database: &Path, prefix: &str) -> Result<()> {
        let connection = open(database)?;
        let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let names: Vec<&String> = names.iter().filter(|name| name.starts_with(prefix)).collect();
        ensure!(!names.is_empty(), "no table {prefix}… in {}", database.display());
        for name in names {
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for at in 0..columns {
                    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(at)? {
                        self.unfold(&format!("table {name}"), bytes);
                    }
                }
            }
        }
        Ok(())
    }
}

fn places(bytes: &[u8], magic: &[u8; 4]) -> Vec<usize> {
    bytes.windows(4).enumerate().filter(|(_, window)| *window == magic).map(|(at, _)| at).collect()
}

/// The whole box: its database row by row, and every byte of every file.
fn search_box(home: &Path, planted: &Planted) -> Result<Search> {
    let mut search = Search::of(planted);
    for file in files(home)? {
        search.look(&file.display().to_string(), &fs::read(&file)?);
    }
    search.tables(&home.join("box.db"), "")?;
    Ok(search)
}

/// A value that only the past of a document knows, saved and compressed, in the middle of something else.
#[test]
fn the_search_sees_what_is_folded_up() -> Result<()> {
    let doc = DocId::new(Kind::Person, [1; 16]);
    let mut document = Document::new(Kind::Person);
    for name in ["planted ".repeat(20), CHILD.repeat(20)] {
        let edit = Edit::of(doc).with("given_name", Scalar::Text(name));
        document.edit([2; 16], Writer::Coordinator, &edit)?;
    }
    let mut search = Search::of(&[("it".to_owned(), b"planted".to_vec())].into());
    search.look("saved", &document.save());
    let mut folded = b"before".to_vec();
    folded.extend(zstd::encode_all(document.save().as_slice(), 3)?);
    folded.extend(b"after");
    search.unfold("folded", &folded);
    ensure!(search.hits.iter().any(|hit| hit.contains("a change of a saved document")), "{:?}", search.hits);
    ensure!((search.frames, search.documents) == (1, 1), "{search:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_stay_at_the_coordinator_is_nowhere_else() -> Result<()> {
    let rosters = tempfile::tempdir()?;
    fs::write(rosters.path().join(format!("{SCHOOL}.csv")), format!("{HEADER}\r\n{}\r\n", PUPILS.join("\r\n")))?;
    let folder = rosters.path().to_str().context("a folder")?;
    let pilot = Pilot::start(PREAU, &["--tablets", "0", "--roster", folder]).await?;
    let home = pilot.folder().join("pilot");
    let (cloud, school) = (home.join("cloud"), home.join(SCHOOL));
    let mut planted = planted();
    planted.extend(evidence(&cloud)?);

    // Somebody signs in, so that there are runs of the box too.
    let (url, ca) = (pilot.text("/schools/0/box/url"), Path::new(pilot.text("/schools/0/box/ca_file")));
    let mut tablet = Tablet::enrol(url, ca, pilot.text("/schools/0/enrolment_code"), "Tablette 1").await?;
    let child = pilot.people("pupil")?.into_iter().find(|who| who.given_name == CHILD).context("the child")?;
    let session = tablet.show(&child.payload).await?.map_err(anyhow::Error::msg)?;
    tablet.leave(&session).await?;

    let start = Instant::now();
    let at_box = loop {
        let search = search_box(&school, &planted)?;
        ensure!(search.hits.is_empty(), "{:#?}", search.hits);
        if search.frames > 0 && !search.named.is_empty() {
            break search;
        }
        ensure!(start.elapsed() < PATIENCE, "the search sees nothing: {} bytes, {:?}", search.bytes, search.named);
        sleep(Duration::from_millis(200)).await;
    };
    let mut at_cloud = Search::of(&planted);
    at_cloud.tables(&cloud.join("cloud.db"), "replica_")?;
    for log in files(&home.join("logs"))? {
        at_cloud.look(&log.display().to_string(), &fs::read(&log)?);
    }
    ensure!(at_cloud.hits.is_empty(), "{:#?}", at_cloud.hits);
    ensure!(!at_cloud.named.is_empty() && at_cloud.frames > 0, "the search of the shelves sees nothing");
    ensure!(at_cloud.named.iter().all(|place| place.starts_with("table ")), "a name in a log: {:?}", at_cloud.named);
    for (whose, search) in [("box", &at_box), ("coordinator's shelves", &at_cloud)] {
        println!(
            "{whose}: {} bytes, {} frames, {} saved documents searched for {} values; the child's name in {} places",
            search.bytes,
            search.frames,
            search.documents,
            planted.len(),
            search.named.len()
        );
    }

    // And the search would have found it: it does where evidence is kept.
    let mut control = Search::of(&planted);
    control.tables(&cloud.join("cloud.db"), "evidence")?;
    ensure!(control.hits.iter().any(|hit| hit.starts_with("trace of INE")), "the search is blind: {:?}", control.hits);
    Ok(())
}

/// Where the child's name still stands: in any byte of a folder's files, and folded up in the rows of its database. The
/// pilot's own list of badges is not the product's.
fn still_named(home: &Path, database: &str) -> Result<Vec<String>> {
    let mut search = Search::of(&Planted::new());
    for file in files(home)?.into_iter().filter(|file| file.file_name().is_none_or(|name| name != "badges.csv")) {
        search.look(&file.display().to_string(), &fs::read(&file)?);
    }
    search.tables(&home.join(database), "")?;
    Ok(search.named)
}

/// A family asks that its child be forgotten: nothing of her is left, at the box or at the coordinator, in any file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_child_is_in_no_file_any_more() -> Result<()> {
    let rosters = tempfile::tempdir()?;
    fs::write(rosters.path().join(format!("{SCHOOL}.csv")), format!("{HEADER}\r\n{}\r\n", PUPILS.join("\r\n")))?;
    let folder = rosters.path().to_str().context("a folder")?;
    let pilot = Pilot::start(PREAU, &["--tablets", "0", "--roster", folder]).await?;
    let home = pilot.folder().join("pilot");
    let (cloud, school) = (home.join("cloud"), home.join(SCHOOL));
    let (url, ca) = (pilot.text("/schools/0/box/url"), Path::new(pilot.text("/schools/0/box/ca_file")));
    let mut tablet = Tablet::enrol(url, ca, pilot.text("/schools/0/enrolment_code"), "Tablette 1").await?;
    let child = pilot.people("pupil")?.into_iter().find(|who| who.given_name == CHILD).context("the child")?;
    let session = tablet.show(&child.payload).await?.map_err(anyhow::Error::msg)?;
    tablet.leave(&session).await?;
    ensure!(!still_named(&school, "box.db")?.is_empty(), "the search does not see her at the box");
    ensure!(!still_named(&cloud, "cloud.db")?.is_empty(), "the search does not see her at the coordinator");

    let erased = std::process::Command::new(PREAU)
        .args(["privacy", "erase", &child.person_id, "--yes", "--json", "--dir"])
        .arg(&home)
        .output()?;
    ensure!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    let start = Instant::now();
    loop {
        let left = [still_named(&school, "box.db")?, still_named(&cloud, "cloud.db")?].concat();
        if left.is_empty() {
            break;
        }
        ensure!(start.elapsed() < PATIENCE, "she is still named: {left:#?}");
        sleep(Duration::from_millis(200)).await;
    }
    ensure!(tablet.show(&child.payload).await?.is_err_and(|code| code == "badge_unknown"), "her badge is nobody's");
    println!("{CHILD} stands in no file {:?} after she was erased", start.elapsed());
    Ok(())
}
