//! A deployment of a manifest, step by step.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::OperationId;
use protocol::api::{Application, Deployment, OperationState, Service};
use serde::Deserialize;

use super::Named;
use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{self, Frame, page};

#[derive(Template)]
#[template(path = "deployment.html")]
struct DeploymentPage {
    frame: Frame,
    error: Option<Problem>,
    /// Why it failed.
    failure: Option<Problem>,
    deployment: Deployment,
    /// `None` when it has failed: nothing is left of it.
    application: Option<Application>,
    services: Vec<Service>,
}

impl DeploymentPage {
    fn title(&self) -> String {
        match (&self.application, self.deployment.state) {
            (Some(application), OperationState::Running | OperationState::Done) => {
                application.name.clone()
            }
            _ => format!("Application {}", self.deployment.application),
        }
    }

    fn word(&self) -> &'static str {
        match self.deployment.state {
            OperationState::Running => "DEPLOYING",
            OperationState::Done => "DEPLOYED",
            OperationState::Unwinding => "BEING REMOVED",
            OperationState::Failed => "FAILED",
        }
    }

    fn led(&self) -> &'static str {
        match self.deployment.state {
            OperationState::Running => "led-on led-busy",
            OperationState::Done => "led-on",
            OperationState::Unwinding => "led-error led-busy",
            OperationState::Failed => "led-error",
        }
    }

    /// The light and the word beside a step.
    fn step(&self, nth: usize) -> (&'static str, &'static str) {
        let Deployment { done, state, .. } = self.deployment;
        match (nth.cmp(&done), state) {
            (std::cmp::Ordering::Less, _) => ("led-on", "done"),
            (std::cmp::Ordering::Equal, OperationState::Running) => ("led-on led-busy", "now"),
            (std::cmp::Ordering::Equal, OperationState::Unwinding | OperationState::Failed) => {
                ("led-error", "failed")
            }
            _ => ("led-off", "to come"),
        }
    }
}

/// What the page of before showed.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    /// Its revision: the answer comes once there is something newer, or after a while.
    after: Option<u64>,
}

pub(crate) async fn show(
    session: Session,
    Named(id): Named<OperationId>,
    Query(shown): Query<Shown>,
) -> Result<Response, Failure> {
    let director = &session.director;
    let deployment = match shown.after {
        Some(revision) => director.deployment_changed(id, revision).await?,
        None => director.deployment_view(id).await?,
    };
    let (frame, applications, services) = tokio::try_join!(
        session.frame(),
        async { Ok(director.application_list().await?) },
        async { Ok(director.service_list().await?) },
    )?;
    let id = deployment.application;
    let failure = deployment.error.as_ref().map(|error| {
        let problem = Problem::new(StatusCode::OK, error.message.clone());
        problem.hint(error.hint.clone().unwrap_or_else(|| "Nothing of it is left.".to_owned()))
    });
    let application = applications.into_iter().find(|one| one.id == id);
    let services = services.into_iter().filter(|one| one.application == id).collect();
    let deployment =
        DeploymentPage { frame, error: None, failure, deployment, application, services };
    Ok(page(StatusCode::OK, &deployment))
}
