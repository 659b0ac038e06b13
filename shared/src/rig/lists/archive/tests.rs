use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

/// One entry of a tar: path, type, where a link leads, content.
type Part<'p> = (&'p str, u8, &'p str, &'p [u8]);

/// A small collection as UT1 packs it.
const UT1: [Part<'static>; 8] = [
    ("blacklists/", b'5', "", b""),
    ("blacklists/README", b'0', "", b"not a list\n"),
    ("blacklists/porn", b'2', "adult", b""),
    ("blacklists/adult/domains", b'0', "", b"adult.example\nhttp://not a name\n"),
    ("blacklists/adult/usage", b'0', "", b"black\n"),
    ("blacklists/bank/usage", b'0', "", b"white\n"),
    ("blacklists/bank/domains", b'0', "", b"bank.example\n"),
    ("blacklists/adult/urls", b'0', "", b"adult.example/page\n"),
];

fn header(path: &[u8], kind: u8, link: &str, size: usize) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path);
    put(100, b"0000644\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(512), 0);
    padded
}

fn tar(parts: &[Part<'_>]) -> Vec<u8> {
    let parts = parts.iter().map(|(path, kind, link, content)| {
        [&header(path.as_bytes(), *kind, link, content.len())[..], &padded(content)].concat()
    });
    [parts.collect::<Vec<_>>().concat(), vec![0; 1_024]].concat()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("written");
    gzip.finish().expect("packed")
}

/// What is found, a line a piece.
fn found(packed: &[u8]) -> Result<Vec<String>, ArchiveError> {
    let mut found = Vec::new();
    read(packed, &mut |piece| {
        found.push(match piece {
            Piece::File { category, file } => format!("{category} in {file}"),
            Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
            Piece::Usage { category, usage } => format!("{category} is {usage:?}"),
            Piece::Alias { name, category } => format!("{name} for {category}"),
        });
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn an_archive_has_what_its_folder_would_have() {
    let expected = [
        "adult in blacklists/adult/domains",
        "adult.example",
        "http://not a name",
        "adult is Black",
        "bank is White",
        "bank in blacklists/bank/domains",
        "bank.example",
        "porn for adult",
    ];
    assert_eq!(found(&packed(&tar(&UT1))).expect("read"), expected);
}

#[test]
fn links_are_followed_within_the_archive() {
    let lists = |links: &[Part<'_>]| {
        let parts = [&[("b/adult/domains", b'0', "", &b"adult.example\n"[..])][..], links].concat();
        found(&packed(&tar(&parts)))
    };
    for (link, expected) in [
        (("b/porn", b'2', "adult/", &b""[..]), "porn for adult"),
        (("b/porn", b'2', "../b/./adult", b""), "porn for adult"),
        (("b/porn/domains", b'2', "../adult/domains", b""), "porn for adult"),
        (("b/porn/domains", b'1', "b/adult/domains", b""), "porn for adult"),
    ] {
        assert_eq!(lists(&[link]).expect("read").last().map(String::as_str), Some(expected), "{link:?}");
    }
    let chain = [("b/x", b'2', "porn", &b""[..]), ("b/porn", b'2', "adult", b""), ("b/me", b'2', "me", b"")];
    let found = lists(&chain).expect("read");
    assert_eq!(found.iter().filter(|line| line.ends_with(" for adult")).count(), 2, "{found:?}");
    assert!(!found.iter().any(|line| line.starts_with("me ")), "{found:?}");
    for to in ["../../etc/passwd", "/etc/passwd", "../b/../../x"] {
        assert!(matches!(lists(&[("b/porn", b'2', to, b"")]), Err(ArchiveError::Outside(_))), "{to}");
    }
}

#[test]
fn what_leads_out_and_what_is_no_file_is_refused() {
    let one = |path: &str, kind: u8| found(&packed(&tar(&[(path, kind, "", b"")])));
    for path in ["../adult/domains", "/adult/domains", "b/../../adult/domains", "b/.."] {
        let error = one(path, b'0').expect_err("refused").to_string();
        assert!(error.contains(path) && error.contains("do not use it"), "{error}");
    }
    assert!(matches!(one("b/null", b'3'), Err(ArchiveError::Strange(_))));
}

#[test]
fn long_names_are_read_as_gnu_and_posix_write_them() {
    let long = format!("b/{}/adult/domains", "x".repeat(120));
    let pair = format!("path={long}\n");
    let pax = format!("{} {pair}", pair.len() + 4);
    let short = ("b/short", b'0', "", &b"adult.example\n"[..]);
    for before in [("././@LongLink", b'L', "", long.as_bytes()), ("PaxHeaders/x", b'x', "", pax.as_bytes())] {
        let found = found(&packed(&tar(&[before, short]))).expect("read");
        assert_eq!(found, [format!("adult in {long}"), "adult.example".into()]);
    }
    let endless = [0_u8; 20_000];
    assert!(matches!(found(&packed(&tar(&[("x", b'L', "", &endless), short]))), Err(ArchiveError::NotTar(_))));
}

#[test]
fn an_archive_that_is_cut_anywhere_is_said_and_so_is_another_file() {
    let whole = packed(&tar(&UT1));
    for end in (0..whole.len()).step_by(7) {
        assert!(found(&whole[..end]).is_err(), "{end}");
    }
    let tar = tar(&UT1);
    for end in (0..tar.len() - 1_024).step_by(100) {
        assert!(found(&packed(&tar[..end])).is_err(), "{end}");
    }
    assert!(found(b"adult.example\n").is_err() && found(&packed(b"adult.example\n")).is_err());
    let mut damaged = whole.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    assert!(found(&damaged).is_err(), "the sum of gzip is looked at");
}

/// Two gigabytes of one line, in two megabytes.
#[test]
fn a_bomb_is_let_go() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&header(b"b/adult/domains", b'0', "", 1 << 31)).expect("written");
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..1_030 {
        gzip.write_all(&piece).expect("written");
    }
    let error = found(&gzip.finish().expect("packed")).expect_err("refused");
    assert!(error.to_string().contains("larger than 1 GiB"), "{error}");
    let many = packed(&(0..=MAX_ENTRIES).flat_map(|_| header(b"x", b'0', "", 0)).collect::<Vec<_>>());
    assert!(matches!(found(&many), Err(ArchiveError::TooMany)));
}

proptest! {
    #[test]
    fn any_bytes_are_an_archive_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        drop(found(&bytes));
        drop(found(&packed(&bytes)));
    }

    #[test]
    fn any_damage_is_answered(at in any::<proptest::sample::Index>(), with in any::<[u8; 3]>(), repaired: bool) {
        let mut bytes = tar(&UT1);
        let at = at.index(bytes.len() - 3);
        bytes[at..at + 3].copy_from_slice(&with);
        if repaired {
            // The header's sum fits again: what is behind it is looked at.
            let block = &mut bytes[at / 512 * 512..][..512];
            block[148..156].copy_from_slice(b"        ");
            let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        drop(found(&packed(&bytes)));
        let mut whole = packed(&tar(&UT1));
        let at = at % (whole.len() - 3);
        whole[at..at + 3].copy_from_slice(&with);
        drop(found(&whole));
    }
}
