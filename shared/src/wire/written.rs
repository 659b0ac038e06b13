//! What is the same for everybody of a class is written out as JSON once, and not at every sign-in.

use std::{ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::{RawValue, to_raw_value};

/// A value with its JSON. Cheap to clone.
#[derive(Debug)]
pub struct Written<T>(Arc<(T, Box<RawValue>)>);

impl<T: Serialize> Written<T> {
    /// With its JSON made now.
    ///
    /// # Errors
    /// When the JSON cannot be made.
    pub fn of(value: T) -> Result<Self, serde_json::Error> {
        let json = to_raw_value(&value)?;
        Ok(Self(Arc::new((value, json))))
    }
}

impl<T> Deref for Written<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Clone for Written<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: PartialEq> PartialEq for Written<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Written<T> {}

/// In JSON only.
impl<T> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.1.serialize(serializer)
    }
}

impl<'de, T: Serialize + Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(T::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Shortcut, *};

    #[test]
    fn it_is_json_like_any_other() {
        let two = ["un", "deux"].map(|title| Shortcut {
            title: title.into(),
            url: "https://exemple.fr/\"<é>".into(),
            icon: "book".into(),
        });
        for items in [Vec::new(), two.to_vec()] {
            let plain = serde_json::to_string(&items).expect("json");
            let written = Written::of(items.clone()).expect("json");
            assert_eq!(serde_json::to_string(&written).expect("json"), plain);
            assert_eq!(*written, *items);
            assert_eq!(serde_json::from_str::<Written<Vec<Shortcut>>>(&plain).expect("read"), written);
            assert_eq!(serde_json::to_value(&written).expect("value"), serde_json::to_value(&items).expect("value"));
        }
    }
}
