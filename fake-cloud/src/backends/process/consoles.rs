//! The consoles of a cloud's servers, readable whether it runs or not.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use uuid::Uuid;

use super::state;

/// The console of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The server's id.
    pub id: Uuid,
    /// The name it has in its own eyes.
    pub hostname: String,
    /// The file with the end of what it printed.
    pub path: PathBuf,
}

/// The part of a server's boot order that matters here.
#[derive(Deserialize)]
struct Order {
    hostname: String,
}

/// The consoles of all process servers that have a disk in a cloud's state directory.
///
/// # Errors
/// When the directory cannot be read; it is no error when there is none.
pub fn consoles(state_dir: &Path) -> io::Result<Vec<Console>> {
    let ids = match state::servers(state_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        ids => ids?,
    };
    let console = |id: Uuid| {
        let directory = state::server(state_dir, id);
        // A server that is being made or removed at this instant has none.
        let order = std::fs::read(directory.order()).ok()?;
        let Order { hostname } = serde_json::from_slice(&order).ok()?;
        Some(Console { id, hostname, path: directory.console() })
    };
    Ok(ids.into_iter().filter_map(console).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_orders() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(consoles(directory.path()).unwrap(), []);
        let (id, unborn) = (Uuid::new_v4(), Uuid::new_v4());
        let servers = directory.path().join("servers");
        std::fs::create_dir_all(servers.join(id.to_string())).unwrap();
        std::fs::create_dir_all(servers.join(unborn.to_string())).unwrap();
        let server = servers.join(id.to_string());
        std::fs::write(server.join("order.json"), r#"{"hostname":"web","id":"a"}"#).unwrap();
        let path = server.join("console.log");
        let expected = Console { id, hostname: "web".to_owned(), path };
        assert_eq!(consoles(directory.path()).unwrap(), [expected]);
    }
}
