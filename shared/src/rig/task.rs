//! Named tasks with an end: nothing runs that cannot be listed or stopped.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{sync::watch, task::JoinSet};

/// A task that does not end by itself is cut off so long after the stop.
pub const GRACE: Duration = Duration::from_secs(5);

/// The tasks of one program.
#[derive(Clone, Debug)]
pub struct Tasks {
    running: Arc<Mutex<JoinSet<&'static str>>>,
    stop: watch::Sender<bool>,
}

/// Tells a task that the program stops.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when the program stops.
    pub async fn wait(&mut self) {
        // An error means that nobody is left to say it: that is a stop too.
        drop(self.0.wait_for(|stopped| *stopped).await);
    }

    /// Whether the program stops.
    pub fn is_told(&self) -> bool {
        self.0.has_changed().is_err() || *self.0.borrow()
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: Arc::default(), stop: watch::Sender::new(false) }
    }
}

impl Tasks {
    /// Starts a task on the current runtime.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        // Not an `async` block: one would hold the task twice, as it was given and as it runs.
        running.spawn(task.map(move |()| name));
    }

    /// A handle that hears the stop.
    pub fn stopping(&self) -> Stop {
        Stop(self.stop.subscribe())
    }

    /// Tells every task to stop. Returns at once; [`Self::ended`] waits.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all tasks have ended, [`GRACE`] at most.
    pub async fn ended(&self) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!("some tasks did not end in time and were cut off");
        }
    }
}
