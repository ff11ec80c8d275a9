//! What a run has: a cloud and a director, each a process of its own, and the users' connections.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use integration::director::Connection;
use integration::executable;
use protocol::client::DirectorClient;
use tempfile::TempDir;

use crate::cloud::{Cloud, PASSWORD, Place, USER};
use crate::user::User;

/// How long a process may take to answer; far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The users of the platform.
const USERS: [&str; 2] = ["ada", "grace"];
/// Credits of each user: enough for all that a run does.
pub(crate) const CREDITS: i64 = 100_000;

/// A cloud and a director.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    place: Place,
    director: Child,
    clients: Vec<DirectorClient>,
    directory: TempDir,
    /// Everything that was killed.
    pub(crate) kills: u32,
}

impl World {
    /// Starts both, and logs in.
    pub(crate) async fn start() -> Result<Self, String> {
        let directory = tempfile::Builder::new()
            .prefix("nutshell-chaos-")
            .tempdir()
            .map_err(|error| format!("no directory: {error}"))?;
        let place = Place {
            state: directory.path().join("cloud"),
            address: free_address().ok_or("no address is free")?,
            in_server: executable::place_in_servers(&executable::nutshell())
                .map_err(|error| format!("nutshell cannot be read: {error}"))?,
        };
        let configuration = directory.path().join("director.toml");
        std::fs::write(&configuration, director_settings(&place, directory.path()))
            .map_err(|error| format!("no configuration: {error}"))?;
        let cloud = Cloud::start(&place, &directory.path().join("cloud.log"))?;
        write_clock(directory.path(), 0)?;
        let director = spawn_director(directory.path())?;
        let mut clients = Vec::new();
        for username in USERS {
            clients.push(connect(directory.path(), place.address, username).await?);
        }
        Ok(Self { cloud, place, director, clients, directory, kills: 0 })
    }

    /// A user's connection.
    pub(crate) fn client(&self, user: usize) -> DirectorClient {
        self.clients[user].clone()
    }

    /// The users, who have nothing yet.
    pub(crate) fn users(&self) -> Vec<User> {
        let home = |username: &&str| self.directory.path().join("homes").join(username);
        USERS.iter().map(|username| User::new(&home(username))).collect()
    }

    /// Sets the director's clock to be that many minutes fast.
    pub(crate) fn set_clock(&self, minutes: i32) -> Result<(), String> {
        write_clock(self.directory.path(), minutes)
    }

    /// The databases of the director and of the cloud.
    pub(crate) fn databases(&self) -> [PathBuf; 2] {
        let state = self.directory.path();
        [state.join("director/director.db"), state.join("cloud/fake-cloud.db")]
    }

    /// Kills the director, and starts it again after a while.
    pub(crate) async fn kill_director(&mut self, away: Duration) -> Result<(), String> {
        self.kills += 1;
        end(&mut self.director);
        pause(away).await;
        self.director = spawn_director(self.directory.path())?;
        self.answers().await
    }

    /// Kills the cloud, and starts it again after a while.
    pub(crate) async fn kill_cloud(&mut self, away: Duration) -> Result<(), String> {
        self.kills += 1;
        self.cloud.kill();
        pause(away).await;
        self.cloud = Cloud::start(&self.place, &self.directory.path().join("cloud.log"))?;
        Ok(())
    }

    /// Kills one process.
    pub(crate) fn kill(&mut self, pid: u32) {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            self.kills += 1;
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// Waits until the director answers.
    async fn answers(&self) -> Result<(), String> {
        let begun = Instant::now();
        while let Err(error) = self.clients[0].version().await {
            if begun.elapsed() > PATIENCE {
                return Err(format!("the director does not come back: {error}"));
            }
            pause(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Keeps what is on disk, to be looked at; where it is.
    pub(crate) fn keep(mut self) -> PathBuf {
        end(&mut self.director);
        self.cloud.kill();
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end(&mut self.director);
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// The chaos itself takes its time, and what has no event is looked at again.
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// An address whose block no other stack of this machine has.
fn free_address() -> Option<Ipv4Addr> {
    let first = std::process::id() % 190;
    let mut blocks = (0..190).map(|step| 56 + u8::try_from((first + step) % 190).unwrap_or(0));
    let free = |address: Ipv4Addr| {
        [5000, protocol::DIRECTOR_PORT]
            .map(|port| TcpListener::bind(SocketAddr::new(address.into(), port)))
            .iter()
            .all(Result::is_ok)
    };
    blocks.find_map(|block| Some(Ipv4Addr::new(127, block, 0, 1)).filter(|it| free(*it)))
}

fn director_settings(place: &Place, directory: &Path) -> String {
    let port = protocol::DIRECTOR_PORT;
    let state = directory.join("director");
    let user = |username: &&str| {
        format!(
            "[[users]]\n\
             username = \"{username}\"\n\
             password = \"{PASSWORD}\"\n\
             credits = {CREDITS}\n"
        )
    };
    let users: String = USERS.iter().map(user).collect();
    format!(
        "version = 1\n\
         listen = \"{address}:{port}\"\n\
         url = \"https://{address}:{port}\"\n\
         state = \"{state}\"\n\
         installation = \"chaos\"\n\
         {users}\
         [clouds.default]\n\
         kind = \"openstack\"\n\
         auth_url = \"{url}/v3\"\n\
         username = \"{USER}\"\n\
         password = \"{PASSWORD}\"\n\
         project = \"{USER}\"\n\
         image = \"host\"\n\
         flavor = \"m1.small\"\n\
         floating_pool = \"public\"\n\
         server_timeout_seconds = 20\n",
        address = place.address,
        state = state.display(),
        url = place.url(),
    )
}

/// The file that says how fast the director's clock is.
fn clock(directory: &Path) -> PathBuf {
    directory.join("clock")
}

/// Replaced in one step: it is read at any instant.
fn write_clock(directory: &Path, minutes: i32) -> Result<(), String> {
    let new = directory.join("clock.new");
    let seconds = i64::from(minutes) * 60;
    std::fs::write(&new, format!("{seconds:+}\n"))
        .and_then(|()| std::fs::rename(&new, clock(directory)))
        .map_err(|error| format!("the clock cannot be set: {error}"))
}

/// The library that stands between the director and its clock.
fn faketime() -> Result<PathBuf, String> {
    let place = Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let library = place.join("faketime/libfaketime.so.1");
    let is_there = library.is_file();
    is_there
        .then_some(library)
        .ok_or("libfaketime is needed: `integration/check` installs it".into())
}

fn spawn_director(directory: &Path) -> Result<Child, String> {
    let log = File::options()
        .append(true)
        .create(true)
        .open(directory.join("director.log"))
        .map_err(|error| format!("no log: {error}"))?;
    crate::cloud::with_parent(&executable::nutshell())
        .args(["director", "--config"])
        .arg(directory.join("director.toml"))
        .env("LD_PRELOAD", faketime()?)
        .env("FAKETIME_TIMESTAMP_FILE", clock(directory))
        .env("FAKETIME_NO_CACHE", "1")
        // A clock that is set does not change how much time has passed.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("the director does not start: {error}"))
}

/// Logs in as soon as the director answers.
async fn connect(
    directory: &Path,
    address: Ipv4Addr,
    username: &str,
) -> Result<DirectorClient, String> {
    let begun = Instant::now();
    let url = format!("https://{address}:{}", protocol::DIRECTOR_PORT);
    let certificate = directory.join("director/ca.pem");
    loop {
        let error = match Connection::open(&url, &certificate, username, PASSWORD).await {
            Ok(connection) => return Ok(connection.client),
            Err(error) => error,
        };
        if begun.elapsed() > PATIENCE {
            return Err(format!("nobody can log in: {error}"));
        }
        pause(Duration::from_millis(10)).await;
    }
}

/// The processes of managers or agents.
pub(crate) fn members(world: &World, role: &str) -> Vec<u32> {
    let mut found = integration::processes::running(world.cloud.pid(), role);
    found.sort_unstable();
    found.dedup();
    found
}
