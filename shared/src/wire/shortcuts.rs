//! Shortcuts as a shelf holds them: the same for everybody of a class, so that they are written out as JSON once and not at
//! every sign-in.

use std::{ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::{RawValue, to_raw_value};

use super::Shortcut;

/// A list of shortcuts with its JSON. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shortcuts(Option<Arc<Written>>);

#[derive(Debug)]
struct Written {
    items: Vec<Shortcut>,
    json: Box<RawValue>,
}

impl Shortcuts {
    /// With its JSON made now.
    ///
    /// # Errors
    /// When the JSON cannot be made.
    pub fn of(items: Vec<Shortcut>) -> Result<Self, serde_json::Error> {
        if items.is_empty() {
            return Ok(Self(None));
        }
        let json = to_raw_value(&items)?;
        Ok(Self(Some(Arc::new(Written { items, json }))))
    }
}

impl Deref for Shortcuts {
    type Target = [Shortcut];
    fn deref(&self) -> &[Shortcut] {
        self.0.as_ref().map_or(&[], |written| &written.items)
    }
}

impl PartialEq for Shortcuts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Shortcuts {}

/// An array, in JSON only.
impl Serialize for Shortcuts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(written) => written.json.serialize(serializer),
            None => serializer.collect_seq::<[Shortcut; 0]>([]),
        }
    }
}

impl<'de> Deserialize<'de> for Shortcuts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_an_array_like_any_other() {
        let two = ["un", "deux"].map(|title| Shortcut {
            title: title.into(),
            url: "https://exemple.fr/\"<é>".into(),
            icon: "book".into(),
        });
        for items in [Vec::new(), two.to_vec()] {
            let plain = serde_json::to_string(&items).expect("json");
            let written = Shortcuts::of(items.clone()).expect("json");
            assert_eq!(serde_json::to_string(&written).expect("json"), plain);
            assert_eq!(*written, *items);
            assert_eq!(serde_json::from_str::<Shortcuts>(&plain).expect("read"), written);
            assert_eq!(serde_json::to_value(&written).expect("value"), serde_json::to_value(&items).expect("value"));
        }
    }
}
