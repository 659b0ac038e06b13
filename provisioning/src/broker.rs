//! `preau broker`: what an outside broker (Mosquitto) is told.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use preau_cloud::{Config, mosquitto};
use preau_shared::{ids::BoxId, wire::is_slug};

use crate::out::Reader;

/// Boxes and coordinators at once, unless told otherwise.
const CONNECTIONS: u32 = 2_000;

/// An outside broker.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau broker conf --home /var/lib/preau-cloud > /etc/mosquitto/conf.d/preau.conf
  preau broker acl --territory belfort --coordinator 0123456789abcdef0123456789abcdef > acl")]
pub struct BrokerArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print a whole mosquitto.conf: mutual TLS, nothing anonymous, nothing kept, limits.
    #[command(after_help = "\
Example:
  preau broker conf --home /var/lib/preau-cloud --files /etc/mosquitto/preau > /etc/mosquitto/conf.d/preau.conf
The folder `broker` of the coordinator's own holds the files that the configuration names: ca.pem, server.pem, server.key,
crl.pem and acl. On another machine they are copied there, again after each revocation, and Mosquitto is reloaded.")]
    Conf {
        #[command(flatten)]
        whose: Whose,
        /// Where Mosquitto listens.
        #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8883")]
        listen: SocketAddr,
        /// Folder of the files on the broker's machine; without it, the one that the coordinator writes.
        #[arg(long, value_name = "DIR", required_unless_present = "home")]
        files: Option<PathBuf>,
        /// Account for Mosquitto when it is started as root; its own default is `mosquitto`.
        #[arg(long, value_name = "NAME", value_parser = account)]
        account: Option<String>,
        /// Connections at once.
        #[arg(long, value_name = "N", default_value_t = CONNECTIONS)]
        connections: u32,
    },
    /// Print the rights: what each box and the coordinator may publish and hear. All else is denied.
    #[command(after_help = "Example:\n  preau broker acl --home /var/lib/preau-cloud > /etc/mosquitto/preau/acl")]
    Acl {
        #[command(flatten)]
        whose: Whose,
    },
}

/// Whose broker it is.
#[derive(Debug, Args)]
struct Whose {
    /// The coordinator's folder, which says the two below.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The territory's short name.
    #[arg(long, value_name = "SLUG", required_unless_present = "home", value_parser = slug)]
    territory: Option<String>,
    /// The coordinator's name in its certificate.
    #[arg(long, value_name = "ID", required_unless_present = "home")]
    coordinator: Option<BoxId>,
}

impl Whose {
    fn territory(&self) -> anyhow::Result<String> {
        match (&self.territory, &self.home) {
            (Some(told), _) => Ok(told.clone()),
            (None, Some(home)) => Ok(Config::read(&home.join("preau-cloud.toml"))?.territory),
            (None, None) => bail!("give --home or --territory"),
        }
    }

    fn coordinator(&self) -> anyhow::Result<BoxId> {
        match (self.coordinator, &self.home) {
            (Some(told), _) => Ok(told),
            (None, Some(home)) => coordinator_of(home),
            (None, None) => bail!("give --home or --coordinator"),
        }
    }
}

/// The coordinator's name, as its authority keeps it.
fn coordinator_of(home: &Path) -> anyhow::Result<BoxId> {
    let file = home.join("authority/coordinator.id");
    let bytes = std::fs::read(&file)
        .with_context(|| format!("{}: start the coordinator once, then ask again", file.display()))?;
    let bytes = <[u8; 16]>::try_from(bytes).ok().with_context(|| format!("{} is damaged", file.display()))?;
    Ok(BoxId::from_bytes(bytes))
}

fn slug(text: &str) -> Result<String, String> {
    if is_slug(text) { Ok(text.to_owned()) } else { Err("1 to 40 of a-z, 0-9 and -".into()) }
}

fn account(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("an account's name".into())
    }
}

/// Does it.
///
/// # Errors
/// When the coordinator's folder cannot be read.
pub fn run(args: BrokerArgs) -> anyhow::Result<ExitCode> {
    let text = match args.act {
        Act::Acl { whose } => match whose.home.as_ref().map(|home| home.join("broker").join(mosquitto::ACL)) {
            // The one that the coordinator keeps knows the revoked boxes too.
            Some(kept) if kept.exists() => {
                std::fs::read_to_string(&kept).with_context(|| kept.display().to_string())?
            }
            Some(_) | None => mosquitto::acl(&whose.territory()?, whose.coordinator()?, &[].into()),
        },
        Act::Conf { whose, listen, files, account, connections } => {
            let files = files.or_else(|| whose.home.as_ref().map(|home| home.join("broker")));
            let files = std::path::absolute(files.context("give --home or --files")?)?;
            mosquitto::conf(&mosquitto::Site { territory: whose.territory()?, listen, files, account, connections })
        }
    };
    Reader::Person.say(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinators_folder_says_whose_broker_it_is() {
        let home = tempfile::tempdir().expect("dir");
        let whose = Whose { home: Some(home.path().into()), territory: None, coordinator: None };
        let error = whose.coordinator().expect_err("not started yet").to_string();
        assert!(error.contains("start the coordinator once"), "{error}");
        std::fs::create_dir(home.path().join("authority")).expect("folder");
        std::fs::write(home.path().join("authority/coordinator.id"), [9; 16]).expect("id");
        std::fs::write(home.path().join("preau-cloud.toml"), "territory = \"belfort\"\n").expect("config");
        assert_eq!(whose.coordinator().expect("id"), BoxId::from_bytes([9; 16]));
        assert_eq!(whose.territory().expect("territory"), "belfort");
        for wrong in ["", "a b", "root\nlistener 1"] {
            assert!(account(wrong).is_err(), "{wrong:?}");
        }
    }
}
