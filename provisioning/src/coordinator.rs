//! The coordinator's API (ARCHITECTURE §5.3), as the words of the command call it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use hyper::Method;
use preau_shared::{
    documents::school::Accounts,
    ids::{PersonId, Uai},
    rig::{
        fetch::{Answer, Client},
        tls,
    },
    terms::{Audience, Charter},
    wire::SchoolStatus,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A large roster is read, matched and written within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Entries asked for at once.
const ENTRIES_A_PAGE: usize = 50_000;

/// Where the coordinator is, and by which token it lets us in.
#[derive(Debug, Clone, clap::Args)]
pub struct Reach {
    /// Folder of a running pilot: says where its coordinator is.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cloud", "ca", "token_file"])]
    pub dir: Option<PathBuf>,
    /// The coordinator, as https://host:port.
    #[arg(long, value_name = "URL", requires_all = ["ca", "token_file"])]
    pub cloud: Option<String>,
    /// PEM of the authority to trust.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File that holds the bearer token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Where a running pilot's coordinator is; the pilot writes it as `coordinator.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    /// `https://host:port`.
    pub url: String,
    /// PEM of the territory authority.
    pub ca_file: PathBuf,
    /// Bearer token.
    pub token_file: PathBuf,
}

/// Name of the file that holds an [`Address`].
pub const ADDRESS_FILE: &str = "coordinator.json";

impl Reach {
    /// Finds the coordinator.
    ///
    /// # Errors
    /// When neither a folder nor an address was given, or a file cannot be read.
    pub fn open(&self) -> anyhow::Result<Coordinator> {
        let address = match (&self.cloud, &self.ca, &self.token_file) {
            (Some(url), Some(ca), Some(token)) => {
                Address { url: url.clone(), ca_file: ca.clone(), token_file: token.clone() }
            }
            _ => {
                let dir = self.dir.clone().unwrap_or_else(|| PathBuf::from(crate::pilot::DEFAULT_DIR));
                let file = dir.join(ADDRESS_FILE);
                let text = fs::read(&file).with_context(|| {
                    format!(
                        "no coordinator at {}: give --dir of a pilot, or --cloud, --ca and --token-file",
                        dir.display()
                    )
                })?;
                serde_json::from_slice(&text).with_context(|| format!("{} is not readable", file.display()))?
            }
        };
        Coordinator::open(&address)
    }
}

/// The coordinator's API with our token.
#[derive(Debug)]
pub struct Coordinator {
    client: Client,
    bearer: String,
}

/// One member of staff to create: `POST /api/v1/staff`.
#[derive(Debug, Clone, Serialize)]
pub struct Staff {
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Label of the class taught, if any.
    pub class_name: Option<String>,
    /// `teacher` or `head`.
    pub role: &'static str,
    /// Second factor of the badge.
    pub pin: String,
}

/// A badge as the coordinator gives it out, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BadgeLine {
    /// Whose.
    pub person_id: String,
    /// Given name.
    pub given_name: String,
    /// Label of the class; empty for a head.
    #[serde(default)]
    pub class: String,
    /// `CP`, `CE1`, …; empty for staff.
    #[serde(default)]
    pub level: String,
    /// `pupil`, `teacher` or `head`.
    pub role: String,
    /// The badge's name.
    pub badge_id: String,
    /// What its QR code holds.
    pub payload: String,
    /// PIN of staff; empty for pupils without one.
    #[serde(default)]
    pub second_factor: String,
    /// The animal beside a pupil's name; empty for staff.
    #[serde(default)]
    pub animal: String,
    /// The short code, in groups; empty where none was drawn.
    #[serde(default)]
    pub short_code: String,
    /// Of a training room, where nobody is real.
    #[serde(default)]
    pub training: bool,
}

/// A training room that was just made; what it holds is told this once.
#[derive(Debug, Clone)]
pub struct TrainingRoom {
    /// Its number, which no school has.
    pub uai: Uai,
    /// Everybody's badge, with the PIN of staff.
    pub badges: Vec<BadgeLine>,
    /// Accounts of its staff; the PIN is the password.
    pub accounts: Vec<String>,
}

#[derive(Deserialize)]
struct Badges {
    badges: Vec<BadgeLine>,
}

impl Coordinator {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When a file cannot be read or the URL is not https.
    pub fn open(address: &Address) -> anyhow::Result<Self> {
        let read = |file: &Path| fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
        let tls = tls::client(&read(&address.ca_file)?, None)?;
        let client = Client::new(&address.url, tls, PATIENCE)?;
        Ok(Self { client, bearer: format!("Bearer {}", read(&address.token_file)?.trim()) })
    }

    /// Sends a request; answers other than 2xx become errors that carry the problem's own sentence.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn call(&self, method: Method, path: &str, kind: &str, body: Option<Vec<u8>>) -> anyhow::Result<Answer> {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", kind), ("accept-language", "en")];
        let answer = self.client.send(method.clone(), path, &headers, body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("{}", problem(&method, path, &answer));
        }
        Ok(answer)
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<T> {
        let body = body.map(serde_json::to_vec).transpose()?;
        let answer = self.call(method, path, "application/json", body).await?;
        answer.json().with_context(|| format!("the coordinator's answer to {path} is not what this program knows"))
    }

    /// Every school with its state.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn schools(&self) -> anyhow::Result<Vec<SchoolStatus>> {
        let all: Value = self.json(Method::GET, "/api/v1/schools", None).await?;
        let list = all.get("schools").cloned().unwrap_or(all);
        serde_json::from_value(list).context("the coordinator's list of schools is not what this program knows")
    }

    /// Creates a school.
    ///
    /// # Errors
    /// No answer, or a refusal: wrong letter of the UAI, already there.
    pub async fn add_school(&self, uai: &Uai, name: &str, place: Option<(f64, f64)>) -> anyhow::Result<Value> {
        let mut body = json!({ "uai": uai, "name": name });
        if let (Some((latitude, longitude)), Some(members)) = (place, body.as_object_mut()) {
            members.insert("latitude".into(), json!(latitude));
            members.insert("longitude".into(), json!(longitude));
        }
        self.json(Method::POST, "/api/v1/schools", Some(&body)).await
    }

    /// Creates a training room.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn add_training_room(&self, name: &str) -> anyhow::Result<TrainingRoom> {
        #[derive(Deserialize)]
        struct Secret {
            person_id: String,
            account: String,
            pin: String,
        }
        #[derive(Deserialize)]
        struct Made {
            uai: Uai,
            badges: Vec<BadgeLine>,
            secrets: Vec<Secret>,
        }
        let made: Made = self.json(Method::POST, "/api/v1/training-rooms", Some(&json!({ "name": name }))).await?;
        let mut badges = made.badges;
        for badge in &mut badges {
            badge.training = true;
            if let Some(secret) = made.secrets.iter().find(|secret| secret.person_id == badge.person_id) {
                badge.second_factor.clone_from(&secret.pin);
            }
        }
        let accounts = made.secrets.into_iter().map(|secret| secret.account).collect();
        Ok(TrainingRoom { uai: made.uai, badges, accounts })
    }

    /// Sends a roster for a dry run; the answer is the plan.
    ///
    /// # Errors
    /// No answer, or a refusal: the file cannot be read.
    pub async fn plan_roster(&self, uai: &Uai, school_year: &str, file: Vec<u8>) -> anyhow::Result<Value> {
        let path = format!("/api/v1/rosters?uai={uai}&school_year={school_year}");
        let answer = self.call(Method::POST, &path, "text/csv", Some(file)).await?;
        answer.json().context("the coordinator's plan is not what this program knows")
    }

    /// Applies a plan; the answer holds the new badges, once. They have no short codes, each of which costs the coordinator
    /// tens of milliseconds: nobody types these badges.
    ///
    /// # Errors
    /// No answer, or a refusal: the plan would empty the school and `force` is not set.
    pub async fn apply_roster(&self, plan: &Value, force: bool) -> anyhow::Result<Vec<BadgeLine>> {
        self.apply(plan, force, false).await
    }

    /// … with short codes, for paper.
    ///
    /// # Errors
    /// As [`Self::apply_roster`].
    pub async fn apply_roster_for_paper(&self, plan: &Value, force: bool) -> anyhow::Result<Vec<BadgeLine>> {
        self.apply(plan, force, true).await
    }

    async fn apply(&self, plan: &Value, force: bool, short_codes: bool) -> anyhow::Result<Vec<BadgeLine>> {
        let id = plan.get("id").and_then(Value::as_str).context("the plan has no id")?;
        let body = json!({ "digest": plan.get("digest"), "force": force, "short_codes": short_codes });
        let applied: Badges = self.json(Method::POST, &format!("/api/v1/rosters/{id}/apply"), Some(&body)).await?;
        Ok(applied.badges)
    }

    /// Takes an applied roster back.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn undo_roster(&self, id: &str) -> anyhow::Result<Value> {
        self.json(Method::POST, &format!("/api/v1/rosters/{id}/undo"), Some(&json!({}))).await
    }

    /// Creates staff; the answer holds their badges, once.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn add_staff(&self, uai: &Uai, staff: &[Staff]) -> anyhow::Result<Vec<BadgeLine>> {
        let body = serde_json::to_value(staff)?;
        let created: Badges = self.json(Method::POST, &format!("/api/v1/staff?uai={uai}"), Some(&body)).await?;
        Ok(created.badges)
    }

    /// Gives classes their documents: `[{class_name, title, url}]`.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn give_documents(&self, uai: &Uai, documents: &Value) -> anyhow::Result<()> {
        let _: Value = self.json(Method::POST, &format!("/api/v1/documents?uai={uai}"), Some(documents)).await?;
        Ok(())
    }

    /// Gives out a claim code for a box of this school.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn issue_box(&self, uai: &Uai, auto_confirm: bool) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Issued {
            code: String,
        }
        let body = json!({ "uai": uai, "auto_confirm": auto_confirm });
        let issued: Issued = self.json(Method::POST, "/api/v1/boxes", Some(&body)).await?;
        Ok(issued.code)
    }

    /// Makes a badge void; the answer says which boxes know.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn void_badge(&self, badge_id: &str) -> anyhow::Result<Value> {
        self.json(Method::POST, &format!("/api/v1/badges/{badge_id}/void"), Some(&json!({}))).await
    }

    /// Erases a person for good.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn erase_person(&self, person: &PersonId) -> anyhow::Result<Value> {
        self.json(Method::POST, &format!("/api/v1/people/{person}/erase"), Some(&json!({}))).await
    }

    /// What the coordinator refused, and what is lost.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn quarantine(&self) -> anyhow::Result<Value> {
        self.json(Method::GET, "/api/v1/quarantine", None).await
    }

    /// Closes a school.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn retire_school(&self, uai: &Uai) -> anyhow::Result<Value> {
        self.json(Method::POST, &format!("/api/v1/schools/{uai}/retire"), None).await
    }

    /// Switches a school between one and many accounts per tablet.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn switch_accounts(&self, uai: &Uai, to: Accounts) -> anyhow::Result<Value> {
        let body = json!({ "accounts": to.as_str() });
        self.json(Method::PUT, &format!("/api/v1/schools/{uai}/accounts"), Some(&body)).await
    }

    /// Lets a school's boxes decode camera frames, or stops it.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn let_frames(&self, uai: &Uai, on: bool) -> anyhow::Result<Value> {
        let body = json!({ "on": on });
        self.json(Method::PUT, &format!("/api/v1/schools/{uai}/frames"), Some(&body)).await
    }

    /// Writes the charter of a school's pupils or adults, or takes it back.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn write_charter(
        &self,
        uai: &Uai,
        levels: &[Audience],
        charter: Option<&Charter>,
    ) -> anyhow::Result<Value> {
        let levels: Vec<&str> = levels.iter().map(|level| level.as_str()).collect();
        let body = json!({ "levels": levels, "text": charter.map(Charter::text) });
        self.json(Method::PUT, &format!("/api/v1/schools/{uai}/charter"), Some(&body)).await
    }

    /// The sessions whose sign-in the coordinator holds.
    ///
    /// # Errors
    /// No answer, a refusal, or a line of another form.
    pub async fn sign_ins(&self, uai: &Uai) -> anyhow::Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Line {
            session: String,
        }
        let path = format!("/api/v1/schools/{uai}/sign-ins");
        let lines = self.call(Method::GET, &path, "application/json", None).await?.body;
        let lines = serde_json::Deserializer::from_slice(&lines).into_iter::<Line>();
        Ok(lines.map(|line| line.map(|l| l.session)).collect::<Result<_, _>>()?)
    }

    /// The raw list of a school's journal entries, one JSON object a line.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn entries(&self, uai: &Uai) -> anyhow::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut skip = 0_usize;
        loop {
            let path = format!("/api/v1/schools/{uai}/entries?skip={skip}&limit={ENTRIES_A_PAGE}");
            let page = self.call(Method::GET, &path, "application/json", None).await?.body;
            let lines = page.iter().filter(|b| **b == b'\n').count();
            all.extend(page);
            if lines < ENTRIES_A_PAGE {
                return Ok(all);
            }
            skip = skip.saturating_add(lines);
        }
    }
}

/// A refusal in words: its sentence, detail and next step, else the bare status.
fn problem(method: &Method, path: &str, answer: &Answer) -> String {
    let body: Value = answer.json().unwrap_or_default();
    let parts: Vec<&str> =
        ["title", "detail", "next"].iter().filter_map(|k| body.get(*k)?.as_str()).filter(|t| !t.is_empty()).collect();
    let code = body.get("code").and_then(Value::as_str).unwrap_or("no code");
    let path = path.split('?').next().unwrap_or(path);
    format!("{} ({code}, {} to {method} {path})", parts.join(" "), answer.status)
}
