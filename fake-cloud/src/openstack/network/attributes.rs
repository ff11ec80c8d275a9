//! What clients send of a thing: attributes by name, each checked, none of them ignored.

use axum::response::Response;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::Error;
use super::listing::choose;
use crate::model::{Model, ProjectId, StandardAttributes};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, json};

/// Attributes that nobody has asked for yet.
#[derive(Debug)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// Reads the one thing that was sent.
    pub(super) async fn one(cx: &mut Context, name: &str) -> Result<Self, Fault> {
        let body: Map<String, Value> = cx.json().await?;
        Self::of(body, name)
    }

    fn of(mut body: Map<String, Value>, name: &str) -> Result<Self, Fault> {
        match body.remove(name) {
            Some(Value::Object(attributes)) => Ok(Self(attributes)),
            _ => Err(Fault::bad_request(format!("Unable to find '{name}' in request body"))),
        }
    }

    /// Takes an attribute that may be left out.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let written = value.to_string();
        serde_json::from_value(value).map(Some).map_err(|error| {
            Fault::bad_request(format!(
                "Invalid input for {name}. Reason: {written} is not valid: {error}."
            ))
        })
    }

    /// Takes an attribute that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Fault> {
        self.take(name)?.ok_or_else(|| {
            Fault::bad_request(format!(
                "Failed to parse request. Required attribute '{name}' not specified"
            ))
        })
    }

    /// Takes a text; `null` is as good as nothing.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.take::<Option<String>>(name).map(Option::flatten)
    }

    /// Takes a truth value, which some clients send as text.
    pub(super) fn truth(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(other) => match other.to_string().trim_matches('"').to_lowercase().as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                text => Err(Fault::bad_request(format!(
                    "Invalid input for {name}. Reason: '{text}' cannot be converted to boolean."
                ))),
            },
        }
    }

    /// Takes what only the administrator may say.
    pub(super) fn reserved(
        &mut self,
        cx: &Context,
        rule: &str,
        name: &str,
    ) -> Result<Option<Value>, Fault> {
        let value = self.0.remove(name);
        if value.is_some() && !cx.caller()?.is_admin {
            return Err(Fault::forbidden(format!(
                "(rule:{rule} and rule:{rule}:{name}) is disallowed by policy"
            )));
        }
        Ok(value)
    }

    /// Takes whose the thing is to be: the caller's, or anyone's for the administrator.
    pub(super) fn project(&mut self, cx: &Context) -> Result<ProjectId, Fault> {
        let own = cx.project()?;
        let named = [self.text("project_id")?, self.text("tenant_id")?];
        let Some(named) = named.into_iter().flatten().next() else { return Ok(own) };
        match named.parse() {
            Ok(project) if project == own || cx.caller()?.is_admin => Ok(project),
            Ok(_) => Err(Fault::forbidden(
                "Specifying 'project_id' or 'tenant_id' other than the authenticated project in \
                 request requires admin privileges",
            )),
            Err(_) => Err(Fault::bad_request(format!(
                "Invalid input for project_id. Reason: '{named}' is not a project."
            ))),
        }
    }

    /// Refuses what nobody has taken.
    pub(super) fn finish(self) -> Result<(), Fault> {
        let names: Vec<String> = self.0.into_iter().map(|(name, _)| name).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Fault::bad_request(format!("Unrecognized attribute(s) '{}'", names.join(", "))))
    }
}

/// Makes one thing, or all of a list or none, and answers with what was made.
pub(super) async fn create<Id: Copy>(
    mut cx: Context,
    (name, plural): (&str, &str),
    make: impl Fn(&Context, &mut Model, Attributes, OffsetDateTime) -> Result<Id, Error>,
    undo: impl Fn(&mut Model, Id),
    view: impl Fn(&Model, Id) -> Option<Value>,
) -> Result<Response, Error> {
    let mut body: Map<String, Value> = cx.json().await?;
    let (wanted, many) = match body.remove(plural) {
        Some(Value::Array(items)) => {
            let wrap = |item| Attributes::of(Map::from_iter([(name.to_owned(), item)]), name);
            (items.into_iter().map(wrap).collect::<Result<Vec<_>, _>>()?, true)
        }
        _ => (vec![Attributes::of(body, name)?], false),
    };
    let created = cx.cloud.change(|model, now| {
        let mut made = Vec::new();
        for attributes in wanted {
            match make(&cx, model, attributes, now) {
                Ok(id) => made.push(id),
                Err(error) => {
                    made.into_iter().for_each(|id| undo(model, id));
                    return Err(error);
                }
            }
        }
        Ok::<_, Error>(made.into_iter().filter_map(|id| view(model, id)).collect::<Vec<_>>())
    });
    let mut views = created.await?;
    views.iter_mut().for_each(|view| hide(&cx, view));
    let answer = if many { json!({plural: views}) } else { json!({name: views.pop()}) };
    Ok(json(StatusCode::CREATED, &answer))
}

/// What Neutron's own policy shows to administrators only.
const HIDDEN: [&str; 9] = [
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
    "binding:host_id",
    "binding:profile",
    "binding:vif_details",
    "binding:vif_type",
    "distributed",
    "ha",
];

/// Leaves of a view what the caller may see.
pub(super) fn hide(cx: &Context, view: &mut Value) {
    let is_admin = cx.caller().is_ok_and(|caller| caller.is_admin);
    if let (false, Value::Object(view)) = (is_admin, view) {
        view.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    }
}

/// Answers with one view.
pub(super) fn one(cx: &Context, name: &str, mut view: Value) -> Response {
    choose(cx, &mut view);
    json(StatusCode::OK, &json!({name: view}))
}

/// Adds what the views of all things have.
pub(super) fn with_standard(mut view: Value, standard: &StandardAttributes) -> Value {
    view["description"] = json!(standard.description);
    view["tags"] = json!(standard.labels);
    view["created_at"] = json!(Zulu(standard.created));
    view["updated_at"] = json!(Zulu(standard.updated));
    view["revision_number"] = json!(standard.revision);
    view
}

/// Refuses a change that was meant for another revision: `If-Match: revision_number=3`.
pub(super) fn check_revision(cx: &Context, standard: &StandardAttributes) -> Result<(), Fault> {
    let header = cx.headers.get(http::header::IF_MATCH).and_then(|value| value.to_str().ok());
    let wanted = header.and_then(|text| text.strip_prefix("revision_number="));
    match wanted {
        Some(wanted) if wanted != standard.revision.to_string() => Err(Fault::named(
            StatusCode::PRECONDITION_FAILED,
            "RevisionNumberConstraintFailed",
            format!("Constrained to {wanted}, but current revision is {}", standard.revision),
        )),
        _ => Ok(()),
    }
}

/// Notes a change, and the description if it is what changed.
pub(super) fn describe(
    standard: &mut StandardAttributes,
    description: Option<String>,
    now: OffsetDateTime,
) {
    if let Some(description) = description {
        standard.description = description;
    }
    standard.touch(now);
}
