//! What takes the batches of a link away.

use tokio::sync::mpsc;

/// The way out of one link.
pub trait Carrier: Send + Sync + 'static {
    /// Hands a batch over, waiting for room; false when it went nowhere. Then the peer says it again.
    fn carry(&self, batch: Vec<u8>) -> impl Future<Output = bool> + Send;
}

/// Into a queue that somebody else empties.
impl Carrier for mpsc::Sender<Vec<u8>> {
    async fn carry(&self, batch: Vec<u8>) -> bool {
        self.send(batch).await.is_ok()
    }
}
