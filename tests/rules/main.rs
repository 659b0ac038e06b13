//! The house's rules that a program can check (STYLE: "style that is not run erodes").

#![expect(clippy::expect_used, reason = "this is test code")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CRATES: [&str; 5] = ["edge", "cloud", "shared", "provisioning", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn files(under: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("folder").map(|e| e.expect("entry").path()) {
        if entry.is_dir() {
            files(&entry, extension, found);
        } else if entry.extension().is_some_and(|e| e == extension) {
            found.push(entry);
        }
    }
}

fn sources(of: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root().join(of), "rs", &mut found);
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    let agreed: BTreeSet<&str> = [
        "Cargo.toml",
        "Cargo.lock",
        "edge",
        "cloud",
        "shared",
        "images",
        "provisioning",
        "tests",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "SECURITY.md",
        "rust-toolchain.toml",
        "target",
    ]
    .into();
    for entry in fs::read_dir(root()).expect("root") {
        let name = entry.expect("entry").file_name().into_string().expect("a name");
        assert!(name.starts_with('.') || agreed.contains(name.as_str()), "{name} does not belong at the top level");
    }
}

#[test]
fn no_file_holds_two_ideas() {
    let long: Vec<String> = CRATES
        .iter()
        .flat_map(|c| sources(c))
        .filter_map(|f| {
            let lines = text(&f).lines().count();
            (lines > 600).then(|| format!("{} has {lines} lines", f.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_named_after_nothing() {
    for file in CRATES.iter().flat_map(|c| sources(c)) {
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        assert!(!["utils", "util", "helpers", "common", "misc", "manager"].contains(&stem), "{}", file.display());
        assert_ne!(stem, "mod", "{}: a room is room.rs beside room/", file.display());
    }
}

#[test]
fn arrows_point_one_way() {
    for (of, forbidden) in [
        ("shared", ["preau_edge", "preau_cloud"]),
        ("edge", ["preau_cloud", "preau::"]),
        ("cloud", ["preau_edge", "preau::"]),
    ] {
        for file in sources(of) {
            let text = text(&file);
            for name in forbidden {
                assert!(!text.contains(&format!("use {name}")), "{} knows {name}", file.display());
            }
        }
    }
}

#[test]
fn only_documents_touch_automerge_and_only_the_rig_opens_files_of_sqlite() {
    for file in ["shared", "edge", "cloud", "provisioning"].iter().flat_map(|c| sources(c)) {
        let (path, text) = (file.display().to_string(), text(&file));
        assert!(path.contains("/documents") || !text.contains("use automerge"), "{path} touches Automerge");
        let opens = text.split("#[cfg(test)]").next().is_some_and(|own| own.contains("Connection::open("));
        assert!(path.contains("/rig/") || !opens, "{path} opens SQLite");
    }
}

#[test]
fn shared_without_its_rig_touches_nothing() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-p", "preau-shared", "-e", "normal", "--prefix", "none", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    for touches in ["tokio ", "rusqlite ", "rumqttc ", "axum ", "hyper ", "rustls ", "mio "] {
        assert!(!tree.lines().any(|l| l.starts_with(touches)), "shared without its rig stands on {touches}");
    }
}

#[test]
fn every_sentence_that_is_asked_for_is_in_the_catalogue() {
    let catalogue = text(&root().join("shared/src/messages/fr.ftl"));
    let keys: BTreeSet<&str> = catalogue
        .lines()
        .filter(|l| !l.starts_with(['#', ' ']))
        .filter_map(|l| l.split_once(" =").map(|(k, _)| k))
        .collect();
    for file in ["edge", "cloud"].iter().flat_map(|c| sources(c)) {
        let text = text(&file);
        for prefix in ["\"tablet-", "\"teacher-", "\"dsi-", "\"roster-"] {
            for (at, _) in text.match_indices(prefix) {
                let key = text[at + 1..].split('"').next().unwrap_or_default();
                let whole = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                let known = keys.contains(key) || key.ends_with('-') || !whole;
                assert!(known, "{}: no sentence for {key}", file.display());
            }
        }
    }
}
