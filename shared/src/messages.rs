//! Every sentence a person reads, French first, English second, from `messages/{fr,en}.ftl` (Project Fluent).

use std::{borrow::Cow, fmt};

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::refusal::Refusal;

const FR: &str = include_str!("messages/fr.ftl");
const EN: &str = include_str!("messages/en.ftl");

/// A language of the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Lang {
    /// The language asked for by an `Accept-Language` header (RFC 9110 §12.5.4): the first that we speak.
    pub fn asked(header: &str) -> Self {
        header
            .split(',')
            .find_map(|part| match part.trim().get(..2)?.to_ascii_lowercase().as_str() {
                "fr" => Some(Self::Fr),
                "en" => Some(Self::En),
                _ => None,
            })
            .unwrap_or_default()
    }
    /// Reads a tag back.
    pub fn from_tag(tag: &str) -> Option<Self> {
        [Self::Fr, Self::En].into_iter().find(|lang| lang.tag() == tag)
    }
    /// The tag for `lang="…"`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }
}

/// The two catalogues, parsed.
pub struct Catalogue {
    fr: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Catalogue")
    }
}

impl Catalogue {
    /// Parses both catalogues. A line that is wrong is left out (a test finds it), so that a box starts all the same.
    pub fn load() -> Self {
        Self { fr: bundle(Lang::Fr, FR), en: bundle(Lang::En, EN) }
    }

    /// The sentence of `key`; the key itself when there is none.
    pub fn say<'k>(&self, lang: Lang, key: &'k str) -> Cow<'k, str> {
        self.say_with(lang, key, &[])
    }

    /// The sentence of `key` with its arguments filled in.
    pub fn say_with<'k>(&self, lang: Lang, key: &'k str, args: &[(&str, &str)]) -> Cow<'k, str> {
        let (message, attribute) = key.split_once('.').map_or((key, None), |(m, a)| (m, Some(a)));
        self.find(lang, message, attribute, args).map_or(Cow::Borrowed(key), Cow::Owned)
    }

    /// A refusal's sentence and its next step.
    pub fn refusal(&self, lang: Lang, refusal: Refusal) -> (String, String) {
        let key = format!("refusal-{}", refusal.code());
        let sentence = self.say(lang, &key).into_owned();
        (sentence, self.find(lang, &key, Some("next"), &[]).unwrap_or_default())
    }

    fn find(&self, lang: Lang, message: &str, attribute: Option<&str>, args: &[(&str, &str)]) -> Option<String> {
        let bundle = match lang {
            Lang::Fr => &self.fr,
            Lang::En => &self.en,
        };
        let message = bundle.get_message(message)?;
        let pattern = match attribute {
            None => message.value()?,
            Some(name) => message.get_attribute(name)?.value(),
        };
        let mut fluent = FluentArgs::new();
        for (name, value) in args {
            fluent.set(*name, *value);
        }
        Some(bundle.format_pattern(pattern, Some(&fluent), &mut Vec::new()).into_owned())
    }
}

fn bundle(lang: Lang, source: &str) -> FluentBundle<FluentResource> {
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, _)| partial);
    let lang: LanguageIdentifier = lang.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![lang]);
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(source: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = source
            .lines()
            .filter(|l| !l.starts_with(['#', ' ', '\t']))
            .filter_map(|l| l.split_once('=').map(|(k, _)| k.trim()))
            .collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn both_languages_say_the_same_things_once() {
        let (fr, en) = (keys(FR), keys(EN));
        assert_eq!(fr, en);
        assert!(fr.windows(2).all(|pair| pair[0] != pair[1]), "a key stands twice");
        for source in [FR, EN] {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "a line does not parse");
        }
    }

    #[test]
    fn the_first_language_that_we_speak_wins() {
        for (header, lang) in
            [("", Lang::Fr), ("de, en;q=0.8, fr;q=0.5", Lang::En), ("fr-FR", Lang::Fr), ("é", Lang::Fr)]
        {
            assert_eq!(Lang::asked(header), lang, "{header}");
        }
    }
}
