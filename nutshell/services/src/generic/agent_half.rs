//! The Generic service inside one node: installs code and runs its scripts.

use std::path::PathBuf;

use async_trait::async_trait;
use futures::StreamExt;
use protocol::api::generic::Script;
use protocol::files::{self, Access};
use protocol::{ApiError, CodeVersionId};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::install::{Installation, version_of};
use super::mounts::Places;
use super::record::{Interruption, Record};
use super::scripts::Scripts;
use super::wire::{
    Configuration, Configured, Ended, Execute, Membership, MountedVolume, Version, has_no,
    scripts_are_running,
};
use crate::manager_half::{Content, no_such_method, parameters};
use crate::{AgentContext, AgentHalf, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Agent {
    context: AgentContext,
    installation: Installation,
    scripts: Scripts,
    places: Places,
    /// Held while something is decided and begun, not while scripts run.
    deciding: Mutex<()>,
}

impl Agent {
    /// Takes up what an earlier agent left.
    pub(crate) fn adopt(context: AgentContext) -> Result<Self, ServiceError> {
        let installation = Installation::open(&context.cache())?;
        let places = Places::new(context.root());
        let scripts = Scripts::adopt(&context, installation.clone())?;
        for (name, device) in scripts.record().volumes {
            let places = places.clone();
            // A machine that went down has forgotten its mounts.
            tokio::spawn(async move {
                if let Err(error) = places.mount(&name, &device).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(name, error, "a volume is not where it should be");
                }
            });
        }
        Ok(Self { context, installation, scripts, places, deciding: Mutex::new(()) })
    }

    async fn configure(&self, configuration: Configuration) -> Result<Configured, ServiceError> {
        let _deciding = self.deciding.lock().await;
        let path = self.context.cache().join("agents.json");
        let agents = serde_json::to_vec(&configuration.agents).expect("entries are plain data");
        files::write(&path, &agents, Access::Public).map_err(ServiceError::file(&path))?;
        self.scripts.change(|record| record.configuration = Some(configuration))?;
        let installed = self.scripts.record().installed;
        Ok(Configured { code_version: installed.as_deref().and_then(version_of) })
    }

    async fn install(&self, version: Version, mut content: Content) -> Result<(), ServiceError> {
        let version = version.code_version;
        let _deciding = self.deciding.lock().await;
        let record = self.scripts.record();
        if record.installed.as_deref().and_then(version_of).as_ref() == Some(&version) {
            // The answer to an earlier call was lost; its sender still wants to get rid of the body.
            while content.next().await.is_some_and(|chunk| chunk.is_ok()) {}
            return Ok(());
        }
        if record.any_running() {
            return Err(scripts_are_running().into());
        }
        let upload = self.installation.receive(&version, content).await?;
        // Nothing of the old code goes on beside the new.
        self.scripts.kill(&Script::ALL).await;
        let installation = self.installation.clone();
        let switch = move || installation.switch(&version, &upload);
        let directory =
            tokio::task::spawn_blocking(switch).await.expect("unpacking does not panic")?;
        self.scripts.change(|record| record.install(directory))?;
        self.installation.clear()
    }

    /// Runs `init.sh` unless it was run for this version, and answers when it has ended.
    async fn initialise(&self, version: Version) -> Result<Ended, ServiceError> {
        {
            let _deciding = self.deciding.lock().await;
            let record = self.scripts.record();
            let installed = record.installed.as_deref().and_then(version_of);
            if installed.as_ref() != Some(&version.code_version) {
                return Err(ApiError::conflict(format!(
                    "{} is not installed",
                    version.code_version
                ))
                .into());
            }
            if !record.initialised {
                // It finds the present nodes in agents.json: there is nothing to notify it of.
                let told = record.configuration.map_or(0, |configuration| configuration.membership);
                self.scripts.start(Script::Init, &[], |record| {
                    record.initialised = true;
                    record.told = told;
                })?;
            }
        }
        Ok(Ended { return_code: self.scripts.wait(Script::Init).await })
    }

    /// Runs `notify.sh` unless it was run for this change, and answers when it has ended.
    async fn notify(&self, change: Membership) -> Result<Ended, ServiceError> {
        loop {
            // One that still runs for an earlier change would not see this one.
            self.scripts.wait(Script::Notify).await;
            let _deciding = self.deciding.lock().await;
            let record = self.scripts.record();
            if record.is_running(Script::Notify) {
                continue;
            }
            if record.told < change.membership {
                let told = change.membership;
                self.scripts.start(Script::Notify, &[], |record| record.told = told)?;
            }
            break;
        }
        Ok(Ended { return_code: self.scripts.wait(Script::Notify).await })
    }

    async fn mount_volume(&self, volume: MountedVolume) -> Result<(), ServiceError> {
        let _deciding = self.deciding.lock().await;
        self.expect_idle()?;
        self.places.mount(&volume.name, &volume.device).await?;
        self.scripts.change(|record| {
            record.volumes.insert(volume.name, volume.device);
        })
    }

    async fn unmount_volume(&self, volume: MountedVolume) -> Result<(), ServiceError> {
        let _deciding = self.deciding.lock().await;
        self.expect_idle()?;
        self.places.unmount(&volume.name).await?;
        self.scripts.change(|record| {
            record.volumes.remove(&volume.name);
        })
    }

    fn expect_idle(&self) -> Result<(), ApiError> {
        match self.scripts.record().any_running() {
            true => Err(scripts_are_running()),
            false => Ok(()),
        }
    }

    async fn execute(&self, execute: Execute) -> Result<(), ServiceError> {
        let _deciding = self.deciding.lock().await;
        match execute.script {
            Script::Interrupt => self.interrupt(&execute.parameters),
            Script::Run | Script::Cleanup if self.scripts.record().any_running() => {
                Err(scripts_are_running().into())
            }
            Script::Run | Script::Cleanup => {
                let version = self.expect_ready(execute.code_version)?;
                match self.scripts.start(execute.script, &execute.parameters, |_| ())? {
                    true => Ok(()),
                    false => Err(has_no(&version, execute.script).into()),
                }
            }
            Script::Init | Script::Notify => {
                Err(ApiError::invalid("users run only run, interrupt and cleanup").into())
            }
        }
    }

    /// No script runs before `init.sh`, and none of another version than the others'.
    fn expect_ready(&self, version: Option<CodeVersionId>) -> Result<CodeVersionId, ApiError> {
        let record = self.scripts.record();
        let installed = record.installed.as_deref().and_then(version_of);
        match version {
            Some(version) if record.initialised && installed.as_ref() == Some(&version) => {
                Ok(version)
            }
            other => {
                let version = other.as_ref().map_or("its code", CodeVersionId::as_str);
                Err(ApiError::conflict(format!("{version} is not ready")).hint("enable it again"))
            }
        }
    }

    /// Whether there is anything to interrupt.
    fn is_interruptible(&self) -> bool {
        self.scripts.record().interruption(self.scripts.run_left_any()) != Interruption::Nothing
    }

    fn interrupt(&self, parameters: &[String]) -> Result<(), ServiceError> {
        match self.scripts.record().interruption(self.scripts.run_left_any()) {
            Interruption::Nothing => {}
            Interruption::Ask => {
                let interrupting = |record: &mut Record| record.interrupting = true;
                self.scripts.start(Script::Interrupt, parameters, interrupting)?;
                self.scripts.kill_run_after_interrupt();
            }
            Interruption::Kill => {
                // What init.sh set up is what the other scripts need, also the next time.
                let doomed = Script::ALL.into_iter().filter(|script| {
                    *script != Script::Init || self.scripts.record().is_running(Script::Init)
                });
                let (scripts, doomed) = (self.scripts.clone(), doomed.collect::<Vec<_>>());
                tokio::spawn(async move { scripts.kill(&doomed).await });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl AgentHalf for Agent {
    async fn query(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        match method {
            "get_script_status" => Ok(json!(self.scripts.record().statuses())),
            "is_interruptible" => Ok(json!(self.is_interruptible())),
            _ => Err(no_such_method(method)),
        }
    }

    async fn command(&self, method: &str, given: Value) -> Result<Value, ServiceError> {
        match method {
            "configure" => Ok(json!(self.configure(parameters(method, given)?).await?)),
            "initialise" => Ok(json!(self.initialise(parameters(method, given)?).await?)),
            "notify" => Ok(json!(self.notify(parameters(method, given)?).await?)),
            "mount_volume" => Ok(json!(self.mount_volume(parameters(method, given)?).await?)),
            "unmount_volume" => Ok(json!(self.unmount_volume(parameters(method, given)?).await?)),
            "execute" => Ok(json!(self.execute(parameters(method, given)?).await?)),
            _ => Err(no_such_method(method)),
        }
    }

    async fn upload(
        &self,
        method: &str,
        given: Value,
        content: Content,
    ) -> Result<Value, ServiceError> {
        match method {
            "install_code" => Ok(json!(self.install(parameters(method, given)?, content).await?)),
            _ => Err(no_such_method(method)),
        }
    }

    fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        let home = self.context.home();
        vec![("agent.out", home.join("agent.out")), ("agent.err", home.join("agent.err"))]
    }
}

#[cfg(test)]
mod tests;
