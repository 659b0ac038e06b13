//! A frame: the length of a batch as four bytes, the highest first, and the batch. Of TLS nothing is known here.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::replica::batch::MAX_BATCH_BYTES;

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// Nothing, or more than a batch may be. Nothing was allocated for it.
    #[error("a frame of {0} bytes is no batch")]
    Length(u32),
    /// The connection ended, perhaps in the middle.
    #[error("the connection ended: {0}")]
    Ended(#[from] io::Error),
}

/// Reads the next batch. Memory grows with what came, not with what was announced.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, FrameError> {
    let announced = from.read_u32().await?;
    let length = usize::try_from(announced).ok().filter(|length| (1..=MAX_BATCH_BYTES).contains(length));
    let length = length.ok_or(FrameError::Length(announced))?;
    let mut batch = Vec::new();
    let read = from.take(announced.into()).read_to_end(&mut batch).await?;
    if read == length { Ok(batch) } else { Err(FrameError::Ended(io::ErrorKind::UnexpectedEof.into())) }
}

/// Writes a batch.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), batch: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    if batch.is_empty() || batch.len() > MAX_BATCH_BYTES {
        return Err(FrameError::Length(length));
    }
    // One record, and one packet when it fits.
    let mut frame = Vec::with_capacity(batch.len().saturating_add(size_of::<u32>()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(batch);
    to.write_all(&frame).await?;
    Ok(to.flush().await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> (Vec<Vec<u8>>, FrameError) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let (mut from, mut found) = (bytes, Vec::new());
            loop {
                match read(&mut from).await {
                    Ok(batch) => found.push(batch),
                    Err(why) => return (found, why),
                }
            }
        })
    }

    /// Four bytes of a length and silence: whoever allocated by them would be seen here.
    #[test]
    fn a_length_that_no_batch_has_is_refused_before_anything_is_read() {
        let most = u32::try_from(MAX_BATCH_BYTES).expect("it fits");
        for length in [0, most + 1, u32::MAX] {
            let (found, why) = read_all(&length.to_be_bytes());
            assert!(found.is_empty() && matches!(why, FrameError::Length(l) if l == length), "{length}: {why}");
        }
        let (found, why) = read_all(&most.to_be_bytes());
        assert!(found.is_empty() && matches!(why, FrameError::Ended(_)), "{why}");
    }

    #[test]
    fn what_is_no_batch_is_not_written() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        for length in [0, MAX_BATCH_BYTES + 1] {
            let mut to = Vec::new();
            assert!(runtime.block_on(write(&mut to, &vec![1; length])).is_err() && to.is_empty());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            let mut wire = Vec::new();
            for batch in &batches {
                runtime.block_on(write(&mut wire, batch)).expect("written");
            }
            let (found, why) = read_all(&wire);
            prop_assert_eq!(found, batches);
            prop_assert!(matches!(why, FrameError::Ended(_)));
        }

        #[test]
        fn any_bytes_end_in_an_error(bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..2_000)) {
            let (found, _) = read_all(&bytes);
            let read: usize = found.iter().map(|batch| batch.len() + 4).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
