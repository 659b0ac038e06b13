//! What an outside broker needs of us, in the folder `broker/` of the coordinator's own: the authority, its certificate
//! and key, the rights, the list of revoked certificates. The broker reads them there, or whoever runs it copies them.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use preau_shared::{dice::Dice, rig::keep, time::Clock};

use super::{external::Endpoint, mosquitto};
use crate::{
    config::Config,
    enrolment::{Authority, AuthorityError, EnrolmentError},
    store::{Database, certificates},
};

/// The folder's name.
pub(crate) const FOLDER: &str = "broker";

/// Writes the folder.
pub(crate) struct Handout {
    folder: PathBuf,
    territory: String,
    names: Vec<String>,
    authority: Arc<Authority>,
    store: Database,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Handout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handout({})", self.folder.display())
    }
}

impl Handout {
    /// Of the coordinator in `dir`, for the broker at `endpoint`.
    pub(crate) fn new(
        dir: &Path,
        config: &Config,
        endpoint: &Endpoint,
        (authority, store, clock): (Arc<Authority>, Database, Arc<dyn Clock>),
    ) -> Self {
        let mut names = vec![endpoint.host.clone()];
        let public = config.mqtt_public();
        let public = public.rsplit_once(':').map_or(public.as_str(), |(host, _)| host);
        if public != endpoint.host {
            names.push(public.to_owned());
        }
        Self { folder: dir.join(FOLDER), territory: config.territory.clone(), names, authority, store, clock }
    }

    /// Writes all of it; what is still good stays. The key's file and the folder are ours alone.
    ///
    /// # Errors
    /// [`EnrolmentError`] names the file.
    pub(crate) async fn write(&self, dice: &dyn Dice) -> Result<(), EnrolmentError> {
        keep::secret_folder(&self.folder).map_err(|why| AuthorityError::File { path: self.folder.clone(), why })?;
        self.put(mosquitto::AUTHORITY, &self.authority.root)?;
        self.authority.broker_server(&self.folder, &self.names, self.clock.stamp(), dice)?;
        self.shut_out().await
    }

    /// Writes the rights and the list of revoked certificates anew: a box was revoked.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub(crate) async fn shut_out(&self) -> Result<(), EnrolmentError> {
        let now = self.clock.stamp();
        let revoked = self.store.read(move |conn| certificates::revoked(conn, now)).await?;
        let boxes: BTreeSet<_> = revoked.iter().map(|certificate| certificate.box_id).collect();
        self.put(mosquitto::ACL, &mosquitto::acl(&self.territory, self.authority.coordinator_id, &boxes))?;
        // Last: whoever watches this file for a reload finds both in place.
        self.put(mosquitto::REVOKED, &self.authority.revocation_list(&revoked, now)?)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), EnrolmentError> {
        let path = self.folder.join(name);
        let put: io::Result<()> = keep::public(&path, text.as_bytes());
        Ok(put.map_err(|why| AuthorityError::File { path, why })?)
    }
}
