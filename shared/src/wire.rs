//! Bodies of the HTTP contracts between tablet, box and coordinator (ARCHITECTURE §5.2, §5.3), and the MQTT topics.
//!
//! These types are promises: members are added, never renamed. Domain types convert to and from them at the door.

mod agent;
mod charter;
mod claim;
pub mod locker;
mod staff;
mod status;
mod topic;
mod unplugged;
mod work;
mod written;

use serde::{Deserialize, Serialize};

pub use self::{
    agent::{AgentBound, AgentSelf, BindAgent},
    charter::{CharterShown, CharterToTell, CharterUnderstood},
    claim::{Claim, ClaimAnswer, ClaimGrant},
    staff::{
        Alert, Calling, ClassLine, ClassView, EnrolmentWindow, LetIn, LetInDone, LevelFactor, PupilLine, Seat,
        StaffOpened, StaffSignIn, TabletLine, TabletOwner,
    },
    status::{BoxStatus, SchoolStatus, SyncState, TabletCounts, VoidApplied, VoidAtBox},
    topic::{Direction, Topic, is_slug},
    unplugged::{MAX_DOCUMENTS, MAX_STAYS_TOLD, ToldStay, ToldStays, UnpluggedCode, UnpluggedKit},
    work::{Delivery, Work, WorkKept, Works},
    written::Written,
};
use crate::{
    ids::{CaseId, ClassId, FilterId, PersonId, SessionHostId, SessionId, TabletId, WipeId},
    keys::dpop::Jwk,
    messages::Lang,
    settings::{Settings, TextSize},
};

/// Largest JSON body that the box and the coordinator read, in bytes, unless a route says otherwise.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Largest MQTT packet, in bytes.
pub const MAX_PACKET_BYTES: usize = 1024 * 1024;

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
    /// The name under which it asks the filter: `/dns-query/{filter_id}` and `{filter_id}.` before the box's name.
    pub filter_id: FilterId,
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
    /// Steps that an adult is to look at, where the page did its half of the wipe and the tablet's agent did not do its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<String>,
    /// Whose it is, while it is free, in a school of one account per tablet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonView>,
    /// Classes whose guests may sit down now, while it is free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<GuestClass>,
    /// Number of the code for a time without the box: the tablet fetches its kit anew when it is another one than it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplugged: Option<u32>,
    /// Frames may be sent to the box where the page cannot read them (`POST /api/v1/frames`).
    #[serde(default)]
    pub frames_on_box: bool,
    /// The name under which it asks the filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_id: Option<FilterId>,
}

/// Answer to `POST /api/v1/tablets/{id}/filter-id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterName {
    /// The name under which the tablet asks the filter from now on.
    pub filter_id: FilterId,
}

/// `POST /api/v1/frames`: what the codes in a frame say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRead {
    /// Badges of ours, as [`SignIn`] takes them.
    pub badges: Vec<String>,
    /// Codes of others, as a tablet says them ([`crate::badge::ForeignCode`]): their text goes nowhere.
    pub others: Vec<String>,
}

/// A class that an adult opened to guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestClass {
    /// Which.
    pub class_id: ClassId,
    /// Its label.
    pub name: String,
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
    pub apps: Written<Vec<Shortcut>>,
    /// Links.
    pub links: Written<Vec<Shortcut>>,
    /// Documents of the class.
    pub documents: Written<Vec<Shortcut>>,
    /// The filter's policy, by name and blocked categories.
    pub policy: Written<PolicyView>,
    /// Language of the screen.
    pub lang: String,
    /// How the screen suits them.
    #[serde(default)]
    pub settings: ScreenSettings,
    /// The classes of a pupil who is in several; empty for everybody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassChoice>,
    /// The one that she works with in this session; absent until she, or a lesson, says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_id: Option<ClassId>,
    /// A code that the pupil is to choose first: `pictures` or `digits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choose_code: Option<String>,
    /// The teacher silenced the class.
    #[serde(default)]
    pub quiet: bool,
    /// The school's charter, where it is still to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charter: Option<CharterToTell>,
}

/// A class as a pupil of several finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassChoice {
    /// Which.
    pub class_id: ClassId,
    /// Its label.
    pub name: String,
    /// Name of the icon by which a child who does not read knows it.
    pub picture: String,
    /// Who teaches it, if anybody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PersonView>,
}

/// `PUT /api/v1/sessions/current/class`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorksWith {
    /// The class.
    pub class_id: ClassId,
}

/// `PUT /api/v1/sessions/current/settings`, and what an environment says: how the screen suits somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenSettings {
    /// Language; absent for the tablet's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Size of letters: `normal`, `large` or `largest`.
    pub text: String,
    /// Strong contrasts.
    pub contrast: bool,
    /// Whether things may move.
    pub motion: bool,
    /// Whether things may sound.
    pub sound: bool,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Settings::default().into()
    }
}

impl From<Settings> for ScreenSettings {
    fn from(settings: Settings) -> Self {
        Self {
            lang: settings.lang.map(|lang| lang.tag().to_owned()),
            text: settings.text.as_str().to_owned(),
            contrast: settings.contrast,
            motion: !settings.still,
            sound: !settings.mute,
        }
    }
}

impl ScreenSettings {
    /// What they mean; none when a word is not one of ours.
    pub fn meant(&self) -> Option<Settings> {
        let lang = match &self.lang {
            Some(tag) => Some(Lang::from_tag(tag)?),
            None => None,
        };
        let text = TextSize::from_word(&self.text)?;
        Some(Settings { lang, text, contrast: self.contrast, still: !self.motion, mute: !self.sound })
    }
}

/// A policy as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// Block-list categories that it refuses.
    pub blocked: Vec<String>,
}

/// How the host name of a session begins; its random number follows.
pub const SESSION_HOST: &str = "s-";

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
    /// Its own host is `s-<this>.` before the box's name; absent while the disk fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<SessionHostId>,
}

/// Answer to a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Beat {
    /// Without another one for so long, the session ends.
    pub expires_in_s: u32,
}

/// `PUT /api/v1/sessions/current/code`: the pupil's new second factor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewCode {
    /// Digits, or picture names joined by `-`.
    pub code: String,
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
