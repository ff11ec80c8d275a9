//! Runs a cloud in the foreground, until it is told to end.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use fake_cloud::image::Store;
use fake_cloud::settings::{BackendKind, GUEST_PORTS, LibvirtSettings, Listen};
use fake_cloud::{FakeCloud, Settings};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
#[group(id = "run")]
pub(crate) struct Arguments {
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

    /// Where libvirt is, for servers that are virtual machines; its own default when not given.
    #[arg(long, value_name = "URI", env = "FAKE_CLOUD_LIBVIRT_URI")]
    libvirt_uri: Option<String>,

    /// The TCP ports at which virtual machines answer at their servers' addresses.
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_values_t = GUEST_PORTS)]
    guest_ports: Vec<u16>,

    /// Where the images are that `fake-cloud image` makes: the cloud offers them all.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_IMAGES", default_value_os_t = Store::default_path())]
    images: PathBuf,

    /// Password of the user `admin`.
    #[arg(long, env = "FAKE_CLOUD_PASSWORD", default_value = "secret", hide_env_values = true)]
    password: String,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { state, listen, backend, libvirt_uri, guest_ports, images, password } =
        arguments;
    let mut settings = Settings::loopback(state, Listen::Address(listen), &password);
    settings.backend = backend;
    settings.libvirt = LibvirtSettings { uri: libvirt_uri, ports: guest_ports };
    settings.image_store = Some(images);
    settings.init_program = std::env::current_exe()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let cloud = FakeCloud::start(settings).await?;
    greet(&cloud)?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    cloud.shutdown().await;
    Ok(())
}

/// Where the cloud is, and what a client needs to know of it.
fn greet(cloud: &FakeCloud) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# fake-cloud answers at {}; Ctrl-C ends it", cloud.api_url())?;
    for (name, value) in cloud.credentials("admin").iter().flat_map(|it| it.environment()) {
        writeln!(out, "export {name}='{}'", value.replace('\'', "'\\''"))?;
    }
    let control = cloud.control_access();
    writeln!(out, "export FAKE_CLOUD_CONTROL_URL='{}'", control.url)?;
    writeln!(out, "export FAKE_CLOUD_CONTROL_TOKEN='{}'", control.token)?;
    out.flush()
}
