//! What a route is: declared once, as data, so that nothing is answered without a rule of who may
//! ask and a name in COVERAGE.md.

use futures::future::BoxFuture;
use http::Method;

use axum::response::Response;

use super::errors::Fault;
use super::request::Context;
use super::{compute, identity, image, network, placement, volume};

/// The services of this cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Glance.
    Image,
    /// Neutron.
    Network,
    /// Cinder.
    Volume,
    /// Placement.
    Placement,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone.
    Open,
    /// Who has a token.
    Token,
    /// Who has a token for a project.
    Project,
    /// Who has the `admin` role.
    Admin,
}

/// What answers a request.
pub(crate) type Handler = fn(Context) -> BoxFuture<'static, Result<Response, Fault>>;

/// One operation of an API.
#[derive(Debug)]
pub(crate) struct Route {
    /// Who may ask.
    pub(crate) access: Access,
    /// The method.
    pub(crate) method: Method,
    /// The path below the service's own.
    pub(crate) path: &'static str,
    /// What the operation is called.
    pub(crate) name: &'static str,
    /// What answers.
    pub(crate) handler: Handler,
}

/// Writes a table of routes, one a line: `Access METHOD "path" module::operation;`.
macro_rules! routes {
    ($($access:ident $method:ident $path:literal $module:ident :: $operation:ident;)*) => {
        &[$($crate::openstack::route::Route {
            access: $crate::openstack::route::Access::$access,
            method: ::http::Method::$method,
            path: $path,
            name: concat!(stringify!($module), "::", stringify!($operation)),
            handler: |context| Box::pin(async move {
                $module::$operation(context).await.map_err(Into::into)
            }),
        }),*]
    };
}
pub(super) use routes;

impl Service {
    /// Its name in the catalogue and in COVERAGE.md.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "keystone",
            Self::Compute => "nova",
            Self::Image => "glance",
            Self::Network => "neutron",
            Self::Volume => "cinder",
            Self::Placement => "placement",
        }
    }

    /// Its name in the catalogue under one of its types: some clients look for both.
    pub(crate) fn name_as(self, kind: &str) -> &'static str {
        if kind == "volumev3" { "cinderv3" } else { self.name() }
    }

    /// Its type in the catalogue, and the one by which older clients look for it.
    pub(crate) fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::Image => &["image"],
            Self::Network => &["network"],
            Self::Volume => &["block-storage", "volumev3"],
            Self::Placement => &["placement"],
        }
    }

    /// What all its paths begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Compute => "/compute",
            Self::Image => "/image",
            Self::Network => "/network",
            Self::Volume => "/volume",
            Self::Placement => "/placement",
        }
    }

    /// What its endpoint has after its prefix; `{project}` stands for the project's id.
    pub(crate) fn endpoint(self) -> &'static str {
        match self {
            Self::Identity => "/v3",
            Self::Compute => "/v2.1",
            Self::Image | Self::Network | Self::Placement => "",
            Self::Volume => "/v3/{project}",
        }
    }

    /// Its operations.
    pub(crate) fn routes(self) -> &'static [Route] {
        match self {
            Self::Identity => identity::ROUTES,
            Self::Compute => compute::ROUTES,
            Self::Image => image::ROUTES,
            Self::Network => network::ROUTES,
            Self::Volume => volume::ROUTES,
            Self::Placement => placement::ROUTES,
        }
    }

    /// What its operations' names begin with: `compute:servers.create`.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Placement => "placement",
        }
    }

    /// The service whose path this is.
    pub(crate) fn of_path(path: &str) -> Self {
        let owns = |service: &Self| {
            let rest = path.strip_prefix(service.prefix());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        super::SERVICES.into_iter().find(owns).unwrap_or(Self::Identity)
    }
}

impl Route {
    /// What everyone calls the operation: `compute:servers.create`.
    pub(crate) fn operation(&self, service: Service) -> String {
        format!("{}:{}", service.family(), self.name.replace("::", "."))
    }

    /// The paths that mean it: documents of versions are asked for with and without a slash.
    pub(crate) fn paths(&self, service: Service) -> Vec<String> {
        let path = format!("{}{}", service.prefix(), self.path);
        match (self.access, self.path.ends_with('/')) {
            (Access::Open, false) => vec![format!("{path}/"), path],
            (Access::Open, true) if path.len() > 1 => {
                vec![path.trim_end_matches('/').to_owned(), path]
            }
            _ => vec![path],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_service() {
        for (path, service) in [
            ("/compute/v2.1/nothing", Service::Compute),
            ("/image", Service::Image),
            ("/network/v2.0/x", Service::Network),
            ("/networks", Service::Identity),
            ("/v3/what", Service::Identity),
        ] {
            assert_eq!(Service::of_path(path), service, "{path}");
        }
    }
}
