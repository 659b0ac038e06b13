//! Journals: what happened, as entries that are only ever appended (ARCHITECTURE §2.3).
//!
//! People are named by a random pseudonym. The encoding is postcard; variants and fields are appended, never changed.

use serde::{Deserialize, Serialize};

use crate::{
    documents::Writer,
    ids::{BadgeId, PersonId, SessionId, TabletId, WipeId},
};

/// Largest encoded entry, in bytes.
pub const MAX_ENTRY_BYTES: usize = 4 * 1024;
const VERSION: u8 = 1;

/// The only name of a person in a journal: 16 random bytes, kept in the person's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pseudonym(pub [u8; 16]);

/// How a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// One badge.
    Badge,
    /// Two or three badges on one tablet.
    Pair,
    /// Account and password.
    Account,
    /// A guest of a class.
    Guest,
    /// A teacher let the pupil in.
    LetIn,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The person signed out.
    Person,
    /// A member of staff ended it.
    Staff,
    /// The person signed in on another tablet.
    Elsewhere,
    /// No heartbeat for too long.
    Silent,
    /// The box started again and could not go on with it.
    Restart,
}

/// What freed a tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WipedBy {
    /// Its own receipt.
    Receipt,
    /// A member of staff who checked it.
    Checked(Pseudonym),
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CredentialKind {
    /// Digits of staff.
    Pin,
    /// A password of staff.
    Password,
    /// Pictures of a pupil; no longer written: what a pupil chose stands in her document.
    Pictures,
    /// Digits of a pupil; no longer written.
    Digits,
    /// Name and password of an account used on several tablets.
    Account,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A session was opened.
    SignIn {
        /// The session.
        session: SessionId,
        /// On which tablet.
        tablet: TabletId,
        /// By whom; nobody for a guest.
        people: Vec<Pseudonym>,
        /// How.
        how: How,
    },
    /// A session ended.
    SignOut {
        /// The session.
        session: SessionId,
        /// On which tablet.
        tablet: TabletId,
        /// Why.
        why: Why,
    },
    /// A tablet was cleared.
    Wiped {
        /// The clearing.
        wipe: WipeId,
        /// Of which tablet.
        tablet: TabletId,
        /// What said so.
        by: WipedBy,
    },
    /// A tablet was enrolled, or enrolled again.
    TabletEnrolled {
        /// Which.
        tablet: TabletId,
    },
    /// A badge was voided.
    BadgeVoided {
        /// Which.
        badge: BadgeId,
        /// By whom; nobody when a rule did it.
        by: Option<Pseudonym>,
    },
    /// A member of staff signed in at a page.
    StaffSignIn {
        /// Who.
        person: Pseudonym,
    },
    /// A credential, replaced whole; from the coordinator to the boxes.
    Credential {
        /// Whose.
        person: PersonId,
        /// Which.
        kind: CredentialKind,
        /// Its slow hash as a PHC string; empty takes the credential away.
        phc: String,
        /// The account's name; empty for what is not an account.
        login: String,
    },
    /// Something done by somebody that must be known later.
    Audit {
        /// A word or a short phrase, without names.
        what: String,
        /// By whom; nobody when a program did it.
        by: Option<Pseudonym>,
    },
    /// A sign-in was refused. Whose badge it was is not told: who is refused has done nothing.
    Refused {
        /// At which tablet.
        tablet: TabletId,
        /// The refusal's stable code.
        code: String,
    },
    /// A guest sat at a tablet while it had no box; told by the tablet when the box was back.
    Unplugged {
        /// The stay, by the name that the tablet drew.
        stay: SessionId,
        /// On which tablet.
        tablet: TabletId,
        /// How long it lasted, in seconds by the tablet's own count.
        lasted_s: u32,
        /// How long before it was told it began, in seconds; nobody knows after a restart of the tablet.
        began_ago_s: Option<u32>,
    },
    /// Somebody said that she understood the charter.
    TermsRead {
        /// Who.
        person: Pseudonym,
        /// Which words ([`crate::terms::Version`]).
        version: [u8; 8],
    },
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Larger than an entry may be.
    #[error("the entry is larger than {MAX_ENTRY_BYTES} bytes")]
    TooLarge,
    /// Of a version, or a kind, that this program does not know.
    #[error("the entry is newer than this program")]
    Version,
    /// Not an entry.
    #[error("the entry cannot be read")]
    Malformed,
}

impl Entry {
    /// The bytes of the entry: version, then postcard.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`] when a text in it is far too long.
    pub fn encode(&self) -> Result<Vec<u8>, JournalError> {
        let bytes = postcard::to_extend(self, vec![VERSION]).map_err(|_| JournalError::Malformed)?;
        if bytes.len() > MAX_ENTRY_BYTES { Err(JournalError::TooLarge) } else { Ok(bytes) }
    }

    /// Reads an entry. Looks at [`MAX_ENTRY_BYTES`] at most, and allocates a megabyte at most, whatever length they announce.
    ///
    /// # Errors
    /// [`JournalError`] says which way the bytes fail; never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(JournalError::TooLarge);
        }
        let (version, rest) = bytes.split_first().ok_or(JournalError::Malformed)?;
        if *version != VERSION {
            return Err(JournalError::Version);
        }
        let (entry, left) = postcard::take_from_bytes(rest).map_err(|_| JournalError::Malformed)?;
        if left.is_empty() { Ok(entry) } else { Err(JournalError::Malformed) }
    }

    /// The pseudonyms of all people that the entry names: for erasing. Of nobody else does it say anything, but for
    /// [`Self::credential_of`].
    pub fn pseudonyms(&self) -> Vec<Pseudonym> {
        match self {
            Self::SignIn { people, .. } => people.clone(),
            Self::Wiped { by: WipedBy::Checked(person), .. }
            | Self::StaffSignIn { person }
            | Self::TermsRead { person, .. } => {
                vec![*person]
            }
            Self::BadgeVoided { by, .. } | Self::Audit { by, .. } => by.iter().copied().collect(),
            Self::Wiped { by: WipedBy::Receipt, .. }
            | Self::SignOut { .. }
            | Self::TabletEnrolled { .. }
            | Self::Credential { .. }
            | Self::Refused { .. }
            | Self::Unplugged { .. } => Vec::new(),
        }
    }

    /// Whose credential the entry is, which names a person by identifier: for erasing.
    pub fn credential_of(&self) -> Option<PersonId> {
        match self {
            Self::Credential { person, .. } => Some(*person),
            Self::SignIn { .. }
            | Self::SignOut { .. }
            | Self::Wiped { .. }
            | Self::TabletEnrolled { .. }
            | Self::BadgeVoided { .. }
            | Self::StaffSignIn { .. }
            | Self::Audit { .. }
            | Self::Refused { .. }
            | Self::Unplugged { .. }
            | Self::TermsRead { .. } => None,
        }
    }

    /// Whether this writer may make this entry: credentials are the coordinator's.
    pub fn may_come_from(&self, writer: Writer) -> bool {
        match (writer, self) {
            (Writer::Coordinator, _) => true,
            (Writer::Box, Self::Credential { .. }) => false,
            (
                Writer::Box,
                Self::SignIn { .. }
                | Self::SignOut { .. }
                | Self::Wiped { .. }
                | Self::TabletEnrolled { .. }
                | Self::BadgeVoided { .. }
                | Self::StaffSignIn { .. }
                | Self::Audit { .. }
                | Self::Refused { .. }
                | Self::Unplugged { .. }
                | Self::TermsRead { .. },
            ) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let (session, tablet) = (SessionId::from_bytes([1; 16]), TabletId::from_bytes([2; 16]));
        let who = Pseudonym([3; 16]);
        for entry in [
            Entry::SignIn { session, tablet, people: vec![who, who], how: How::Pair },
            Entry::SignOut { session, tablet, why: Why::Silent },
            Entry::Wiped { wipe: WipeId::from_bytes([4; 16]), tablet, by: WipedBy::Checked(who) },
            Entry::TabletEnrolled { tablet },
            Entry::BadgeVoided { badge: BadgeId::from_bytes([5; 16]), by: None },
            Entry::StaffSignIn { person: who },
            Entry::Audit { what: "enrolment opened".into(), by: Some(who) },
            Entry::Unplugged { stay: session, tablet, lasted_s: u32::MAX, began_ago_s: None },
            Entry::TermsRead { person: who, version: [8; 8] },
        ] {
            assert_eq!(Entry::decode(&entry.encode().expect("encode")), Ok(entry.clone()));
            assert!(entry.may_come_from(Writer::Box));
        }
        let long = Entry::Audit { what: "x".repeat(MAX_ENTRY_BYTES), by: None };
        assert_eq!(long.encode(), Err(JournalError::TooLarge));
        assert_eq!(Entry::decode(&[]), Err(JournalError::Malformed));
        assert_eq!(Entry::decode(&[9, 0]), Err(JournalError::Version));
    }

    #[test]
    fn everybody_an_entry_names_is_told_for_erasing() {
        let (tablet, session) = (TabletId::from_bytes([2; 16]), SessionId::from_bytes([1; 16]));
        let (one, other, wipe) = (Pseudonym([3; 16]), Pseudonym([4; 16]), WipeId::from_bytes([7; 16]));
        let credential = Entry::Credential {
            person: PersonId::from_bytes([6; 16]),
            kind: CredentialKind::Pin,
            phc: String::new(),
            login: String::new(),
        };
        let badge = BadgeId::from_bytes([5; 16]);
        for (entry, named) in [
            (Entry::SignIn { session, tablet, people: vec![one, other], how: How::Pair }, vec![one, other]),
            (Entry::SignIn { session, tablet, people: vec![], how: How::Guest }, vec![]),
            (Entry::SignOut { session, tablet, why: Why::Person }, vec![]),
            (Entry::Wiped { wipe, tablet, by: WipedBy::Checked(one) }, vec![one]),
            (Entry::Wiped { wipe, tablet, by: WipedBy::Receipt }, vec![]),
            (Entry::TabletEnrolled { tablet }, vec![]),
            (Entry::BadgeVoided { badge, by: Some(one) }, vec![one]),
            (Entry::StaffSignIn { person: other }, vec![other]),
            (Entry::Audit { what: "enrolment opened".into(), by: Some(one) }, vec![one]),
            (Entry::Unplugged { stay: session, tablet, lasted_s: 60, began_ago_s: Some(90) }, vec![]),
            (Entry::TermsRead { person: one, version: [8; 8] }, vec![one]),
            (credential.clone(), vec![]),
        ] {
            // Whatever bytes of somebody an entry holds, it names them.
            let bytes = entry.encode().expect("encode");
            for who in [one, other] {
                let held = bytes.windows(16).any(|window| window == who.0);
                assert_eq!(held, named.contains(&who), "{entry:?}");
            }
            assert_eq!(entry.pseudonyms(), named);
            assert_eq!(entry.credential_of().is_some(), entry == credential);
        }
    }

    /// The encoding is a promise: bytes written by this version are read by every later one.
    #[test]
    fn the_encoding_does_not_change() {
        let entry = Entry::SignIn {
            session: SessionId::from_bytes([1; 16]),
            tablet: TabletId::from_bytes([2; 16]),
            people: vec![Pseudonym([3; 16])],
            how: How::LetIn,
        };
        let mut bytes = vec![1, 0];
        bytes.extend([1; 16]);
        bytes.extend([2; 16]);
        bytes.push(1);
        bytes.extend([3; 16]);
        bytes.push(4);
        assert_eq!(entry.encode(), Ok(bytes));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_bytes_never_panic(version in any::<bool>(), mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if version {
                bytes.insert(0, VERSION);
            }
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(Entry::decode(&entry.encode().expect("encode")), Ok(entry));
            }
        }
    }
}
