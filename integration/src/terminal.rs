//! A program at a terminal, as a person sits before it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal and the program that it belongs to.
#[derive(Debug)]
pub struct Terminal {
    keyboard: File,
    program: Child,
    screen: Receiver<Vec<u8>>,
    /// What was written and not yet expected.
    unseen: String,
}

impl Terminal {
    /// Starts a program at a terminal of its own.
    ///
    /// # Panics
    /// When there are no terminals, or the program cannot be started.
    #[must_use]
    pub fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("the terminal is ours");
        let name = ptsname(&master, Vec::new()).expect("the terminal has a name");
        let open = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY;
            rustix::fs::open(&name, flags, Mode::empty()).expect("the terminal opens")
        };
        // A session of its own, whose terminal is its standard input.
        let mut session = Command::new("setsid");
        session
            .args(["--ctty", "--wait", "--"])
            .arg(command.get_program())
            .args(command.get_args());
        session.env_clear().env("TERM", "dumb");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                session.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            session.current_dir(directory);
        }
        let program = session
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {session:?}: {error}"));
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a descriptor can be copied");
        let (written, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end: nobody holds the other side any more.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if written.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, program, screen, unseen: String::new() }
    }

    /// Types something; `\n` is the enter key, `\x03` Ctrl-C.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Makes the window so large.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).expect("the terminal has a size");
    }

    /// Waits until that is on the screen, behind all that was expected before.
    ///
    /// # Panics
    /// When it does not come.
    pub fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.unseen.find(text) {
                self.unseen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.unseen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("`{text}` is not on the screen, but {:?}", self.unseen)
                }
            }
        }
    }

    /// Waits for the end of the program, and gives its exit code.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn end(mut self) -> Option<i32> {
        // What it writes until then is read by the other thread.
        self.program.wait().expect("a child can be waited for").code()
    }
}
