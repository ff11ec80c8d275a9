//! Other emulators of the EC2 API, measured the same way when they are installed.

use std::process::{Command, Stdio};

use crate::ec2::Ec2;
use crate::server::Server;

/// Another emulator.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: &'static str,
    pub(crate) start: fn() -> Server,
}

const PEERS: [Peer; 2] = [
    Peer { name: "moto", program: "moto_server", start: moto },
    Peer { name: "ministack", program: "ministack", start: ministack },
];

/// The peers that are installed.
pub(crate) fn installed() -> impl Iterator<Item = Peer> {
    PEERS.into_iter().filter(|peer| works(peer.program))
}

/// A launcher may be in `PATH` without the program behind it.
fn works(program: &str) -> bool {
    match program {
        // It has no help, and starts at once.
        "ministack" => integration::executable::in_path(program).is_some(),
        _ => quiet(program).arg("--help").status().is_ok_and(|status| status.success()),
    }
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn moto() -> Server {
    Server::start(quiet("moto_server"), |command, address| {
        let (host, port) = address.split_once(':').expect("a port");
        command.args(["-H", host, "-p", port]);
    })
}

fn ministack() -> Server {
    Server::start(quiet("ministack"), |command, address| {
        let (_, port) = address.split_once(':').expect("a port");
        command.env("GATEWAY_PORT", port).env("MINISTACK_HOST", "127.0.0.1");
    })
}

/// A client of a peer: none of them looks at the key.
pub(crate) fn client(server: &Server, http: reqwest::Client) -> Ec2 {
    Ec2 {
        url: format!("http://{}/", server.address),
        region: "us-east-1".to_owned(),
        access: "test".to_owned(),
        secret: "test".to_owned(),
        http,
    }
}
