//! A server that connects to whatever a test tells it to, and answers on a port of its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;

/// Far longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The port on which every puppet tells callers their own address; no program is known to use it.
pub(crate) const PORT: u16 = 26714;

/// What a puppet does: for each line with an address, a port, how long it may take and whose address
/// to use it connects there, and sends back what it is told, or the name of the error.
const SCRIPT: &str = r#"#!/usr/bin/python3
import socket, subprocess, threading
def serve(listener):
    while True:
        connection, peer = listener.accept()
        connection.sendall(("you are " + peer[0]).encode())
        connection.close()
listener = socket.socket()
listener.bind(("0.0.0.0", 26714))
listener.listen()
threading.Thread(target=serve, args=(listener,), daemon=True).start()
strings = socket.create_connection(("@ADDRESS@", @PORT@))
for line in strings.makefile():
    address, port, timeout, source = line.split()
    try:
        if source != "own":
            subprocess.run(["ip", "address", "add", source, "dev", "eth0"])
        source = None if source == "own" else (source, 0)
        other = socket.create_connection((address, int(port)), float(timeout), source)
        if port == "80":
            other.sendall(b"GET /latest/meta-data/local-ipv4 HTTP/1.0\r\n\r\n")
        answer = other.makefile().read().split("\n")[-1]
    except OSError as error:
        answer = type(error).__name__
    strings.sendall((answer + "\n").encode())
"#;

/// A running puppet.
pub(crate) struct Puppet {
    pub(crate) id: String,
    strings: BufReader<TcpStream>,
}

impl Puppet {
    /// Makes a server and waits until it can be told what to do. The stage is an address of the
    /// test that servers can reach.
    pub(crate) async fn start(client: &Client, stage: IpAddr, name: &str, more: Value) -> Self {
        let listener = TcpListener::bind((stage, 0)).await.unwrap();
        let script = SCRIPT
            .replace("@ADDRESS@", &stage.to_string())
            .replace("@PORT@", &listener.local_addr().unwrap().port().to_string());
        let mut more = more;
        more["user_data"] = json!(STANDARD.encode(script));
        let id = client.create_server_with(name, more).await;
        let strings = tokio::time::timeout(PATIENCE, listener.accept()).await;
        let Ok(strings) = strings else {
            let (_, console) = client.act(&id, json!({"os-getConsoleOutput": {}})).await;
            panic!("{name} does not call: {}\n{console}", client.server(&id).await);
        };
        let (strings, _) = strings.unwrap();
        Self { id, strings: BufReader::new(strings) }
    }

    /// Has it connect somewhere; what it is told there, or the name of its error.
    pub(crate) async fn connect(&mut self, address: &str, port: u16) -> String {
        self.order(&format!("{address} {port} 10 own")).await
    }

    /// As [`Puppet::connect`], for a connection that should be lost on its way.
    pub(crate) async fn connect_in_vain(&mut self, address: &str, port: u16) -> String {
        self.order(&format!("{address} {port} 0.3 own")).await
    }

    /// Has it connect with an address that it takes for this.
    pub(crate) async fn connect_as(&mut self, source: &str, address: &str, port: u16) -> String {
        self.order(&format!("{address} {port} 10 {source}")).await
    }

    /// As [`Puppet::connect_as`], for a connection that should be lost on its way.
    pub(crate) async fn connect_as_in_vain(&mut self, source: &str, to: &str, port: u16) -> String {
        self.order(&format!("{to} {port} 0.3 {source}")).await
    }

    async fn order(&mut self, order: &str) -> String {
        self.strings.get_mut().write_all(format!("{order}\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = self.strings.read_line(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time").unwrap();
        answer.trim_end().to_owned()
    }
}

/// What a puppet says to the test itself, or why it says nothing.
pub(crate) async fn ask(address: &str, limit: Duration) -> std::io::Result<String> {
    let address = SocketAddr::new(address.parse().unwrap(), PORT);
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(limit, ask).await?
}
