//! Calls with a token: finds the service, logs in when needed, and reads the answer.

use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::auth::{Authority, Token};
use super::catalog::{self, Service};
use super::fault;
use super::settings::{Interface, Settings};
use crate::CloudError;
use crate::fault::excerpt;
use crate::pauses;
use crate::transport::{Answer, Transport};

/// One call to one service.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// For messages: `create a server`.
    operation: &'static str,
    service: Service,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    microversion: Option<&'static str>,
}

impl Call {
    fn new(method: Method, operation: &'static str, service: Service, path: &[&str]) -> Self {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Self { operation, service, method, path, query: Vec::new(), body: None, microversion: None }
    }

    pub(crate) fn get(operation: &'static str, service: Service, path: &[&str]) -> Self {
        Self::new(Method::GET, operation, service, path)
    }

    pub(crate) fn delete(operation: &'static str, service: Service, path: &[&str]) -> Self {
        Self::new(Method::DELETE, operation, service, path)
    }

    pub(crate) fn post(
        operation: &'static str,
        service: Service,
        path: &[&str],
        body: Value,
    ) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, operation, service, path) }
    }

    /// With this parameter, if it has a value.
    pub(crate) fn query(mut self, key: &'static str, value: Option<&str>) -> Self {
        self.query.extend(value.map(|value| (key, value.to_owned())));
        self
    }

    pub(crate) fn microversion(self, microversion: &'static str) -> Self {
        Self { microversion: Some(microversion), ..self }
    }
}

/// A user on a cloud.
#[derive(Debug)]
pub(crate) struct Session {
    transport: Transport,
    authority: Authority,
    region: Option<String>,
    interface: Interface,
}

impl Session {
    pub(crate) fn new(settings: &Settings) -> Result<Self, CloudError> {
        Ok(Self {
            transport: Transport::new(settings.ca_certificate.as_deref())?,
            authority: Authority::new(settings)?,
            region: settings.region.clone(),
            interface: settings.interface,
        })
    }

    /// Logs in, unless done already, and looks all services up.
    pub(crate) async fn check(&self) -> Result<(), CloudError> {
        let token = self.authority.token(&self.transport).await?;
        for service in [Service::Compute, Service::Image, Service::Network] {
            self.endpoint(&token, service)?;
        }
        Ok(())
    }

    /// Makes the call and reads its answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, CloudError> {
        let operation = call.operation;
        let answer = self.send(call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| CloudError::Unexpected {
            operation: operation.to_owned(),
            status: answer.status,
            excerpt: excerpt(&format!("{error} in {}", String::from_utf8_lossy(&answer.body))),
        })
    }

    /// Like [`fetch`](Self::fetch); `None` when what the call is about does not exist.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<Option<T>, CloudError> {
        match self.fetch(call).await {
            Ok(found) => Ok(Some(found)),
            Err(CloudError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a deleting call; what is gone already counts as deleted.
    pub(crate) async fn remove(&self, call: Call) -> Result<(), CloudError> {
        match self.send(call).await {
            Ok(_) | Err(CloudError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, call: Call) -> Result<Answer, CloudError> {
        let token = self.authority.token(&self.transport).await?;
        let answer = self.send_with(&call, &token).await?;
        if answer.status != 401 {
            return fault::checked(answer, call.operation);
        }
        // The token died early. Refused, the call did nothing: it may be repeated, once.
        self.authority.forget(&token).await;
        let token = self.authority.token(&self.transport).await?;
        fault::checked(self.send_with(&call, &token).await?, call.operation)
    }

    async fn send_with(&self, call: &Call, token: &Token) -> Result<Answer, CloudError> {
        let url = address(self.endpoint(token, call.service)?, &call.path);
        let mut pauses = pauses::throttled();
        loop {
            let answer = self.send_once(call, &url, token).await?;
            match pauses.next().filter(|_| answer.status == 429) {
                // Turned away because there are too many, it did nothing.
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(answer),
            }
        }
    }

    async fn send_once(&self, call: &Call, url: &Url, token: &Token) -> Result<Answer, CloudError> {
        self.transport
            .send(&call.method, url, call.method.is_idempotent(), |mut request| {
                request = request.header("X-Auth-Token", token.value.clone()).query(&call.query);
                if let Some(microversion) = call.microversion {
                    request =
                        request.header("OpenStack-API-Version", format!("compute {microversion}"));
                }
                match &call.body {
                    Some(body) => request.json(body),
                    None => request,
                }
            })
            .await
    }

    fn endpoint(&self, token: &Token, service: Service) -> Result<Url, CloudError> {
        catalog::endpoint(&token.catalog, service, self.region.as_deref(), self.interface)
    }
}

/// `endpoint` with `path` behind it; each segment is escaped, so a name cannot leave its place.
fn address(mut endpoint: Url, path: &[String]) -> Url {
    if let Ok(mut segments) = endpoint.path_segments_mut() {
        segments.extend(path);
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        let endpoint = Url::parse("http://cloud.test/image/v2").unwrap();
        assert_eq!(
            address(endpoint, &["images".into(), "my image/1?".into()]).as_str(),
            "http://cloud.test/image/v2/images/my%20image%2F1%3F"
        );
    }
}
