use std::time::Duration;

use preau_shared::{
    badge::BadgeHash,
    ids::{BadgeId, ClassId, PersonId, SessionId, TabletId},
    second_factor::{Factor, SecretHash},
    settings::Settings,
    wire::Role,
};

use super::*;
use crate::store::badges::{BadgeRow, Shown};

const NOW: Stamp = Stamp(1_790_000_000_000);

fn person(n: u8, role: Role) -> Human {
    Human {
        id: PersonId::from_bytes([n; 16]),
        pseudonym: [n; 16],
        given_name: "Lina".into(),
        role,
        level: "CP".into(),
        animal: "renard".into(),
        provisional: false,
        expires: None,
        settings: Settings::default(),
    }
}

fn holder(n: u8, role: Role) -> Holder {
    let badge = BadgeRow {
        id: BadgeId::from_bytes([n; 16]),
        person: PersonId::from_bytes([n; 16]),
        void: false,
        expires: None,
        series: 0,
    };
    Holder {
        badge: Some(badge),
        older: vec![],
        person: Some(Arc::new(person(n, role))),
        enrolled: true,
        classes: vec![],
        secrets: vec![],
        activation: None,
        factor: None,
        elsewhere: vec![],
    }
}

fn secret(kind: CredentialKind) -> Credential {
    Credential { person: PersonId::from_bytes([1; 16]), kind, phc: "$".into(), login: String::new() }
}

fn badges(count: u8) -> Way {
    Way::Badges((0..count).map(|n| Shown::Code(BadgeHash([n; 32]))).collect())
}

fn facts(holders: Vec<Holder>) -> Facts {
    Facts { tablet: TabletState::Free, holders, class: None, guests: false, owner: None }
}

fn check(holder: Holder, said: Said, expected: Result<How, Refusal>) {
    let got = decide(&badges(1), &facts(vec![holder]), &[said], Some(NOW)).map(|o| o.how);
    assert_eq!(got, expected);
}

#[test]
fn a_pupil_with_a_good_badge_sits_down_and_no_other() {
    let pupil = || holder(1, Role::Pupil);
    let badge = pupil().badge.expect("badge");
    check(pupil(), Said::Nothing, Ok(How::Badge));
    check(Holder::default(), Said::Nothing, Err(Refusal::BadgeUnknown));
    check(Holder { badge: Some(BadgeRow { void: true, ..badge }), ..pupil() }, Said::Nothing, Err(Refusal::BadgeVoid));
    check(Holder { person: None, ..pupil() }, Said::Nothing, Err(Refusal::NotEnrolledHere));
    check(Holder { enrolled: false, ..pupil() }, Said::Nothing, Err(Refusal::NotEnrolledHere));
}

#[test]
fn dates_count_only_while_the_clock_is_trusted() {
    let yesterday = Stamp(NOW.0 - 86_400_000);
    let badge = holder(1, Role::Pupil).badge.map(|b| BadgeRow { expires: Some(yesterday), ..b });
    let facts = facts(vec![Holder { badge, ..holder(1, Role::Pupil) }]);
    let ask = |now| decide(&badges(1), &facts, &[Said::Nothing], now).map(|o| o.how);
    assert_eq!(ask(Some(NOW)), Err(Refusal::BadgeExpired));
    assert_eq!(ask(Some(yesterday)), Ok(How::Badge));
    assert_eq!(ask(Some(yesterday.after(Duration::from_millis(1)))), Err(Refusal::BadgeExpired));
    assert_eq!(ask(None), Ok(How::Badge));
}

#[test]
fn who_has_a_second_factor_is_asked_for_it() {
    for factor in [Factor::Digits, Factor::Pictures] {
        let pupil = || Holder { factor: Some((factor, SecretHash([1; 32]))), ..holder(1, Role::Pupil) };
        check(pupil(), Said::Nothing, Err(Refusal::SecondFactorRequired));
        check(pupil(), Said::Wrong, Err(Refusal::SecondFactorWrong));
        check(pupil(), Said::Right, Ok(How::Badge));
    }
    // An account's password is no second factor of a badge.
    check(
        Holder { secrets: vec![secret(CredentialKind::Account)], ..holder(1, Role::Pupil) },
        Said::Nothing,
        Ok(How::Badge),
    );
}

#[test]
fn a_teachers_badge_is_never_enough_alone() {
    check(holder(1, Role::Teacher), Said::Nothing, Err(Refusal::SecondFactorRequired));
    check(holder(1, Role::Head), Said::Wrong, Err(Refusal::SecondFactorWrong));
    let teacher = Holder { secrets: vec![secret(CredentialKind::Pin)], ..holder(1, Role::Teacher) };
    assert_eq!(asked_of(&badges(1), &teacher).len(), 1);
    check(teacher, Said::Right, Ok(How::Badge));
}

#[test]
fn only_a_free_tablet_opens() {
    for (tablet, refusal) in [
        (TabletState::Unknown, Refusal::TabletUnknown),
        (TabletState::Wiping, Refusal::TabletNotFree),
        (TabletState::InUse, Refusal::TabletNotFree),
        (TabletState::Lost, Refusal::TabletNotFree),
        (TabletState::Outing, Refusal::TabletNotFree),
        (TabletState::Retired, Refusal::TabletNotFree),
    ] {
        let facts = Facts { tablet, ..facts(vec![holder(1, Role::Pupil)]) };
        assert_eq!(decide(&badges(1), &facts, &[Said::Nothing], Some(NOW)), Err(refusal), "{tablet:?}");
    }
}

#[test]
fn a_pair_is_two_people_and_ends_what_they_left_elsewhere() {
    let session = Session {
        id: SessionId::from_bytes([9; 16]),
        tablet: TabletId::from_bytes([8; 16]),
        how: How::Pair,
        people: vec![],
        class: None,
        opened: NOW,
        taken: true,
        chooses: false,
        works_with: None,
        host: None,
    };
    let sat = |n| Holder { elsewhere: vec![session.clone()], ..holder(n, Role::Pupil) };
    let said = [Said::Nothing, Said::Nothing];
    let opening = decide(&badges(2), &facts(vec![sat(1), sat(2)]), &said, Some(NOW)).expect("a pair");
    assert_eq!((opening.how, opening.people.len(), opening.ends.len()), (How::Pair, 2, 1));
    let twice = facts(vec![holder(1, Role::Pupil), holder(1, Role::Pupil)]);
    assert_eq!(decide(&badges(2), &twice, &said, Some(NOW)), Err(Refusal::Malformed));
    let stranger = facts(vec![holder(1, Role::Pupil), Holder::default()]);
    assert_eq!(decide(&badges(2), &stranger, &said, Some(NOW)), Err(Refusal::BadgeUnknown));
}

#[test]
fn accounts_float_and_guests_leave_no_name() {
    let way = Way::Account("atelier".into());
    let account = Holder { badge: None, secrets: vec![secret(CredentialKind::Account)], ..holder(1, Role::Pupil) };
    let ask = |holder, said| decide(&way, &facts(vec![holder]), &[said], Some(NOW)).map(|o| (o.how, o.ends.len()));
    assert_eq!(ask(account.clone(), Said::Right), Ok((How::Account, 0)));
    let stay = |n: usize| Session {
        id: SessionId::from_bytes([u8::try_from(n).expect("few"); 16]),
        tablet: TabletId::from_bytes([8; 16]),
        how: How::Account,
        people: vec![],
        class: None,
        opened: NOW,
        taken: true,
        chooses: false,
        works_with: None,
        host: None,
    };
    let sitting = |tablets: usize| Holder { elsewhere: (0..tablets).map(stay).collect(), ..account.clone() };
    assert_eq!(ask(sitting(MAX_FLOATING - 1), Said::Right), Ok((How::Account, 0)));
    assert_eq!(ask(sitting(MAX_FLOATING), Said::Right), Err(Refusal::AccountFull));
    assert_eq!(
        ask(sitting(MAX_FLOATING), Said::Wrong),
        Err(Refusal::AccountWrong),
        "and nothing is told to who guesses"
    );
    assert_eq!(ask(account, Said::Wrong), Err(Refusal::AccountWrong));
    assert_eq!(ask(Holder::default(), Said::Nothing), Err(Refusal::AccountWrong));

    let class = ClassRow { id: ClassId::from_bytes([3; 16]), name: "CP A".into(), level: "CP".into() };
    let guest = Way::Guest(class.id);
    assert_eq!(decide(&guest, &facts(vec![]), &[], Some(NOW)), Err(Refusal::NotFound));
    let closed = Facts { class: Some(class), ..facts(vec![]) };
    assert_eq!(decide(&guest, &closed, &[], Some(NOW)), Err(Refusal::OutsideHours));
    let facts = Facts { guests: true, ..closed };
    assert!(decide(&guest, &facts, &[], Some(NOW)).is_ok_and(|o| o.people.is_empty()));
}

#[test]
fn a_pupils_own_tablet_opens_to_her_and_to_adults_only() {
    let (hers, his, teacher) = (holder(1, Role::Pupil), holder(2, Role::Pupil), holder(3, Role::Teacher));
    let owner = hers.person.as_ref().map(|person| person.id);
    let ask = |way: Way, holders: Vec<Holder>, said: &[Said]| {
        decide(&way, &Facts { owner, ..facts(holders) }, said, None).map(|opening| opening.people.len())
    };
    let shown = |count: usize| Way::Badges(vec![Shown::Code(BadgeHash([0; 32])); count]);
    assert_eq!(ask(shown(1), vec![hers.clone()], &[]), Ok(1));
    assert_eq!(ask(shown(1), vec![his.clone()], &[]), Err(Refusal::TabletOfAnother));
    assert_eq!(ask(shown(2), vec![his.clone(), hers], &[]), Ok(2), "a friend beside her");
    assert_eq!(ask(shown(1), vec![teacher], &[Said::Right]), Ok(1));
    assert_eq!(ask(Way::LetIn(PersonId::from_bytes([2; 16])), vec![his], &[]), Ok(1), "an adult's tap wins");
}
