//! What a running pilot holds: the coordinator, the schools with their boxes and lines, and what has been counted.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
};

use anyhow::Context as _;
use preau_shared::{ids::Uai, time::Clock};
use serde_json::{Value, json};

use super::{child::Supervised, folder::Folder, machine::Machine, record::Record, relay::Wan};
use crate::{
    coordinator::{BadgeLine, Coordinator},
    out::Reader,
};

/// The coordinator's process and addresses.
pub(super) struct Cloud {
    pub(super) process: Supervised,
    pub(super) api: Coordinator,
    pub(super) url: String,
    pub(super) mqtt: SocketAddr,
    pub(super) dns_tls: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) ca_file: PathBuf,
    pub(super) token_file: PathBuf,
    pub(super) password_file: PathBuf,
}

/// A school with its box.
pub(super) struct School {
    pub(super) uai: Uai,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) process: Supervised,
    pub(super) machine: Machine,
    pub(super) url: String,
    pub(super) dns: SocketAddr,
    pub(super) dns_tls: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) wan: Wan,
    pub(super) ca_file: PathBuf,
    pub(super) code_file: PathBuf,
    pub(super) enrolment_code: String,
    pub(super) badges_file: PathBuf,
    /// Everybody's badges; the pilot knows them only because it asked for them itself.
    pub(super) badges: Vec<BadgeLine>,
    /// Class whose pupils no virtual tablet ever signs in: it is the visitor's.
    pub(super) spared_class: Option<String>,
    /// What was counted at this school.
    pub(super) counted: Mutex<Record>,
}

/// A running pilot.
pub(super) struct Stage {
    pub(super) folder: Folder,
    pub(super) reader: Reader,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cloud: Cloud,
    pub(super) schools: Vec<School>,
    /// Processes killed on purpose.
    pub(super) kills: AtomicU32,
}

impl School {
    /// What was counted at this school. Never held across a wait.
    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> Value {
        json!({
            "uai": self.uai,
            "name": self.name,
            "slug": self.slug,
            "box": {
                "url": self.url,
                "ca_file": self.ca_file,
                "dns": self.dns,
                "dot": self.dns_tls,
                "metrics": format!("http://{}/metrics", self.admin),
            },
            "enrolment_code": self.enrolment_code,
            "badges_file": self.badges_file,
        })
    }
}

impl Stage {
    /// The school of that UAI or slug.
    pub(super) fn school(&self, word: &str) -> anyhow::Result<&School> {
        let known = || self.schools.iter().map(|s| format!("{} ({})", s.uai, s.slug)).collect::<Vec<_>>().join(", ");
        let found = self.schools.iter().find(|s| s.uai.as_str().eq_ignore_ascii_case(word) || s.slug == word);
        found.with_context(|| format!("no school {word} here; there are {}", known()))
    }

    /// The first line of `--json` (ARCHITECTURE §5.1).
    pub(super) fn ready(&self) -> Value {
        json!({
            "event": "ready",
            "cloud": {
                "url": self.cloud.url,
                "ca_file": self.cloud.ca_file,
                "admin": {
                    "user": super::ADMIN_USER,
                    "password_file": self.cloud.password_file,
                    "token_file": self.cloud.token_file,
                },
                "mqtt": self.cloud.mqtt,
                "dot": self.cloud.dns_tls,
                "metrics": format!("http://{}/metrics", self.cloud.admin),
            },
            "schools": self.schools.iter().map(School::ready).collect::<Vec<_>>(),
        })
    }

    /// The same for a person: where to look, with what in hand, and how to cut the line.
    pub(super) fn welcome(&self) -> String {
        let password = std::fs::read_to_string(&self.cloud.password_file).unwrap_or_default();
        let mut text = format!(
            "\nThe pilot is at work in {dir}\n\n  DSI page      {url}/   user {user}, password {password}\n  \
             authority     {ca} (let your browser trust it, or accept its warning)\n",
            dir = self.folder.path().display(),
            url = self.cloud.url,
            user = super::ADMIN_USER,
            password = password.trim(),
            ca = self.cloud.ca_file.display(),
        );
        for school in &self.schools {
            text += &format!(
                "\n{name} · {uai}\n  tablet page   {url}/tablette\n  teacher page  {url}/enseignant\n  enrolment     {code}\n  badges        {badges}\n",
                name = school.name,
                uai = school.uai,
                url = school.url,
                code = school.enrolment_code,
                badges = school.badges_file.display(),
            );
            if let Some(teacher) =
                school.badges.iter().find(|b| b.role == "teacher" && Some(&b.class) == school.spared_class.as_ref())
            {
                text += &format!(
                    "  a teacher     {} ({}): badge {}, PIN {}\n",
                    teacher.given_name, teacher.class, teacher.payload, teacher.second_factor
                );
            }
            if let Some(class) = &school.spared_class
                && let Some(pupil) = school.badges.iter().find(|b| b.role == "pupil" && &b.class == class)
            {
                text += &format!(
                    "  a pupil       {} ({class}): badge {}\n  The virtual tablets leave {class} to you.\n",
                    pupil.given_name, pupil.payload
                );
            }
        }
        let example = self.schools.first().map_or("SCHOOL", |s| s.slug.as_str());
        let dir = self.folder.path().display();
        text += &format!(
            "\nIn another terminal:\n  preau pilot wan down {example} --dir {dir}     cut the Internet of a school\n  \
             preau pilot wan up {example} --dir {dir}       give it back\n  \
             preau pilot kill box {example} --dir {dir}     kill -9 its box\n  \
             preau pilot status --dir {dir}\n\nCtrl-C ends it.\n"
        );
        text
    }
}
