//! Programs that are not there are installed from the distribution's packages, without starting their services: those
//! would take the port of every server of names, with a configuration that is not ours.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// What a package's scripts ask before they start a service (Debian's invoke-rc.d).
const MAY_START: &str = "/usr/sbin/policy-rc.d";
/// "Not allowed."
const NEVER: &str = "#!/bin/sh\nexit 101\n";

/// Where a program is; its package is installed when it is nowhere.
///
/// # Errors
/// When it cannot be installed.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    let services = Services::forbid()?;
    let install = || apt(&["install", "--yes", "--no-install-recommends", package]);
    let installed = install().or_else(|_| apt(&["update"]).and_then(|()| install()));
    drop(services);
    installed.with_context(|| format!("{name} is not here, and package {package} cannot be installed"))?;
    find(name).with_context(|| format!("package {package} has no {name}"))
}

fn find(name: &str) -> Option<PathBuf> {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"]
        .into_iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(words).stdin(Stdio::null());
    let out = command.output()?;
    ensure!(out.status.success(), "apt-get: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

/// While this lives no package starts a service.
struct Services {
    ours: bool,
}

impl Services {
    fn forbid() -> Result<Self> {
        let ours = !Path::new(MAY_START).exists();
        if ours {
            fs::write(MAY_START, NEVER)?;
            fs::set_permissions(MAY_START, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.ours {
            drop(fs::remove_file(MAY_START));
        }
    }
}
