//! Who hears of what: users of their applications and services, operations of nodes.
//!
//! An object is read at the moment it is told of, one at a time: its revisions never go backwards.

use protocol::api::{Application, Event, Service};
use protocol::{ApplicationId, NodeId, ServiceId, UserId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, broadcast};

use super::{App, Result, error};
use crate::db;

/// How far a listener may fall behind; one that falls further looks again at everything.
const BACKLOG: usize = 1024;

/// An event and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) user: UserId,
    pub(crate) event: Event,
}

/// The channels.
#[derive(Debug)]
pub(crate) struct Events {
    published: broadcast::Sender<Published>,
    nodes: broadcast::Sender<NodeId>,
    turn: Mutex<()>,
}

impl Default for Events {
    fn default() -> Self {
        let (published, _) = broadcast::channel(BACKLOG);
        let (nodes, _) = broadcast::channel(BACKLOG);
        Self { published, nodes, turn: Mutex::new(()) }
    }
}

impl Events {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Published> {
        self.published.subscribe()
    }

    pub(crate) fn subscribe_nodes(&self) -> broadcast::Receiver<NodeId> {
        self.nodes.subscribe()
    }

    /// Something about the node changed.
    pub(crate) fn node_changed(&self, id: NodeId) {
        // Nobody listening is fine.
        let _ = self.nodes.send(id);
    }

    fn publish(&self, user: UserId, event: Event) {
        let _ = self.published.send(Published { user, event });
    }
}

/// Waits for a message that `concerns` the caller; also returns when some were missed.
pub(crate) async fn heard<T: Clone>(
    receiver: &mut broadcast::Receiver<T>,
    concerns: impl Fn(&T) -> bool,
) {
    loop {
        match receiver.recv().await {
            Ok(message) if concerns(&message) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The director holds the sender for as long as it lives.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Whether the event is about that application.
pub(crate) fn concerns_application(event: &Event, wanted: ApplicationId) -> bool {
    match event {
        Event::Application { application: Application { id, .. } }
        | Event::ApplicationDeleted { id } => *id == wanted,
        Event::Service { .. } | Event::ServiceDeleted { .. } | Event::Credits { .. } => false,
    }
}

/// Whether the event is about that service.
pub(crate) fn concerns_service(event: &Event, wanted: ServiceId) -> bool {
    match event {
        Event::Service { service: Service { id, .. } } | Event::ServiceDeleted { id } => {
            *id == wanted
        }
        Event::Application { .. } | Event::ApplicationDeleted { .. } | Event::Credits { .. } => {
            false
        }
    }
}

impl App {
    pub(crate) async fn publish_application(&self, id: ApplicationId) {
        let _turn = self.events.turn.lock().await;
        let read = async { Ok(db::application::view(&mut *self.db.read().await?, id).await?) };
        if let Some(record) = logged(read.await) {
            let application = record.application;
            self.events.publish(record.user, Event::Application { application });
        }
    }

    pub(crate) async fn publish_service(&self, id: ServiceId) {
        let _turn = self.events.turn.lock().await;
        let read = async { Ok(db::service::view(&mut *self.db.read().await?, id).await?) };
        if let Some(record) = logged(read.await) {
            self.events.publish(record.user, Event::Service { service: record.service });
        }
    }

    pub(crate) async fn publish_credits(&self, user: UserId) {
        let _turn = self.events.turn.lock().await;
        let read =
            async { Ok(Some(db::credit::balance(&mut *self.db.read().await?, user).await?)) };
        if let Some(credits) = logged(read.await) {
            self.events.publish(user, Event::Credits { credits });
        }
    }

    /// Tells of what shows nodes: the service, or the application whose manager it is.
    pub(crate) async fn publish_node_of(&self, node: &protocol::api::Node) {
        self.events.node_changed(node.id);
        match node.service {
            Some(service) => self.publish_service(service).await,
            None => self.publish_application(node.application).await,
        }
    }

    pub(crate) async fn publish_deleted(&self, user: UserId, event: Event) {
        let _turn = self.events.turn.lock().await;
        self.events.publish(user, event);
    }
}

/// Telling is not worth failing for: whoever waits looks again by itself.
fn logged<T>(read: Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|error| {
        error::log(&error);
        None
    })
}
