//! The door: [`routes`] lists every URL; what decides sits in the rooms.

mod api;
mod assets;
mod body;
mod caller;
mod console;
mod door;
mod events;
mod login;
mod metrics;
mod problem;
pub(crate) mod routes;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{app::App, fleet::gather::Fleet};

/// Pages and programs that listen to events at once; each costs a task and a few kilobytes.
const MAX_LISTENERS: usize = 128;

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) app: App,
    pub(crate) fleet: Fleet,
    pub(crate) door: Arc<door::Door>,
    pub(crate) listeners: Arc<Semaphore>,
    /// Path of the files that pages are made of.
    assets: Arc<str>,
    voids: Arc<api::badges::Seen>,
}

impl Web {
    fn new(app: App, door: door::Door) -> Self {
        let fleet = Fleet::new(
            app.store.clone(),
            app.links.clone(),
            app.clock.clone(),
            app.config.keep_alive(),
            app.catalogue.clone(),
        );
        let assets = assets::prefix().into();
        Self {
            app,
            assets,
            fleet,
            door: Arc::new(door),
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
            voids: Arc::default(),
        }
    }
}
