//! A service: its state, its instances, and what its type adds.

use std::fmt::Display;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::ServiceId;
use protocol::api::autoscaling::AutoscalingStatus;
use protocol::api::code::{CodeVersions, Keys};
use protocol::api::generic::{Script, ScriptStatus, ScriptStatuses};
use protocol::api::web::NodeStatuses;
use protocol::api::{Application, CodeVersion, Node, Service, ServiceType, StateChange, Volume};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use time::OffsetDateTime;

use super::autoscaling::Scaling;
use super::keys::KeyRow;
use super::web::Configuration;
use super::{Fields, Named, service_page};
use crate::failure::{Failure, Problem};
use crate::picture;
use crate::session::Session;
use crate::view::{self, Actions, Frame, ServiceRow, Since, page};

/// A part of the page that is asked of somebody else, who may be unable to answer now.
type Part<T> = Result<T, Problem>;

#[derive(Template)]
#[template(path = "service.html")]
pub(crate) struct ServicePage {
    frame: Frame,
    error: Option<Problem>,
    pub(crate) row: ServiceRow,
    actions: Actions,
    application: Application,
    kind: Option<ServiceType>,
    clouds: Vec<String>,
    nodes: Part<Vec<(Node, Since)>>,
    code: Option<Part<Vec<(CodeVersion, Since)>>>,
    keys: Option<Part<KeyList>>,
    volumes: Option<Part<Vec<Volume>>>,
    history: Part<Vec<(StateChange, Since)>>,
    scripts: Option<Part<ScriptStatuses>>,
    greeting: Option<Part<Greeting>>,
    pub(crate) configuration: Option<Part<Configuration>>,
    pub(crate) statuses: Option<Part<NodeStatuses>>,
    scaling: Option<Part<Scaling>>,
    pub(crate) entered: Fields,
}

/// The keys that open a service's repository.
struct KeyList {
    rows: Vec<KeyRow>,
    repository: Option<String>,
}

impl KeyList {
    fn new(keys: Keys) -> Self {
        let rows = keys.keys.into_iter().map(KeyRow::new).collect();
        Self { rows, repository: keys.repository }
    }
}

/// Result of HelloWorld's own method.
#[derive(Debug, Deserialize)]
struct Greeting {
    helloworld: String,
}

impl ServicePage {
    fn entered(&self, field: impl Display) -> &str {
        self.entered.get(&field.to_string()).map_or("", String::as_str)
    }

    /// The name in the form to change it: what was typed last, or the present one.
    fn name(&self) -> &str {
        self.entered.get("name").unwrap_or(&self.row.service.name)
    }

    /// Whether new instances come from this cloud unless another one is chosen.
    fn is_cloud(&self, cloud: &str) -> bool {
        let of_nodes = self.nodes.iter().flatten().map(|(node, _)| &node.cloud).next();
        let chosen = self.entered.get("cloud").or(of_nodes);
        chosen.is_some_and(|chosen| chosen == cloud)
    }

    fn scripts_run(&self) -> bool {
        self.scripts.iter().flatten().any(|statuses| {
            statuses
                .nodes
                .values()
                .flat_map(|node| node.values())
                .any(|status| *status == ScriptStatus::Running)
        })
    }
}

pub(crate) async fn show(
    session: Session,
    Named(id): Named<ServiceId>,
) -> Result<Response, Failure> {
    render(&session, id, None, Fields::new()).await
}

/// The answer to an order: the service's page, with the reason and what was typed when refused.
pub(crate) async fn answer<T>(
    session: &Session,
    id: ServiceId,
    outcome: Result<T, Failure>,
    entered: Fields,
) -> Result<Response, Failure> {
    match outcome {
        Ok(_) => Ok(service_page(id).into_response()),
        Err(Failure::Problem(problem)) => render(session, id, Some(problem), entered).await,
        Err(logged_out @ Failure::LoggedOut) => Err(logged_out),
    }
}

async fn render(
    session: &Session,
    id: ServiceId,
    error: Option<Problem>,
    entered: Fields,
) -> Result<Response, Failure> {
    let director = &session.director;
    let (frame, service, types, clouds) = tokio::try_join!(
        session.frame(),
        async { Ok(director.service_view(id).await?) },
        async { Ok(director.service_type_list().await?) },
        async { Ok(director.cloud_list().await?) },
    )?;
    let kind = types.iter().find(|kind| kind.name == service.service_type);
    let (
        application,
        nodes,
        volumes,
        history,
        keys,
        code,
        scripts,
        greeting,
        configuration,
        statuses,
        scaling,
    ) = tokio::join!(
        director.application_view(service.application),
        director.service_nodes(id),
        volumes(session, &service, kind),
        director.service_history(id),
        query::<Keys>(session, &service, kind, "list_keys"),
        query::<CodeVersions>(session, &service, kind, "list_code"),
        query::<ScriptStatuses>(session, &service, kind, "get_script_status"),
        query::<Greeting>(session, &service, kind, "get_helloworld"),
        query::<Configuration>(session, &service, kind, "get_configuration"),
        query::<NodeStatuses>(session, &service, kind, "get_daemon_status"),
        query::<AutoscalingStatus>(session, &service, kind, "get_autoscaling"),
    );
    let now = OffsetDateTime::now_utc();
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let service_page = ServicePage {
        frame,
        error,
        actions: Actions::of(service.state),
        application: application?,
        kind: kind.cloned(),
        clouds,
        nodes: match nodes {
            Ok(found) => Ok(dated(found.nodes, |node| node.created, now)),
            Err(error) => Err(error.into()),
        },
        volumes,
        history: match history {
            Ok(found) => Ok(dated(found.state_log, |change| change.time, now)),
            Err(error) => Err(error.into()),
        },
        keys: keys.map(|found| found.map(KeyList::new)),
        code: code.map(|found| Ok(dated(found?.code_versions, |version| version.created, now))),
        scripts,
        greeting,
        configuration,
        statuses,
        scaling: scaling.map(|found| Ok(Scaling::new(&found?, now))),
        row: ServiceRow::new(service, &types, now),
        entered,
    };
    Ok(page(status, &service_page))
}

/// The volumes, if the type has any. The director knows them, whatever its manager does.
async fn volumes(
    session: &Session,
    service: &Service,
    kind: Option<&ServiceType>,
) -> Option<Part<Vec<Volume>>> {
    kind?.methods.iter().find(|offered| offered.name == "create_volume")?;
    let found = session.director.service_volumes(service.id).await;
    Some(found.map(|found| found.volumes).map_err(Problem::from))
}

/// Asks one of the type's own methods, if the type has it.
async fn query<Out: DeserializeOwned>(
    session: &Session,
    service: &Service,
    kind: Option<&ServiceType>,
    method: &str,
) -> Option<Part<Out>> {
    kind?.methods.iter().find(|offered| offered.name == method)?;
    let answer = session.director.service_query(service.id, method, &json!({})).await;
    Some(answer.map_err(Problem::from))
}

/// Puts beside each object how old it is.
fn dated<T>(
    objects: Vec<T>,
    created: impl Fn(&T) -> OffsetDateTime,
    now: OffsetDateTime,
) -> Vec<(T, Since)> {
    let beside = |object| {
        let since = Since::new(created(&object), now);
        (object, since)
    };
    objects.into_iter().map(beside).collect()
}
