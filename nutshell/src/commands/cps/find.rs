//! From what the user typed to what the director knows.

use protocol::api::{Application, Service};
use protocol::{ApplicationId, ServiceId};

use super::{Caller, CpsError};
use crate::args::{ApplicationRef, ServiceRef};

impl Caller<'_> {
    /// The id of an application. A number is not looked up: the director knows whether it exists.
    pub(crate) async fn application_id(
        &self,
        name: &ApplicationRef,
    ) -> Result<ApplicationId, CpsError> {
        match name {
            ApplicationRef::Id(id) => Ok(*id),
            ApplicationRef::Name(_) => Ok(self.application(name).await?.id),
        }
    }

    /// An application.
    pub(crate) async fn application(&self, name: &ApplicationRef) -> Result<Application, CpsError> {
        let name = match name {
            ApplicationRef::Id(id) => return Ok(self.client.application_view(*id).await?),
            ApplicationRef::Name(name) => name,
        };
        let all = self.client.application_list().await?;
        let found = all.into_iter().filter(|application| application.name == *name);
        only(found, "applications", name)?.ok_or_else(|| CpsError::UnknownApplication(name.clone()))
    }

    /// The id of a service. A number is not looked up: the director knows whether it exists.
    pub(crate) async fn service_id(&self, name: &ServiceRef) -> Result<ServiceId, CpsError> {
        match name {
            ServiceRef::Id(id) => Ok(*id),
            ServiceRef::Name(_) | ServiceRef::Of(..) => Ok(self.service(name).await?.id),
        }
    }

    /// A service.
    pub(crate) async fn service(&self, name: &ServiceRef) -> Result<Service, CpsError> {
        if let ServiceRef::Id(id) = name {
            return Ok(self.client.service_view(*id).await?);
        }
        let text = name.to_string();
        let all = self.client.service_list().await?;
        // A name may have a `/` in it.
        let named = all.iter().filter(|service| service.name == text).cloned();
        let found = match (only(named, "services", &text)?, name) {
            (None, ServiceRef::Of(application, service)) => {
                let application = self.application_id(application).await?;
                let is_meant =
                    |found: &Service| found.application == application && is_named(found, service);
                only(all.into_iter().filter(is_meant), "services", &text)?
            }
            (found, _) => found,
        };
        found.ok_or(CpsError::UnknownService(text))
    }

    /// The id of a service of a certain type: `cps generic` is not for others.
    pub(crate) async fn service_of(
        &self,
        name: &ServiceRef,
        kind: &str,
    ) -> Result<ServiceId, CpsError> {
        let service = self.service(name).await?;
        if service.service_type == kind {
            return Ok(service.id);
        }
        Err(CpsError::OtherType {
            id: service.id,
            found: service.service_type,
            expected: kind.to_owned(),
        })
    }
}

/// Whether that stands for the service within its application.
fn is_named(service: &Service, name: &ServiceRef) -> bool {
    match name {
        ServiceRef::Id(id) => service.id == *id,
        ServiceRef::Name(name) => service.name == *name,
        ServiceRef::Of(..) => service.name == name.to_string(),
    }
}

/// The only one; an error when there are several.
fn only<T>(
    mut found: impl Iterator<Item = T>,
    kind: &'static str,
    name: &str,
) -> Result<Option<T>, CpsError> {
    let first = found.next();
    match found.count() {
        0 => Ok(first),
        more => Err(CpsError::Ambiguous { kind, name: name.to_owned(), count: more + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_several_have_is_refused() {
        assert_eq!(only([1].into_iter(), "services", "a").unwrap(), Some(1));
        assert_eq!(only(Vec::<u8>::new().into_iter(), "services", "a").unwrap(), None);
        let error = only([1, 2, 3].into_iter(), "services", "a").unwrap_err();
        assert_eq!(error.to_string(), "3 services have the name `a`");
    }
}
