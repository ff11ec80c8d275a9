//! The stream of events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use protocol::UserId;
use tokio_stream::wrappers::BroadcastStream;

use super::registry::{Api, Endpoint, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/events",
            "events",
            "What happens to the user's applications, services and credits, from now on.",
        )
        .media("text/event-stream"),
        events,
    );
}

async fn events(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(stream(&app, user.id)).keep_alive(keep_alive)
}

/// Ends with the director, and when the listener falls too far behind: it should come again and
/// look at everything anew.
fn stream(app: &App, user: UserId) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let shutdown = app.shutdown.clone().cancelled_owned();
    BroadcastStream::new(app.events.subscribe())
        .take_while(|published| std::future::ready(published.is_ok()))
        .filter_map(move |published| {
            let own = published.ok().filter(|published| published.user == user);
            let event = own.and_then(|own| Event::default().json_data(own.event).ok());
            std::future::ready(event.map(Ok))
        })
        .take_until(shutdown)
}
