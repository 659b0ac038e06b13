use super::*;
use crate::{badge::Badge, dice::Seeded};

fn cards(count: usize) -> Vec<Card> {
    let dice = Seeded::new(1);
    let names = [
        "Lina",
        "Zoë",
        "Jean-Baptiste-Emmanuel",
        "Œdipe",
        "N'Golo",
        "Maximilienne Rose Éléonore de la Vallée du Doubs",
    ];
    let animals = ["lapin", "écureuil", "goéland", "licorne", "papillon"];
    let named = names.iter().cycle().zip(animals.iter().cycle());
    let card = |(name, animal): (&&str, &&str)| Card {
        payload: Badge::draw(&dice).payload(),
        given_name: (*name).into(),
        animal: (*animal).into(),
        class: "CP/CE1 de Mme Ferrand".into(),
        note: String::new(),
    };
    named.take(count).map(card).collect()
}

fn sheet(layout: Layout, used: usize) -> Sheet<'static> {
    Sheet { title: "École des Tilleuls, CP/CE1", layout, used, lang: Lang::Fr }
}

/// Pages of a PDF: its tree says how many.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    let count = text.split("/Count ").nth(1).expect("a tree of pages");
    count.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

#[test]
fn a_class_takes_as_many_pages_as_it_needs() {
    let words = Catalogue::load();
    for (count, layout, used, wanted) in [
        (1, Layout::Cards, 0, 1),
        (10, Layout::Cards, 0, 1),
        (11, Layout::Cards, 0, 2),
        (28, Layout::Cards, 0, 3),
        (28, Layout::Labels, 0, 2),
        (28, Layout::Labels, 3, 3),
        (12, Layout::Labels, 18, 1),
    ] {
        let pdf = print(&cards(count), &sheet(layout, used), &words).expect("pdf");
        assert!(pdf.starts_with(b"%PDF-"));
        assert_eq!(pages(&pdf), wanted, "{count} {layout:?} after {used}");
    }
}

#[test]
fn equal_badges_give_equal_bytes_and_a_class_is_small() {
    let words = Catalogue::load();
    let one = print(&cards(28), &sheet(Layout::Cards, 0), &words).expect("pdf");
    assert_eq!(print(&cards(28), &sheet(Layout::Cards, 0), &words).expect("pdf"), one);
    assert!(one.len() < 300_000, "{} bytes", one.len());
}

#[test]
fn what_cannot_be_printed_is_said() {
    let words = Catalogue::load();
    assert_eq!(print(&[], &sheet(Layout::Cards, 0), &words), Err(PrintError::Nothing));
    assert_eq!(print(&cards(MAX_CARDS + 1), &sheet(Layout::Cards, 0), &words), Err(PrintError::TooMany));
    let mut long = cards(1);
    long[0].payload = "A".repeat(5_000);
    assert_eq!(print(&long, &sheet(Layout::Cards, 0), &words), Err(PrintError::Payload));
}
