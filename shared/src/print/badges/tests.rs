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
        short_code: "ABCD EFGH".into(),
        note: String::new(),
    };
    named.take(count).map(card).collect()
}

fn class(cards: Vec<Card>) -> Sheet {
    Sheet { title: "École des Tilleuls, CP/CE1".into(), cards }
}

fn style(layout: Layout, used: usize) -> Style {
    Style { layout, used, lang: Lang::Fr, training: false }
}

/// Pages of a PDF: its tree says how many.
fn count_pages(pdf: &[u8]) -> usize {
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
        let pdf = print(&[class(cards(count))], style(layout, used), &words).expect("pdf");
        assert!(pdf.starts_with(b"%PDF-"));
        assert_eq!(count_pages(&pdf), wanted, "{count} {layout:?} after {used}");
    }
}

#[test]
fn each_class_begins_a_page_and_only_the_first_page_was_used() {
    let words = Catalogue::load();
    let classes = [class(cards(3)), class(vec![]), class(cards(12))];
    let pdf = print(&classes, style(Layout::Cards, 8), &words).expect("pdf");
    assert_eq!(count_pages(&pdf), 4);
}

#[test]
fn equal_badges_give_equal_bytes_and_a_class_is_small() {
    let words = Catalogue::load();
    let one = print(&[class(cards(28))], style(Layout::Cards, 0), &words).expect("pdf");
    assert_eq!(print(&[class(cards(28))], style(Layout::Cards, 0), &words).expect("pdf"), one);
    assert!(one.len() < 300_000, "{} bytes", one.len());
}

#[test]
fn each_page_of_a_training_room_says_so() {
    let words = Catalogue::load();
    for layout in [Layout::Cards, Layout::Labels] {
        let real = print(&[class(cards(28))], style(layout, 0), &words).expect("pdf");
        let training = print(&[class(cards(28))], Style { training: true, ..style(layout, 0) }, &words).expect("pdf");
        assert_eq!(count_pages(&training), count_pages(&real));
        assert_ne!(training, real);
    }
}

#[test]
fn what_cannot_be_printed_is_said() {
    let words = Catalogue::load();
    assert_eq!(print(&[class(vec![])], style(Layout::Cards, 0), &words), Err(PrintError::Nothing));
    assert_eq!(
        print(&[class(cards(MAX_CARDS)), class(cards(1))], style(Layout::Cards, 0), &words),
        Err(PrintError::TooMany)
    );
    let mut long = cards(1);
    long[0].payload = "A".repeat(5_000);
    assert_eq!(print(&[class(long)], style(Layout::Cards, 0), &words), Err(PrintError::Payload));
}
