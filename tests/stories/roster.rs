//! A head teacher's file on its way to the DSI: whatever was done to it in between, it is read, or the sentence says what
//! to do.

use preau_shared::{
    messages::{Catalogue, Lang},
    roster::{Charset, RosterError, Row, Suspicion, onde},
};

const SCHOOL: &str = "\
MARTIN;;Léa;12/03/2016;F;123456789AB;3 rue du Secret;90000;Belfort;FRANCE;;;;;CYCLE II;CE2;CE2 de Mme Petit;101;Non;Non;Non;
N'GUYEN;D'Été;Zoé;29/02/2016;F;;\"Bât. 2; porte 4\r\nrue du Secret\";90000;Belfort;FRANCE;;;;;CYCLE II;CE2;CE2 de Mme Petit;101;Non;Non;Non;
PETIT;;Noé;01/09/2018;M;1234567890A;5 rue du Secret;90000;Belfort;FRANCE;;;;;CYCLE II;CP;\"CP \"\"les Bleus\"\"\";102;Non;Non;Non;
";

fn exported() -> String {
    format!("{}\r\n{}", onde::HEADER, SCHOOL.replace('\n', "\r\n").replace("\r\r", "\r"))
}
fn windows_1252(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
/// The columns in another order, some left out, as a personal extraction gives them.
fn extraction(text: &str) -> String {
    let roster = onde::read(text.as_bytes()).expect("readable");
    let line = |row: &Row| {
        let date = row.birth_date.map(|date| date.french()).unwrap_or_default();
        let ine = row.ine.as_ref().map(|ine| ine.as_str()).unwrap_or_default();
        let class = row.class_name.replace('"', "\"\"");
        format!("\"{class}\";{};{};{};{date};{ine}\n", row.level, row.given_name, row.family_name)
    };
    let lines: String = roster.rows.iter().map(line).collect();
    format!("Classe;NIVEAU;Prénom;Nom de famille;Date de naissance;Numéro INE\n{lines}")
}

#[test]
fn the_file_is_read_whatever_was_done_to_it() {
    let exported = exported();
    let pupils = |bytes: &[u8]| -> Vec<(String, String, String, String, String)> {
        let roster = onde::read(bytes).expect("readable");
        assert_eq!(roster.doubts, vec![]);
        let printed = format!("{roster:?}");
        assert!(!printed.contains("Secret") && !printed.contains("Belfort"), "an address was kept");
        let row = |row: &Row| {
            let date = row.birth_date.map(|date| date.to_string()).unwrap_or_default();
            (row.family_name.clone(), row.given_name.clone(), date, row.level.clone(), row.class_name.clone())
        };
        roster.rows.iter().map(row).collect()
    };
    let expected = [
        ("MARTIN", "Léa", "2016-03-12", "CE2", "CE2 de Mme Petit"),
        ("N'GUYEN", "Zoé", "2016-02-29", "CE2", "CE2 de Mme Petit"),
        ("PETIT", "Noé", "2018-09-01", "CP", "CP \"les Bleus\""),
    ]
    .map(|(a, b, c, d, e)| [a, b, c, d, e].map(str::to_owned).into());
    for (what, bytes) in [
        ("as exported", windows_1252(&exported)),
        ("in UTF-8", exported.clone().into_bytes()),
        ("by a spreadsheet", format!("\u{feff}{exported}").into_bytes()),
        ("with Unix lines", exported.replace("\r\n", "\n").into_bytes()),
        ("with old Mac lines", exported.replace("\r\n", "\r").into_bytes()),
        ("with typographic apostrophes", exported.replacen("d'usage", "d’usage", 1).into_bytes()),
        ("a personal extraction", windows_1252(&extraction(&exported))),
        ("with empty lines", format!("\r\n{exported}\r\n;;;;;\r\n\r\n").into_bytes()),
    ] {
        assert_eq!(pupils(&bytes), expected, "{what}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_where_and_what_to_do() {
    let catalogue = Catalogue::load();
    let exported = exported();
    let without = |title: &str| exported.replacen(title, "Autre", 1);
    let mojibake: String = exported.bytes().map(char::from).collect();
    let headless = exported.split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let files: Vec<(&str, String, &str)> = vec![
        ("nothing", String::new(), "vide"),
        ("commas", exported.replace(';', ","), "« , »"),
        ("tabs", exported.replace(';', "\t"), "TAB"),
        ("no header", headless, "titres"),
        ("no names", without("Prénom élève"), "Prénom élève"),
        ("no class", without("Libellé classe").replacen("Identifiant classe", "Autre", 1), "Libellé classe"),
        ("twice encoded", mojibake, "accents"),
        ("rubbish", "\0\u{1}\u{2}PK".repeat(1_000), "texte"),
        ("long rubbish", "rubbish ".repeat(600_000), "guillemet"),
        ("too long", "x;".repeat(3_000_000), "octets"),
    ];
    for (what, text, word) in files {
        let error = onde::read(text.as_bytes()).expect_err(what);
        let (cause, cure) = error.say(&catalogue, Lang::Fr);
        assert!(cause.contains(word), "{what}: {cause}");
        assert!(!cure.is_empty() && !cure.starts_with("roster-"), "{what}: {cure}");
        assert!(!cause.contains("Secret") && !error.to_string().contains("MARTIN"), "{what} tells a pupil's data");
        let named = matches!(error, RosterError::Empty | RosterError::NotText | RosterError::TooLarge { .. });
        assert!(named || cause.contains("Ligne 1"), "{what}: {cause}");
    }
}

#[test]
fn a_doubled_line_is_left_out_and_named() {
    let exported = exported();
    let first = exported.lines().nth(1).expect("a pupil").to_owned();
    let roster = onde::read(format!("{exported}{first}\r\n").as_bytes()).expect("readable");
    assert_eq!((roster.rows.len(), roster.left_out(), roster.charset), (3, 1, Charset::Utf8));
    let [doubt] = roster.doubts.as_slice() else { panic!("one doubt") };
    assert_eq!((doubt.line, doubt.what), (6, Suspicion::Repeated { first: 2 }));
    let (cause, _) = doubt.say(&Catalogue::load(), Lang::En);
    assert!(cause.contains("Line 6") && cause.contains("line 2"), "{cause}");
}
