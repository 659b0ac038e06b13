use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::dice::Seeded;

fn folder(categories: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("dir");
    for (name, domains) in categories {
        fs::create_dir(dir.path().join(name)).expect("folder");
        fs::write(dir.path().join(name).join("domains"), domains).expect("file");
    }
    dir
}

#[test]
fn a_folder_is_compiled_once_and_again_when_a_file_changes() {
    let (dir, home) = (folder(&[("adult", b"adult.example\n")]), tempfile::tempdir().expect("home"));
    let home = home.path().join("lists");
    let files = || {
        let all = fs::read_dir(&home).expect("home").map(|entry| entry.expect("entry").path());
        let compiled = all.filter(|path| path.extension().is_some());
        compiled.map(|path| (fs::metadata(&path).expect("file").ino(), path)).collect::<Vec<_>>()
    };
    let list = compiled(dir.path(), &home, &Seeded::new(1)).expect("compiled");
    assert_ne!(list.categories("www.adult.example"), crate::blocklist::Categories::default());
    let first = files();
    compiled(dir.path(), &home, &Seeded::new(2)).expect("mapped");
    assert_eq!(files(), first, "nothing is compiled twice");
    for n in 0..3 {
        fs::write(dir.path().join("adult/domains"), format!("adult.example\nmore{n}.example\n{n}\n")).expect("file");
        fs::write(dir.path().join("adult/usage"), "x".repeat(n)).expect("file");
        let list = compiled(dir.path(), &home, &Seeded::new(3)).expect("compiled");
        assert_ne!(list.categories(&format!("more{n}.example")), crate::blocklist::Categories::default());
    }
    assert_eq!(files().len(), KEPT);
    // One that is damaged is made again.
    let name = made_of(dir.path()).expect("name");
    fs::write(file(&home, &name), b"preaubl1 and then nothing").expect("damaged");
    assert!(in_use(&home).is_err());
    assert!(compiled(dir.path(), &home, &Seeded::new(4)).expect("compiled").check().is_ok());
    // The one in use is there without its folder.
    drop(dir);
    assert!(in_use(&home).expect("read").is_some_and(|(used, list)| used == name && list.check().is_ok()));
}

#[test]
fn a_line_without_an_end_is_one_bad_line() {
    let mut domains = vec![b'a'; 3_000_000];
    domains.extend(b"\nadult.example\n\0\0\0\n");
    let dir = folder(&[("adult", &domains)]);
    let bytes = compile(dir.path(), [1; 16], None, |_, _| ()).expect("compiled");
    let list = BlockList::open(Arc::new(bytes)).expect("opened");
    assert_eq!((list.counts(), list.bad_lines().1), ((1, 0), 2));
}

#[test]
fn a_folder_without_names_is_an_error() {
    let dir = folder(&[("adult", b"# nothing\n")]);
    assert!(matches!(read(dir.path(), [1; 16]), Err(ListsError::Nothing(_))));
    assert!(matches!(read(&dir.path().join("none"), [1; 16]), Err(ListsError::Open(_, _))));
}

/// What a list says of a name: its categories' names.
fn of(list: &BlockList, name: &str) -> Vec<String> {
    list.categories(name).each().map(|category| list.name(category).to_owned()).collect()
}

fn opened(from: &Path) -> BlockList {
    BlockList::open(Arc::new(compile(from, [1; 16], None, |_, _| ()).expect("compiled"))).expect("opened")
}

#[test]
fn every_form_of_a_list_is_read_and_a_file_is_a_category() {
    let dir = folder(&[
        ("adult", b"Adult.example.\nB\xc3\x9cCHER.example\n"),
        ("games", b"||games.example^\n@@||ok.example^\n"),
    ]);
    let at = |name: &str| dir.path().join(name);
    fs::write(at("adult/hosts"), "127.0.0.1 localhost\n0.0.0.0 more.example\n").expect("file");
    fs::write(at("ads.hosts"), "# hosts\n::1 ip6-localhost\n0.0.0.0 ads.example\n192.0.2.1 intranet.example\n")
        .expect("file");
    fs::write(at("games.txt"), "other.example\nok.example\n").expect("file");
    fs::write(at("README"), "readme.example\n").expect("file");
    fs::write(at(".ads.txt.part"), "part.example\n").expect("file");
    std::os::unix::fs::symlink("adult", at("aaa")).expect("link");
    let list = opened(dir.path());
    for (name, categories) in [
        ("adult.example", &["adult"][..]),
        ("www.xn--bcher-kva.example", &["adult"]),
        ("more.example", &["adult"]),
        ("ads.example", &["ads"]),
        ("games.example", &["games"]),
        ("other.example", &["games"]),
        ("ok.example", &[]),
        ("intranet.example", &[]),
        ("readme.example", &[]),
        ("part.example", &[]),
    ] {
        assert_eq!(of(&list, name), categories, "{name}");
    }
    assert_eq!(list.named(["aaa"]), list.named(["adult"]));
    let bad: Vec<_> = list.bad_lines().0.iter().map(|bad| (bad.file.as_str(), bad.line)).collect();
    assert_eq!(bad, [("ads.hosts", 4)]);
    // One file alone, under any name.
    assert_eq!(of(&opened(&at("ads.hosts")), "x.ads.example"), ["ads"]);
    assert_eq!(of(&opened(&at("README")), "readme.example"), ["README"]);
    assert_eq!(count(dir.path()).expect("counted").names(), 7);
}

#[test]
fn an_archive_makes_the_list_that_its_folder_makes() {
    let dir = folder(&[("adult", b"adult.example\n"), ("bank", b"bank.example\n"), ("games", b"x.example\n")]);
    let lists = dir.path();
    fs::write(lists.join("bank/usage"), "white\n").expect("usage");
    std::os::unix::fs::symlink("adult", lists.join("porn")).expect("link");
    let (packed, file) = (tempfile::tempdir().expect("dir"), "blacklists.tar.gz");
    let made = std::process::Command::new("tar")
        .args(["--transform=s,^\\./,blacklists/,", "-czf"])
        .arg(packed.path().join(file))
        .args(["-C", &lists.display().to_string(), "./porn", "./games", "./bank", "./adult"])
        .status();
    assert!(made.expect("tar runs").success());
    let (folder, archive) = (opened(lists), opened(&packed.path().join(file)));
    assert_eq!(folder.version(), archive.version());
    assert_eq!(of(&archive, "a.bank.example"), ["bank"]);
    assert_eq!(
        (archive.black(), archive.named(["porn"])),
        (archive.named(["adult", "games"]), archive.named(["adult"]))
    );
    // In a folder it stands beside others.
    fs::write(packed.path().join("ads.txt"), "ads.example\n").expect("file");
    assert_eq!(opened(packed.path()).names().collect::<Vec<_>>(), ["ads", "adult", "bank", "games"]);
    // One that is cut is no list.
    let whole = fs::read(packed.path().join(file)).expect("archive");
    fs::write(packed.path().join(file), &whole[..whole.len() / 2]).expect("cut");
    assert!(matches!(read(packed.path(), [1; 16]), Err(ListsError::Archive(path, _)) if path.ends_with(file)));
}
