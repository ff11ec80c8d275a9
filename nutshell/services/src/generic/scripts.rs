//! The scripts of a node: started, waited for, killed, and found again by the next agent.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::api::generic::Script;
use protocol::files::{self, Access};
use tokio::sync::watch;

use super::install::Installation;
use super::record::{Record, ScriptRecord};
use crate::code::random_name;
use crate::process::{self, Launch, Program};
use crate::{AgentContext, ServiceError};

/// Where programs are looked for when the agent itself was started without this variable.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a script is said to have returned whose machine went down under it.
const LOST: i32 = 128 + 9;

/// The scripts and the record of them; clones share both.
#[derive(Debug, Clone)]
pub(super) struct Scripts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cache: PathBuf,
    home: PathBuf,
    pub(super) installation: Installation,
    record: watch::Sender<Record>,
    writing: Mutex<()>,
}

impl Scripts {
    /// Takes up what an earlier agent left: scripts that still run are watched, the end of others
    /// is read, and a `run.sh` that went down with its machine is started again.
    pub(super) fn adopt(
        context: &AgentContext,
        installation: Installation,
    ) -> Result<Self, ServiceError> {
        let (cache, home) = (context.cache(), context.home());
        let statuses = cache.join("statuses");
        for directory in [&statuses, &home] {
            std::fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
        }
        let mut record = read(&cache.join("generic.json"))?;
        if let Some(current) = installation.current()
            && record.installed.as_ref() != Some(&current)
        {
            record.install(current);
        }
        let scripts = Self(Arc::new(Inner {
            cache,
            home,
            installation,
            record: watch::Sender::new(record.clone()),
            writing: Mutex::new(()),
        }));
        for (script, of_script) in &record.scripts {
            if let ScriptRecord::Running { marker, parameters } = of_script {
                scripts.adopt_one(*script, marker, parameters, record.interrupting)?;
            }
        }
        if record.interrupting {
            scripts.kill_run_after_interrupt();
        }
        Ok(scripts)
    }

    fn adopt_one(
        &self,
        script: Script,
        marker: &str,
        parameters: &[String],
        interrupting: bool,
    ) -> Result<(), ServiceError> {
        if let Some(program) = Program::find(marker, &self.statuses()) {
            self.watch(script, marker.to_owned(), program);
        } else if let Some(return_code) = process::exit_status(&self.statuses().join(marker)) {
            self.ended(script, marker, return_code);
        } else if script == Script::Run && !interrupting {
            // Only a machine that goes down takes a program without leaving its exit status.
            tracing::info!("run.sh went down with the machine and is started again");
            self.start(script, parameters, |_| ())?;
        } else {
            self.ended(script, marker, LOST);
        }
        Ok(())
    }

    /// What is known now.
    pub(super) fn record(&self) -> Record {
        self.0.record.borrow().clone()
    }

    /// Changes what is known, here and on disk.
    pub(super) fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), ServiceError> {
        let _one_at_a_time = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.record.send_modify(change);
        let content = serde_json::to_vec(&*self.0.record.borrow()).expect("a record is plain data");
        let path = self.0.cache.join("generic.json");
        files::write(&path, &content, Access::Public).map_err(ServiceError::file(&path))
    }

    /// Starts a script, and notes in the same write what that means; `false` when the code has
    /// none of this name. What failed to start leaves all as it was.
    pub(super) fn start(
        &self,
        script: Script,
        parameters: &[String],
        note: impl FnOnce(&mut Record),
    ) -> Result<bool, ServiceError> {
        if !self.0.installation.bin().join(script.file_name()).is_file() {
            return self.change(note).map(|()| false);
        }
        let before = self.record();
        let marker = random_name(16);
        // Written down first: whatever happens from here on, the next agent knows what to look for.
        let running =
            ScriptRecord::Running { marker: marker.clone(), parameters: parameters.to_vec() };
        let begin = |record: &mut Record| {
            note(record);
            record.scripts.insert(script, running);
        };
        let started = self.change(begin).and_then(|()| self.launch(script, &marker, parameters));
        match started {
            Ok(program) => {
                self.watch(script, marker, program);
                Ok(true)
            }
            Err(error) => {
                let undone = self.change(|record| record.take_back(script, before));
                if let Err(error) = undone {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "failed to note that a script was not started");
                }
                Err(error)
            }
        }
    }

    fn launch(
        &self,
        script: Script,
        marker: &str,
        parameters: &[String],
    ) -> Result<Program, ServiceError> {
        let Inner { cache, home, installation, record, .. } = &*self.0;
        let configuration = record.borrow().configuration.clone();
        let mut environment = vec![
            ("HOME", home.display().to_string()),
            ("PATH", std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned())),
            ("AGENTS_FILE", cache.join("agents.json").display().to_string()),
        ];
        if let Some(configuration) = configuration {
            environment.extend([
                ("MY_IP", configuration.ip.to_string()),
                ("MY_ROLE", configuration.role),
                ("MASTER_IP", configuration.master_ip.to_string()),
            ]);
        }
        let launch = Launch {
            script: script.file_name(),
            arguments: parameters,
            directory: &installation.bin(),
            environment: &environment,
            output: &home.join("agent.out"),
            errors: &home.join("agent.err"),
        };
        tracing::info!(script = script.file_name(), "script started");
        Program::launch(marker, &self.statuses(), &launch)
            .map_err(ServiceError::file(&installation.bin().join(script.file_name())))
    }

    /// Waits until a script does not run (any more) and says what it returned.
    pub(super) async fn wait(&self, script: Script) -> Option<i32> {
        let mut record = self.0.record.subscribe();
        let record = record.wait_for(|record| !record.is_running(script)).await;
        record.expect("its sender is in self").return_code(script)
    }

    /// Whether `run.sh` has ended and left something behind that still runs.
    pub(super) fn run_left_any(&self) -> bool {
        let record = self.record();
        !record.is_running(Script::Run) && record.marker(Script::Run).is_some_and(process::left_any)
    }

    /// Kills the application once `interrupt.sh` has ended.
    pub(super) fn kill_run_after_interrupt(&self) {
        let scripts = self.clone();
        let doomed = self.record().marker(Script::Run).map(str::to_owned);
        tokio::spawn(async move {
            scripts.wait(Script::Interrupt).await;
            // It may have ended, and another been started.
            if scripts.record().marker(Script::Run) == doomed.as_deref() {
                scripts.kill(&[Script::Run]).await;
            }
            let done = scripts.change(|record| record.interrupting = false);
            if let Err(error) = done {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to note the end");
            }
        });
    }

    /// Kills these scripts as far as they run, and what they left behind; returns when it is gone.
    pub(super) async fn kill(&self, scripts: &[Script]) {
        let record = self.record();
        let kills = scripts.iter().filter_map(|script| {
            let marker = record.marker(*script)?.to_owned();
            let program = match record.is_running(*script) {
                true => Program::find(&marker, &self.statuses()),
                false => None,
            };
            Some(async move {
                if let Some(program) = program {
                    tracing::info!(script = script.file_name(), "script killed");
                    program.kill().await;
                    self.wait(*script).await;
                }
                process::end_left(&marker).await;
            })
        });
        futures::future::join_all(kills).await;
    }

    fn watch(&self, script: Script, marker: String, program: Program) {
        let scripts = self.clone();
        tokio::spawn(async move {
            let return_code = program.ended().await;
            scripts.ended(script, &marker, return_code);
        });
    }

    fn ended(&self, script: Script, marker: &str, return_code: i32) {
        tracing::info!(script = script.file_name(), return_code, "script ended");
        let noted = self.change(|record| {
            if let Some(entry) = record.scripts.get_mut(&script)
                && matches!(entry, ScriptRecord::Running { marker: its, .. } if its == marker)
            {
                *entry = ScriptRecord::Ended { marker: marker.to_owned(), return_code };
            }
        });
        match noted {
            Ok(()) => drop(std::fs::remove_file(self.statuses().join(marker))),
            // The next agent reads it from the status file.
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to note the end");
            }
        }
    }

    /// Waits until an interruption under way is complete.
    #[cfg(test)]
    pub(super) async fn calm(&self) {
        let mut record = self.0.record.subscribe();
        record.wait_for(|record| !record.interrupting).await.expect("its sender is in self");
    }

    fn statuses(&self) -> PathBuf {
        self.0.cache.join("statuses")
    }
}

fn read(path: &Path) -> Result<Record, ServiceError> {
    match std::fs::read(path) {
        Ok(content) => serde_json::from_slice(&content)
            .map_err(std::io::Error::other)
            .map_err(ServiceError::file(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(ServiceError::file(path)(error)),
    }
}
