//! Any cut leaves the old or the new; any flipped bit is found and named.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    create::{Created, create},
    disk::Disk,
    forget::{Keep, forget},
    key::{Header, Secret, make_key_file, read_key_file},
    restore::{MARK, Mark, Restored, Wish, restore},
    store::{Access, Store},
    verify::verify,
    *,
};
use crate::{dice::Seeded, rig::dice::SystemDice, time::Stamp};

const KEY: Secret = Secret::Key([7; 32]);
const NOON: Stamp = Stamp(1_790_000_000_000);
const SHELVES: &str = "CREATE TABLE replica_self (one INTEGER PRIMARY KEY, box BLOB NOT NULL);
    INSERT INTO replica_self VALUES (1, x'0102030405060708090a0b0c0d0e0f10');";

fn quiet(_: Progress) {}

/// A box's folder with a database in use, as far as backups see it.
struct Stage {
    dir: TempDir,
    conn: Connection,
}

impl Stage {
    fn new(rows: u32) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let from = dir.path().join("box");
        fs::create_dir_all(from.join("identity")).expect("folder");
        fs::write(from.join("identity/mqtt.key"), "secret").expect("key");
        fs::set_permissions(from.join("identity/mqtt.key"), fs::Permissions::from_mode(0o600)).expect("mode");
        for (name, text) in [
            ("preau-edge.toml", "log = \"info\"\n"),
            ("box.seal", ""),
            ("preau-edge.lock", ""),
            ("a.new", "half"),
            ("0a.preaubl", "compiled"),
        ] {
            fs::write(from.join(name), text).expect("file");
        }
        let conn = Connection::open(from.join("box.db")).expect("database");
        conn.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER PRIMARY KEY, text TEXT NOT NULL);")
            .expect("table");
        conn.execute_batch(SHELVES).expect("shelves");
        let stage = Self { dir, conn };
        stage.write(rows);
        stage
    }
    fn write(&self, rows: u32) {
        let sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?1)
                   INSERT INTO t(text) SELECT hex(randomblob(100)) FROM c";
        self.conn.execute(sql, [rows]).expect("rows");
    }
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn store(&self) -> Store {
        let (root, dice) = (self.at("store"), Seeded::new(1));
        if Store::is_at(&root) { Store::open(&root, &KEY, Access::Write) } else { Store::make(&root, &KEY, &dice) }
            .expect("store")
    }
    fn create(&self, store: &Store) -> Created {
        create(store, &self.at("box"), NOON, &SystemDice, &quiet).expect("backup")
    }
    fn rows(&self) -> i64 {
        rows(&self.at("box"))
    }
}

fn back(store: &Store, into: &Path, replace: bool) -> Result<Restored, BackupError> {
    let wish = Wish { number: None, into: into.into(), replace };
    restore(store, &wish, Stamp(NOON.0 + 1), &SystemDice, &quiet)
}

fn rows(folder: &Path) -> i64 {
    let conn = Connection::open(folder.join("box.db")).expect("database");
    conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("rows")
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("read");
            found.insert(path, bytes);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let to = to.join(path.strip_prefix(from).expect("inside"));
        fs::create_dir_all(to.parent().expect("parent")).expect("folder");
        fs::write(to, bytes).expect("write");
    }
    fs::create_dir_all(to.join("pieces")).expect("folder");
    fs::create_dir_all(to.join("manifests")).expect("folder");
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let stage = Stage::new(3_000);
    let store = stage.store();
    let made = stage.create(&store);
    assert!(made.manifest.owner.is_some() && made.manifest.unsound().is_empty() && made.left_out.is_empty());
    stage.write(5);
    let into = stage.at("again");
    let done = back(&store, &into, false).expect("restored");
    assert_eq!((rows(&into), stage.rows()), (3_000, 3_005));
    assert_eq!(done.mark.owners.len(), 1);
    let mark: Mark = serde_json::from_slice(&fs::read(into.join(MARK)).expect("mark")).expect("json");
    assert_eq!((mark.backup, mark.made_at), (1, NOON));
    assert_eq!(fs::metadata(into.join("identity/mqtt.key")).expect("key").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(into.join("preau-edge.toml")).expect("configuration"), b"log = \"info\"\n");
    for passing in ["box.seal", "preau-edge.lock", "a.new", "0a.preaubl", "box.db-wal", "box.backup-copy"] {
        assert!(!into.join(passing).exists(), "{passing}");
    }
    assert!(!stage.at("box").join("box.backup-copy").exists() && !stage.at(".again.restoring").exists());
    assert!(verify(&store, &quiet).expect("verified").damage.is_empty());
}

#[test]
fn what_a_killed_program_left_in_its_wal_is_in_the_backup() {
    let stage = Stage::new(10);
    let killed = stage.at("killed");
    copy(&stage.at("box"), &killed);
    assert!(killed.join("box.db-wal").exists());
    let store = stage.store();
    create(&store, &killed, NOON, &Seeded::new(3), &quiet).expect("backup");
    back(&store, &stage.at("again"), false).expect("restored");
    assert_eq!(rows(&stage.at("again")), 10);
}

#[test]
fn a_backup_beside_a_busy_writer_is_one_moment_of_it() {
    let stage = Stage::new(2_000);
    let path = stage.at("box").join("box.db");
    let writing = std::sync::atomic::AtomicBool::new(true);
    let store = stage.store();
    thread::scope(|scope| {
        scope.spawn(|| {
            let conn = Connection::open(&path).expect("second connection");
            conn.busy_timeout(std::time::Duration::from_secs(5)).expect("patience");
            while writing.load(std::sync::atomic::Ordering::Relaxed) {
                conn.execute_batch(
                    "BEGIN; INSERT INTO t(text) VALUES ('a'); INSERT INTO t(text) VALUES ('b'); COMMIT;",
                )
                .expect("pair");
            }
        });
        for n in 0..8 {
            stage.create(&store);
            let into = stage.at(&format!("again{n}"));
            back(&store, &into, false).expect("restored");
            assert_eq!(rows(&into) % 2, 0, "no half of a pair");
        }
        writing.store(false, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_year_of_days_on_which_nothing_happened_costs_almost_nothing() {
    let stage = Stage::new(5_000);
    let store = stage.store();
    let first = stage.create(&store).new_bytes;
    let mut year = 0;
    for _ in 0..60 {
        let day = stage.create(&store);
        assert_eq!(day.new_pieces, 0);
        year += day.new_bytes * 365 / 60;
    }
    assert!(year < first, "{year} bytes a year beside {first}");
    stage.write(1);
    let busy = stage.create(&store);
    assert!(
        busy.new_pieces <= 6 && busy.new_bytes < first / 2,
        "one row: {} pieces, {} of {first} bytes",
        busy.new_pieces,
        busy.new_bytes
    );
}

#[test]
fn a_create_cut_anywhere_leaves_what_was_and_is_done_by_the_next() {
    let stage = Stage::new(600);
    stage.create(&stage.store());
    stage.write(600);
    let mut acts = 0;
    loop {
        let root = stage.at(&format!("cut{acts}"));
        copy(&stage.at("store"), &root);
        let store = Store::open_on(Disk::failing_after(acts), &root, &KEY, Access::Write).expect("open");
        let cut = create(&store, &stage.at("box"), NOON, &Seeded::new(5), &quiet);
        drop(store);
        let store = Store::open(&root, &KEY, Access::Write).expect("open");
        let listed = store.list().expect("list");
        assert!(listed.damaged.is_empty());
        assert!(cut.is_err() || listed.backups.len() == 2, "done means done");
        let found = verify(&store, &quiet).expect("verified");
        assert!(found.damage.is_empty(), "after {acts} acts: {:?}", found.damage);
        if cut.is_ok() {
            break;
        }
        create(&store, &stage.at("box"), NOON, &Seeded::new(6), &quiet).expect("again");
        let found = verify(&store, &quiet).expect("verified");
        assert!(found.damage.is_empty() && found.sound.len() >= 2);
        acts += 1;
    }
    assert!(acts > 15, "{acts} acts");
}

#[test]
fn a_store_cut_while_it_is_made_is_made_by_the_next() {
    for acts in 0..8 {
        let dir = tempfile::tempdir().expect("dir");
        let root = dir.path().join("store");
        let cut = Store::make_on(Disk::failing_after(acts), &root, &KEY, &Seeded::new(1));
        let again = if Store::is_at(&root) {
            Store::open(&root, &KEY, Access::Write)
        } else {
            drop(cut);
            Store::make(&root, &KEY, &Seeded::new(2))
        };
        assert!(again.is_ok() || acts == 7, "{acts}: {again:?}");
    }
}

/// Cuts a restore after each act; the target is the old or the new at every cut, and the next try ends it.
fn cut_restores(replace: bool) {
    let stage = Stage::new(600);
    stage.create(&stage.store());
    let mut acts = 0;
    loop {
        let into = stage.at(&format!("into{acts}"));
        if replace {
            fs::create_dir(&into).expect("folder");
            fs::write(into.join("old"), "old").expect("old");
            fs::write(into.join("lock"), "").expect("lock");
        }
        let store = Store::open_on(Disk::failing_after(acts), &stage.at("store"), &KEY, Access::Read).expect("open");
        let cut = back(&store, &into, replace);
        let failed = store.disk.has_failed();
        drop(store);
        let is_new = into.join(MARK).exists();
        if is_new {
            assert_eq!(rows(&into), 600, "after {acts} acts");
        } else {
            assert_eq!(into.join("old").exists(), replace, "after {acts} acts: neither old nor new");
            assert!(replace || !into.exists());
        }
        let store = Store::open(&stage.at("store"), &KEY, Access::Read).expect("open");
        let done = cut.or_else(|_| back(&store, &into, replace)).expect("again");
        assert_eq!((rows(&into), done.mark.owners.len()), (600, 1));
        if replace {
            let aside = done.put_aside.expect("put aside");
            assert_eq!(fs::read(aside.join("old")).expect("the old folder"), b"old");
        }
        assert!(!stage.at(&format!(".into{acts}.restoring")).exists());
        if !failed {
            break;
        }
        acts += 1;
    }
    assert!(acts > 20, "{acts} acts");
}

#[test]
fn a_restore_cut_anywhere_leaves_nothing_or_the_new() {
    cut_restores(false);
}

#[test]
fn a_replacing_restore_cut_anywhere_leaves_the_old_or_the_new() {
    cut_restores(true);
}

#[test]
fn a_restore_goes_on_with_what_it_finds() {
    let stage = Stage::new(6_000);
    stage.create(&stage.store());
    let into = stage.at("again");
    let store = Store::open_on(Disk::failing_after(14), &stage.at("store"), &KEY, Access::Read).expect("open");
    back(&store, &into, false).expect_err("cut");
    drop(store);
    let done = back(&stage.store(), &into, false).expect("again");
    assert!(done.found_bytes > bytes(PIECE_BYTES), "{} bytes were there", done.found_bytes);
}

#[test]
fn a_living_or_a_full_folder_is_left_alone() {
    let stage = Stage::new(5);
    stage.create(&stage.store());
    let (store, target) = (stage.store(), stage.at("target"));
    fs::create_dir(&target).expect("folder");
    back(&store, &target, false).expect("an empty folder is as good as none");
    assert!(matches!(back(&store, &target, false), Err(BackupError::Occupied(_))));
    let lock = fs::File::create(target.join("preau-edge.lock")).expect("lock");
    lock.try_lock().expect("held");
    assert!(matches!(back(&store, &target, true), Err(BackupError::Living(_))));
    assert!(!stage.at(".target.restoring").exists(), "what was not begun leaves nothing");
    drop(lock);
    back(&store, &target, true).expect("put aside");
    assert!(matches!(Store::open(&stage.at("store"), &KEY, Access::Write), Err(BackupError::Busy(_))));
}

#[test]
fn a_damaged_database_is_kept_and_said() {
    let stage = Stage::new(2_000);
    let store = stage.store();
    stage.create(&store);
    let Stage { dir, conn } = stage;
    conn.close().expect("closed");
    let path = dir.path().join("box/box.db");
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 200].fill(0xff);
    fs::write(&path, bytes).expect("damage");
    let made = create(&store, &dir.path().join("box"), NOON, &Seeded::new(5), &quiet).expect("kept all the same");
    assert_eq!(made.manifest.unsound(), ["box.db"]);
    let kept = forget(&store, Keep { last: 1, ..Keep::default() }, false).expect("forget");
    assert_eq!(kept.kept, [1, 2], "the last sound one stays too");
}

#[test]
fn other_boxes_inner_folders_and_wrong_keys_are_refused() {
    let stage = Stage::new(5);
    let store = stage.store();
    stage.create(&store);
    let other = Stage::new(5);
    other.conn.execute("UPDATE replica_self SET box = zeroblob(16)", []).expect("another");
    let refused = create(&store, &other.at("box"), NOON, &Seeded::new(5), &quiet);
    assert!(matches!(refused, Err(BackupError::Foreign(_))));
    assert!(matches!(create(&store, &stage.at(""), NOON, &Seeded::new(5), &quiet), Err(BackupError::Inside(_))));
    assert!(matches!(store.find(Some(9)), Err(BackupError::NoBackup(9))));
    drop(store);
    let open = |secret| Store::open(&stage.at("store"), &secret, Access::Read).map(drop);
    assert!(matches!(open(Secret::Key([8; 32])), Err(BackupError::WrongSecret(_))));
    assert!(matches!(open(Secret::Passphrase("correct horse battery".into())), Err(BackupError::WrongSecret(_))));
    assert!(matches!(Store::open(&stage.at("box"), &KEY, Access::Read), Err(BackupError::NoStore(_))));
    assert!(matches!(Store::make(&stage.at("box"), &KEY, &Seeded::new(1)), Err(BackupError::NotAStore(_))));
}

#[test]
fn a_passphrase_opens_what_it_made_and_a_key_file_is_for_its_owner() {
    let dir = tempfile::tempdir().expect("dir");
    let (root, dice) = (dir.path().join("store"), Seeded::new(1));
    let short = Store::make(&root, &Secret::Passphrase("hello".into()), &dice);
    assert!(matches!(short, Err(BackupError::ShortPassphrase(_))));
    drop(Store::make(&root, &Secret::Passphrase("correct horse battery".into()), &dice).expect("made"));
    Store::open(&root, &Secret::Passphrase("correct horse battery".into()), Access::Read).expect("opens");
    let wrong = Store::open(&root, &Secret::Passphrase("correct horse batterz".into()), Access::Read);
    assert!(matches!(wrong, Err(BackupError::WrongSecret(_))));
    let key = dir.path().join("key");
    make_key_file(&key, &dice).expect("made");
    assert!(make_key_file(&key, &dice).is_err(), "never overwritten");
    assert!(matches!(read_key_file(&key), Ok(Secret::Key(_))));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("mode");
    assert!(matches!(read_key_file(&key), Err(BackupError::KeyFile(..))));
}

#[test]
fn forgetting_sweeps_what_nothing_names_wherever_it_is_cut() {
    let stage = Stage::new(600);
    let store = stage.store();
    for _ in 0..4 {
        stage.create(&store);
        stage.write(300);
    }
    drop(store);
    let keep = Keep { last: 1, ..Keep::default() };
    let mut acts = 0;
    loop {
        let root = stage.at(&format!("cut{acts}"));
        copy(&stage.at("store"), &root);
        let store = Store::open_on(Disk::failing_after(acts), &root, &KEY, Access::Write).expect("open");
        let cut = forget(&store, keep, false);
        drop(store);
        let store = Store::open(&root, &KEY, Access::Write).expect("open");
        assert!(verify(&store, &quiet).expect("verified").damage.is_empty(), "after {acts} acts");
        forget(&store, keep, false).expect("again");
        let found = verify(&store, &quiet).expect("verified");
        assert_eq!((found.loose_bytes, found.sound.as_slice()), (0, [4].as_slice()));
        if cut.is_ok() {
            break;
        }
        acts += 1;
    }
    assert!(acts > 4, "{acts} acts");
}

#[test]
fn a_damaged_piece_is_named_with_what_it_hurts_and_mended_by_the_next_backup() {
    let stage = Stage::new(600);
    let store = stage.store();
    let made = stage.create(&store);
    let (path, content) = made.manifest.contents().find(|(path, _)| *path == "box.db").expect("database");
    let piece = store.piece_path(&store.names_of(content).expect("names")[1]);
    let gone = store.piece_path(&store.names_of(content).expect("names")[2]);
    fs::write(&piece, "rust").expect("damage");
    fs::remove_file(&gone).expect("loss");
    let found = verify(&store, &quiet).expect("verified");
    assert_eq!(found.damage.len(), 2, "{:?}", found.damage);
    for damage in &found.damage {
        assert!([&piece, &gone].contains(&&damage.path) && damage.hurts == [format!("backup 1: {path}")], "{damage:?}");
    }
    assert!(found.sound.is_empty() && back(&store, &stage.at("again"), false).is_err());
    assert_eq!(stage.create(&store).mended, 1);
    let found = verify(&store, &quiet).expect("verified");
    assert_eq!((found.damage.len(), found.sound.as_slice()), (0, [1, 2].as_slice()));
    back(&store, &stage.at("again"), false).expect("restored");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_is_found_and_its_file_named(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        thread_local!(static STAGE: Stage = {
            let stage = Stage::new(300);
            stage.create(&stage.store());
            stage
        });
        let told = STAGE.with(|stage| {
            let all: Vec<(PathBuf, Vec<u8>)> = files(&stage.at("store")).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
            let (path, bytes) = &all[which.index(all.len())];
            let mut flipped = bytes.clone();
            flipped[at.index(bytes.len())] ^= 1_u8 << bit;
            fs::write(path, flipped).expect("flip");
            let told = match Store::open(&stage.at("store"), &KEY, Access::Read) {
                Err(why) => why.to_string(),
                Ok(store) => format!("{:?}", verify(&store, &quiet).expect("verified").damage),
            };
            fs::write(path, bytes).expect("mend");
            (path.display().to_string(), told)
        });
        prop_assert!(told.1.contains(&told.0), "{}: {}", told.0, told.1);
    }

    #[test]
    fn any_bytes_in_a_store_are_refused_and_never_worse(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Header::decode(Path::new("x"), &bytes).is_err());
        let (_, keys) = Header::make(&KEY, &Seeded::new(1)).expect("header");
        prop_assert!(keys.pieces.open(b"x", &bytes).is_none());
    }
}
