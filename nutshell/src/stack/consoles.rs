//! The consoles of the VMs, as the cloud's process backend keeps them: readable whether it runs or
//! not.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::StateDirectory;

/// The console of one VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The VM's id in the cloud.
    pub id: String,
    /// Its host name.
    pub name: String,
    /// The file with what it printed.
    pub path: PathBuf,
}

/// The part of a server's boot order that matters here.
#[derive(Deserialize)]
struct Order {
    hostname: String,
}

/// The consoles of all VMs there are.
///
/// # Errors
/// When the cloud's directory cannot be read.
pub fn consoles(state: &StateDirectory) -> io::Result<Vec<Console>> {
    // The cloud keeps them in one of the two; what is no server has no order.
    let mut consoles = consoles_in(&state.fake_cloud().join("servers"))?;
    consoles.extend(consoles_in(&state.fake_cloud().join("servers/servers"))?);
    Ok(consoles)
}

fn consoles_in(directory: &Path) -> io::Result<Vec<Console>> {
    let servers = match std::fs::read_dir(directory) {
        Ok(servers) => servers,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut consoles = Vec::new();
    for server in servers {
        let server = server?;
        // A server that is being made or removed at this instant.
        let Ok(order) = std::fs::read(server.path().join("order.json")) else { continue };
        let Ok(Order { hostname }) = serde_json::from_slice(&order) else { continue };
        consoles.push(Console {
            id: server.file_name().to_string_lossy().into_owned(),
            name: hostname,
            path: server.path().join("console.log"),
        });
    }
    Ok(consoles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_orders() {
        for place in ["servers", "servers/servers"] {
            let directory = tempfile::tempdir().unwrap();
            let state = StateDirectory::at(directory.path());
            assert_eq!(consoles(&state).unwrap(), []);
            let servers = state.fake_cloud().join(place);
            std::fs::create_dir_all(servers.join("a")).unwrap();
            std::fs::create_dir_all(servers.join("b")).unwrap();
            std::fs::write(servers.join("a/order.json"), r#"{"hostname":"web","id":"a"}"#).unwrap();
            let path = servers.join("a/console.log");
            let expected = Console { id: "a".to_owned(), name: "web".to_owned(), path };
            assert_eq!(consoles(&state).unwrap(), [expected], "{place}");
        }
    }
}
