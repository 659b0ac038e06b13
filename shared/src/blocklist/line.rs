//! One line of a list, in any of the forms in which lists are published:
//!
//! | form | a line | what it says |
//! |---|---|---|
//! | names (UT1) | `name`, `.name`, `*.name`, perhaps a blank and `# why` behind it | the name |
//! | hosts (hosts(5)) | `0.0.0.0 name other`, with any address that leads nowhere | each name; the machine's own (`localhost`, `ip6-…`) say nothing |
//! | rules (AdGuard) | `\|\|name^` | the name |
//! | | `@@\|\|name^` | that the list does not mean the name, nor what stands under it |
//!
//! In every form a name stands for everything under it, and `#`, `!` and `[…]` begin what says nothing. A rule with
//! options, a path, a wildcard, a regular expression, and what hides parts of a page is a bad line: a rule that is half
//! understood would block what nobody meant.
//!
//! Most lines tell their form themselves. Two do not: a name by itself, which means only a piece of an address where a file
//! is of rules, and `##…`, which is a comment or hides parts of a page. There the first line of the file that told decides
//! ([`Form`]).

use std::{borrow::Cow, net::IpAddr};

use idna::{AsciiDenyList, domain_to_ascii_cow};

/// What the lines of a file have told so far of how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    /// Nothing yet: it is read as names.
    #[default]
    Untold,
    /// Names by themselves, or behind addresses.
    Names,
    /// Rules.
    Rules,
}

impl Form {
    fn tell(&mut self, form: Self) {
        if *self == Self::Untold {
            *self = form;
        }
    }
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// A name, folded: lower case, without a final dot, in its ASCII form (IDNA).
    Name(Cow<'l, str>),
    /// Names behind an address, for [`hosts`].
    Hosts(&'l str),
    /// A name that the list does not mean, folded.
    Except(Cow<'l, str>),
    /// Nothing, a comment, or an address: no resolver is asked for an address.
    Nothing,
    /// None of these.
    Bad,
}

/// Reads a line. A name of one label alone is bad: a whole top-level domain is never meant.
pub(super) fn read<'l>(line: &'l [u8], form: &mut Form) -> Line<'l> {
    let Ok(text) = std::str::from_utf8(line) else { return Line::Bad };
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.bytes().next() {
        None | Some(b'!') => Line::Nothing,
        Some(b'#') if *form == Form::Rules && hides(text) => Line::Bad,
        Some(b'#') => Line::Nothing,
        Some(b'[') if text.find(']') == text.len().checked_sub(1) => {
            form.tell(Form::Rules);
            Line::Nothing
        }
        Some(b'|' | b'@') => {
            form.tell(Form::Rules);
            rule(text)
        }
        Some(_) => words(text, form),
    }
}

/// `##…`, `#@#…`, `#?#…` and their like.
fn hides(text: &str) -> bool {
    text.get(1..).unwrap_or_default().trim_start_matches(['@', '?', '$', '%']).starts_with('#')
}

fn rule(text: &str) -> Line<'_> {
    let (excepts, rule) = text.strip_prefix("@@").map_or((false, text), |rule| (true, rule));
    let name = rule.strip_prefix("||").and_then(|rule| rule.strip_suffix('^'));
    match name.map_or(Folded::Bad, folded) {
        Folded::Name(name) if excepts => Line::Except(name),
        other @ (Folded::Name(_) | Folded::Address | Folded::Bad) => other.into(),
    }
}

fn words<'l>(text: &'l str, form: &mut Form) -> Line<'l> {
    let (first, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        let name = first.strip_prefix("*.").or_else(|| first.strip_prefix('.')).unwrap_or(first);
        return match folded(name) {
            Folded::Name(_) if *form == Form::Rules => Line::Bad,
            found @ (Folded::Name(_) | Folded::Address | Folded::Bad) => {
                form.tell(Form::Names);
                found.into()
            }
        };
    }
    let Ok(address) = first.split('%').next().unwrap_or_default().parse::<IpAddr>() else { return Line::Bad };
    form.tell(Form::Names);
    let names = rest.split('#').next().unwrap_or_default();
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_loopback() {
        Line::Hosts(names)
    } else if names.split_ascii_whitespace().all(is_machines_own) {
        Line::Nothing
    } else {
        // It leads somewhere: this is no list of names to block.
        Line::Bad
    }
}

/// The names behind an address, without the machine's own; nothing in the place of one that is bad.
pub(super) fn hosts(names: &str) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    names.split_ascii_whitespace().filter(|name| !is_machines_own(name)).filter_map(|name| match folded(name) {
        Folded::Name(name) => Some(Some(name)),
        Folded::Address => None,
        Folded::Bad => Some(None),
    })
}

/// Names that every machine has in its own file.
fn is_machines_own(name: &str) -> bool {
    const OWN: [&str; 8] = [
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "local",
        "broadcasthost",
    ];
    let ip6 = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("ip6-")) && !name.contains('.');
    ip6 || OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// A word that should be a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Folded<'l> {
    Name(Cow<'l, str>),
    Address,
    Bad,
}

impl<'l> From<Folded<'l>> for Line<'l> {
    fn from(folded: Folded<'l>) -> Self {
        match folded {
            Folded::Name(name) => Self::Name(name),
            Folded::Address => Self::Nothing,
            Folded::Bad => Self::Bad,
        }
    }
}

/// Folds a name: lower case, without a final dot, letters beyond ASCII as IDNA writes them (UTS 46, RFC 5891).
pub(super) fn folded(text: &str) -> Folded<'_> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let name: Cow<'_, str> = if text.is_ascii() {
        if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
    } else {
        match domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::EMPTY) {
            // It knows other full stops than ours, also at the end.
            Ok(name) => name.strip_suffix('.').map(|name| name.to_owned().into()).unwrap_or(name),
            Err(_) => return Folded::Bad,
        }
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || name.contains(':') {
        return if name.parse::<IpAddr>().is_ok() { Folded::Address } else { Folded::Bad };
    }
    if is_name(&name) { Folded::Name(name) } else { Folded::Bad }
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads lines of one file.
    fn file<'l>(lines: &[&'l str]) -> Vec<Line<'l>> {
        let mut form = Form::default();
        lines.iter().map(|line| read(line.as_bytes(), &mut form)).collect()
    }

    fn name(text: &str) -> Line<'_> {
        Line::Name(text.into())
    }

    #[test]
    fn names_are_folded_and_the_rest_is_left_out() {
        for (line, expected) in [
            ("Example.ORG.", name("example.org")),
            (" *.example.org # why", name("example.org")),
            ("\u{feff}example.org", name("example.org")),
            (".a_b.example", name("a_b.example")),
            ("bücher.example", name("xn--bcher-kva.example")),
            ("BÜCHER.example", name("xn--bcher-kva.example")),
            ("jeux。example", name("jeux.example")),
            ("", Line::Nothing),
            ("# comment", Line::Nothing),
            ("## comment ##", Line::Nothing),
            ("! comment", Line::Nothing),
            ("192.0.2.1", Line::Nothing),
            ("2001:db8::1", Line::Nothing),
            ("com", Line::Bad),
            ("a..b", Line::Bad),
            ("http://example.org/x", Line::Bad),
            ("exa mple.org", Line::Bad),
            ("1.2.3", Line::Bad),
        ] {
            assert_eq!(file(&[line]), [expected], "{line}");
        }
        assert_eq!(read(b"\xff.example", &mut Form::default()), Line::Bad);
        assert_eq!(file(&[&format!("{}.example", "a".repeat(64))]), [Line::Bad]);
    }

    #[test]
    fn names_stand_behind_addresses_that_lead_nowhere() {
        let of = |line: &str| -> Result<Vec<Option<String>>, bool> {
            match read(line.as_bytes(), &mut Form::default()) {
                Line::Hosts(names) => Ok(hosts(names).map(|name| name.map(Cow::into_owned)).collect()),
                Line::Nothing => Err(false),
                Line::Bad => Err(true),
                other @ (Line::Name(_) | Line::Except(_)) => panic!("{line}: {other:?}"),
            }
        };
        let names = |names: &[&str]| Ok(names.iter().map(|name| Some((*name).to_owned())).collect());
        for (line, expected) in [
            ("0.0.0.0 Ads.example", names(&["ads.example"])),
            ("127.0.0.1\tads.example  b.example # both", names(&["ads.example", "b.example"])),
            ("::1 ads.example#why", names(&["ads.example"])),
            (":: ip6-ads.example", names(&["ip6-ads.example"])),
            ("127.0.0.1 localhost LOCALHOST.localdomain local", names(&[])),
            ("::1 ip6-localhost ip6-loopback", names(&[])),
            ("0.0.0.0 0.0.0.0", names(&[])),
            ("0.0.0.0 a.example com", Ok(vec![Some("a.example".into()), None])),
            ("255.255.255.255 broadcasthost", Err(false)),
            ("fe80::1%lo0 localhost", Err(false)),
            ("ff02::1 ip6-allnodes", Err(false)),
            ("0.0.0.0 # nobody", Err(false)),
            ("192.0.2.7 intranet.example", Err(true)),
            ("address=/ads.example/0.0.0.0 x", Err(true)),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn of_rules_those_are_understood_that_mean_whole_names() {
        for (line, expected) in [
            ("||Ads.example^", name("ads.example")),
            ("@@||good.example^", Line::Except("good.example".into())),
            ("||192.0.2.1^", Line::Nothing),
            ("[Adblock Plus 2.0]", Line::Nothing),
            ("||ads.example", Line::Bad),
            ("||ads.example^$third-party", Line::Bad),
            ("@@||good.example^$important", Line::Bad),
            ("@@good.example", Line::Bad),
            ("||ads.example/path^", Line::Bad),
            ("||*.ads.example^", Line::Bad),
            ("||ads*.example^", Line::Bad),
            ("|https://ads.example^", Line::Bad),
            ("||com^", Line::Bad),
            ("/ads[0-9]+/", Line::Bad),
            ("ads.example##.banner", Line::Bad),
            ("ads.example#@#.banner", Line::Bad),
            ("ads.example$$script", Line::Bad),
            ("[$path=/x]example.org##.ad", Line::Bad),
        ] {
            assert_eq!(file(&[line]), [expected], "{line}");
        }
    }

    #[test]
    fn where_a_line_does_not_tell_the_first_that_did_decides() {
        let rules = ["! Title", "||ads.example^", "bare.example", "##.banner", "#?#div", "# said", "0.0.0.0 a.example"];
        let expected = [
            Line::Nothing,
            name("ads.example"),
            Line::Bad,
            Line::Bad,
            Line::Bad,
            Line::Nothing,
            Line::Hosts("a.example"),
        ];
        assert_eq!(file(&rules), expected);
        let names = ["## Title ##", "bare.example", "||ads.example^", "other.example"];
        assert_eq!(file(&names), [Line::Nothing, name("bare.example"), name("ads.example"), name("other.example")]);
    }

    proptest! {
        #[test]
        fn any_line_is_read_and_what_is_a_name_stays_as_it_is(line in ".{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            for line in [line.as_bytes(), &bytes, &[b"||", line.as_bytes(), b"^"].concat(), &[b"0.0.0.0 ", line.as_bytes()].concat()] {
                let names: Vec<String> = match read(line, &mut Form::default()) {
                    Line::Name(name) | Line::Except(name) => vec![name.into_owned()],
                    Line::Hosts(names) => hosts(names).flatten().map(Cow::into_owned).collect(),
                    Line::Nothing | Line::Bad => vec![],
                };
                for name in names {
                    prop_assert_eq!(folded(&name), Folded::Name(name.as_str().into()));
                }
            }
        }
    }
}
