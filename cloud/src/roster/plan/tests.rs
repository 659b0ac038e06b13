use preau_shared::wire::Role;

use super::{
    super::standing::{Elsewhere, KnownClass, Made},
    *,
};

const YEAR: &str = "2026-2027";

fn id(n: u8) -> PersonId {
    PersonId::from_bytes([n; 16])
}

/// `Camille Roy CE2 bleue 2017 ine`: given name, family name, level, class, birth (`-`: none), number (`-`: none).
fn line(at: u64, text: &str) -> Line {
    let word: Vec<&str> = text.split(' ').collect();
    let some = |text: &str| (text != "-").then(|| text.to_owned());
    Line {
        line: at,
        given_name: word[0].into(),
        family_name: word[1].into(),
        level: word[2].into(),
        class_name: word[3].into(),
        evidence: Evidence {
            ine: some(word[5]),
            born: some(word[4]).map(|day| format!("{} {} {day}", word[0], word[1])),
            name: format!("{} {}", word[0], word[1]),
        },
    }
}

/// The standing after these lines were applied: person `n` is line `n`.
fn after(lines: &[&str]) -> Standing {
    let mut standing = Standing::default();
    for (at, text) in lines.iter().enumerate() {
        let number = u8::try_from(at + 1).expect("few");
        let line = line(0, text);
        let class = standing.classes.len();
        let found = standing.class_named(&line.class_name, YEAR).map(|(id, _)| id);
        let class = found.unwrap_or(ClassId::from_bytes([u8::try_from(class + 100).expect("few"); 16]));
        standing
            .classes
            .entry(class)
            .or_insert_with(|| KnownClass {
                name: line.class_name.clone(),
                level: line.level.clone(),
                school_year: YEAR.into(),
                members: BTreeSet::new(),
                deleted: false,
            })
            .members
            .insert(id(number));
        standing.people.insert(
            id(number),
            Known {
                given_name: line.given_name,
                family_name: line.family_name,
                role: Role::Pupil,
                level: line.level,
                animal: "loutre".into(),
                deleted: false,
                evidence: line.evidence,
            },
        );
    }
    standing
}

fn read(texts: &[&str]) -> Vec<Line> {
    texts.iter().enumerate().map(|(at, text)| line(u64::try_from(at + 2).expect("few"), text)).collect()
}

/// Arrive, change, leave, uncertain, unchanged.
fn check(before: &[&str], file: &[&str]) -> (Plan, [usize; 5]) {
    let plan = plan(&read(file), 0, YEAR, &after(before));
    let counts = [plan.arrive.len(), plan.change.len(), plan.leave.len(), plan.uncertain.len(), plan.unchanged.len()];
    (plan, counts)
}

const CLASS: [&str; 5] = [
    "Camille Roy CE2 bleue 2017 1A",
    "Noé Roy CE2 bleue 2017 2A",
    "Inès Petit CE1 verte 2018 -",
    "Léo Blanc CE1 verte 2018 4A",
    "Zoé Noir CP rouge - -",
];

#[test]
fn the_same_file_again_changes_nothing() {
    let (again, counts) = check(&CLASS, &CLASS);
    assert_eq!(counts, [0, 0, 0, 0, 5]);
    assert!(again.is_empty() && !again.is_suspicious());
    assert_eq!(again.digest(), check(&CLASS, &CLASS).0.digest());
}

#[test]
fn a_first_file_brings_everybody_and_their_classes() {
    let (plan, counts) = check(&[], &CLASS);
    assert_eq!(counts, [5, 0, 0, 0, 0]);
    let classes: Vec<_> = plan.classes.iter().map(|c| (c.name.as_str(), c.level.as_str())).collect();
    assert_eq!(classes, [("bleue", "CE2"), ("rouge", "CP"), ("verte", "CE1")]);
}

#[test]
fn a_number_that_comes_later_and_a_mended_name_are_the_same_child() {
    let mut file = CLASS;
    file[2] = "Inès Petit CE1 verte 2018 3A";
    assert_eq!(check(&CLASS, &file).1, [0, 0, 0, 0, 5], "the number joins the evidence, the shelf is the same");
    file[3] = "Léo Blanc-Nez CE1 verte 2018 4A";
    let (plan, counts) = check(&CLASS, &file);
    assert_eq!(counts, [0, 1, 0, 0, 4]);
    assert!(plan.change[0].renamed && !plan.change[0].moves);
}

#[test]
fn a_pupil_who_changes_class_moves_and_an_emptied_class_closes() {
    let mut file = CLASS;
    file[4] = "Zoé Noir CP verte - -";
    let (plan, counts) = check(&CLASS, &file);
    assert_eq!(counts, [0, 1, 0, 0, 4]);
    assert!(plan.change[0].moves);
    assert_eq!((plan.change[0].leaves.len(), plan.closing.len()), (1, 1));
    let verte = plan.classes.iter().find(|c| c.name == "verte").expect("class");
    assert_eq!(verte.level, "CE1 CP");
}

#[test]
fn twins_are_two_and_a_homonym_is_asked_about() {
    let twins = ["Noé Roy CE2 bleue 2017 -", "Tom Roy CE2 bleue 2017 -"];
    assert_eq!(check(&twins, &twins).1, [0, 0, 0, 0, 2]);
    let other_day = ["Noé Roy CE2 bleue 2016 -", "Tom Roy CE2 bleue 2017 -"];
    let (plan, counts) = check(&twins, &other_day);
    assert_eq!(counts, [0, 0, 0, 1, 1], "neither a new child nor one who left");
    assert_eq!(plan.uncertain[0].people, BTreeSet::from([id(1)]));
    let both = ["Noé Roy CE2 bleue 2017 -", "Tom Roy CE2 bleue 2017 -", "Noé Roy CP verte 2020 -"];
    assert_eq!(check(&twins, &both).1, [1, 0, 0, 0, 2], "a homonym beside the one already known is a new child");
}

#[test]
fn a_file_of_one_class_looks_partial() {
    let (plan, counts) = check(&CLASS, &CLASS[..2]);
    assert_eq!(counts, [0, 0, 3, 0, 2]);
    assert!(plan.is_suspicious());
    let one_gone = check(&CLASS, &CLASS[..4]).0;
    assert!(!one_gone.is_suspicious(), "one of five is not more than 20 %");
    let unread = plan_with_unread(&CLASS[..4]);
    assert!(unread.is_suspicious(), "the missing one may be the line that could not be read");
}

fn plan_with_unread(file: &[&str]) -> Plan {
    plan(&read(file), 1, YEAR, &after(&CLASS))
}

#[test]
fn a_child_of_another_school_or_who_comes_back_keeps_the_person() {
    let mut standing = after(&CLASS);
    standing.people.get_mut(&id(1)).expect("known").deleted = true;
    standing.elsewhere.insert("9A".into(), Elsewhere { person: id(9), uai: "0900002B".parse().expect("uai") });
    let file = read(&["Camille Roy CE2 bleue 2017 1A", "Ana Vert CP rouge 2020 9A"]);
    let plan = plan(&file, 0, YEAR, &standing);
    let from: Vec<_> = plan.arrive.iter().map(|a| a.from.clone()).collect();
    assert_eq!(from, [Whence::Back(id(1)), Whence::School(id(9), "0900002B".parse().expect("uai"))]);
}

/// A box put these on the list of the class: person `n` has this given name.
fn made(standing: &mut Standing, class: &str, people: &[(u8, &str)]) {
    for (n, name) in people {
        let made = Made { given_name: (*name).into(), animal: "renard".into(), pseudonym: [*n; 16] };
        standing.made.insert(id(*n), made);
        let (class, _) = standing.class_named(class, YEAR).expect("a class");
        standing.classes.get_mut(&class).expect("a class").members.insert(id(*n));
    }
}

fn recognised(standing: &Standing, lines: &[&str]) -> Vec<Option<PersonId>> {
    let arrive = plan(&read(lines), 0, YEAR, standing).arrive;
    arrive.into_iter().map(|arrival| arrival.made).collect()
}

#[test]
fn a_pupil_whom_a_box_made_is_recognised_in_her_class_by_her_given_name() {
    let before = ["Camille Roy CE2 bleue 2017 A", "Noé Roy CE2 verte 2017 B"];
    let mut standing = after(&before);
    made(&mut standing, "bleue", &[(50, "Zoë")]);
    let with = |line| [before[0], before[1], line];
    assert_eq!(recognised(&standing, &with("ZOE Petit CE2 bleue 2017 C")), [Some(id(50))]);
    assert_eq!(recognised(&standing, &with("Zoé Petit CE2 verte 2017 C")), [None], "another class");
    assert_eq!(recognised(&standing, &with("Léa Petit CE2 bleue 2017 C")), [None], "another name");
    let two = [before[0], before[1], "Zoé Petit CE2 bleue 2017 C", "Zoé Grand CE2 bleue 2017 D"];
    assert_eq!(recognised(&standing, &two), [None, None], "two of one name: nobody is taken for another");
    made(&mut standing, "bleue", &[(51, "Zoé")]);
    assert_eq!(recognised(&standing, &with("Zoé Petit CE2 bleue 2017 C")), [None], "two were made");
}
