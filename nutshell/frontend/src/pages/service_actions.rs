//! Orders that every service takes: start, stop, rename, terminate, more or fewer instances.

use axum::Form;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::ServiceId;
use protocol::api::{NodeCounts, NodesAdd, NodesRemove, ServiceStart};

use super::service::answer;
use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;

pub(crate) async fn start(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let start = ServiceStart { cloud: filled(&fields, "cloud") };
    let started = session.director.service_start(id, &start).await;
    answer(&session, id, started.map_err(Failure::from), fields).await
}

pub(crate) async fn stop(
    session: Session,
    Named(id): Named<ServiceId>,
) -> Result<Response, Failure> {
    let stopped = session.director.service_stop(id).await;
    answer(&session, id, stopped.map_err(Failure::from), Fields::new()).await
}

pub(crate) async fn rename(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let renamed = match filled(&fields, "name") {
        Some(name) => session.director.service_rename(id, &name).await.map_err(Failure::from),
        None => Err(Problem::invalid("A service needs a name.").into()),
    };
    answer(&session, id, renamed, fields).await
}

pub(crate) async fn terminate(
    session: Session,
    Named(id): Named<ServiceId>,
) -> Result<Response, Failure> {
    match session.director.service_delete(id).await {
        Ok(()) => Ok(Redirect::to("/").into_response()),
        Err(error) => answer(&session, id, Err::<(), _>(error.into()), Fields::new()).await,
    }
}

pub(crate) async fn resize(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let resized = match resize_request(&fields) {
        Ok(Resize::Add(add)) => session.director.service_add_nodes(id, &add).await,
        Ok(Resize::Remove(remove)) => session.director.service_remove_nodes(id, &remove).await,
        Err(problem) => return answer(&session, id, Err::<(), _>(problem.into()), fields).await,
    };
    answer(&session, id, resized.map_err(Failure::from), fields).await
}

#[derive(Debug)]
enum Resize {
    Add(NodesAdd),
    Remove(NodesRemove),
}

/// Reads the form: fields `role.<name>` hold numbers, the button says what to do with them.
fn resize_request(fields: &Fields) -> Result<Resize, Problem> {
    let mut nodes = NodeCounts::new();
    for (field, text) in fields {
        let (Some(role), text) = (field.strip_prefix("role."), text.trim()) else { continue };
        let count = if text.is_empty() { Some(0) } else { text.parse().ok() };
        match count {
            Some(0) => {}
            Some(count) => drop(nodes.insert(role.to_owned(), count)),
            None => {
                let message = format!("\u{201c}{text}\u{201d} is not a number of instances.");
                return Err(Problem::invalid(message).hint("Enter a whole number, such as 2."));
            }
        }
    }
    if nodes.is_empty() {
        return Err(Problem::invalid("Enter how many instances to add or to remove."));
    }
    match fields.get("change").map(String::as_str) {
        Some("add") => {
            let (cloud, instance_type) = (filled(fields, "cloud"), filled(fields, "instance_type"));
            Ok(Resize::Add(NodesAdd { nodes, cloud, instance_type }))
        }
        Some("remove") => Ok(Resize::Remove(NodesRemove { nodes })),
        _ => Err(Problem::invalid("Choose whether to add or to remove instances.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Resize, Problem> {
        resize_request(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn roles_without_a_number_are_left_alone() {
        let form = [("role.web", " 2 "), ("role.proxy", ""), ("role.x", "0"), ("change", "add")];
        let Resize::Add(add) = read(form).unwrap() else { panic!("the button said add") };
        assert_eq!(add.nodes, [("web".to_owned(), 2)].into());
        assert_eq!(add.cloud, None);
        let form = [("role.web", "1"), ("change", "remove"), ("cloud", "a")];
        let Resize::Remove(remove) = read(form).unwrap() else { panic!("it said remove") };
        assert_eq!(remove.nodes, [("web".to_owned(), 1)].into());
    }

    #[test]
    fn nonsense_is_refused_before_the_director_is_asked() {
        for text in ["-1", "two", "1.5", "99999999999"] {
            assert!(read([("role.web", text), ("change", "add")]).is_err(), "{text}");
        }
        assert!(read([("role.web", ""), ("change", "add")]).is_err());
        assert!(read([("role.web", "1")]).is_err());
    }
}
