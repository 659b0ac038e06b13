//! What goes on paper: short codes of badges, codes for staff; and the codes that another system printed.

use preau_shared::{
    badge::{ForeignCode, ShortCode, StandIn},
    documents::{
        safe,
        staff::{self, Standing, standing},
    },
    rig::slow::{fits, stand_in_hash},
    staff_codes::SafeCode,
};

use super::*;
use crate::{roster::staff::StaffLine, store::safe_codes};

impl Office {
    async fn staff(&self, lines: serde_json::Value) -> Result<StaffAnswer, DeskError> {
        let lines: Vec<StaffLine> = serde_json::from_value(lines).expect("lines");
        self.desk.add_staff(self.uai.clone(), lines).await
    }

    async fn fields_of(&self, id: PersonId) -> preau_shared::documents::Fields {
        let shelf = Shelf::School(self.uai.clone());
        let read = move |c: &Tx| Ok::<_, DeskError>(shelves::document(c, &shelf, &Person::doc(id))?.expect("there"));
        self.store.read(read).await.expect("read")
    }

    async fn safes_opened(&self) -> usize {
        self.store.read(safe_codes::used).await.expect("read").len()
    }
}

fn head() -> serde_json::Value {
    serde_json::json!([
        { "given_name": "Maryse", "family_name": "Bastié", "role": "head", "pin": "270236" },
        { "given_name": "Ada", "family_name": "L", "role": "teacher", "account": "ada.l" },
        { "given_name": "Zoé", "family_name": "M", "role": "teacher", "pin": "314159" },
    ])
}

#[tokio::test]
async fn badges_for_paper_have_a_short_code_and_bare_ones_have_none() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let plan = office.plan(&office.uai, &FIRST[..3]).await;
    let applied = office.apply(plan.id).await.expect("applied");
    let read = {
        let shelf = Shelf::School(office.uai.clone());
        move |c: &Tx| views(c, &shelf, Kind::Badge, Badge::from_fields)
    };
    let kept = office.store.read(read).await.expect("read");
    for badge in &applied.badges {
        let code = ShortCode::parse(&badge.short_code).expect("a short code");
        assert_eq!(code.in_groups(), badge.short_code);
        let hash = stand_in_hash(&StandIn::Short(code), &[1; 32]).expect("hash");
        let found: Vec<_> = kept.iter().filter(|kept| kept.short == Some(hash)).map(|kept| kept.id).collect();
        assert_eq!(found, [badge.badge_id], "found by its short code as at a box");
    }
    let other: Uai = "0900992P".parse().expect("uai");
    let plan = office.plan(&other, &["GRIS;Mia;01/02/2017;;CE2;Bleue"]).await;
    let bare = office.desk.apply(plan.id, Yes { bare: true, ..Yes::default() }).await.expect("applied");
    assert_eq!(bare.badges[0].short_code, "");
}

#[tokio::test]
async fn secrets_that_the_dsi_gives_are_as_long_as_those_that_people_choose() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let someone = |member: &str, secret: &str| {
        let mut line =
            serde_json::json!({ "given_name": "Ada", "family_name": "L", "role": "teacher", "account": "ada" });
        line[member] = secret.into();
        serde_json::json!([line])
    };
    for (member, secret) in [("pin", "4217"), ("pin", "42171"), ("pin", "4217ab"), ("password", "court"), ("pin", "")] {
        let refused = office.staff(someone(member, secret)).await;
        assert!(matches!(refused, Err(DeskError::Entry { entry: 1, .. })), "{member} {secret}");
    }
    for (member, secret) in [("pin", "421713"), ("password", "une phrase")] {
        assert!(office.staff(someone(member, secret)).await.is_ok(), "{member} {secret}");
    }
}

#[tokio::test]
async fn activation_codes_are_for_those_who_have_chosen_nothing_yet_or_for_those_who_are_named() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let uai = office.uai.clone();
    let made = office.staff(head()).await.expect("made").people;
    let (maryse, ada, zoe) = (made[0].person_id, made[1].person_id, made[2].person_id);
    let drawn = office.desk.draw_activations(uai.clone(), For::Newcomers).await.expect("drawn");
    let whose: Vec<PersonId> = drawn.codes.iter().map(|one| one.person_id).collect();
    assert_eq!(whose, [maryse, ada, zoe], "by family name");
    assert_eq!((drawn.school.as_str(), drawn.ends_at_ms.is_some()), ("Jean Moulin", true));
    for one in &drawn.codes {
        let Standing::Waiting(kept) = standing(&office.fields_of(one.person_id).await) else { panic!("no code waits") };
        assert!(fits(&kept.phc, &one.code) && one.code.len() == 8, "{one:?}");
    }
    // Ada has chosen; a new print leaves her out, unless she is named or all are meant.
    let own =
        staff::Kept { number: staff::number(&office.fields_of(ada).await), since: drawn_at(&drawn), phc: "$".into() };
    let (desk, shelf) = (office.desk.clone(), Shelf::School(uai.clone()));
    let choose = move |c: &Tx| desk.edit(c, &shelf, own.since, &staff::choose(Person::doc(ada), &own));
    office.store.commit(choose).await.expect("chosen");
    let again = office.desk.draw_activations(uai.clone(), For::Newcomers).await.expect("drawn");
    assert_eq!(again.codes.len(), 2);
    let named = office.desk.draw_activations(uai.clone(), For::These([ada].into())).await.expect("drawn");
    assert_eq!(named.codes.len(), 1);
    assert_eq!(office.desk.draw_activations(uai.clone(), For::Everybody).await.expect("drawn").codes.len(), 3);
    let stranger = For::These([ada, PersonId::from_bytes([7; 16])].into());
    assert!(matches!(office.desk.draw_activations(uai, stranger).await, Err(DeskError::NoStaff)));
    let nowhere = office.desk.draw_activations("0310047H".parse().expect("uai"), For::Everybody).await;
    assert!(matches!(nowhere, Err(DeskError::NoSchool)));
}

fn drawn_at(drawn: &CodesDrawn) -> preau_shared::time::Stamp {
    preau_shared::time::Stamp(drawn.drawn_at_ms)
}

#[tokio::test]
async fn the_safes_code_is_the_heads_and_a_use_is_told_until_another_is_drawn() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let uai = office.uai.clone();
    assert!(matches!(office.desk.draw_safe_codes(uai.clone()).await, Err(DeskError::NoStaff)), "no head yet");
    let maryse = office.staff(head()).await.expect("made").people[0].person_id;
    let drawn = office.desk.draw_safe_codes(uai.clone()).await.expect("drawn");
    let [one] = drawn.codes.as_slice() else { panic!("one head") };
    assert_eq!((one.person_id, drawn.ends_at_ms), (maryse, None));
    let code = SafeCode::parse(&one.code).expect("a code");
    let kept = safe::safe_code(&office.fields_of(maryse).await).expect("in the safe");
    assert!(fits(&kept.code.phc, code.as_str()) && !kept.used);
    assert_eq!(office.safes_opened().await, 0);
    // A box tells that it was used.
    let secret = staff::Kept { number: staff::Number([5; 16]), since: drawn_at(&drawn), phc: "$".into() };
    let edit = safe::use_safe_code(Person::doc(maryse), kept.code.number, &secret);
    let (desk, shelf) = (office.desk.clone(), Shelf::School(uai.clone()));
    office.store.commit(move |c: &Tx| desk.edit(c, &shelf, secret.since, &edit)).await.expect("told");
    assert_eq!(office.safes_opened().await, 1);
    let another = office.desk.draw_safe_codes(uai).await.expect("drawn");
    assert_ne!(another.codes[0].code, one.code);
    assert_eq!(office.safes_opened().await, 0);
}

fn line(line: u64, id: &str, text: &str) -> CodeLine {
    let said = ForeignCode::of(text).said();
    serde_json::from_value(serde_json::json!({ "line": line, "id": id, "code": said })).expect("a line")
}

#[tokio::test]
async fn codes_of_another_system_are_shown_given_once_and_taken_back() {
    let dir = tempfile::tempdir().expect("dir");
    let office = office(dir.path()).await;
    let uai = office.uai.clone();
    let plan = office.plan(&uai, &FIRST).await;
    let badges = office.apply(plan.id).await.expect("applied").badges;
    let teacher = office.staff(head()).await.expect("made").people[2].person_id;
    let of = |name: &str| badges.iter().find(|badge| badge.given_name == name).expect("there").person_id;
    let (camille, ines) = (of("Camille"), of("Inès"));
    let lines = || {
        vec![
            line(2, &camille.to_string(), "jeton-1"),
            line(3, "111111112AA", "jeton-2"),
            line(4, &ines.to_string(), "jeton-3"),
            line(5, &PersonId::from_bytes([7; 16]).to_string(), "jeton-4"),
            line(6, "999999999AA", "jeton-5"),
            line(7, &teacher.to_string(), "jeton-6"),
            serde_json::from_value(serde_json::json!({ "line": 8, "id": "x", "code": "ext:" })).expect("a line"),
        ]
    };
    let whys = |plan: &CodesPlan| plan.refused.iter().map(|refused| (refused.line, refused.why)).collect::<Vec<_>>();
    let expected = [(5, "unknown"), (6, "unknown"), (7, "staff"), (8, "malformed")];
    let before = office.open_badges(&uai).await;
    let shown = office.desk.give_codes(uai.clone(), lines(), false).await.expect("shown");
    assert_eq!((shown.gives, shown.known, shown.import), (3, 0, None));
    assert_eq!(whys(&shown), expected);
    assert_eq!(office.open_badges(&uai).await, before, "a preview changes nothing");
    let given = office.desk.give_codes(uai.clone(), lines(), true).await.expect("given");
    assert_eq!((given.gives, whys(&given)), (3, expected.to_vec()));
    let import = given.import.expect("an import");
    assert_eq!(office.open_badges(&uai).await, before + 3, "badges of ours stay good beside");
    // Given again, it does nothing; another pupil's code is not taken from her.
    let again = office.desk.give_codes(uai.clone(), lines(), true).await.expect("given");
    assert_eq!((again.gives, again.known, again.import), (0, 3, None));
    let taken = vec![line(2, &ines.to_string(), "jeton-1")];
    let taken = office.desk.give_codes(uai.clone(), taken, true).await.expect("answered");
    assert_eq!(whys(&taken), [(2, "taken")]);
    // Taken back, they open nothing any more, for good.
    let other: Uai = "0900992P".parse().expect("uai");
    assert!(matches!(office.desk.take_codes_back(other, import).await, Err(DeskError::NoRoster)));
    for _ in 0..2 {
        assert_eq!(office.desk.take_codes_back(uai.clone(), import).await.expect("taken back").voided, 3);
        assert_eq!(office.open_badges(&uai).await, before);
    }
    let void = office.desk.give_codes(uai.clone(), lines(), true).await.expect("answered");
    assert_eq!(whys(&void)[..3], [(2, "void"), (3, "void"), (4, "void")]);
}
