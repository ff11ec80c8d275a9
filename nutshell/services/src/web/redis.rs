//! The store of the sessions: Redis beside each proxy, the first proxy's the one that is asked, the
//! others copies that follow it.

use std::io;
use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long copies may take to be complete.
const COPYING_MILLISECONDS: u32 = 10_000;

/// What one store is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionStore {
    /// Shared by all stores and all that ask them.
    pub(crate) password: String,
    /// The store to follow; `None` for the one that is asked.
    pub(crate) follows: Option<SocketAddrV4>,
}

/// The configuration. What is written to is kept: a store that was killed comes back with it.
pub(crate) fn configuration(listen: SocketAddrV4, store: &SessionStore, data: &Path) -> String {
    let SessionStore { password, follows } = store;
    let (ip, port, data) = (listen.ip(), listen.port(), data.display());
    let follows = follows
        .map(|primary| format!("replicaof {} {}\n", primary.ip(), primary.port()))
        .unwrap_or_default();
    format!(
        "bind {ip}\nport {port}\nprotected-mode no\ndaemonize no\nrequirepass {password}\n\
         masterauth {password}\n{follows}dir \"{data}\"\nsave \"\"\nappendonly yes\n\
         appendfsync everysec\nmaxmemory 128mb\nmaxmemory-policy volatile-lru\n\
         repl-diskless-sync-delay 0\nrename-command CONFIG \"\"\n"
    )
}

/// Has a store that runs follow another, or none.
pub(crate) async fn follow(listen: SocketAddrV4, store: &SessionStore) -> io::Result<()> {
    let command = match store.follows {
        Some(primary) => format!("REPLICAOF {} {}", primary.ip(), primary.port()),
        None => "REPLICAOF NO ONE".to_owned(),
    };
    ask(listen, &store.password, &command).await.map(|_| ())
}

/// Waits until so many copies follow a store and have all it holds; says how many do.
pub(crate) async fn await_copies(
    listen: SocketAddrV4,
    password: &str,
    copies: usize,
) -> io::Result<usize> {
    let answer = ask(listen, password, &format!("WAIT {copies} {COPYING_MILLISECONDS}")).await?;
    answer.trim_start_matches(':').parse().map_err(|_| io::Error::other(answer))
}

/// One command and the line it is answered with.
async fn ask(listen: SocketAddrV4, password: &str, command: &str) -> io::Result<String> {
    let asking = async {
        let mut stream = BufReader::new(TcpStream::connect(listen).await?);
        stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes()).await?;
        let mut answer = String::new();
        for _ in ["AUTH", command] {
            answer.clear();
            if stream.read_line(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if answer.starts_with('-') {
                return Err(io::Error::other(answer.trim().to_owned()));
            }
        }
        Ok(answer.trim().to_owned())
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_and_the_first_does_not() {
        let listen = "10.0.0.1:6379".parse().unwrap();
        let mut store = SessionStore { password: "secret".to_owned(), follows: None };
        let text = configuration(listen, &store, Path::new("/data"));
        assert!(text.contains("bind 10.0.0.1\nport 6379\n") && !text.contains("replicaof"));
        store.follows = Some("10.0.0.9:6379".parse().unwrap());
        let text = configuration(listen, &store, Path::new("/data"));
        assert!(text.contains("\nreplicaof 10.0.0.9 6379\n"), "{text}");
    }
}
