//! The body of a request, of which something may be left when the answer is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::{StreamExt, stream};
use services::manager_half::Content;

/// How much is read for nothing, at most.
const MOST: u64 = services::code::LARGEST;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Incoming(Arc<Mutex<BodyDataStream>>);

impl Incoming {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body.into_data_stream())))
    }

    /// What has not been read yet.
    pub(super) fn content(&self) -> Content {
        let body = Arc::clone(&self.0);
        let next = move |context: &mut std::task::Context<'_>| {
            body.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        };
        stream::poll_fn(next).map(|chunk| chunk.map_err(std::io::Error::other)).boxed()
    }

    /// Reads the rest, within limits: a sender who cannot get rid of it does not read the answer.
    pub(super) async fn discard(&self) {
        // Who sends more, or slowly, is cut off.
        let _ = tokio::time::timeout(PATIENCE, discard(self.content(), MOST)).await;
    }
}

async fn discard(mut content: Content, mut most: u64) {
    while let Some(Ok(chunk)) = content.next().await {
        match most.checked_sub(chunk.len() as u64) {
            Some(left) => most = left,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(read: &Arc<Mutex<usize>>) -> Body {
        let read = Arc::clone(read);
        Body::from_stream(stream::iter(["one", "two", "three"]).map(move |chunk| {
            *read.lock().unwrap() += 1;
            Ok::<_, std::io::Error>(chunk)
        }))
    }

    #[tokio::test]
    async fn what_nobody_read_is_discarded_within_limits() {
        let read = Arc::default();
        let incoming = Incoming::new(body(&read));
        assert_eq!(incoming.content().next().await.unwrap().unwrap(), "one");
        assert_eq!(*read.lock().unwrap(), 1);
        incoming.discard().await;
        assert_eq!(*read.lock().unwrap(), 3);

        *read.lock().unwrap() = 0;
        discard(Incoming::new(body(&read)).content(), 4).await;
        assert_eq!(*read.lock().unwrap(), 2);
    }
}
