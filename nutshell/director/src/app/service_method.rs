//! Methods that one kind of service has: forwarded to the application's manager.

use std::collections::BTreeMap;

use protocol::ServiceId;
use protocol::UserId;
use protocol::api::{MethodKind, MethodSummary, ServiceType};
use protocol::client::{Download, ManagerClient, Upload};
use serde_json::Value;

use super::manager::{self, PATIENT};
use super::{App, Error, Result};

/// The parameters of a method that stand in the query.
pub(crate) type Query = BTreeMap<String, String>;

/// How a method was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Get,
    Post,
}

/// A method at hand: of which service, how it is called, and who carries it out.
pub(crate) struct Method {
    service: protocol::api::Service,
    summary: &'static MethodSummary,
    manager: ManagerClient,
}

impl Method {
    pub(crate) fn kind(&self) -> MethodKind {
        self.summary.kind
    }
}

impl App {
    /// Finds the method of the user's service, which its manager must be there for.
    pub(crate) async fn service_method(
        &self,
        user: UserId,
        id: ServiceId,
        method: &str,
        call: Call,
    ) -> Result<Method> {
        let service = self.service_view(user, id).await?;
        let service_type = super::service::known_type(&service.service_type)?;
        let summary = find(service_type, method, call)?;
        let application = self.application_view(user, service.application).await?;
        Ok(Method { service, summary, manager: self.manager(&application).await? })
    }

    pub(crate) async fn service_query(&self, method: &Method, query: &Query) -> Result<Value> {
        let Method { service, summary, manager } = method;
        let answer = manager.query(service.id, &summary.name, query);
        manager::call(service.application, PATIENT, answer).await
    }

    pub(crate) async fn service_command(
        &self,
        method: &Method,
        parameters: &Value,
    ) -> Result<Value> {
        let Method { service, summary, manager } = method;
        let answer = manager.command(service.id, &summary.name, parameters);
        manager::call(service.application, PATIENT, answer).await
    }

    /// Passes the content on as it comes: it takes as long as the user takes.
    pub(crate) async fn service_upload(
        &self,
        method: &Method,
        query: &Query,
        content: Upload,
    ) -> Result<Value> {
        let Method { service, summary, manager } = method;
        let answer = manager.upload(service.id, &summary.name, query, content).await;
        answer.map_err(|error| manager::failure(service.application, error))
    }

    pub(crate) async fn service_download(
        &self,
        method: &Method,
        query: &Query,
    ) -> Result<Download> {
        let Method { service, summary, manager } = method;
        let answer = manager.download(service.id, &summary.name, query);
        manager::call(service.application, PATIENT, answer).await
    }
}

/// The method of that name, when it is called as it should be.
fn find<'a>(service_type: &'a ServiceType, method: &str, call: Call) -> Result<&'a MethodSummary> {
    let Some(summary) = service_type.methods.iter().find(|known| known.name == method) else {
        let known: Vec<&str> =
            service_type.methods.iter().map(|known| known.name.as_str()).collect();
        return Err(Error::NoSuchMethod {
            method: method.to_owned(),
            service_type: service_type.name.clone(),
            known: known.join(", "),
        });
    };
    let wanted = match summary.kind {
        MethodKind::Query | MethodKind::Download => Call::Get,
        MethodKind::Command | MethodKind::Upload => Call::Post,
    };
    if call == wanted {
        return Ok(summary);
    }
    let verb = match wanted {
        Call::Get => "GET",
        Call::Post => "POST",
    };
    Err(Error::Invalid(format!("the method `{method}` is called by {verb}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_called_by_its_verb() {
        let method = |name: &str, kind| MethodSummary {
            name: name.to_owned(),
            kind,
            description: String::new(),
        };
        let service_type = ServiceType {
            name: "generic".to_owned(),
            title: String::new(),
            description: String::new(),
            roles: vec![],
            ports: vec![],
            methods: vec![
                method("list", MethodKind::Query),
                method("run", MethodKind::Command),
                method("put", MethodKind::Upload),
                method("fetch", MethodKind::Download),
            ],
        };
        for (name, get, post) in [
            ("list", true, false),
            ("run", false, true),
            ("put", false, true),
            ("fetch", true, false),
            ("unknown", false, false),
        ] {
            assert_eq!(find(&service_type, name, Call::Get).is_ok(), get, "{name}");
            assert_eq!(find(&service_type, name, Call::Post).is_ok(), post, "{name}");
        }
        let refused = find(&service_type, "x", Call::Get).unwrap_err();
        assert_eq!(refused.to_string(), "there is no method `x` of generic services");
    }
}
