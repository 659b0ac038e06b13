//! `preau school safe-code` and `preau school activations`: codes for staff, drawn by the coordinator and told on paper only.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use hyper::Method;
use preau_shared::{
    ids::{PersonId, Uai},
    messages::{Catalogue, Lang},
    print::slips::{self, Slip},
    time::Stamp,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{coordinator::Reach, out::Reader, roster::write_secret};

/// What both need.
#[derive(Debug, Args)]
struct Paper {
    /// National number.
    uai: Uai,
    /// The PDF to write, a file of mode 0600: whoever has a code can use it. Destroy it once it is printed.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Words in English.
    #[arg(long)]
    english: bool,
    #[command(flatten)]
    reach: Reach,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Draw the code of a school's safe, for a head who forgot her own: print it, close it in an envelope, lay it into the safe.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  preau school safe-code 0900915F --out envelope.pdf --dir .pilot

The code opens once, and only within ten minutes after the box's plug was put in. Drawing a new one voids the old.")]
pub struct SafeCodeArgs {
    #[command(flatten)]
    paper: Paper,
}

/// Draw activation codes for the teachers and the head, a slip each: with hers each chooses a secret of her own at the box.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau school activations 0900915F --out codes.pdf --dir .pilot        those who have chosen no secret yet
  preau school activations 0900915F --out codes.pdf --person 000102030405060708090a0b0c0d0e0f --dir .pilot

A code is good once, for 30 days. What its holder knew before opens nothing any more.")]
pub struct ActivationArgs {
    #[command(flatten)]
    paper: Paper,
    /// For all of the staff: what they chose themselves is void.
    #[arg(long, conflicts_with = "person")]
    all: bool,
    /// For this person only; may be given several times.
    #[arg(long, value_name = "ID")]
    person: Vec<PersonId>,
}

/// Answer of the coordinator.
#[derive(Deserialize)]
struct Drawn {
    school: String,
    drawn_at_ms: i64,
    ends_at_ms: Option<i64>,
    codes: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    given_name: String,
    family_name: String,
    code: String,
}

impl Drawn {
    fn slips(&self) -> Vec<Slip> {
        let slip = |one: &Code| Slip {
            name: format!("{} {}", one.given_name, one.family_name),
            school: self.school.clone(),
            code: one.code.clone(),
        };
        self.codes.iter().map(slip).collect()
    }
}

/// Does it.
///
/// # Errors
/// When the file cannot be written, or the coordinator does not answer or refuses.
pub async fn safe_code(SafeCodeArgs { paper }: SafeCodeArgs) -> anyhow::Result<ExitCode> {
    let drawn = paper.draw("safe-code", &json!({})).await?;
    let pdf = slips::safe_codes(&drawn.slips(), Stamp(drawn.drawn_at_ms), (&Catalogue::load(), paper.lang()))?;
    let next = "Print it, close it in an envelope, sign across the flap, lay it into the school's safe; then destroy the \
                file. An older envelope opens nothing any more.";
    paper.keep(&drawn, &pdf, next)
}

/// Does it.
///
/// # Errors
/// When the file cannot be written, or the coordinator does not answer or refuses.
pub async fn activations(ActivationArgs { paper, all, person }: ActivationArgs) -> anyhow::Result<ExitCode> {
    let drawn = paper.draw("activations", &json!({ "everybody": all, "people": person })).await?;
    let ends = drawn.ends_at_ms.map(Stamp);
    let pdf = slips::activations(&drawn.slips(), ends, (&Catalogue::load(), paper.lang()))?;
    paper.keep(&drawn, &pdf, "Print it, hand each her slip, then destroy the file.")
}

impl Paper {
    fn lang(&self) -> Lang {
        if self.english { Lang::En } else { Lang::Fr }
    }

    async fn draw(&self, what: &str, body: &Value) -> anyhow::Result<Drawn> {
        // A place that cannot be written is known before what people hold is void; what stands there stays until then.
        let place = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&self.out);
        place.with_context(|| format!("cannot write {}", self.out.display()))?;
        let path = format!("/api/v1/schools/{}/{what}", self.uai);
        let body = Some(serde_json::to_vec(body)?);
        let answer = self.reach.open()?.call(Method::POST, &path, "application/json", body).await?;
        answer.json().with_context(|| format!("the coordinator's answer to {path} is not what this program knows"))
    }

    fn keep(&self, drawn: &Drawn, pdf: &[u8], next: &str) -> anyhow::Result<ExitCode> {
        write_secret(&self.out, pdf)?;
        let count = drawn.codes.len();
        let text = format!("{}: {count} drawn, in {}. {next}", drawn.school, self.out.display());
        Reader::of(self.json).report(&text, &json!({ "uai": self.uai, "codes": count, "file": self.out }));
        Ok(ExitCode::SUCCESS)
    }
}
