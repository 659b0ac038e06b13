//! MQTT topics (ARCHITECTURE §2.5).

use crate::ids::{BoxId, Uai};

/// Which way a topic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Box to coordinator.
    Up,
    /// Coordinator to box.
    Down,
    /// A hint that the box is there.
    Presence,
}

impl Direction {
    /// The last level of the topic.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Presence => "presence",
        }
    }
}

/// The topic `preau/1/<territory>/<uai>/<box>/<direction>` (ARCHITECTURE §2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The territory's slug.
    pub territory: String,
    /// The school.
    pub uai: Uai,
    /// The box, also its certificate's name.
    pub box_id: BoxId,
    /// Which way.
    pub direction: Direction,
}

impl Topic {
    /// Reads a topic name; `None` for every other text, wildcards included.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('/');
        if parts.next()? != "preau" || parts.next()? != "1" {
            return None;
        }
        let territory = parts.next().filter(|t| is_slug(t))?.to_owned();
        let uai = parts.next()?.parse().ok()?;
        let box_id = parts.next()?.parse().ok()?;
        let direction = match parts.next()? {
            "up" => Direction::Up,
            "down" => Direction::Down,
            "presence" => Direction::Presence,
            _ => return None,
        };
        parts.next().is_none().then_some(Self { territory, uai, box_id, direction })
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "preau/1/{}/{}/{}/{}", self.territory, self.uai, self.box_id, self.direction.word())
    }
}

/// Whether a text may stand in a topic or a host name: 1 to 40 of `a-z`, `0-9` and `-`.
pub fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_back_and_nothing_else_is_one() {
        let name = "preau/1/belfort/0900001A/000102030405060708090a0b0c0d0e0f/up";
        assert_eq!(Topic::parse(name).map(|t| t.to_string()).as_deref(), Some(name));
        for bad in [
            "",
            "#",
            "preau/1/+/0900001A/000102030405060708090a0b0c0d0e0f/up",
            &name.replace("up", "#"),
            &format!("{name}/x"),
        ] {
            assert_eq!(Topic::parse(bad), None, "{bad}");
        }
    }
}
