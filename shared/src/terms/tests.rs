use proptest::prelude::*;

use super::*;
use crate::messages::{Catalogue, Lang};

fn check(text: &str, expected: Result<&[&str], (usize, usize, CharterFault)>) {
    let read = Charter::parse(text.as_bytes());
    let read = read.map(|charter| charter.paragraphs().to_vec());
    let expected = expected
        .map(|all| all.iter().map(|p| (*p).to_owned()).collect())
        .map_err(|(line, column, what)| CharterError { line, column, what });
    assert_eq!(read, expected, "{text:?}");
}

#[test]
fn a_charter_is_paragraphs_with_empty_lines_between() {
    use CharterFault::{Empty, Invisible, Long, Many};
    check("Je prends soin.\n\nJe suis gentil.", Ok(&["Je prends soin.", "Je suis gentil."]));
    check("\u{feff}Je prends\r\n  soin.\r\n\r\n \t\r\nJ’aide.\r\n", Ok(&["Je prends soin.", "J’aide."]));
    check("", Err((1, 1, Empty)));
    check(" \n\n\t", Err((1, 1, Empty)));
    check("Un.\n\nDeux \u{202e}siort.", Err((3, 6, Invisible)));
    check("Un.\u{0}", Err((1, 4, Invisible)));
    check(&format!("Un.\n\n{}", "é".repeat(301)), Err((3, 1, Long)));
    check(&"Un.\n\n".repeat(13), Err((25, 1, Many)));
    assert!(Charter::parse(&"Un.\n\n".repeat(12).into_bytes()).is_ok());
    let cut = Charter::parse(b"Un.\nDeux \xff");
    assert_eq!(cut, Err(CharterError { line: 2, column: 6, what: CharterFault::NotUtf8 }));
    assert_eq!(
        cut.map_err(|e| e.to_string()),
        Err("line 2, column 6: this is not UTF-8: save the file as plain text, UTF-8".into())
    );
    assert!(Charter::parse(&vec![b'a'; MAX_FILE_BYTES + 1]).is_err());
}

#[test]
fn a_version_is_its_words() {
    let of = |text: &str| Charter::parse(text.as_bytes()).expect("a charter").version();
    assert_eq!(of("Un.\n\nDeux."), of("  Un.\r\n\r\n\r\nDeux.\n"));
    assert_ne!(of("Un.\n\nDeux."), of("Un. Deux."));
    let version = of("Un.");
    assert_eq!(Version::from_word(&version.to_string()), Some(version));
    for wrong in ["", "00", "0123456789ABCDEF", "+123456789abcdef", "0123456789abcdef0"] {
        assert_eq!(Version::from_word(wrong), None, "{wrong}");
    }
}

#[test]
fn whoever_wrote_none_has_the_one_of_the_territory() {
    let words = Catalogue::load();
    for audience in Audience::ALL {
        for lang in [Lang::Fr, Lang::En] {
            let charter = shipped(&words, lang, audience);
            assert!(!charter.text().contains("charter-"), "{audience:?} {lang:?}");
            assert_eq!(Charter::parse(charter.text().as_bytes()).as_ref(), Ok(&charter), "{audience:?} {lang:?}");
        }
        assert_eq!(Audience::from_word(audience.as_str()), Some(audience));
    }
    for (role, level, audience) in [
        (Role::Pupil, "CP", Audience::Cycle2),
        (Role::Pupil, "", Audience::Cycle2),
        (Role::Pupil, "CM2", Audience::Cycle3),
        (Role::Teacher, "", Audience::Adults),
        (Role::Head, "CP", Audience::Adults),
    ] {
        assert_eq!(Audience::of(role, level), audience, "{role:?} {level}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_file_holds_it_is_a_charter_within_its_bounds_or_an_error_inside_the_file(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            "[ \\n\\r\\tA-Zé’.\u{202e}]{0,600}".prop_map(String::into_bytes),
        ]
    ) {
        match Charter::parse(&bytes) {
            Ok(charter) => {
                prop_assert!((1..=MAX_PARAGRAPHS).contains(&charter.paragraphs().len()));
                prop_assert!(charter.paragraphs().iter().all(|p| (1..=MAX_PARAGRAPH_CHARS).contains(&p.chars().count())));
                prop_assert_eq!(Charter::parse(charter.text().as_bytes()), Ok(charter));
            }
            Err(error) => {
                let lines = bytes.split(|b| *b == b'\n').count();
                prop_assert!((1..=lines).contains(&error.line) && error.column >= 1);
            }
        }
    }
}
