//! Bodies of the HTTP contracts between tablet, box and coordinator (ARCHITECTURE §5.2, §5.3), and the MQTT topics.
//!
//! These types are promises: members are added, never renamed. Domain types convert to and from them at the door.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{BadgeId, BoxId, CaseId, ClaimId, ClassId, PersonId, SessionId, TabletId, Uai, WipeId},
    keys::dpop::Jwk,
    time::ClockQuality,
};

/// Largest JSON body that the box and the coordinator read, in bytes, unless a route says otherwise.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Largest MQTT packet, in bytes.
pub const MAX_PACKET_BYTES: usize = 1024 * 1024;

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
        let direction = match self.direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Presence => "presence",
        };
        write!(f, "preau/1/{}/{}/{}/{direction}", self.territory, self.uai, self.box_id)
    }
}

/// Whether a text may stand in a topic or a host name: 1 to 40 of `a-z`, `0-9` and `-`.
pub fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Where a tablet stands in its life (ARCHITECTURE §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TabletState {
    /// Never seen.
    Unknown,
    /// Being cleared; nobody may sign in.
    Wiping,
    /// Ready for the next child.
    Free,
    /// Somebody is signed in.
    InUse,
    /// Reported lost.
    Lost,
    /// Lent outside the school.
    Outing,
    /// Out of service for good.
    Retired,
}

impl TabletState {
    /// The word of the contract, also what the store keeps.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Wiping => "wiping",
            Self::Free => "free",
            Self::InUse => "in_use",
            Self::Lost => "lost",
            Self::Outing => "outing",
            Self::Retired => "retired",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Unknown, Self::Wiping, Self::Free, Self::InUse, Self::Lost, Self::Outing, Self::Retired]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// `POST /api/v1/tablets`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrol {
    /// The enrolment code that an adult opened.
    pub code: String,
    /// What is written on the tablet.
    pub name: String,
    /// Maker's model.
    #[serde(default)]
    pub model: Option<String>,
    /// Serial number; a known one is a re-enrolment of that tablet.
    #[serde(default)]
    pub serial: Option<String>,
    /// The charging case it belongs to, if known.
    #[serde(default)]
    pub case_id: Option<CaseId>,
    /// Steps of a wipe that it can do (a web page reaches no downloads; an agent of the tablet does). Absent: all.
    #[serde(default)]
    pub capabilities: Option<Vec<String>>,
    /// Public half of the key that never leaves the tablet.
    pub key: Jwk,
}

/// Answer to [`Enrol`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolled {
    /// For life.
    pub tablet_id: TabletId,
    /// The tablet token.
    pub token: String,
    /// Always `wiping`.
    pub state: TabletState,
    /// The first wipe: its receipt frees the tablet.
    pub wipe_id: WipeId,
    /// What it must do.
    pub steps: Vec<WipeStep>,
}

/// One step of a wipe, by its stable name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeStep {
    /// `pages`, `storage`, `downloads`, `clipboard`, …
    pub name: String,
}

/// A wipe that a tablet owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeOrder {
    /// Which.
    pub wipe_id: WipeId,
    /// What it must do.
    pub steps: Vec<WipeStep>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Done.
    Done,
    /// Tried and failed.
    Failed,
    /// This tablet cannot do it.
    Unsupported,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// `POST /api/v1/wipes/{wipe_id}/receipt`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Every step of the order, each once.
    pub steps: Vec<StepReport>,
}

/// `GET /api/v1/tablets/me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TabletSelf {
    /// This tablet.
    pub tablet_id: TabletId,
    /// What is written on it.
    pub name: String,
    /// Where it stands.
    pub state: TabletState,
    /// The school's name, for the screen.
    pub school: String,
    /// How often to beat, in seconds.
    pub heartbeat_s: u32,
    /// A session that an adult opened for it (*let in*), or the running one; the token comes once, for the former.
    pub session: Option<SessionOpened>,
    /// The wipe it owes, if any.
    pub wipe: Option<WipeOrder>,
}

/// `POST /api/v1/sessions`. Exactly one way in is filled.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SignIn {
    /// One badge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<String>,
    /// Two or three badges on one tablet (*binôme*).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badges: Option<Vec<String>>,
    /// A floating account's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A guest of this class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<ClassId>,
    /// Digits, or picture names joined by `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<String>,
}

/// Who sits at the tablet, as the tablet shows it: no family name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonView {
    /// Who.
    pub person_id: PersonId,
    /// Given name.
    pub given_name: String,
    /// The animal that a pre-reader looks for.
    pub animal: String,
    /// `CP`, `CE1`, …
    pub level: String,
}

/// An application or a link of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortcut {
    /// Its name on the screen.
    pub title: String,
    /// Where it leads.
    pub url: String,
    /// An icon's name.
    pub icon: String,
}

/// What any tablet becomes for this person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Applications.
    pub apps: Vec<Shortcut>,
    /// Links.
    pub links: Vec<Shortcut>,
    /// Documents of the class.
    pub documents: Vec<Shortcut>,
    /// The filter's policy, by name and blocked categories.
    pub policy: PolicyView,
    /// Language of the screen.
    pub lang: String,
}

/// A policy as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// Block-list categories that it refuses.
    pub blocked: Vec<String>,
}

/// Answer to [`SignIn`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// Which session.
    pub session_id: SessionId,
    /// The session token; absent where it was handed over before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The first (or only) person.
    pub person: PersonView,
    /// Everybody on the tablet.
    pub people: Vec<PersonView>,
    /// Their environment.
    pub environment: Environment,
    /// Without a heartbeat for so long, the session ends.
    pub expires_in_s: u32,
    /// Whether it is on disk (false only while the disk fails).
    pub recorded: bool,
}

/// Answer to a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Beat {
    /// Without another one for so long, the session ends.
    pub expires_in_s: u32,
}

/// `POST /api/v1/staff/session`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StaffSignIn {
    /// A badge …
    #[serde(default)]
    pub badge: Option<String>,
    /// … with its PIN,
    #[serde(default)]
    pub second_factor: Option<String>,
    /// or an account …
    #[serde(default)]
    pub account: Option<String>,
    /// … with its password.
    #[serde(default)]
    pub password: Option<String>,
}

/// A person's part in a school.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// *Élève.*
    Pupil,
    /// *Enseignant.*
    Teacher,
    /// *Directeur, directrice.*
    Head,
}

impl Role {
    /// The word of the contract and of the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pupil => "pupil",
            Self::Teacher => "teacher",
            Self::Head => "head",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pupil, Self::Teacher, Self::Head].into_iter().find(|r| r.as_str() == word)
    }
}

/// Answer to [`StaffSignIn`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StaffOpened {
    /// Who.
    pub person_id: PersonId,
    /// As written on the page's head.
    pub given_name: String,
    /// Teacher or head.
    pub role: Role,
}

/// One line of `GET /api/v1/classes`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClassLine {
    /// Which class.
    pub class_id: ClassId,
    /// Its label.
    pub name: String,
    /// How many pupils.
    pub pupils: u32,
    /// How many of them sit at a tablet.
    pub signed_in: u32,
}

/// `GET /api/v1/classes/{id}`: who is on which tablet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClassView {
    /// Which class.
    pub class_id: ClassId,
    /// Its label.
    pub name: String,
    /// Its pupils, by given name.
    pub pupils: Vec<PupilLine>,
    /// The school's tablets, by name.
    pub tablets: Vec<TabletLine>,
}

/// One pupil of a class.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PupilLine {
    /// Who, as on the tablet.
    #[serde(flatten)]
    pub person: PersonView,
    /// The valid badges.
    pub badges: Vec<BadgeId>,
    /// Where she sits, if she does.
    pub session: Option<Seat>,
}

/// A live session as the teacher sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seat {
    /// Which session.
    pub session_id: SessionId,
    /// On which tablet.
    pub tablet_id: TabletId,
    /// What is written on it.
    pub tablet_name: String,
    /// For how long, in seconds.
    pub for_s: u64,
}

/// One tablet of the school.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TabletLine {
    /// Which tablet.
    pub tablet_id: TabletId,
    /// What is written on it.
    pub name: String,
    /// Where it stands.
    pub state: TabletState,
    /// Steps of its wipe that were not confirmed.
    pub unconfirmed: Vec<String>,
}

/// `POST /api/v1/classes/{id}/let-in`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LetIn {
    /// Who forgot the badge.
    pub person_id: PersonId,
    /// Which free tablet.
    pub tablet_id: TabletId,
}

/// Answer to [`LetIn`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LetInDone {
    /// The session that the tablet picks up.
    pub session_id: SessionId,
}

/// Answer to `POST /api/v1/enrolment-window`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolmentWindow {
    /// What the adult reads out.
    pub code: String,
    /// Closes by itself after so long.
    pub closes_in_s: u64,
    /// So many tablets may still come.
    pub tablets_left: u32,
}

/// State of a school or of a box, worst first is what counts (ARCHITECTURE §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// No box of it ever spoke.
    NeverSeen,
    /// Out of contact.
    Offline,
    /// Needs a person.
    Attention,
    /// Its oldest unacknowledged entry is older than 10 s, or a snapshot runs.
    CatchingUp,
    /// All well.
    InSync,
}

/// Tablets of a school, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TabletCounts {
    /// Enrolled.
    pub total: u32,
    /// Somebody is signed in.
    pub in_use: u32,
    /// Being cleared.
    pub wiping: u32,
    /// Reported lost.
    pub lost: u32,
}

/// One box on the DSI's page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Which box.
    pub box_id: BoxId,
    /// Its own state.
    pub state: SyncState,
    /// Since its last verified message.
    pub last_contact_age_s: Option<u64>,
    /// Until its certificate ends.
    pub certificate_days_left: Option<i64>,
    /// What it runs.
    pub version: Option<String>,
}

/// One school of `GET /api/v1/schools`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SchoolStatus {
    /// National number.
    pub uai: Uai,
    /// Name.
    pub name: String,
    /// The first state that applies.
    pub state: SyncState,
    /// Since the last verified message of any of its boxes.
    pub last_contact_age_s: Option<u64>,
    /// Entries its boxes hold that the coordinator has not acknowledged; null out of contact.
    pub unsynced_entries: Option<u64>,
    /// The same, as it was at the last contact.
    pub unsynced_at_last_contact: Option<u64>,
    /// Files that stand on one disk only.
    pub unsynced_files: u64,
    /// Age of the oldest unacknowledged entry at last contact.
    pub oldest_unsynced_age_s: Option<u64>,
    /// Commit to acknowledgement of the last entry, timed by the box, in seconds.
    pub lag_s: Option<f64>,
    /// In words, with its remedy.
    pub last_error: Option<String>,
    /// How far the box trusts its clock.
    pub clock: Option<ClockQuality>,
    /// What the box runs.
    pub version: Option<String>,
    /// Each box.
    pub boxes: Vec<BoxStatus>,
    /// Tablets, counted.
    pub tablets: TabletCounts,
    /// People signed in.
    pub signed_in: u32,
    /// Version of the block list in use.
    pub blocklist_version: Option<String>,
    /// Entries of this school that the coordinator holds.
    pub entries: u64,
}

/// `POST /api/v1/badges/{badge_id}/void` at the coordinator: where it is applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VoidApplied {
    /// One line a box.
    pub boxes: Vec<VoidAtBox>,
}

/// Whether a box knows of the void.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VoidAtBox {
    /// Which box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Since when it acknowledged; null while it has not.
    pub applied_at_age_s: Option<u64>,
}

/// `POST /api/v1/claims`: a box asks to join. Sent again with the same keys until it is granted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// The single-use code.
    pub code: String,
    /// Ed25519 public key that will sign runs, hexadecimal.
    pub signing_key: String,
    /// Certificate request for MQTT (PKCS#10, PEM).
    pub mqtt_request: String,
    /// Certificate request for the local network (PKCS#10, PEM).
    pub lan_request: String,
}

/// Answer to [`Claim`]: 202 with words only, then 200 with the grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// Which claim.
    pub claim_id: ClaimId,
    /// The three words shown on both sides.
    pub words: [String; 3],
    /// Present once somebody confirmed the words.
    pub grant: Option<ClaimGrant>,
}

/// All that a box needs to live. Secret: it is written to files of mode 0600 and never logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClaimGrant {
    /// The box's name.
    pub box_id: BoxId,
    /// Its school.
    pub uai: Uai,
    /// The school's name.
    pub school_name: String,
    /// Short name for host names.
    pub slug: String,
    /// The territory's slug, as in topics.
    pub territory: String,
    /// PEM chain for MQTT.
    pub mqtt_certificate: String,
    /// PEM chain for the local network.
    pub lan_certificate: String,
    /// PEM of the territory authority, to pin.
    pub authority: String,
    /// The coordinator's replica name (a box id of its own).
    pub coordinator_id: BoxId,
    /// Ed25519 public key of the coordinator's writer, hexadecimal.
    pub writer_key: String,
    /// Territory badge key, hexadecimal.
    pub badge_key: String,
    /// `host:port` of the broker.
    pub mqtt: String,
    /// MQTT keep-alive, in seconds.
    pub keep_alive_s: u16,
}

impl std::fmt::Debug for ClaimGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClaimGrant(box {} of {})", self.box_id, self.uai)
    }
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
