//! Choosing a new service.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::api::{Application, ServiceCreate, ServiceType};

use super::{Fields, filled, service_page};
use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{self, Frame, page};

#[derive(Template)]
#[template(path = "create.html")]
struct CreatePage {
    frame: Frame,
    error: Option<Problem>,
    types: Vec<ServiceType>,
    applications: Vec<Application>,
    clouds: Vec<String>,
    entered: Fields,
}

impl CreatePage {
    fn entered(&self, field: &str) -> &str {
        self.entered.get(field).map_or("", String::as_str)
    }

    fn is_chosen(&self, field: &str, value: &str) -> bool {
        self.entered(field) == value
    }
}

pub(crate) async fn show(session: Session) -> Result<Response, Failure> {
    render(&session, None, Fields::new()).await
}

pub(crate) async fn create(
    session: Session,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let create = match request(&fields) {
        Ok(create) => create,
        Err(problem) => return render(&session, Some(problem), fields).await,
    };
    match session.director.service_create(&create).await.map_err(Failure::from) {
        Ok(created) => Ok(service_page(created.service.id).into_response()),
        Err(Failure::Problem(problem)) => render(&session, Some(problem), fields).await,
        Err(logged_out @ Failure::LoggedOut) => Err(logged_out),
    }
}

fn request(fields: &Fields) -> Result<ServiceCreate, Problem> {
    let service_type = filled(fields, "service_type")
        .ok_or_else(|| Problem::invalid("Choose the kind of service to create."))?;
    let application = filled(fields, "application")
        .map(|id| id.parse())
        .transpose()
        .map_err(|_| Problem::invalid("Choose an application from the list."))?;
    let (name, cloud) = (filled(fields, "name"), filled(fields, "cloud"));
    Ok(ServiceCreate { service_type, application, name, cloud })
}

async fn render(
    session: &Session,
    error: Option<Problem>,
    entered: Fields,
) -> Result<Response, Failure> {
    let (frame, types, applications, clouds) = tokio::try_join!(
        session.frame(),
        async { Ok(session.director.service_type_list().await?) },
        async { Ok(session.director.application_list().await?) },
        async { Ok(session.director.cloud_list().await?) },
    )?;
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &CreatePage { frame, error, types, applications, clouds, entered }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ApplicationId;

    fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn what_is_left_empty_is_left_to_the_director() {
        let bare = fields([("service_type", "generic"), ("name", " "), ("application", "")]);
        let create = request(&bare).unwrap();
        assert_eq!((create.application, create.name, create.cloud), (None, None, None));
        let full = fields([("service_type", "generic"), ("name", " shop "), ("application", "4")]);
        let create = request(&full).unwrap();
        assert_eq!(create.name.as_deref(), Some("shop"));
        assert_eq!(create.application, Some(ApplicationId(4)));
    }

    #[test]
    fn a_service_needs_a_type() {
        assert!(request(&fields([("name", "shop")])).is_err());
        assert!(request(&fields([("service_type", "generic"), ("application", "x")])).is_err());
    }
}
