//! EC2's Query API: a signed form goes out, XML comes back.

use std::collections::BTreeMap;

use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::fault::Fault;
use super::settings::Settings;
use super::signature::{CONTENT_TYPE, Key};
use crate::fault::excerpt;
use crate::transport::{Answer, Transport};
use crate::{CloudError, pauses};

/// The version of the API that is spoken.
const VERSION: &str = "2016-11-15";

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    action: &'static str,
    parameters: Vec<(String, String)>,
    repeatable: bool,
}

impl Call {
    /// A call that changes something; done twice it may do it twice.
    pub(crate) fn change(action: &'static str) -> Self {
        Self { action, parameters: Vec::new(), repeatable: false }
    }

    /// A call that may be made again when its answer got lost.
    pub(crate) fn repeatable(action: &'static str) -> Self {
        Self { repeatable: true, ..Self::change(action) }
    }

    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// With this parameter, if it has a value.
    pub(crate) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Keeps to what has this value.
    pub(crate) fn filter(self, number: usize, name: &str, value: &str) -> Self {
        self.with(format!("Filter.{number}.Name"), name)
            .with(format!("Filter.{number}.Value.1"), value)
    }

    /// What is made carries these tags from its first instant, and its name where it has one.
    pub(crate) fn tags(
        self,
        resource: &str,
        name: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Self {
        let specification = "TagSpecification.1";
        let named = name.map(|name| (TAG_NAME, name));
        let own = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let begun = self.with(format!("{specification}.ResourceType"), resource);
        named.into_iter().chain(own).zip(1..).fold(begun, |call, ((key, value), number)| {
            call.with(format!("{specification}.Tag.{number}.Key"), key)
                .with(format!("{specification}.Tag.{number}.Value"), value)
        })
    }

    fn form(&self) -> String {
        let fixed = [("Action", self.action), ("Version", VERSION)];
        let own = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut url = Url::parse("http://form.invalid/").expect("it is a URL");
        url.query_pairs_mut().extend_pairs(fixed.into_iter().chain(own));
        url.query().unwrap_or_default().to_owned()
    }
}

/// The tag that EC2's users know as the name.
const TAG_NAME: &str = "Name";

/// A list as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Items<T> {
    #[serde(default = "Vec::new")]
    pub(crate) item: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

/// A tag as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// The tags without the name.
pub(crate) fn tags_of(tags: &Items<Tag>) -> BTreeMap<String, String> {
    let others = tags.item.iter().filter(|tag| tag.key != TAG_NAME);
    others.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// The name, where there is one.
pub(crate) fn name_of(tags: &Items<Tag>) -> String {
    let name = tags.item.iter().find(|tag| tag.key == TAG_NAME);
    name.map(|tag| tag.value.clone()).unwrap_or_default()
}

/// An answer of several pages.
pub(crate) trait Page {
    type Item;

    /// What is on it, and where the next one begins.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// An account on a cloud.
#[derive(Debug)]
pub(crate) struct Api {
    transport: Transport,
    url: Url,
    host: String,
    key: Key,
}

impl Api {
    pub(crate) fn new(settings: &Settings) -> Result<Self, CloudError> {
        let text = settings.url();
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let (url, host) = url
            .and_then(|url| url.host_str().map(str::to_owned).map(|host| (url, host)))
            .ok_or_else(|| CloudError::Settings {
                problem: format!("endpoint '{text}' is no web address"),
            })?;
        let host = url.port().map(|port| format!("{host}:{port}")).unwrap_or(host);
        let key = Key {
            access: settings.access_key.clone(),
            secret: settings.secret_key.clone(),
            region: settings.region.clone(),
            service: "ec2",
        };
        let transport = Transport::new(settings.ca_certificate.as_deref())?;
        Ok(Self { transport, url, host, key })
    }

    /// Makes the call and reads its answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, CloudError> {
        let answer = self.send(&call).await?;
        let text = String::from_utf8_lossy(&answer.body);
        quick_xml::de::from_str(&text).map_err(|error| CloudError::Unexpected {
            operation: call.action.to_owned(),
            status: answer.status,
            excerpt: excerpt(&format!("{error} in {text}")),
        })
    }

    /// Makes a call whose answer says no more than that it was done.
    pub(crate) async fn order(&self, call: Call) -> Result<(), CloudError> {
        self.send(&call).await.map(|_| ())
    }

    /// Like [`order`](Self::order), of something that is to go; what is gone already is as good.
    pub(crate) async fn remove(&self, call: Call) -> Result<(), CloudError> {
        match self.order(call).await {
            Err(CloudError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Makes the call for every page of its answer.
    pub(crate) async fn list<P: Page + DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<Vec<P::Item>, CloudError> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page: P = self.fetch(call.clone().optional("NextToken", next.as_deref())).await?;
            let (items, token) = page.into_parts();
            all.extend(items);
            match token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    async fn send(&self, call: &Call) -> Result<Answer, CloudError> {
        let form = call.form();
        let mut pauses = pauses::throttled();
        loop {
            let answer = self.send_once(call, &form).await?;
            if (200..300).contains(&answer.status) {
                return Ok(answer);
            }
            let fault = Fault::parse(&String::from_utf8_lossy(&answer.body));
            match pauses.next().filter(|_| fault.is_throttled()) {
                // Turned away, it did nothing.
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(fault.classify(call.action, answer.status)),
            }
        }
    }

    async fn send_once(&self, call: &Call, form: &str) -> Result<Answer, CloudError> {
        let now = OffsetDateTime::now_utc();
        let signed = self.key.sign(&self.host, self.url.path(), form, now);
        self.transport
            .send(&Method::POST, &self.url, call.repeatable, |request| {
                request
                    .header("Content-Type", CONTENT_TYPE)
                    .header("X-Amz-Date", &signed.date)
                    .header("Authorization", &signed.authorization)
                    .body(form.to_owned())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_holds_the_action_and_what_goes_with_it() {
        let tags = [("a".to_owned(), "b c&d".to_owned())].into();
        let call = Call::change("RunInstances").optional("KeyName", None).tags(
            "instance",
            Some("vm"),
            &tags,
        );
        assert_eq!(
            call.form(),
            "Action=RunInstances&Version=2016-11-15&TagSpecification.1.ResourceType=instance\
             &TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=vm\
             &TagSpecification.1.Tag.2.Key=a&TagSpecification.1.Tag.2.Value=b+c%26d"
        );
    }
}
