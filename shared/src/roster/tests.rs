use proptest::prelude::*;

use super::{onde::*, *};

const MARTIN: &str = "MARTIN;;Martin;01/01/2001;M;1111111111A;1 rue de Test;21000;Dijon;FRANCE;;;;;CYCLE II;CE2;Classe de M Machin;99999;Non;Non;Non;";

fn file(lines: &[&str]) -> String {
    [&[HEADER], lines].concat().join("\r\n")
}

fn doubts(lines: &[&str]) -> Vec<(u64, Option<Column>, Suspicion)> {
    let roster = read(file(lines).as_bytes()).expect("readable");
    roster.doubts.iter().map(|doubt| (doubt.line, doubt.column, doubt.what)).collect()
}

#[test]
fn the_register_s_own_example_is_read_and_its_address_is_not() {
    let roster = read(file(&[MARTIN]).as_bytes()).expect("readable");
    let [pupil] = roster.rows.as_slice() else { panic!("one pupil") };
    assert_eq!((pupil.family_name.as_str(), pupil.given_name.as_str()), ("MARTIN", "Martin"));
    assert_eq!(pupil.birth_date.map(|d| d.to_string()).as_deref(), Some("2001-01-01"));
    assert_eq!((pupil.level.as_str(), pupil.cycle.as_str()), ("CE2", "CYCLE II"));
    assert_eq!((pupil.class_name.as_str(), pupil.class_ref.as_deref()), ("Classe de M Machin", Some("99999")));
    assert_eq!(pupil.ine.as_ref().map(Ine::as_str), Some("1111111111A"));
    assert_eq!((pupil.line, roster.dropped_columns, roster.columns.len()), (2, 12, 10));
    assert!(roster.doubts.is_empty());
    let printed = format!("{roster:?}");
    for planted in ["rue de Test", "21000", "Dijon", "FRANCE", "1111111111A"] {
        assert!(!printed.contains(planted), "{planted} was kept or printed");
    }
}

#[test]
fn order_set_and_titles_of_columns_vary() {
    for text in [
        "Classe;Niveau;Prénom;Nom\nCE2 de Mme Petit;CE2;Zoé;MARTIN",
        "NIVEAU;\"Nom de l’élève\";INE ;Prénom élève*;Identifiant Classe\rCE2;MARTIN;;Zoé;\"CE2 de Mme Petit\"\r",
        "\n\nNom Elève;Nom d'usage Elève;Prénom Elève;Date naissance;Cycle;Niveau;Classe;;\n;;\nMARTIN;MARTIN;Zoé;;;Cours élémentaire 2e année;CE2  de Mme Petit;;",
    ] {
        let roster = read(text.as_bytes()).expect(text);
        let [pupil] = roster.rows.as_slice() else { panic!("one pupil in {text}") };
        let seen = (pupil.family_name.as_str(), pupil.given_name.as_str(), pupil.level.as_str());
        assert_eq!(seen, ("MARTIN", "Zoé", "CE2"), "{text}");
        assert_eq!((pupil.class_name.as_str(), pupil.usage_name.as_deref()), ("CE2 de Mme Petit", None), "{text}");
        assert!(roster.doubts.is_empty(), "{:?}", roster.doubts);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    use RosterError as E;
    let semicolons = file(&[MARTIN]);
    let mojibake: String = semicolons.bytes().map(char::from).collect();
    let huge = vec![b'x'; MAX_FILE_BYTES + 1];
    let many = file(&vec![MARTIN; MAX_ROWS + 1]);
    let cases: Vec<(&[u8], RosterError)> = vec![
        (b"", E::Empty),
        (b"\xef\xbb\xbf \r\n\r\n", E::Empty),
        (HEADER.as_bytes(), E::NoPupils { line: 1 }),
        (&huge, E::TooLarge { bytes: huge.len() }),
        (many.as_bytes(), E::TooManyRows { line: 3_002 }),
        (b"PK\x03\x04\0\0\0", E::NotText),
        (MARTIN.as_bytes(), E::NoHeader { line: 1 }),
        (mojibake.as_bytes(), E::WrongEncoding { line: 1 }),
        (b"Nom responsable;Cp responsable", E::Guardians { line: 1 }),
        ("Nom;Prénom;Niveau\na;b;c".as_bytes(), E::MissingColumn { line: 1, column: Column::ClassName }),
        ("Prénom;Niveau;Classe\na;b;c".as_bytes(), E::MissingColumn { line: 1, column: Column::FamilyName }),
        ("Nom;Prénom;Niveau;Classe\na;\"b;CE2;d\nx;y;CP;z".as_bytes(), E::EndlessCell { line: 2, column: 2 }),
    ];
    for (bytes, error) in cases {
        assert_eq!(read(bytes), Err(error));
    }
    for separator in [',', '\t', '|'] {
        let other = semicolons.replace(';', &separator.to_string());
        assert_eq!(read(other.as_bytes()), Err(E::WrongSeparator { line: 1, seen: separator }));
        let headless = MARTIN.replace(';', &separator.to_string());
        assert_eq!(read(headless.as_bytes()), Err(E::WrongSeparator { line: 1, seen: separator }));
    }
}

#[test]
fn what_looks_wrong_is_a_doubt_with_its_line() {
    use Suspicion as S;
    let other = MARTIN.replace("1111111111A", "2222222222B");
    type Seen = (u64, Option<Column>, Suspicion);
    let cases: Vec<(Vec<String>, Vec<Seen>)> = vec![
        (vec![MARTIN.into(), MARTIN.into()], vec![(3, Some(Column::Ine), S::Repeated { first: 2 })]),
        (vec![MARTIN.into(), other], vec![(3, Some(Column::FamilyName), S::Homonym { first: 2 })]),
        (
            vec![MARTIN.replace("1111111111A", ""), MARTIN.replace("99999", "88888")],
            vec![(3, None, S::Repeated { first: 2 })],
        ),
        (vec![MARTIN.replace("MARTIN", " ")], vec![(2, Some(Column::FamilyName), S::NoName)]),
        (vec![MARTIN.replace("Classe de M Machin", "")], vec![(2, Some(Column::ClassName), S::Empty)]),
        (vec![MARTIN.replace("CE2", "")], vec![(2, Some(Column::Level), S::Empty)]),
        (vec![MARTIN.replace("CE2", "6EME")], vec![(2, Some(Column::Level), S::UnknownLevel)]),
        (vec![MARTIN.replace("01/01/2001", "31/02/2001")], vec![(2, Some(Column::BirthDate), S::BadDate)]),
        (vec![MARTIN.replace("1111111111A", "11")], vec![(2, Some(Column::Ine), S::BadIne)]),
        (vec![MARTIN.replace(";M;", ";X;")], vec![(2, Some(Column::Sex), S::BadSex)]),
        (vec![MARTIN.replace("MARTIN", "LEFÃ¨VRE")], vec![(2, Some(Column::FamilyName), S::Garbled)]),
        (vec![format!("{MARTIN};;x")], vec![(2, None, S::TooManyCells)]),
    ];
    for (lines, expected) in cases {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(doubts(&lines), expected, "{lines:?}");
    }
}

#[test]
fn the_header_tells_the_charset() {
    let row = Row {
        line: 2,
        family_name: "LEFÈVRE ÿ".into(),
        usage_name: Some("D'ÉTÉ".into()),
        given_name: "Zoé Agnès".into(),
        birth_date: BirthDate::new(2016, 2, 29),
        sex: Some(Sex::Female),
        ine: "123456789AB".parse().ok(),
        level: "CP".into(),
        cycle: "CYCLE II".into(),
        class_name: "CP; \"les Bleus\"".into(),
        class_ref: Some("12".into()),
    };
    for charset in [Charset::Utf8, Charset::Utf16, Charset::Windows1252, Charset::Macintosh] {
        let roster = read(&write(std::slice::from_ref(&row), charset)).expect("readable");
        assert_eq!((roster.charset, roster.rows), (charset, vec![row.clone()]));
        assert!(roster.doubts.is_empty());
    }
    let oe = Row { given_name: "Cœur".into(), ..row };
    for charset in [Charset::Windows1252, Charset::Latin9] {
        let roster = read(&write(std::slice::from_ref(&oe), charset)).expect("readable");
        assert_eq!((roster.charset, roster.rows), (charset, vec![oe.clone()]));
    }
}

#[test]
fn every_sentence_is_in_both_catalogues() {
    let catalogue = Catalogue::load();
    let errors = [
        RosterError::Empty,
        RosterError::NoPupils { line: 1 },
        RosterError::TooLarge { bytes: 1 },
        RosterError::TooManyRows { line: 1 },
        RosterError::NotText,
        RosterError::WrongEncoding { line: 1 },
        RosterError::WrongSeparator { line: 1, seen: '\t' },
        RosterError::NoHeader { line: 1 },
        RosterError::MissingColumn { line: 1, column: Column::Level },
        RosterError::Guardians { line: 1 },
        RosterError::TooManyColumns { line: 1 },
        RosterError::EndlessCell { line: 1, column: 2 },
    ];
    let suspicions = [
        Suspicion::NoName,
        Suspicion::Empty,
        Suspicion::BadDate,
        Suspicion::BadIne,
        Suspicion::BadSex,
        Suspicion::UnknownLevel,
        Suspicion::Garbled,
        Suspicion::TooManyCells,
        Suspicion::Repeated { first: 1 },
        Suspicion::Homonym { first: 1 },
        Suspicion::ColumnTwice,
    ];
    for lang in [Lang::Fr, Lang::En] {
        let errors = errors.iter().map(|error| error.say(&catalogue, lang));
        let doubts = suspicions.map(|what| Doubt { line: 1, column: Some(Column::Ine), what }.say(&catalogue, lang));
        for (cause, cure) in errors.chain(doubts) {
            for said in [cause, cure] {
                assert!(!said.starts_with("roster-") && !said.contains('{'), "{said}");
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[A-ZÉÈÀÇa-zéèêëîïôûüç'’-]{1,12}( [A-Za-zé;\"-]{1,8})?".prop_map(|n| n.trim().to_owned())
}

prop_compose! {
    fn pupil()(
        family_name in name(), given_name in name(), class_name in name(),
        day in 1..=28_u8, month in 1..=12_u8, year in 2010..2024_u16, female: bool, ine in 0..99_999_999_u64,
        level in prop::sample::select(vec!["PS", "GS", "CP", "CE1", "CE2", "CM1", "CM2"]),
    ) -> Row {
        Row {
            line: 0, family_name, given_name, class_name,
            usage_name: None,
            birth_date: BirthDate::new(year, month, day),
            sex: Some(if female { Sex::Female } else { Sex::Male }),
            ine: format!("{ine:09}ZA").parse().ok(),
            level: level.to_owned(),
            cycle: String::new(),
            class_ref: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_text_below_a_header_is_answered(text in "[a-zé;\"\r\n/0-9]{0,400}") {
        if let Ok(roster) = read(format!("{HEADER}\n{text}").as_bytes()) {
            prop_assert!(roster.rows.len() <= MAX_ROWS);
        }
    }

    #[test]
    fn what_is_written_is_read_in_every_variant(
        mut rows in prop::collection::vec(pupil(), 1..20),
        charset in prop::sample::select(vec![Charset::Utf8, Charset::Windows1252]),
        ends in prop::sample::select(vec!["\r\n", "\n", "\r"]),
        mark: bool,
    ) {
        let mut seen = std::collections::BTreeSet::new();
        rows.retain(|row| seen.insert(row.ine.clone()));
        for (row, line) in rows.iter_mut().zip(2..) {
            row.line = line;
        }
        let mut bytes = write(&rows, charset);
        if charset == Charset::Utf8 && !mark {
            bytes.drain(..3);
        }
        let bytes: Vec<u8> = match ends {
            "\r\n" => bytes,
            other => bytes.into_iter().filter(|b| *b != b'\r').map(|b| if b == b'\n' { other.as_bytes()[0] } else { b }).collect(),
        };
        let roster = read(&bytes).expect("readable");
        prop_assert_eq!(roster.rows, rows);
    }
}
