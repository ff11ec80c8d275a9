//! The PHP service: web applications in PHP, and static files.
//!
//! Proxies are nginx, web nodes are nginx, backends are php-fpm; sessions are in Redis beside the
//! proxies. How they change without a request lost is the module `web`.

pub(crate) mod agent_half;
mod fpm;
pub(crate) mod manager_half;
mod proxy;

use protocol::api::{MethodKind, MethodSummary, PortRange, ServiceType};

use crate::Need;
use crate::code::methods::summaries;
use crate::web::node::{NGINX, REDIS};
use crate::web::{self, layout, ports};

const FPM: Need = Need {
    programs: &["php-fpm8.2", "php-fpm8.4", "php-fpm8.3", "php-fpm8.1", "php-fpm"],
    package: "php-fpm",
    essential: true,
};
const PHP_REDIS: Need =
    Need { programs: &["/usr/lib/php/*/redis.so"], package: "php-redis", essential: true };
/// Most applications use a database …
const PHP_MYSQL: Need =
    Need { programs: &["/usr/lib/php/*/mysqli.so"], package: "php-mysql", essential: false };
/// … and all are several times as fast when they are not compiled anew for each request.
const PHP_OPCACHE: Need =
    Need { programs: &["/usr/lib/php/*/opcache.so"], package: "php-opcache", essential: false };

/// What the image of its VMs needs.
pub(crate) const NEEDS: &[Need] = &[NGINX, FPM, PHP_REDIS, REDIS, PHP_MYSQL, PHP_OPCACHE];

/// The catalogue's entry.
pub(crate) fn service_type() -> ServiceType {
    let update = MethodSummary {
        name: "update_php_configuration".to_owned(),
        kind: MethodKind::Command,
        description: "Changes settings of PHP on every backend".to_owned(),
    };
    ServiceType {
        name: "php".to_owned(),
        title: "PHP".to_owned(),
        description: "Hosts web applications in PHP, and static files".to_owned(),
        roles: layout::roles(),
        // The other daemons are for each other.
        ports: [ports::PROXY, ports::PROXY_UNPRIVILEGED]
            .map(|port| PortRange::tcp(port, port))
            .into(),
        methods: summaries("an archive with the application")
            .into_iter()
            .chain(web::manager_half::summaries())
            .chain([update])
            .collect(),
    }
}
