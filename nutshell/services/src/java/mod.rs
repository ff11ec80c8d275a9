//! The Java service: web applications of servlets and JSP, and static files.
//!
//! Proxies are nginx, web nodes are nginx, backends are Tomcat: one for each code version, which the
//! proxies are led to when it answers. Sessions are in Redis beside the proxies. How they change
//! without a request lost is the module `web`.

pub(crate) mod agent_half;
mod application;
pub(crate) mod manager_half;
mod proxy;
mod sessions;
mod tomcat;

use protocol::api::{PortRange, ServiceType};

use crate::Need;
use crate::code::methods::summaries;
use crate::web::node::{NGINX, REDIS};
use crate::web::{self, layout, ports};

const JAVA: Need = Need { programs: &["java"], package: "default-jre-headless", essential: true };
const TOMCAT: Need = Need {
    programs: &["/usr/share/tomcat10/bin/bootstrap.jar"],
    package: "tomcat10-common",
    essential: true,
};
/// Tomcat's own, for JSP.
const COMPILER: Need = Need {
    programs: &["/usr/share/java/eclipse-jdt-core.jar"],
    package: "tomcat10-common",
    essential: true,
};

/// What the image of its VMs needs.
pub(crate) const NEEDS: &[Need] = &[NGINX, JAVA, TOMCAT, REDIS];

/// The catalogue's entry.
pub(crate) fn service_type() -> ServiceType {
    ServiceType {
        name: "java".to_owned(),
        title: "Java".to_owned(),
        description: "Hosts web applications of servlets and JSP, and static files".to_owned(),
        roles: layout::roles(),
        // The other daemons are for each other.
        ports: [ports::PROXY, ports::PROXY_UNPRIVILEGED]
            .map(|port| PortRange::tcp(port, port))
            .into(),
        methods: summaries("a war, or another archive with the application")
            .into_iter()
            .chain(web::manager_half::summaries())
            .collect(),
    }
}
