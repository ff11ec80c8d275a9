//! The cloud of a run: its process, how it is steered, and what is in it.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fake_cloud::FakeCloud;
use fake_cloud::backends::ImageSource;
use fake_cloud::control::ControlAccess;
use fake_cloud::settings::{BackendKind, Listen, UserSettings};
use integration::executable;
use reqwest::Method;
use serde_json::{Value, json};

/// The argument that makes this executable the process of a cloud.
pub(crate) const ROLE: &str = "cloud";
/// The platform's user and project in the cloud, and everyone's password.
pub(crate) const USER: &str = "platform";
pub(crate) const PASSWORD: &str = "sesame";
const PORT: u16 = 5000;

/// What the process of the cloud needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) state: PathBuf,
    pub(crate) address: Ipv4Addr,
    /// Where the platform's executable is in the servers.
    pub(crate) in_server: PathBuf,
}

impl Place {
    /// Where the OpenStack API answers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}:{PORT}", self.address)
    }
}

/// The process of a cloud, until it is killed.
pub(crate) async fn serve(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [state, address, in_server] = arguments else { return Err("three arguments".into()) };
    let listen = Listen::Address(SocketAddr::new(address.parse()?, PORT));
    let mut settings = fake_cloud::Settings::loopback(state.into(), listen, PASSWORD);
    settings.backend = BackendKind::Process;
    settings.init_program = executable::nutshell();
    settings.users = vec![UserSettings::member(USER, PASSWORD, USER)];
    for image in &mut settings.images {
        if let ImageSource::Host { extra_files } = &mut image.source {
            extra_files.push((executable::nutshell(), in_server.into()));
        }
    }
    let cloud = FakeCloud::start(settings).await?;
    let access = serde_json::to_string(&cloud.control_access())?;
    rustix::io::write(rustix::stdio::stdout(), format!("{access}\n").as_bytes())?;
    std::future::pending().await
}

/// A cloud that runs.
pub(crate) struct Cloud {
    process: Child,
    access: ControlAccess,
    url: String,
    http: reqwest::Client,
}

impl Cloud {
    /// Starts the process, and comes back when it answers.
    pub(crate) fn start(place: &Place, log: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the cloud does not start: {error}");
        let log = std::fs::File::options().append(true).create(true).open(log);
        let mut process = with_parent(&std::env::current_exe().map_err(|error| failed(&error))?)
            .arg(ROLE)
            .args([&place.state, Path::new(&place.address.to_string()), &place.in_server])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.map_err(|error| failed(&error))?)
            .spawn()
            .map_err(|error| failed(&error))?;
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it was asked for");
        BufReader::new(stdout).read_line(&mut line).map_err(|error| failed(&error))?;
        let access = serde_json::from_str(&line).map_err(|error| {
            let _ = process.wait();
            failed(&error)
        })?;
        Ok(Self { process, access, url: place.url(), http: reqwest::Client::new() })
    }

    /// Ends the process as a power cut does.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Does something to the cloud that its users cannot.
    pub(crate) async fn steer(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<(), String> {
        let request = self.http.request(method, format!("{}{path}", self.access.url));
        let request = request.bearer_auth(&self.access.token).json(&body);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(answer.text().await.unwrap_or_default()),
        }
    }

    /// The platform's user.
    pub(crate) async fn user(&self) -> Result<CloudUser, reqwest::Error> {
        let password =
            json!({"user": {"name": USER, "domain": {"id": "default"}, "password": PASSWORD}});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": password},
            "scope": {"project": {"name": USER, "domain": {"id": "default"}}},
        }});
        let request = self.http.post(format!("{}/v3/auth/tokens", self.url)).json(&body);
        let answer = request.send().await?.error_for_status()?;
        let token = answer.headers().get("x-subject-token").and_then(|it| it.to_str().ok());
        let token = token.unwrap_or_default().to_owned();
        let body: Value = answer.json().await?;
        let project = body["token"]["project"]["id"].as_str().unwrap_or_default().to_owned();
        Ok(CloudUser { url: self.url.clone(), token, project, http: self.http.clone() })
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that ends with this one.
pub(crate) fn with_parent(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// The platform's user, asking the cloud what it has.
pub(crate) struct CloudUser {
    url: String,
    token: String,
    project: String,
    http: reqwest::Client,
}

impl CloudUser {
    async fn list(&self, path: &str, name: &str) -> Result<Vec<Value>, reqwest::Error> {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request.header("X-Auth-Token", &self.token).send().await?;
        let mut body: Value = answer.error_for_status()?.json().await?;
        Ok(match body[name].take() {
            Value::Array(list) => list,
            _ => Vec::new(),
        })
    }

    /// All servers.
    pub(crate) async fn servers(&self) -> Result<Vec<Value>, reqwest::Error> {
        self.list("/compute/v2.1/servers/detail", "servers").await
    }

    /// All floating IPs.
    pub(crate) async fn floating_ips(&self) -> Result<Vec<Value>, reqwest::Error> {
        self.list("/network/v2.0/floatingips", "floatingips").await
    }

    /// All volumes.
    pub(crate) async fn volumes(&self) -> Result<Vec<Value>, reqwest::Error> {
        self.list(&format!("/volume/v3/{}/volumes/detail", self.project), "volumes").await
    }

    /// All security groups but the one that every project has.
    pub(crate) async fn security_groups(&self) -> Result<Vec<Value>, reqwest::Error> {
        let mut groups = self.list("/network/v2.0/security-groups", "security_groups").await?;
        groups.retain(|group| group["name"] != "default");
        Ok(groups)
    }

    /// Deletes a server.
    pub(crate) async fn delete_server(&self, id: &str) -> Result<(), reqwest::Error> {
        let request = self.http.delete(format!("{}/compute/v2.1/servers/{id}", self.url));
        request.header("X-Auth-Token", &self.token).send().await?.error_for_status()?;
        Ok(())
    }
}
