//! A private nutshell: its own state directory, addresses and processes, gone when dropped.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::director::Connection;
use crate::executable;
use crate::processes;

/// A running installation that belongs to one test.
#[derive(Debug)]
pub struct Stack {
    directory: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code.
    pub code: Option<i32>,
}

impl Output {
    /// Runs the command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        let output = command
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    /// Standard output of a command that succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// Standard error of a command that failed as a user's mistake does.
    ///
    /// # Panics
    /// When it succeeded, or failed in another way.
    #[must_use]
    pub fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{self:#?}");
        self.stderr
    }
}

impl Stack {
    /// Starts an installation with a fresh state.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn up() -> Self {
        let stack = Self::prepared();
        let _ = stack.nutshell(&["up", "--detach"]).ok();
        stack
    }

    /// An installation that has not been started.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    #[must_use]
    pub fn prepared() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("nutshell-test-")
            .tempdir()
            .expect("a temporary directory can be made");
        Self { directory }
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// The directory that belongs to the test.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A `nutshell` command in this installation's environment and no other.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(executable::nutshell());
        command.args(arguments);
        command
    }

    /// Any program, in this installation's environment and no other.
    #[must_use]
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("NUTSHELL_STATE", self.state())
            .current_dir(self.directory.path());
        command
    }

    /// Runs a `nutshell` command to its end.
    #[must_use]
    pub fn nutshell(&self, arguments: &[&str]) -> Output {
        Output::of(&mut self.command(arguments))
    }

    /// Runs a `cps` command to its end.
    #[must_use]
    pub fn cps(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&["cps"]);
        command.args(arguments);
        Output::of(&mut command)
    }

    /// Uploads code of a service, and says which version it is.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn upload_code(&self, service_type: &str, service: &str, archive: &str) -> String {
        let said = self.cps(&[service_type, "upload-code", service, archive]).ok();
        let words: Vec<&str> = said.split_whitespace().collect();
        let [_, _, version, "uploaded"] = words[..] else { panic!("no version is named: {said}") };
        version.to_owned()
    }

    /// Uploads code of a service, and makes it the active version; which one it is.
    ///
    /// # Panics
    /// When it is refused.
    pub fn activate_code(&self, service_type: &str, service: &str, archive: &str) -> String {
        let version = self.upload_code(service_type, service, archive);
        let enabled = self.cps(&[service_type, "enable-code", service, &version]).ok();
        assert_eq!(enabled.trim(), format!("{version} enabled"));
        version
    }

    /// Where the application of a `php` or `java` service is, proxy by proxy.
    ///
    /// # Panics
    /// When the service does not tell.
    #[must_use]
    pub fn addresses(&self, service_type: &str, service: &str) -> Vec<SocketAddrV4> {
        let text = self.cps(&[service_type, "get-configuration", service]).ok();
        let urls = text.lines().filter_map(|line| line.strip_prefix("url: http://"));
        urls.map(|url| {
            let place = url.trim_end_matches('/');
            place.parse().or_else(|_| format!("{place}:80").parse()).expect("an address")
        })
        .collect()
    }

    /// Runs a `fake-cloud` command for the cloud of this installation to its end.
    #[must_use]
    pub fn cloud(&self, arguments: &[&str]) -> Output {
        let mut command = self.program(executable::built("fake-cloud"));
        command.args(arguments).arg("--state").arg(self.state().join("fake-cloud"));
        Output::of(&mut command)
    }

    /// What `nutshell env` exports.
    ///
    /// # Panics
    /// When the installation is not up.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let lines = self.nutshell(&["env"]).ok();
        lines
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
            .collect()
    }

    /// The first user's connection to the director.
    ///
    /// # Panics
    /// When the installation is not up.
    pub async fn director(&self) -> Connection {
        let environment = self.environment();
        let get = |name: &str| environment[name].as_str();
        let certificate = Path::new(get("CPS_CA_CERTIFICATE"));
        let (username, password) = (get("CPS_USERNAME"), get("CPS_PASSWORD"));
        let connection =
            Connection::open(get("CPS_DIRECTOR_URL"), certificate, username, password).await;
        connection.unwrap_or_else(|error| panic!("no connection to the director: {error}"))
    }

    /// Writes a file into the test's directory and gives its path.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("the test's directory can be written to");
        path.to_str().expect("temporary paths are UTF-8").to_owned()
    }

    /// Processes that belong to this installation.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        processes::mentioning(self.state().to_str().expect("temporary paths are UTF-8"))
    }

    /// The process that `nutshell up --detach` left behind.
    ///
    /// # Panics
    /// When it is not up.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.state().join("lock")).expect("a lock file");
        text.trim().parse().expect("the lock file holds a process id")
    }
}

#[expect(clippy::print_stderr, reason = "a failed test says where its wreck is")]
impl Drop for Stack {
    fn drop(&mut self) {
        let down = self.nutshell(&["down"]);
        if std::thread::panicking() {
            let kept = std::mem::replace(
                &mut self.directory,
                tempfile::tempdir().expect("a temporary directory can be made"),
            )
            .keep();
            eprintln!("the state is kept in {}; `nutshell down` said {down:?}", kept.display());
        }
    }
}
