//! What teachers and the head ask of the box, and what they are told (ARCHITECTURE §5.2).

use serde::{Deserialize, Serialize};

use super::{PersonView, Role, TabletState};
use crate::ids::{BadgeId, ClassId, PersonId, SessionId, TabletId};

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
    /// With an activation code: the secret that she chooses.
    #[serde(default)]
    pub new_secret: Option<String>,
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
    /// For how long guests may still sit down, in seconds; none while it is closed to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests_for_s: Option<u64>,
    /// What an adult should hear of.
    #[serde(default)]
    pub alerts: Vec<Alert>,
    /// Whether each tablet is one pupil's here (*un compte par tablette*).
    #[serde(default)]
    pub own_tablets: bool,
    /// Whether its tablets are silent.
    #[serde(default)]
    pub quiet: bool,
}

/// Something odd of late.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Alert {
    /// A badge was used at two tablets within minutes.
    BadgeTwice {
        /// Whose.
        given_name: String,
        /// Where first.
        from: String,
        /// Where then.
        to: String,
        /// How long ago, in seconds.
        ago_s: u64,
    },
    /// Many sign-ins were refused at a tablet.
    ManyRefusals {
        /// Where.
        tablet: String,
        /// How many within five minutes.
        count: u32,
    },
    /// A tablet read a QR code of another system, and nobody has said whose it is.
    UnknownCode {
        /// Where.
        tablet_id: TabletId,
        /// What is written on it.
        tablet: String,
    },
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
    /// Where she waits for an adult, after a second factor that was wrong twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calling: Option<Calling>,
    /// No roster names her yet: who put her on the list may take her off again.
    #[serde(default)]
    pub provisional: bool,
}

/// A pupil who waits for an adult at a tablet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Calling {
    /// At which tablet.
    pub tablet_id: TabletId,
    /// What is written on it.
    pub tablet_name: String,
    /// For how long, in seconds.
    pub for_s: u64,
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
    /// Whose it is, in a school of one account per tablet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonView>,
    /// What the program is called that clears it together with its page, if one is bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// `PUT /api/v1/tablets/{id}/owner`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TabletOwner {
    /// The pupil whose it becomes.
    pub person_id: PersonId,
}

/// `POST /api/v1/classes/{id}/let-in`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LetIn {
    /// Who forgot the badge.
    pub person_id: PersonId,
    /// Which free tablet.
    pub tablet_id: TabletId,
    /// She chooses a new code there, with the adult beside her.
    #[serde(default)]
    pub new_code: bool,
}

/// What pupils of a level are asked for besides their badge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelFactor {
    /// *Niveau.*
    pub level: String,
    /// `none`, `pictures` or `digits`.
    pub factor: String,
    /// How many pupils have this level.
    #[serde(default)]
    pub pupils: u32,
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
