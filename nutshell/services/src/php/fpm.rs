//! The configuration of php-fpm. Text only.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use protocol::api::php::Settings;
use serde::{Deserialize, Serialize};

use crate::web::account::Account;

/// What a backend is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backend {
    /// All settings.
    pub(super) phpconf: Settings,
    /// Where the sessions are.
    pub(super) sessions: SocketAddrV4,
    /// What they are asked with.
    pub(super) password: String,
    /// The addresses of the proxies. Whoever else could ask php-fpm could run anything.
    pub(super) clients: Vec<Ipv4Addr>,
}

/// The configuration of one php-fpm. Whoever runs long is given two minutes, also at the end.
pub(super) fn configuration(
    listen: SocketAddrV4,
    backend: &Backend,
    account: Account,
    log: &Path,
) -> String {
    let Backend { phpconf, sessions, password, clients } = backend;
    let user = account.name().map(|name| format!("user = {name}\ngroup = {name}\n"));
    let user = user.unwrap_or_default();
    let clients: Vec<String> = clients.iter().map(Ipv4Addr::to_string).collect();
    let (clients, log) = (clients.join(","), log.display());
    let mut text = format!(
        "[global]\n\
         error_log = \"{log}\"\n\
         daemonize = no\n\
         process_control_timeout = 120s\n\
         [www]\n\
         {user}listen = {listen}\n\
         listen.backlog = 1024\n\
         listen.allowed_clients = {clients}\n\
         pm = dynamic\n\
         pm.max_children = 16\n\
         pm.start_servers = 3\n\
         pm.min_spare_servers = 2\n\
         pm.max_spare_servers = 6\n\
         request_terminate_timeout = 120s\n\
         php_admin_value[error_log] = \"{log}\"\n\
         php_value[session.save_handler] = redis\n\
         php_value[session.save_path] = \"tcp://{sessions}?auth={password}\"\n\
         php_value[redis.session.locking_enabled] = 1\n\
         php_value[redis.session.lock_retries] = 1000\n\
         php_value[redis.session.lock_wait_time] = 10000\n"
    );
    for (name, value) in phpconf {
        // Writing to a string does not fail.
        let _ = match (name.as_str(), value.as_str()) {
            // Only bare words are switches.
            (_, "On" | "Off") => writeln!(text, "php_flag[{name}] = {value}"),
            ("disable_functions", _) => writeln!(text, "php_admin_value[{name}] = \"{value}\""),
            _ => writeln!(text, "php_value[{name}] = \"{value}\""),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::api::php;

    use super::*;

    #[test]
    fn the_configuration_has_what_was_set_and_lets_only_proxies_in() {
        let set = Settings::from([("memory_limit".to_owned(), "256M".to_owned())]);
        let backend = Backend {
            phpconf: php::complete(&set),
            sessions: "10.0.0.1:6379".parse().unwrap(),
            password: "secret".to_owned(),
            clients: vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 4)],
        };
        let listen = "10.0.0.2:9000".parse().unwrap();
        let log = Path::new("/var/log/php.log");
        let text = configuration(listen, &backend, Account::Root, log);
        for line in [
            "user = root",
            "listen = 10.0.0.2:9000",
            "listen.allowed_clients = 10.0.0.1,10.0.0.4",
            "php_value[memory_limit] = \"256M\"",
            "php_flag[display_errors] = Off",
            "php_value[session.save_path] = \"tcp://10.0.0.1:6379?auth=secret\"",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in {text}");
        }
        assert!(!configuration(listen, &backend, Account::Own, log).contains("user = "));
    }
}
