//! The dashboard: all applications with their services.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::{Application, Service, ServiceType, State};
use time::OffsetDateTime;

use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{self, Frame, ServiceRow, Since, page};

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    frame: Frame,
    error: Option<Problem>,
    applications: Vec<ApplicationCard>,
    running: usize,
    services: usize,
    nodes: u32,
}

/// An application with its services.
struct ApplicationCard {
    application: Application,
    created: Since,
    services: Vec<ServiceRow>,
}

impl ApplicationCard {
    /// What is left of one that failed is removed before it starts again.
    fn may_start(&self) -> bool {
        matches!(self.application.state, State::Init | State::Stopped)
    }

    fn may_stop(&self) -> bool {
        matches!(self.application.state, State::Prologue | State::Running | State::Error)
    }
}

pub(crate) async fn show(session: Session) -> Result<Response, Failure> {
    render(&session, None).await
}

pub(super) async fn render(session: &Session, error: Option<Problem>) -> Result<Response, Failure> {
    let (frame, applications, services, types) = tokio::try_join!(
        session.frame(),
        async { Ok(session.director.application_list().await?) },
        async { Ok(session.director.service_list().await?) },
        async { Ok(session.director.service_type_list().await?) },
    )?;
    let dashboard = Dashboard {
        frame,
        error,
        running: services.iter().filter(|service| service.state == State::Running).count(),
        services: services.len(),
        nodes: services.iter().map(|service| service.nodes).sum(),
        applications: group(applications, services, &types, OffsetDateTime::now_utc()),
    };
    let status = dashboard.error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &dashboard))
}

/// Puts every service below its application.
fn group(
    applications: Vec<Application>,
    services: Vec<Service>,
    types: &[ServiceType],
    now: OffsetDateTime,
) -> Vec<ApplicationCard> {
    let mut cards: Vec<_> = applications
        .into_iter()
        .map(|application| ApplicationCard {
            created: Since::new(application.created, now),
            application,
            services: Vec::new(),
        })
        .collect();
    for service in services {
        // An application that came after the first answer shows with the next event.
        if let Some(card) = cards.iter_mut().find(|card| card.application.id == service.application)
        {
            card.services.push(ServiceRow::new(service, types, now));
        }
    }
    cards
}
