//! Process 1 of a server: finishes the boot, reaps, and ends everything when told to.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group};

use super::directory::{BOOTED, ServerDirectory};
use super::launch::Boot;
use super::order::{Answer, Command, Isolation, Order, Report};
use super::volumes::Volumes;
use super::{Failure, channel, identity, launch, plain, root, user_data};
use crate::backends::process::trees::Trees;
use crate::backends::process::{seccomp, sys};

/// What every Unix system has; the environment of the cloud itself is none of a server's business.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long processes may take to end by themselves at shutdown.
const GRACE: Duration = Duration::from_millis(500);

/// Runs until the server ends; returns the exit code.
pub(super) fn run(boot: Boot, directory: &ServerDirectory, control: &OwnedFd) -> i32 {
    let isolation = boot.order.isolation;
    let mut init = match Init::boot(boot, directory, control) {
        Ok(init) => init,
        Err((failure, refused)) => {
            launch::report_failure(control, &failure, refused);
            return 1;
        }
    };
    let code = i32::from(init.serve().is_err());
    if isolation == Isolation::Plain {
        plain::end_descendants();
    }
    code
}

/// A boot script that has not ended yet.
struct Script {
    name: &'static str,
    pid: u32,
}

struct Init<'a> {
    control: &'a OwnedFd,
    isolation: Isolation,
    booted_at: Instant,
    scripts: Vec<Script>,
    volumes: Volumes,
    /// The server's own name and address.
    name: (String, Ipv4Addr),
    /// The server's root directory.
    home: PathBuf,
    /// When to stop waiting for processes that were asked to end.
    deadline: Option<Instant>,
}

impl<'a> Init<'a> {
    /// Builds the server's world and starts its scripts.
    fn boot(
        boot: Boot,
        directory: &ServerDirectory,
        control: &'a OwnedFd,
    ) -> Result<Self, (Failure, bool)> {
        let booted_at = Instant::now();
        let Boot { order, user_data, mounts, mut without } = boot;
        let mut mounts = mounts.into_iter();
        let broken = |failure| (failure, false);
        let trees = match order.isolation {
            Isolation::Users => {
                let missing = || io::Error::from(io::ErrorKind::NotFound);
                let trees = Trees::take(&order, &mut mounts).ok_or_else(missing);
                Some(
                    trees
                        .map_err(Failure::step("take what the server is shown"))
                        .map_err(broken)?,
                )
            }
            Isolation::Namespaces => {
                Some(Trees::gather(&order, directory.path(), None).map_err(broken)?)
            }
            Isolation::Plain => None,
        };
        // The root changes below; this still leads to the server's directory on the machine.
        let outside = match &trees {
            Some(trees) => trees.server.try_clone(),
            None => open_directory(directory.path()),
        }
        .map_err(Failure::step("open the server's directory"))
        .map_err(broken)?;
        let first_boot = rustix::fs::statat(&outside, BOOTED, AtFlags::empty()).is_err();
        let user_data = user_data.filter(|_| first_boot);

        let (lacks, mut volumes) = match trees {
            Some(trees) => root::enter(&order, trees)?,
            None => plain::enter(&order, directory).map_err(broken)?,
        };
        without.extend(lacks);
        for volume in &order.volumes {
            volumes.show(volume, mounts.next()).map_err(|error| {
                (Failure::step(format!("show the volume {}", volume.id))(error), false)
            })?;
        }
        let _ = rustix::thread::set_name(c"init");
        let listener = if order.own_network {
            None
        } else {
            let installed = seccomp::install(order.isolation);
            installed
                .inspect_err(|error| {
                    without.push(format!("a localhost of its own (seccomp: {error})"));
                })
                .ok()
        };
        if !order.own_network
            && let Err(error) = sys::leave_abstract_sockets()
        {
            without.push(format!("abstract Unix sockets apart from others' (Landlock: {error})"));
        }
        let mut init = Self {
            control,
            isolation: order.isolation,
            booted_at,
            scripts: vec![],
            volumes,
            name: (order.hostname.clone(), order.fixed_ip),
            home: match order.isolation {
                Isolation::Users | Isolation::Namespaces => Path::new("/").to_owned(),
                Isolation::Plain => std::env::current_dir().unwrap_or_default(),
            },
            deadline: None,
        };
        init.log(&format!("booting {}", order.hostname));
        for lack in &without {
            init.log(&format!("without {lack}"));
        }
        if first_boot {
            // Before the script runs: at most once, even if the power fails meanwhile.
            rustix::fs::openat(
                &outside,
                BOOTED,
                OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC,
                Mode::from_raw_mode(0o600),
            )
            .map_err(|error| (Failure::step("record the first boot")(error), false))?;
        }
        // A script could reach the machine through it.
        drop(outside);
        init.start_scripts(&order, user_data.as_deref());
        let listener: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        channel::send(control, &Report::Running { without }, &listener)
            .map_err(|error| (Failure::step("report the boot")(error), false))?;
        Ok(init)
    }

    fn start_scripts(&mut self, order: &Order, user_data: Option<&[u8]>) {
        let home = self.home.clone();
        let rc_local = home.join("etc/rc.local");
        if is_executable(&rc_local) {
            self.start("rc.local", &rc_local, order, &home);
        }
        let Some(user_data) = user_data.filter(|script| !script.is_empty()) else { return };
        let kept = user_data::unpack(user_data).and_then(|unpacked| {
            let script = user_data::keep(&home, user_data, &unpacked)?;
            Ok(unpacked.starts_with(b"#!").then_some(script))
        });
        match kept {
            Ok(Some(script)) => self.start("user-data", &script, order, &home),
            Ok(None) => self.log("user-data is not a script: kept, not run"),
            Err(error) => self.log(&format!("cannot write user-data: {error}")),
        }
    }

    fn start(&mut self, name: &'static str, script: &Path, order: &Order, home: &Path) {
        let mut command = process::Command::new(script);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("TERM", "linux")
            .env("LANG", "C.UTF-8")
            .env("METADATA_URL", &order.metadata_url)
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &order.metadata_url)
            .stdin(Stdio::null());
        match order.isolation {
            Isolation::Users | Isolation::Namespaces => command
                .env("HOME", "/root")
                .env("USER", "root")
                .env("LOGNAME", "root")
                .env("SHELL", "/bin/sh")
                .current_dir("/"),
            Isolation::Plain => plain::environment(&mut command, home),
        };
        self.log(&format!("running {name}"));
        match command.spawn() {
            Ok(child) => self.scripts.push(Script { name, pid: child.id() }),
            Err(error) => self.log(&format!("cannot run {name}: {error}")),
        }
    }

    /// Waits for whatever happens first, until the server is to end.
    fn serve(&mut self) -> io::Result<()> {
        // Only now: the scripts would inherit that the signals are blocked.
        let signals = sys::signal_descriptor()?;
        self.reap()?;
        loop {
            let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
            let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            let (told, signalled) = {
                let mut waiting = [
                    PollFd::new(self.control, PollFlags::IN),
                    PollFd::new(&signals, PollFlags::IN),
                ];
                rustix::io::retry_on_intr(|| poll(&mut waiting, timeout.as_ref()))?;
                (!waiting[0].revents().is_empty(), !waiting[1].revents().is_empty())
            };
            if signalled {
                drain(&signals)?;
                if self.reap()? == Remaining::Nobody && self.deadline.is_some() {
                    return Ok(());
                }
            }
            if told {
                match channel::receive(self.control)? {
                    // The cloud is gone: its servers go with it.
                    None => return Ok(()),
                    Some((command, descriptors)) => self.obey(&command, descriptors),
                }
                if self.deadline.is_some() && self.reap()? == Remaining::Nobody {
                    return Ok(());
                }
            }
        }
    }

    fn obey(&mut self, command: &Command, descriptors: Vec<OwnedFd>) {
        let mut descriptors = descriptors.into_iter();
        let reply_to = descriptors.next();
        match command {
            Command::Proceed { .. } => {}
            Command::OutOfMemory => self.log("out of memory: the kernel kills a process"),
            Command::ShutDown => {
                self.log("shutting down");
                self.signal_all(Signal::TERM);
                // A stopped process cannot end by itself.
                self.signal_all(Signal::CONT);
                self.deadline = Some(Instant::now() + GRACE);
            }
            Command::Names => {
                let told = reply_to.map_or(Ok(()), |names| self.write_hosts(File::from(names)));
                if let Err(error) = told {
                    self.log(&format!("writing /etc/hosts: {error}"));
                }
            }
            Command::Pause => self.signal_all(Signal::STOP),
            Command::Resume => self.signal_all(Signal::CONT),
            Command::Attach { volume } => {
                let shown = self.volumes.show(volume, descriptors.next());
                self.log_result(&format!("attaching {}", volume.device), &shown);
                reply(reply_to.as_ref(), &shown);
            }
            Command::Detach { volume } => {
                let hidden = self.volumes.hide(volume);
                self.log_result(&format!("detaching {}", volume.device), &hidden);
                reply(reply_to.as_ref(), &hidden);
            }
        }
    }

    /// Whole or not at all: a process may read it at any time.
    fn write_hosts(&self, mut names: File) -> io::Result<()> {
        let mut text = vec![];
        names.seek(io::SeekFrom::Start(0))?;
        names.read_to_end(&mut text)?;
        let hosts: Vec<_> = serde_json::from_slice(&text)?;
        let (name, address) = &self.name;
        let (file, new) = (self.home.join("etc/hosts"), self.home.join("etc/.hosts.new"));
        // It may be a link that someone has put there.
        let _ = std::fs::remove_file(&new);
        std::fs::write(&new, identity::hosts(name, *address, &hosts))?;
        std::fs::rename(new, file)
    }

    fn log_result(&self, what: &str, result: &io::Result<()>) {
        match result {
            Ok(()) => self.log(what),
            Err(error) => self.log(&format!("{what}: {error}")),
        }
    }

    fn signal_all(&self, signal: Signal) {
        match self.isolation {
            // Process group 1 as a target means every process but the caller; in the server's own
            // namespace that is the server's. Nobody there is no failure.
            Isolation::Users | Isolation::Namespaces => {
                let _ = kill_process_group(Pid::INIT, signal);
            }
            Isolation::Plain => plain::signal_descendants(signal),
        }
    }

    /// Takes leave of every process that ended.
    fn reap(&mut self) -> io::Result<Remaining> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(None) => return Ok(Remaining::Some),
                Err(rustix::io::Errno::CHILD) => return Ok(Remaining::Nobody),
                Err(error) => return Err(error.into()),
                Ok(Some((pid, status))) => {
                    let ended = |script: &Script| script.pid == pid.as_raw_nonzero().get() as u32;
                    if let Some(index) = self.scripts.iter().position(ended) {
                        let name = self.scripts.swap_remove(index).name;
                        self.log(&format!("{name} {}", how_it_ended(status)));
                    }
                }
            }
        }
    }

    /// A line on the console, as a kernel prints them.
    fn log(&self, message: &str) {
        let seconds = self.booted_at.elapsed().as_secs_f64();
        // A console that nobody reads any more is no reason to end.
        let _ = writeln!(io::stdout(), "[{seconds:9.3}] server: {message}");
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Answers a command; a cloud that does not wait for it any more needs none.
fn reply(to: Option<&OwnedFd>, result: &io::Result<()>) {
    let Some(to) = to else { return };
    let number = |error: &io::Error| error.raw_os_error().unwrap_or(libc::EIO);
    let answer = Answer(result.as_ref().copied().map_err(number));
    let _ = channel::send(to, &answer, &[]);
}

#[derive(PartialEq, Eq)]
enum Remaining {
    Some,
    Nobody,
}

/// Several signals may have become one, so which they were does not matter.
fn drain(signals: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0_u8; 1024];
    match rustix::io::read(signals, &mut buffer) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn how_it_ended(status: rustix::process::WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => "finished".to_owned(),
        (Some(code), _) => format!("failed with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}
