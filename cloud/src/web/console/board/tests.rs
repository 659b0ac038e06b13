use preau_shared::{
    ids::BoxId,
    wire::{BoxStatus, TabletCounts},
};

use super::*;

fn school(uai: &str, name: &str, state: SyncState) -> SchoolStatus {
    let known = state != SyncState::NeverSeen;
    let contact = known && state != SyncState::Offline;
    SchoolStatus {
        uai: uai.parse().expect("uai"),
        name: name.into(),
        training: false,
        state,
        last_contact_age_s: known.then_some(if contact { 1 } else { 190 }),
        unsynced_entries: contact.then_some(if state == SyncState::CatchingUp { 143 } else { 0 }),
        unsynced_at_last_contact: known.then_some(if contact { 0 } else { 7 }),
        unsynced_files: 0,
        oldest_unsynced_age_s: (state == SyncState::CatchingUp).then_some(14),
        lag_s: known.then_some(0.32),
        last_error: (state == SyncState::Attention).then(|| "Le disque <plein> & usé".into()),
        clock: known.then_some(if state == SyncState::Attention {
            ClockQuality::Carried
        } else {
            ClockQuality::Synchronised
        }),
        version: known.then(|| "0.1.0".into()),
        boxes: vec![BoxStatus {
            box_id: BoxId::from_bytes([1; 16]),
            state,
            last_contact_age_s: None,
            certificate_days_left: Some(if state == SyncState::Attention { 12 } else { 88 }),
            version: None,
        }],
        tablets: if known {
            TabletCounts { total: 30, in_use: 17, wiping: 2, lost: 1 }
        } else {
            TabletCounts::default()
        },
        signed_in: if known { 18 } else { 0 },
        blocklist_version: known.then(|| "2026-11-20".into()),
        entries: 1_204,
    }
}

fn five() -> Vec<SchoolStatus> {
    vec![
        school("0900001A", "Jean Moulin", SyncState::InSync),
        school("0900002B", "Les Sources", SyncState::Offline),
        school("0900003C", "Victor Hugo", SyncState::CatchingUp),
        school("0900004D", "Les Barres", SyncState::Attention),
        school("0900005E", "Rucklin", SyncState::NeverSeen),
        school("0900006F", "Émile Géhant", SyncState::InSync),
    ]
}

fn words(catalogue: &Catalogue, lang: Lang) -> Words<'_> {
    Words { catalogue, lang }
}

#[test]
fn the_most_troubled_school_comes_first_and_every_word_is_there() {
    let catalogue = Catalogue::load();
    for lang in [Lang::Fr, Lang::En] {
        let page = whole(words(&catalogue, lang), five(), ("/assets/x", "belfort")).render().expect("page");
        assert!(!page.contains("dsi-"), "a key without its sentence: {lang:?}");
        let place = |name: &str| page.find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(place("Les Barres") < place("Les Sources") && place("Les Sources") < place("Victor Hugo"));
        assert!(place("Rucklin") < place("Jean Moulin"));
        assert!(!page.contains("<plein>"), "what a box says is escaped");
        assert!(!page.contains("style="), "nothing inline: the policy refuses it");
        assert!(!page.contains("<script>"));
    }
}

#[test]
fn out_of_contact_the_page_never_shows_the_last_figure_as_present() {
    let catalogue = Catalogue::load();
    let row = row(words(&catalogue, Lang::Fr), &school("0900002B", "Les Sources", SyncState::Offline), true);
    assert!(row.contains("7 écritures au dernier contact"), "{row}");
    assert!(row.contains("inconnu depuis 3\u{a0}min"), "{row}");
    assert!(row.contains("Hors contact"));
}

#[test]
fn a_change_travels_once_and_an_age_alone_waits_for_the_beat() {
    let catalogue = Catalogue::load();
    let words = words(&catalogue, Lang::En);
    let mut changes = Changes::default();
    let first = changes.of(words, five(), false).expect("all is new");
    assert_eq!(first.matches("<tbody").count(), 6);
    let mut older = five();
    for school in &mut older {
        school.last_contact_age_s = school.last_contact_age_s.map(|age| age + 1);
    }
    assert_eq!(changes.of(words, older.clone(), false), None);
    assert!(!changes.of(words, older.clone(), true).expect("beat").contains("<tbody"));
    older[0].signed_in += 1;
    assert_eq!(changes.of(words, older, false).expect("change").matches("<tbody").count(), 1);
}

#[test]
fn a_training_room_says_what_it_is_and_its_people_do_not_count() {
    let catalogue = Catalogue::load();
    let words = words(&catalogue, Lang::Fr);
    let real = five();
    let mut room = school("0000001Q", "Salle 12", SyncState::InSync);
    room.training = true;
    assert!(row(words, &room, true).contains("Salle de formation"));
    assert!(!row(words, &real[0], true).contains("Salle de formation"));
    let with_room = [real.clone(), vec![room]].concat();
    let figure = |schools: &[SchoolStatus], key: &str| {
        let said = summary(words, schools);
        let label = words.say(key);
        said.split(&label).nth(1).and_then(|rest| rest.split("</dd>").next()).map(str::to_owned).expect("a figure")
    };
    for key in ["dsi-fact-signed-in", "dsi-fact-in-use"] {
        assert_eq!(figure(&with_room, key), figure(&real, key), "{key}");
    }
}

#[test]
fn an_empty_territory_says_what_to_do() {
    let catalogue = Catalogue::load();
    let page = whole(words(&catalogue, Lang::Fr), Vec::new(), ("/assets/x", "belfort")).render().expect("page");
    assert!(page.contains("preau school add") && page.contains("Aucune école"));
}
