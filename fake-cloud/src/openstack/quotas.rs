//! What the quotas of Nova, Cinder and Neutron share: whose they are, and how limits are set.

use serde_json::{Map, Value};

use super::errors::Fault;
use super::request::Context;
use crate::model::error::Error as ModelError;
use crate::model::quota::{Quotas, UNLIMITED};
use crate::model::{Model, ProjectId};
use crate::store::StoreError;

/// What a service calls each of its quotas, and the name of the quota.
pub(super) type Names = [(&'static str, &'static str)];

/// Why someone cannot see the quotas of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// There is no such project.
    Unknown,
    /// It is another's.
    Forbidden,
}

/// The project whose quotas are asked for: the caller's own, or any for the administrator.
pub(super) fn visible_project<E: From<Fault>>(
    cx: &Context,
    id: &str,
    hidden: impl FnOnce(Hidden) -> E,
) -> Result<ProjectId, E> {
    let caller = cx.caller()?;
    let known = id.parse().ok().filter(|id| cx.cloud.has_project(*id));
    match known {
        Some(id) if caller.sees(id) => Ok(id),
        Some(_) => Err(hidden(Hidden::Forbidden)),
        None => Err(hidden(Hidden::Unknown)),
    }
}

/// Sets the limits that were sent, all of them or none; names that are none of the service's are
/// passed over. Gives the quotas that hold now.
pub(super) async fn update<E>(
    cx: &Context,
    project: ProjectId,
    names: &Names,
    wanted: &Map<String, Value>,
) -> Result<Quotas, E>
where
    E: From<Fault> + From<ModelError> + From<StoreError>,
{
    let set = |model: &mut Model, now| {
        model.welcome(project, now);
        model.change_quotas(project, |quotas| {
            for (called, name) in names {
                if let (Some(value), Some(place)) = (wanted.get(*called), quotas.limit_mut(name)) {
                    *place = limit(called, value)?;
                }
            }
            Ok::<_, E>(())
        })?;
        Ok(model.quotas(project))
    };
    cx.cloud.change(set).await
}

/// Forgets what was set of a service's quotas: those of all projects hold for this one again.
pub(super) async fn reset<E>(cx: &Context, project: ProjectId, names: &Names) -> Result<(), E>
where
    E: From<ModelError> + From<StoreError>,
{
    let names: Vec<_> = names.iter().map(|(_, name)| *name).collect();
    let reset = |model: &mut Model, now| {
        model.welcome(project, now);
        Ok::<_, E>(model.reset_quotas(project, &names)?)
    };
    cx.cloud.change(reset).await
}

fn limit(name: &str, value: &Value) -> Result<i64, Fault> {
    let limit = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    };
    limit.filter(|limit| *limit >= UNLIMITED).ok_or_else(|| {
        Fault::bad_request(format!("Invalid input for field/attribute {name}. Value: {value}."))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_is_a_number_or_none() {
        let limit = |value: Value| limit("cores", &value).ok();
        assert_eq!(limit(json!(20)), Some(20));
        assert_eq!(limit(json!("20")), Some(20));
        assert_eq!(limit(json!(-1)), Some(UNLIMITED));
        for wrong in [json!(-2), json!(1.5), json!("many"), json!(null)] {
            assert_eq!(limit(wrong.clone()), None, "{wrong}");
        }
    }
}
