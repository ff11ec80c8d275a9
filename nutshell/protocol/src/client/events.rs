//! Server-sent events as a stream of [`Event`]s.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::transport::ClientError;
use crate::api::Event;

/// The director's events for one user, as they happen.
pub struct EventStream {
    source: BoxStream<'static, Result<Bytes, ClientError>>,
    pending: Vec<u8>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

impl EventStream {
    pub(super) fn new(source: BoxStream<'static, Result<Bytes, ClientError>>) -> Self {
        Self { source, pending: Vec::new() }
    }

    /// The next event; `None` when the director ended the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            while let Some(line) = take_line(&mut self.pending) {
                // Comments keep the connection alive, unknown events are a newer director's.
                if let Some(data) = line.strip_prefix("data:")
                    && let Ok(event) = serde_json::from_str(data.trim_start())
                {
                    return Ok(Some(event));
                }
            }
            match self.source.next().await {
                Some(chunk) => self.pending.extend_from_slice(&chunk?),
                None => return Ok(None),
            }
        }
    }
}

fn take_line(pending: &mut Vec<u8>) -> Option<String> {
    let end = pending.iter().position(|byte| *byte == b'\n')?;
    let line: Vec<u8> = pending.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_survive_any_cut_of_the_stream() {
        let text = b": hello\n\ndata: {\"event\":\"credits\",\"credits\":4}\n\n\
                     data: {\"event\":\"from the future\"}\n\n\
                     data: {\"event\":\"service_deleted\",\"id\":3}\n\n";
        for size in 1..text.len() {
            let chunks: Vec<_> =
                text.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let mut events = EventStream::new(futures::stream::iter(chunks).boxed());
            assert_eq!(events.next().await.unwrap(), Some(Event::Credits { credits: 4 }));
            assert!(matches!(events.next().await.unwrap(), Some(Event::ServiceDeleted { .. })));
            assert_eq!(events.next().await.unwrap(), None);
        }
    }
}
