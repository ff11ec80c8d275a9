//! `cps manifest`: whole applications from one document, and back.

mod local;

use std::io::{self, Read};
use std::path::Path;

use protocol::api::{Deployment, OperationState, ReadyManifest};
use serde_json::Value;

use super::{Caller, CpsError};
use crate::args::{ApplicationRef, ManifestCommand, ManifestFile};
use crate::diagnostics::Exit;
use crate::printer::{Format, Table};

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: ManifestCommand) -> Result<Exit, CpsError> {
    match command {
        ManifestCommand::List => list(caller).await,
        ManifestCommand::Show { name } => {
            caller.printer.json(&ready(caller, &name).await?.manifest);
            Ok(Exit::Success)
        }
        ManifestCommand::Deploy { manifest, cloud } => {
            let manifest = match local::is_file(&manifest) {
                true => read(Path::new(&manifest))?,
                false => ready(caller, &manifest).await?.manifest,
            };
            deploy(caller, &manifest, cloud.as_deref()).await
        }
        ManifestCommand::Register { name, manifest: ManifestFile { file } } => {
            let registered = caller.client.manifest_register(&name, &read(&file)?).await?;
            caller.printer.answer(&registered, |registered| {
                format!("`cps manifest deploy {}` is there for everybody.", registered.name)
            });
            Ok(Exit::Success)
        }
        ManifestCommand::Unregister { name } => {
            caller.client.manifest_unregister(&name).await?;
            caller.printer.answer(&name, |name| format!("Manifest {name} is forgotten."));
            Ok(Exit::Success)
        }
        ManifestCommand::Status { deployment } => {
            watch(caller, caller.client.deployment_view(deployment).await?).await
        }
        ManifestCommand::Download { application } => download(caller, &application).await,
    }
}

async fn list(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let manifests = caller.client.manifest_list().await?;
    caller.printer.list(&manifests, "No manifests.", |manifests| {
        let mut table = Table::new(["name", "description"]);
        for manifest in manifests {
            table.row([manifest.name.clone().into(), manifest.description.clone().into()]);
        }
        table
    });
    Ok(Exit::Success)
}

async fn ready(caller: &Caller<'_>, name: &str) -> Result<ReadyManifest, CpsError> {
    let all = caller.client.manifest_list().await?;
    let found = all.into_iter().find(|manifest| manifest.name == name);
    found.ok_or_else(|| CpsError::UnknownManifest(name.to_owned()))
}

/// Deploys the manifest in a file.
pub(crate) async fn deploy_file(
    caller: &Caller<'_>,
    file: &Path,
    cloud: Option<&str>,
) -> Result<Exit, CpsError> {
    deploy(caller, &read(file)?, cloud).await
}

/// Reads a manifest, with the files beside it that it names.
fn read(file: &Path) -> Result<Value, CpsError> {
    let failed = || CpsError::file("read", file);
    let (text, directory) = if file == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map_err(failed())?;
        (text, Path::new("."))
    } else {
        (std::fs::read(file).map_err(failed())?, file.parent().unwrap_or(Path::new(".")))
    };
    let mut manifest = serde_json::from_slice(&text)
        .map_err(|source| CpsError::NotJson { path: file.to_owned(), source })?;
    local::inline(&mut manifest, directory)?;
    Ok(manifest)
}

async fn deploy(
    caller: &Caller<'_>,
    manifest: &Value,
    cloud: Option<&str>,
) -> Result<Exit, CpsError> {
    let deployment = caller.client.manifest_deploy(manifest, cloud).await?;
    if caller.wait {
        return watch(caller, deployment).await;
    }
    caller.printer.answer(&deployment, |deployment| {
        format!("{} `cps manifest status {}` waits for it.", line(deployment), deployment.id)
    });
    Ok(Exit::Success)
}

fn line(deployment: &Deployment) -> String {
    let application = deployment.application;
    format!("Application {application} is being created based on the specified manifest...")
}

/// Shows each step as it is done, and waits for the end.
async fn watch(caller: &Caller<'_>, mut deployment: Deployment) -> Result<Exit, CpsError> {
    let printer = caller.printer;
    let mut told = 0;
    loop {
        for step in deployment.steps.iter().take(deployment.done).skip(told) {
            printer.note(format!("✓ {step}"));
        }
        told = deployment.done;
        if deployment.is_over() || !caller.wait {
            break;
        }
        let doing = match deployment.state {
            OperationState::Running => deployment.steps.get(told).map_or("Finishing", |step| step),
            _ => "Removing what was made",
        };
        let spinner = printer.spinner(doing);
        let changed = caller.client.deployment_changed(deployment.id, deployment.revision);
        deployment = spinner.watch(changed).await?;
    }
    Ok(tell(caller, &deployment))
}

fn tell(caller: &Caller<'_>, deployment: &Deployment) -> Exit {
    let printer = caller.printer;
    let (exit, end) = match deployment.state {
        OperationState::Done => (Exit::Success, "done."),
        OperationState::Running => (Exit::Success, "not yet done."),
        OperationState::Unwinding | OperationState::Failed => (Exit::Failure, "FAILED!"),
    };
    printer.answer(deployment, |deployment| format!("{} {end}", line(deployment)));
    if let (Exit::Failure, Some(error)) = (exit, &deployment.error) {
        if let Some(step) = deployment.steps.get(deployment.done) {
            printer.note(format!("✗ {step}"));
        }
        printer.error(format!("{}; nothing of the application is left", error.message));
        if let Some(hint) = &error.hint {
            printer.hint(hint);
        }
    }
    exit
}

/// Prints the manifest of an application.
pub(crate) async fn download(
    caller: &Caller<'_>,
    application: &ApplicationRef,
) -> Result<Exit, CpsError> {
    let id = caller.application_id(application).await?;
    let spinner = caller.printer.spinner("Downloading");
    let manifest = spinner.watch(caller.client.application_manifest(id)).await?;
    drop(spinner);
    // A manifest is JSON, whatever the form of other answers.
    caller.printer.json(&manifest);
    if caller.printer.format() == Format::Table && manifest.services.is_empty() {
        caller.printer.warn("the application has no services");
    }
    Ok(Exit::Success)
}
