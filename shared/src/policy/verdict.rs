//! One verdict with its reason.

use super::scope::{Asker, Book, Rules};
use crate::blocklist::{Categories, Category};

/// Whether a name may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Block(Reason),
}

/// Why a name may not be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is closed by name.
    Denied,
    /// It is in a blocked category.
    Listed(Category),
    /// Only a few names are open to whoever asks.
    Closed,
}

/// Judges a folded name. Every rule that applies to the asker must allow it, so that several sessions on one address,
/// or nobody known there, get the strictest.
pub fn judge(book: &Book, asker: &Asker, name: &str, categories: Categories) -> Verdict {
    let verdicts = book.rules(asker).map(|rules| by_rules(rules, name, categories));
    verdicts.fold(Verdict::Allow, |so_far, verdict| if so_far == Verdict::Allow { verdict } else { so_far })
}

/// Deny by name, then allow by name, then categories.
fn by_rules(rules: &Rules, name: &str, categories: Categories) -> Verdict {
    if rules.deny.cover(name) {
        return Verdict::Block(Reason::Denied);
    }
    if rules.allow.cover(name) {
        return Verdict::Allow;
    }
    if rules.closed {
        return Verdict::Block(Reason::Closed);
    }
    match categories.both(rules.blocked).first() {
        Some(category) => Verdict::Block(Reason::Listed(category)),
        None => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::{
        blocklist::{BlockList, Builder, Usage},
        documents::policy::Policy,
        ids::PolicyId,
        policy::Lists,
    };

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }
    fn policy(n: u8, levels: &[&str], blocked: &[&str], allow: &[&str], deny: &[&str]) -> Policy {
        Policy {
            id: PolicyId::from_bytes([n; 16]),
            name: String::new(),
            levels: set(levels),
            blocked: set(blocked),
            allow: set(allow),
            deny: set(deny),
            deleted: false,
        }
    }
    fn lists() -> Lists {
        let mut builder = Builder::new([7; 16]);
        for (category, names) in [("adult", ["adult.example", "x.example"]), ("games", ["jeux.example", "x.example"])] {
            let bit = builder.category(category, Usage::Black).expect("room");
            for name in names {
                builder.line(bit, name.as_bytes());
            }
        }
        let bytes = builder.finish(None).expect("compiled");
        Lists::Loaded(Arc::new(BlockList::open(Arc::new(bytes)).expect("opened")))
    }
    fn policies() -> Vec<Policy> {
        vec![
            policy(1, &["CP", "CE1"], &["adult", "games"], &["good.jeux.example"], &[]),
            policy(2, &["CM2"], &["adult"], &["both.example"], &["both.example", "news.example"]),
            policy(3, &[""], &[], &[], &[]),
        ]
    }
    fn seated(levels: &[&str]) -> Asker {
        Asker::Seated(set(levels))
    }

    fn check(policies: &[Policy], lists: &Lists, asker: &Asker, name: &str) -> Verdict {
        judge(&Book::new(policies, lists), asker, name, lists.categories(name))
    }

    #[test]
    fn the_same_name_has_a_verdict_for_each_asker() {
        let lists = lists();
        let adult = Verdict::Block(Reason::Listed(Category::new(0)));
        let games = Verdict::Block(Reason::Listed(Category::new(1)));
        let denied = Verdict::Block(Reason::Denied);
        for (asker, name, verdict) in [
            (seated(&["CP"]), "www.jeux.example", games),
            (seated(&["CM2"]), "www.jeux.example", Verdict::Allow),
            (seated(&["CP"]), "good.jeux.example", Verdict::Allow),
            (seated(&["CP"]), "notjeux.example", Verdict::Allow),
            (seated(&["CM2"]), "x.example", adult),
            (seated(&["CM2"]), "both.example", denied),
            (seated(&["CM2"]), "a.news.example", denied),
            (seated(&["CP"]), "news.example", Verdict::Allow),
            (seated(&["CP", "CM2"]), "news.example", denied),
            (seated(&[]), "adult.example", Verdict::Allow),
            (seated(&["ULIS"]), "adult.example", Verdict::Allow),
            (Asker::Shared(set(&["CM2", "CP"])), "jeux.example", games),
            (Asker::Unknown, "news.example", denied),
            (Asker::Unknown, "jeux.example", games),
            (Asker::Unknown, "vikidia.org", Verdict::Allow),
        ] {
            assert_eq!(check(&policies(), &lists, &asker, name), verdict, "{asker:?} {name}");
        }
    }

    #[test]
    fn without_policy_or_lists_pupils_see_a_few_names_only() {
        let closed = Verdict::Block(Reason::Closed);
        for (policies, lists, asker) in [
            (vec![], lists(), seated(&["CP"])),
            (vec![], lists(), Asker::Unknown),
            (policies(), Lists::Lost, seated(&["CP"])),
            (policies(), Lists::Lost, Asker::Unknown),
            (vec![policy(1, &["CM2"], &[], &[], &[])], lists(), seated(&["CP"])),
        ] {
            assert_eq!(check(&policies, &lists, &asker, "example.org"), closed);
            assert_eq!(check(&policies, &lists, &asker, "fr.vikidia.org"), Verdict::Allow);
        }
        assert_eq!(check(&policies(), &Lists::Lost, &seated(&[]), "example.org"), Verdict::Allow);
        assert_eq!(check(&policies(), &Lists::None, &seated(&["CP"]), "jeux.example"), Verdict::Allow);
    }
}
