//! Work that blocks, beside everything else.

use hostel::Result;

/// Does `work` on a thread where it may block. If nobody waits for it any more, it is still done.
///
/// While the process ends nothing can be begun any more. That is no failure of whoever asks: it waits, and ends with the process.
pub(crate) async fn beside<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Err(error) if error.is_cancelled() => std::future::pending().await,
        outcome => outcome?,
    }
}
