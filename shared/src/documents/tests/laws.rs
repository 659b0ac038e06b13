//! The laws of merging (ARCHITECTURE §2.1), each by its name: three replicas, edits without and with knowledge of each
//! other, in any order, repeated, beside a reference that only knows which writing knew of which.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const KEYS: [(Kind, &str, &[&str]); 9] = [
    (Kind::Badge, "void", &["true"]),
    (Kind::Badge, "void_reason", &["", "lost", "reprinted"]),
    (Kind::Class, "member:0a", &["true", "false"]),
    (Kind::Class, "deleted", &["true", "false"]),
    (Kind::Class, "name", &["CP A", "CP B", "CP C"]),
    (Kind::Policy, "deny:example.org", &["true", "false"]),
    (Kind::Policy, "allow:example.org", &["true", "false"]),
    (Kind::Tablet, "lost", &["true", "false"]),
    (Kind::Person, "role", &["pupil", "teacher", "head"]),
];

fn scalar_of(word: &str) -> Scalar {
    match word {
        "true" => Scalar::Flag(true),
        "false" => Scalar::Flag(false),
        other => Scalar::Text(other.into()),
    }
}

/// A writing, and the writings of the same field that its writer knew.
#[derive(Debug, Clone)]
struct Writing {
    value: Scalar,
    knew: BTreeSet<usize>,
}

/// The world that is compared with: writings and who knows which.
#[derive(Debug, Default)]
struct Reference {
    writings: Vec<(&'static str, Writing)>,
}

impl Reference {
    /// Values that no other writing knew of, and every value ever written.
    fn left(&self, key: &str) -> (Vec<Scalar>, Vec<Scalar>) {
        let of_key = || self.writings.iter().enumerate().filter(|(_, (k, _))| *k == key);
        let known: BTreeSet<usize> = of_key().flat_map(|(_, (_, writing))| writing.knew.iter().copied()).collect();
        let value = |(_, (_, writing)): (usize, &(&str, Writing))| writing.value.clone();
        (of_key().filter(|(at, _)| !known.contains(at)).map(value).collect(), of_key().map(value).collect())
    }
}

/// One act: who, which field, which value, and which changes are heard before.
type Act = (usize, usize, usize, Vec<prop::sample::Index>);

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let heard = prop::collection::vec(any::<prop::sample::Index>(), 0..8);
    prop::collection::vec((0..3_usize, 0..64_usize, 0..64_usize, heard), 1..24)
}

/// A change, the place of its writing.
type Made = (Vec<u8>, usize);

fn hear(replica: &mut Document, knows: &mut BTreeSet<usize>, made: &[Made], heard: &[prop::sample::Index]) {
    for at in heard.iter().filter(|_| !made.is_empty()) {
        let (change, writing) = at.get(made);
        if replica.apply(Writer::Coordinator, change).is_ok() {
            knows.insert(*writing);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_in_any_order(
        kind in prop::sample::select(vec![Kind::Badge, Kind::Class, Kind::Policy, Kind::Tablet, Kind::Person]),
        acts in acts(),
        order in prop::collection::vec((0..3_usize, any::<prop::sample::Index>()), 0..80),
    ) {
        let fields: Vec<_> = KEYS.iter().filter(|(of, ..)| *of == kind).collect();
        let doc = DocId::new(kind, [5; 16]);
        let mut replicas = vec![Document::new(kind); 3];
        let mut knows = vec![BTreeSet::new(); 3];
        let (mut reference, mut made) = (Reference::default(), Vec::<Made>::new());
        for (who, field, value, heard) in acts {
            hear(&mut replicas[who], &mut knows[who], &made, &heard);
            let (_, key, values) = fields[field % fields.len()];
            let value = scalar_of(values[value % values.len()]);
            let edit = Edit::of(doc).with(*key, value.clone());
            let actor = [u8::try_from(who).expect("small") + 10; 16];
            // What reads so already is no writing.
            let Some(change) = replicas[who].edit(actor, Writer::Coordinator, &edit).expect("edit") else { continue };
            let knew = knows[who].iter().copied().filter(|at: &usize| reference.writings[*at].0 == *key).collect();
            knows[who].insert(reference.writings.len());
            made.push((change, reference.writings.len()));
            reference.writings.push((key, Writing { value, knew }));
        }
        for (who, at) in order {
            hear(&mut replicas[who], &mut knows[who], &made, &[at]);
        }
        for (who, replica) in replicas.iter_mut().enumerate() {
            for (change, _) in &made {
                prop_assert_eq!(replica.apply(Writer::Coordinator, change), Ok(()), "replica {}", who);
            }
        }
        let (heads, read) = (replicas[0].heads(), replicas[0].fields());
        for replica in &replicas {
            prop_assert_eq!((replica.heads(), replica.fields()), (heads.clone(), read.clone()));
        }
        for (_, key, _) in fields {
            let (left, all) = reference.left(key);
            let Some(now) = read.get(key) else {
                prop_assert!(all.is_empty(), "{} was written and is not there", key);
                continue;
            };
            prop_assert!(all.contains(now), "{key}: nobody wrote {now:?}");
            let yes = Scalar::Flag(true);
            match *key {
                "void" => prop_assert!(*now == yes, "revocation wins"),
                "member:0a" => prop_assert_eq!(*now == yes, left.contains(&yes), "an addition beats a removal"),
                "deleted" | "lost" => prop_assert_eq!(*now == yes, left.contains(&yes), "what takes away wins"),
                "deny:example.org" => prop_assert_eq!(*now == yes, left.contains(&yes), "deny wins"),
                "allow:example.org" => {
                    prop_assert_eq!(*now == yes, !left.contains(&Scalar::Flag(false)), "deny wins");
                }
                "role" => {
                    let least = left.iter().min_by_key(|role| merge::rights(role));
                    prop_assert_eq!(Some(now), least, "the loss of a role beats its grant");
                }
                _ => prop_assert!(left.contains(now), "{}: the last writer's", key),
            }
        }
    }

    /// Settling looks at what was written and not at its order.
    #[test]
    fn settling_knows_no_order_but_automerges(
        merge in prop::sample::select(vec![
            merge::Merge::Latest, merge::Merge::TrueWins, merge::Merge::FalseWins, merge::Merge::NeverUndone,
            merge::Merge::Once, merge::Merge::LeastRole,
        ]),
        latest in prop::sample::select(vec!["true", "false", "pupil", "teacher", "head", "mayor"]),
        mut others in prop::collection::vec(
            prop::sample::select(vec!["true", "false", "pupil", "teacher", "head", "mayor"]), 0..5),
    ) {
        let settle = |others: &[&str]| {
            let others: Vec<Scalar> = others.iter().map(|word| scalar_of(word)).collect();
            merge::settle(merge, scalar_of(latest), &others)
        };
        let once = settle(&others);
        prop_assert!(once == scalar_of(latest) || others.iter().any(|word| once == scalar_of(word)));
        others.reverse();
        prop_assert_eq!(&once, &settle(&others));
        others.extend(others.clone());
        prop_assert_eq!(&once, &settle(&others), "repetition");
    }
}

/// A table for readers: one line a law.
#[test]
fn each_law_in_one_line() {
    use merge::Merge::{FalseWins, LeastRole, NeverUndone, TrueWins};
    let (yes, no) = (Scalar::Flag(true), Scalar::Flag(false));
    let role = |word: &str| Scalar::Text(word.into());
    for (law, latest, other, settled) in [
        (NeverUndone, &no, &yes, &yes),
        (TrueWins, &no, &yes, &yes),
        (TrueWins, &yes, &no, &yes),
        (FalseWins, &yes, &no, &no),
        (FalseWins, &no, &yes, &no),
        (LeastRole, &role("head"), &role("pupil"), &role("pupil")),
        (LeastRole, &role("pupil"), &role("head"), &role("pupil")),
    ] {
        assert_eq!(merge::settle(law, latest.clone(), std::slice::from_ref(other)), *settled, "{law:?}");
    }
    let by_law: BTreeMap<&str, merge::Merge> =
        KEYS.iter().filter_map(|(kind, key, _)| rule::rule(*kind, key).map(|rule| (*key, rule.merge))).collect();
    assert_eq!(by_law.get("void"), Some(&NeverUndone));
    assert_eq!((by_law.get("member:0a"), by_law.get("deny:example.org")), (Some(&TrueWins), Some(&TrueWins)));
    assert_eq!((by_law.get("allow:example.org"), by_law.get("role")), (Some(&FalseWins), Some(&LeastRole)));
}
