//! Tells the browser what changed; it then takes the changed parts out of the page as it is now.
//!
//! An event names topics, e.g. `service-3`; a part of a page lists in `data-live` those it shows.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use protocol::api::Event;

use crate::failure::Failure;
use crate::session::Session;

/// How soon the browser comes back when the connection is lost.
const RECONNECT: Duration = Duration::from_secs(1);

pub(crate) async fn events(
    session: Session,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Failure> {
    let hello = stream::iter([Ok(Message::default().retry(RECONNECT))]);
    let changes = stream::unfold(session.director.events().await?, |mut events| async {
        match events.next().await {
            Ok(Some(event)) => Some((Ok(Message::default().data(topics(&event))), events)),
            // The browser reconnects, and learns then whether the director is there.
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "the director's events ended");
                None
            }
        }
    });
    Ok(Sse::new(hello.chain(changes)).keep_alive(KeepAlive::default()))
}

fn topics(event: &Event) -> String {
    match event {
        Event::Application { .. } | Event::ApplicationDeleted { .. } => "applications".to_owned(),
        Event::Service { service } => format!("services service-{}", service.id),
        Event::ServiceDeleted { id } => format!("services service-{id}"),
        Event::Credits { .. } => "credits".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ServiceId;

    #[test]
    fn a_service_concerns_its_page_and_the_list() {
        let gone = Event::ServiceDeleted { id: ServiceId(3) };
        assert_eq!(topics(&gone), "services service-3");
        assert_eq!(topics(&Event::Credits { credits: 1 }), "credits");
    }
}
