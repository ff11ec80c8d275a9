//! A director alone, on clouds that a test names; and a user's connection to one, for what is too fast or too much for
//! the command line.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use protocol::api::Login;
use protocol::client::DirectorClient;
use protocol::tls::{Trust, installation_of};
use protocol::{DIRECTOR_PORT, Identity};

use crate::Stack;
use crate::stack::Output;

/// The first user, and the password.
const USER: (&str, &str) = ("test", "sesame");

/// A `nutshell director`; it ends when this is dropped, as if it were killed.
#[derive(Debug)]
pub struct Director {
    child: Child,
    url: String,
    state: PathBuf,
    /// What it said before it answered, line by line.
    pub said: Vec<String>,
}

impl Director {
    /// Starts one at this address, with a directory of the stack for its state: where one was before, it goes on there.
    /// Settings begin with the tables of its clouds.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(stack: &Stack, ip: Ipv4Addr, clouds: &str) -> Self {
        let address = SocketAddr::from((ip, DIRECTOR_PORT));
        let (url, state) = (format!("https://{address}"), stack.directory().join("director"));
        let settings = format!(
            "version = 1\nlisten = \"{address}\"\nurl = \"{url}\"\nstate = \"{}\"\n\
             installation = \"director\"\n[[users]]\nusername = \"{}\"\npassword = \"{}\"\n{clouds}",
            state.display(),
            USER.0,
            USER.1,
        );
        let settings = stack.file("director.toml", settings.as_bytes());
        let mut command = stack.command(&["director", "--config", &settings]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("nutshell can be started");
        let pipe = child.stderr.take().expect("it is piped");
        let mut director = Self { child, url, state, said: vec![] };
        let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if line.contains("the director answers") {
                std::thread::spawn(move || lines.for_each(drop));
                return director;
            }
            director.said.push(line);
        }
        panic!("it did not come up: {:#?}", director.said);
    }

    /// A `cps` command of its first user.
    #[must_use]
    pub fn command(&self, stack: &Stack, arguments: &[&str]) -> Command {
        let mut command = stack.command(&["cps"]);
        command.args(arguments).env("CPS_DIRECTOR_URL", &self.url);
        command.env("CPS_CA_CERTIFICATE", self.certificate());
        command.env("CPS_USERNAME", USER.0).env("CPS_PASSWORD", USER.1);
        command
    }

    /// Runs a `cps` command of its first user to its end.
    #[must_use]
    pub fn cps(&self, stack: &Stack, arguments: &[&str]) -> Output {
        Output::of(&mut self.command(stack, arguments))
    }

    /// Its first user's connection to it.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn connection(&self) -> Connection {
        let connection = Connection::open(&self.url, &self.certificate(), USER.0, USER.1).await;
        connection.unwrap_or_else(|error| panic!("no connection to the director: {error}"))
    }

    fn certificate(&self) -> PathBuf {
        self.state.join("ca.pem")
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The API.
    pub client: DirectorClient,
    /// What stands for the user: `Authorization: Bearer TOKEN`.
    pub token: String,
    http: reqwest::Client,
    url: String,
}

impl Connection {
    /// Logs in at the director that the authority with this certificate signed for. What the process
    /// does its TLS with must be installed.
    ///
    /// # Errors
    /// When there is no certificate yet, nobody answers, or the login is refused.
    pub async fn open(
        url: &str,
        certificate: &Path,
        username: &str,
        password: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let certificate = std::fs::read_to_string(certificate)?;
        let installation = installation_of(&certificate).ok_or("it is no authority")?;
        let http = Trust::new(&installation, &certificate)?.client(Identity::Director, None)?;
        let client = DirectorClient::new(http.clone(), url, None);
        let login = Login { username: username.to_owned(), password: password.to_owned() };
        let token = client.login(&login).await?.token;
        Ok(Self { client: client.with_token(token.clone()), token, http, url: url.to_owned() })
    }

    /// A page, as the user's browser gets it.
    ///
    /// # Panics
    /// When there is none.
    pub async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url));
        let request = request.header("Cookie", format!("__Host-nutshell_session={}", self.token));
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        answer.expect("the director has this page").text().await.expect("it is read to its end")
    }
}
