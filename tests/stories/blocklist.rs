//! The DSI compiles a folder of block lists, asks why a name is blocked, and sends what changed.

use std::{fs, path::Path, process::Command};

use preau_tests::ut1;
use serde_json::Value;
use tempfile::tempdir;

/// Runs `preau blocklist …`: whether it ended with 0, what it printed, what it complained of.
fn preau(words: &[&str]) -> (bool, String, String) {
    let program = env!("CARGO_BIN_EXE_preau-under-test");
    let out = Command::new(program).arg("blocklist").args(words).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (out.status.success(), text(out.stdout), text(out.stderr))
}

fn write(folder: &Path, category: &str, domains: &str) {
    fs::create_dir_all(folder.join(category)).expect("folder");
    fs::write(folder.join(category).join("domains"), domains).expect("file");
}

fn json(words: &[&str]) -> Value {
    let (done, said, complained) = preau(&[words, &["--json"]].concat());
    assert!(done, "{complained}");
    serde_json::from_str(said.trim()).expect("one line of JSON")
}

#[test]
fn a_folder_becomes_one_file_that_says_why_and_what_changed() {
    let dir = tempdir().expect("dir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (old, new, list, changes) = (at("old"), at("new"), at("list.preaubl"), at("changes.preaubl"));
    for folder in [&old, &new] {
        write(Path::new(folder), "jeux", "jeux.example\nhttp://not-a-name\n");
        write(Path::new(folder), "adult", "x.example\n");
    }
    write(Path::new(&new), "adult", "neu.example\n");

    let (done, said, complained) = preau(&["compile", &old, "--out", &list]);
    assert!(done && said.contains("2 names in 2 categories"), "{said}{complained}");
    assert!(complained.contains("jeux/domains, line 2"), "{complained}");
    assert_eq!(json(&["inspect", &list])["names"], 2);
    let why = json(&["check", &list, "WWW.Jeux.example."]);
    assert_eq!(
        (&why["because"][0]["entry"], &why["because"][0]["categories"][0]),
        (&"jeux.example".into(), &"jeux".into())
    );
    let (listed, said, _) = preau(&["check", &list, "fr.wikipedia.org"]);
    assert!(!listed && said.contains("in no category"), "{said}");

    let told = json(&["diff", &old, &new, "--list", &list, "--out", &changes]);
    assert_eq!((&told["changed"], &told["gone"]), (&2.into(), &1.into()));
    let (_, said, _) = preau(&["check", &list, "--changes", &changes, "x.example", "neu.example"]);
    assert!(said.contains("x.example: in no category") && said.contains("neu.example: adult"), "{said}");

    // What is no list, and a list of other categories, is said once.
    let (done, _, complained) = preau(&["inspect", &format!("{old}/jeux/domains")]);
    assert!(!done && complained.matches("not a compiled block list").count() == 1, "{complained}");
    write(Path::new(&new), "sport", "sport.example\n");
    let (done, _, complained) = preau(&["diff", &old, &new]);
    assert!(!done && complained.contains("categories"), "{complained}");
}

#[test]
fn what_is_published_in_any_form_is_compiled_as_it_is() {
    let dir = tempdir().expect("dir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (folder, packed, list) = (at("lists"), at("blacklists.tar.gz"), at("list.preaubl"));
    ut1::draw(Path::new(&folder), 30).expect("drawn");
    ut1::pack(Path::new(&folder), Path::new(&packed)).expect("packed");
    let (from_folder, from_archive) =
        (json(&["compile", &folder, "--out", &list]), json(&["compile", &packed, "--out", &list]));
    for member in ["names", "categories", "version", "left_out"] {
        assert_eq!(from_folder[member], from_archive[member], "{member}");
    }
    assert_eq!((&from_archive["names"], &from_archive["categories"]), (&(30 * 30).into(), &5.into()));
    let inspected = json(&["inspect", &list])["categories"].clone();
    let told =
        |name: &str| inspected.as_array().expect("rows").iter().find(|row| row["name"] == name).expect("it").clone();
    assert_eq!((&told("bank")["usage"], &told("publicite")["other_names"]), (&"white".into(), &"ads".into()));

    // A hosts file and rules, each a category; names are asked for as people write them.
    fs::write(at("pub.hosts"), "127.0.0.1 localhost\n0.0.0.0 xn--crme-6oa.example b.example\n").expect("file");
    fs::write(at("regles.txt"), "! Title\n||Pub.example^\n||x.example^$popup\n@@||bon.example^\n||a.bon.example^\n")
        .expect("file");
    json(&["compile", &at("pub.hosts"), "--out", &list]);
    let (_, said, _) = preau(&["check", &list, "Crème.example", "www.b.example", "localhost"]);
    assert_eq!(said.matches("pub (because of").count(), 2, "{said}");
    assert!(said.contains("localhost: this is no name of a site"), "{said}");
    let (done, said, complained) = preau(&["compile", &at("regles.txt"), "--out", &list]);
    assert!(
        done && said.contains("1 names in 1 categories") && complained.contains("regles.txt, line 3"),
        "{complained}"
    );

    // What is cut, and what leads out of its archive, is said with its cure; nothing is written anywhere.
    let whole = fs::read(&packed).expect("archive");
    fs::write(at("cut.tar.gz"), &whole[..whole.len() / 2]).expect("cut");
    std::os::unix::fs::symlink("../../../etc/passwd", dir.path().join("lists/porn")).expect("link");
    ut1::pack(Path::new(&folder), &dir.path().join("out.tar.gz")).expect("packed");
    for (file, cure) in [("cut.tar.gz", "Get it again"), ("out.tar.gz", "do not use it")] {
        let (done, _, complained) = preau(&["compile", &at(file), "--out", &at("none.preaubl")]);
        assert!(!done && complained.contains(file) && complained.contains(cure), "{complained}");
        assert!(!dir.path().join("none.preaubl").exists());
    }
}
