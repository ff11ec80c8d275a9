//! `nutshell director`: a director alone, on clouds that exist already.

mod settings;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use cloud::ec2::Ec2;
use cloud::openstack::OpenStack;
use cloud::{Cloud, CloudError};
use sha2::{Digest, Sha256};

use self::settings::{CloudSettings, FileSettings};
use crate::args::Director;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging;
use crate::printer::Printer;

/// Why a director does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectorError {
    #[error("failed to read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} cannot be used:\n{}", path.display(), list(problems))]
    Settings { path: PathBuf, problems: Vec<String> },
    #[error("failed to listen at {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("failed to use the cloud `{name}`")]
    Cloud {
        name: String,
        #[source]
        source: CloudError,
    },
    #[error("failed to start the director")]
    Start(#[source] director::StartError),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
}

impl Advice for DirectorError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } | Self::Settings { .. } | Self::Listen { .. } => Exit::Failure,
            Self::Cloud { .. } | Self::Start(_) => Exit::Unexpected,
        }
    }
}

/// Runs a director until it is told to end.
pub(crate) fn director(options: &Director, printer: &Printer) -> Result<Exit, Failure> {
    let path = &options.config;
    let text = std::fs::read_to_string(path)
        .map_err(|source| DirectorError::Read { path: path.clone(), source })?;
    let settings = settings::parse(&text)
        .map_err(|problems| DirectorError::Settings { path: path.clone(), problems })?;
    logging::to_stderr();
    super::up::wait_for(serve(settings, printer))
}

async fn serve(settings: FileSettings, printer: &Printer) -> Result<Exit, Failure> {
    let mut ending = super::up::Ending::listen()?;
    let address = settings.listen;
    let listener =
        TcpListener::bind(address).map_err(|source| DirectorError::Listen { address, source })?;
    let mut clouds = Vec::new();
    for (name, settings) in &settings.clouds {
        let driver = driver(name, settings)
            .map_err(|source| DirectorError::Cloud { name: name.clone(), source })?;
        // Told at once, and not in the way: a cloud may be away for a while.
        for problem in driver.check().await.err().unwrap_or_default() {
            let chain = crate::diagnostics::chain(&problem).join(": ");
            printer.warn(format!("the cloud `{name}` cannot be used now: {chain}"));
        }
        clouds.push((name.clone(), driver));
    }
    let identity_providers = settings
        .identity_providers
        .iter()
        .map(|(name, provider)| provider.settings(name))
        .collect::<Result<_, _>>()
        .map_err(|(path, source)| DirectorError::Read { path: path.to_owned(), source })?;
    let url = settings.url.clone();
    let director = director::Director::start(director::Settings {
        state_dir: settings.state,
        listener,
        url: settings.url,
        installation: settings.installation,
        executable: executable()?,
        clouds,
        image_roots: BTreeMap::new(),
        users: settings.users.into_iter().map(Into::into).collect(),
        default_credits: settings.credits,
        fetch: settings.fetch.into(),
        registration: settings.registration,
        identity_providers,
        autoscaling_minute: None,
    })
    .await
    .map_err(DirectorError::Start)?;
    printer.note(format!("✓ the director answers at {url}"));
    ending.asked().await;
    director.shutdown().await;
    Ok(Exit::Success)
}

fn driver(name: &str, settings: &CloudSettings) -> Result<Arc<dyn Cloud>, CloudError> {
    match settings {
        CloudSettings::Openstack(settings) => Ok(Arc::new(OpenStack::new(name, settings.clone())?)),
        CloudSettings::Ec2(settings) => Ok(Arc::new(Ec2::new(name, settings.clone())?)),
    }
}

/// This executable: what the director hands to its VMs.
fn executable() -> Result<director::Executable, DirectorError> {
    let path = std::env::current_exe()
        .map_err(|source| DirectorError::Read { path: "/proc/self/exe".into(), source })?;
    let content = std::fs::read(&path)
        .map_err(|source| DirectorError::Read { path: path.clone(), source })?;
    Ok(director::Executable { path, sha256: format!("{:x}", Sha256::digest(content)) })
}
