//! The sealing keys of the hop to the coordinator, as they change: the coordinator tells its own in the school's
//! document; whenever it tells a newer one the box draws a new one too and tells it there, signed.

use std::{path::PathBuf, sync::Arc};

use preau_shared::{
    documents::{Fields, School, school},
    ids::BoxId,
    keys::KeyError,
    replica::{
        SealPublic, Sealing, Side,
        sealing::{Held, Notice},
    },
    rig::{
        shelves::{self, ShelfError},
        task::Tasks,
    },
    wire::ClaimGrant,
};
use rusqlite::Connection;

use super::project::Rows;
use crate::{
    app::App,
    identity::{
        Identity,
        seals::{OwnSeals, SealsError},
    },
};

/// Where the keys of the hop are found.
#[derive(Clone)]
struct Ring {
    app: App,
    /// The file of the box's own keys.
    own: PathBuf,
    grant: Arc<ClaimGrant>,
    granted: SealPublic,
}

/// Why the keys cannot be brought up to date; tried again at the next news.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Own(#[from] SealsError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

/// The keys of the hop, kept up to date by a task until the program stops.
///
/// # Errors
/// [`KeyError`] when the file of the box's own keys, or the grant's key, cannot be used.
pub(crate) fn sealing(app: &App, own: PathBuf, identity: &Identity, tasks: &Tasks) -> Result<Arc<Sealing>, KeyError> {
    let ring = Ring { app: app.clone(), own, grant: Arc::new(identity.grant.clone()), granted: identity.seal_key };
    let looking = ring.clone();
    let look = Arc::new(move || looking.held().inspect_err(|error| tracing::error!(%error, "sealing keys")).ok());
    let sealing = Arc::new(Sealing::new(Side::Box, look, Arc::new(|_| {}))?);
    let (kept, mut stop) = (sealing.clone(), tasks.stopping());
    let mut committed = app.writer.committed();
    tasks.spawn("sealing keys", async move {
        let mut last = None;
        loop {
            match ring.tend(&mut last).await {
                Ok(true) => kept.refresh(),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the sealing keys could not be brought up to date"),
            }
            tokio::select! {
                news = committed.changed() => if news.is_err() { return },
                () = stop.wait() => return,
            }
        }
    });
    Ok(sealing)
}

impl Ring {
    fn fields(&self) -> Result<Fields, ShelfError> {
        let doc = School::doc(&self.grant.uai);
        let read = |conn: &Connection| shelves::document(conn, &self.app.shelf, &doc);
        Ok(self.app.reader.read(read)?.unwrap_or_default())
    }

    fn own(&self) -> Result<OwnSeals, SealsError> {
        OwnSeals::read(&self.own)?.ok_or_else(|| SealsError::Damaged(self.own.clone()))
    }

    fn held(&self) -> Result<Held, Trouble> {
        let mut theirs = school::seal_keys(&self.fields()?);
        // The grant's, until the document tells otherwise.
        theirs.entry(self.grant.seal_number).or_insert(Some(self.granted));
        let theirs = theirs.into_iter().filter_map(|(number, key)| Some((number, key?))).collect();
        Ok(Held { own: self.own()?.secrets()?, theirs })
    }

    /// Draws and tells a new key when the coordinator told a new one. Whether the keys may have changed.
    async fn tend(&self, last: &mut Option<Fields>) -> Result<bool, Trouble> {
        let fields = self.fields()?;
        if last.as_ref() == Some(&fields) {
            return Ok(false);
        }
        let newest = school::seal_keys(&fields).into_iter().filter_map(|(number, key)| key.map(|_| number)).max();
        let mut own = self.own()?;
        if newest.is_some_and(|newest| newest > own.beside().max(self.grant.seal_number)) {
            own.draw(newest.unwrap_or_default(), self.app.dice.as_ref())?;
        }
        let (number, public) = own.newest()?;
        let (box_id, notice) = (self.grant.box_id, Notice { number, public });
        // The first key was told with the claim.
        if number > 0 && self.told(&fields, box_id) != Some(notice) {
            let (author, shelf, now) = (self.app.author.clone(), self.app.shelf.clone(), self.app.clock.stamp());
            let edit = school::tell_box_seal(&self.grant.uai, box_id, &notice.sign(box_id, &author.key));
            let act = move |conn: &Connection| shelves::edit(conn, &author, &shelf, now, &edit, &Rows);
            self.app.writer.commit::<_, ShelfError>(act).await?;
            tracing::info!(number, "this box has a new sealing key");
        }
        *last = Some(fields);
        Ok(true)
    }

    fn told(&self, fields: &Fields, box_id: BoxId) -> Option<Notice> {
        let (_, bytes) = school::box_seals(fields).find(|(id, _)| *id == box_id)?;
        Notice::read(bytes, box_id, &self.app.author.key.public())
    }
}
