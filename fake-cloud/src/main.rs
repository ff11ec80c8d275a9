//! The `fake-cloud` executable: a cloud of its own, in the foreground until it is told to end.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fake_cloud::settings::{BackendKind, Listen};
use fake_cloud::{FakeCloud, Settings};
use tokio::signal::unix::{SignalKind, signal};

/// An IaaS in one process, with the real OpenStack API.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the cloud keeps its state; made when missing.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,

    /// Where the API listens; port 0 is any free one. Servers get addresses that begin with the
    /// same two numbers.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,

    /// What a server is made of.
    #[arg(long, value_enum, default_value_t = BackendKind::Process)]
    backend: BackendKind,

    /// Lets everything pass between servers and to them, whatever the security groups say.
    #[arg(long)]
    ignore_security_groups: bool,

    /// Password of the user `admin`.
    #[arg(long, env = "FAKE_CLOUD_PASSWORD", default_value = "secret", hide_env_values = true)]
    password: String,
}

fn main() -> ExitCode {
    fake_cloud::guest::run_if_guest();
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("FAKE_CLOUD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                line.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Nobody is left to tell when this fails.
            let _ = writeln!(io::stderr(), "{line}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { state, listen, backend, ignore_security_groups, password } = arguments;
    let mut settings = Settings::loopback(state, Listen::Address(listen), &password);
    settings.backend = backend;
    settings.enforce_security_groups = !ignore_security_groups;
    settings.init_program = std::env::current_exe()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let cloud = FakeCloud::start(settings).await?;
    greet(&cloud, &password)?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    cloud.shutdown().await;
    Ok(())
}

/// Where the cloud is, and what a client needs to know of it.
fn greet(cloud: &FakeCloud, password: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# fake-cloud answers at {}; Ctrl-C ends it", cloud.api_url())?;
    let key = cloud.access_key("admin");
    let (access, secret) = key.as_ref().map_or(("", ""), |key| (&key.access, &key.secret));
    for (name, value) in [
        ("OS_AUTH_URL", cloud.auth_url().as_str()),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", password),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ("OS_REGION_NAME", "RegionOne"),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("AWS_ENDPOINT_URL_EC2", cloud.ec2_url().as_str()),
        ("AWS_DEFAULT_REGION", "RegionOne"),
        ("AWS_ACCESS_KEY_ID", access),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ] {
        writeln!(out, "export {name}='{}'", value.replace('\'', "'\\''"))?;
    }
    out.flush()
}
