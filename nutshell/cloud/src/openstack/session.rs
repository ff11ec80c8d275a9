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
        serde_json::from_slice(&answer.body).map_err(|error| {
            let shown = format!("{error} in {}", String::from_utf8_lossy(&answer.body));
            unexpected(operation, answer.status, &shown)
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

    /// Makes the call as often as it takes to read the whole list that its answers call `collection`. A cloud may
    /// cut any list, at a length of its own choice.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        call: Call,
        collection: &str,
    ) -> Result<Vec<T>, CloudError> {
        let mut things = Vec::new();
        let mut marker = None;
        loop {
            let page = self.fetch(call.clone().query("marker", marker.as_deref())).await?;
            let (entries, is_last) = page_of(page, collection).ok_or_else(|| {
                unexpected(call.operation, 200, &format!("no {collection} in it"))
            })?;
            marker = entries.last().and_then(|last| last["id"].as_str()).map(str::to_owned);
            let read: Result<Vec<T>, _> = entries.into_iter().map(serde_json::from_value).collect();
            things
                .extend(read.map_err(|error| unexpected(call.operation, 200, &error.to_string()))?);
            if is_last || marker.is_none() {
                return Ok(things);
            }
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

fn unexpected(operation: &str, status: u16, shown: &str) -> CloudError {
    CloudError::Unexpected { operation: operation.to_owned(), status, excerpt: excerpt(shown) }
}

/// The entries on a page, and whether it is the last one. Glance has `next` for another one, all others have it
/// among the links of the list.
fn page_of(mut page: Value, collection: &str) -> Option<(Vec<Value>, bool)> {
    let links = page.get(format!("{collection}_links")).and_then(Value::as_array);
    let goes_on = links.is_some_and(|links| links.iter().any(|link| link["rel"] == "next"))
        || page.get("next").is_some_and(|next| !next.is_null());
    let entries = std::mem::take(page.get_mut(collection)?.as_array_mut()?);
    Some((entries, !goes_on))
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        let endpoint = Url::parse("http://cloud.test/image/v2").unwrap();
        assert_eq!(
            address(endpoint, &["images".into(), "my image/1?".into()]).as_str(),
            "http://cloud.test/image/v2/images/my%20image%2F1%3F"
        );
    }

    #[test]
    fn every_service_says_in_its_own_way_that_there_is_more() {
        let read = |page: Value, collection| {
            page_of(page, collection).map(|(entries, is_last)| (entries.len(), is_last))
        };
        let next = json!([{"rel": "next", "href": "http://cloud.test/ports?marker=1"}]);
        let previous =
            json!([{"rel": "previous", "href": "http://cloud.test/ports?page_reverse=True"}]);
        assert_eq!(
            read(json!({"ports": [{"id": "1"}], "ports_links": next}), "ports"),
            Some((1, false))
        );
        assert_eq!(
            read(json!({"ports": [{"id": "1"}], "ports_links": previous}), "ports"),
            Some((1, true))
        );
        assert_eq!(read(json!({"ports": []}), "ports"), Some((0, true)));
        assert_eq!(
            read(json!({"images": [{"id": "1"}], "next": "/v2/images?marker=1"}), "images"),
            Some((1, false))
        );
        assert_eq!(read(json!({"message": "no list"}), "images"), None);
    }
}
