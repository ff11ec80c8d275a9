//! What we ask of the engine, each as one step that can fail.

use std::collections::HashMap;
use std::future::ready;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerSummary, EndpointSettings, Ipam,
    IpamConfig, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters as query;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::backends::{BackendError, ConsoleStream};
use crate::image::pack::pack;
use crate::model::address::Block;

/// The engine.
#[derive(Debug, Clone)]
pub(super) struct Engine(Docker);

/// The label that names the cloud of a container or a network.
pub(super) const CLOUD: &str = "fake-cloud";
/// The label that names the server of a container.
pub(super) const SERVER: &str = "fake-cloud.server";
/// The label that names the state directory of a container's cloud.
pub(super) const STATE: &str = "fake-cloud.state";

fn failed(step: impl Into<String>) -> impl FnOnce(Error) -> BackendError {
    let step = step.into();
    move |error| BackendError::step(step)(io::Error::other(error))
}

/// What is gone already needs no removing, and what has ended no ending.
fn done(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::DockerResponseServerError { status_code: 304 | 404 | 409, .. }) => Ok(()),
        // Podman's word for it.
        Err(Error::DockerResponseServerError { message, .. })
            if message.contains("container state improper") =>
        {
            Ok(())
        }
        result => result,
    }
}

impl Engine {
    /// Finds the engine: where it is said to be, else where `DOCKER_HOST` says, else at Docker's
    /// usual socket, else at Podman's.
    pub(super) async fn connect(host: Option<&str>) -> Result<Self, BackendError> {
        let given = host.map(str::to_owned).or_else(|| std::env::var("DOCKER_HOST").ok());
        let docker = match given {
            Some(host) => Docker::connect_with_host(&host),
            None => match Docker::connect_with_unix_defaults() {
                Ok(docker) if docker.ping().await.is_ok() => Ok(docker),
                _ => Docker::connect_with_podman_defaults(),
            },
        };
        let docker = match docker {
            Ok(docker) => docker.ping().await.map(|_| docker),
            Err(error) => Err(error),
        };
        docker.map(Self).map_err(failed(
            "reach a container engine: start Docker or Podman, or set DOCKER_HOST to its socket",
        ))
    }

    /// Everything that has a label.
    pub(super) async fn containers(
        &self,
        label: &str,
    ) -> Result<Vec<ContainerSummary>, BackendError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = query::ListContainersOptionsBuilder::default().all(true).filters(&filters);
        let listed = self.0.list_containers(Some(options.build())).await;
        listed.map_err(failed("list the containers"))
    }

    /// The container, if there is one.
    pub(super) async fn inspect(
        &self,
        name: &str,
    ) -> Result<Option<ContainerInspectResponse>, BackendError> {
        match self.0.inspect_container(name, None).await {
            Ok(container) => Ok(Some(container)),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failed("ask for the container")(error)),
        }
    }

    pub(super) async fn create(
        &self,
        name: &str,
        container: ContainerCreateBody,
    ) -> Result<(), BackendError> {
        let options = query::CreateContainerOptionsBuilder::default().name(name).build();
        let created = self.0.create_container(Some(options), container).await;
        created.map(drop).map_err(failed("create the container"))
    }

    /// Unpacks an archive in the root directory.
    pub(super) async fn put(&self, name: &str, archive: Bytes) -> Result<(), BackendError> {
        let options = query::UploadToContainerOptionsBuilder::default().path("/").build();
        let put = self.0.upload_to_container(name, Some(options), bollard::body_full(archive));
        put.await.map_err(failed("write the server's files"))
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), BackendError> {
        self.0.start_container(name, None).await.map_err(failed("start the container"))
    }

    /// Lets the first process begin: it waits for a line on its standard input.
    pub(super) async fn let_begin(&self, name: &str) -> Result<(), BackendError> {
        let options = query::AttachContainerOptionsBuilder::default().stdin(true).stream(true);
        let attached = self.0.attach_container(name, Some(options.build())).await;
        let mut input = attached.map_err(failed("reach the container's input"))?.input;
        let written = async {
            input.write_all(b"\n").await?;
            input.flush().await
        };
        written.await.map_err(BackendError::step("let the container begin"))
    }

    /// Takes a container from its network.
    pub(super) async fn disconnect(&self, network: &str, name: &str) -> Result<(), BackendError> {
        let container = name.to_owned();
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        let taken = self.0.disconnect_network(network, request).await;
        taken.map_err(failed("take the container from its network"))
    }

    /// Puts a container into a network.
    pub(super) async fn connect_to(
        &self,
        network: &str,
        name: &str,
        endpoint: EndpointSettings,
    ) -> Result<(), BackendError> {
        let (container, endpoint_config) = (name.to_owned(), Some(endpoint));
        let request = NetworkConnectRequest { container, endpoint_config };
        let put = self.0.connect_network(network, request).await;
        put.map_err(failed("put the container into its network"))
    }

    /// Ends the container: politely for some seconds, or at once.
    pub(super) async fn stop(&self, name: &str, seconds: i32) -> Result<(), BackendError> {
        let options = query::StopContainerOptionsBuilder::default().t(seconds).build();
        let stopped = if seconds == 0 {
            self.0.kill_container(name, None).await
        } else {
            self.0.stop_container(name, Some(options)).await
        };
        done(stopped).map_err(failed("end the container"))?;
        // What was told to end is not gone yet.
        let mut gone = Box::pin(self.0.wait_container(name, None));
        let _ = gone.next().await;
        Ok(())
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), BackendError> {
        let options = query::RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = self.0.remove_container(name, Some(options)).await;
        done(removed).map_err(failed("remove the container"))
    }

    pub(super) async fn pause(&self, name: &str, paused: bool) -> Result<(), BackendError> {
        let result = if paused {
            self.0.pause_container(name).await
        } else {
            self.0.unpause_container(name).await
        };
        result.map_err(failed("pause or unpause the container"))
    }

    /// What the container printed; nothing when there is none.
    pub(super) async fn logs(&self, name: &str) -> Result<String, BackendError> {
        let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).build();
        let mut text = String::new();
        let mut lines = Box::pin(self.0.logs(name, Some(options)));
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => text.push_str(&String::from_utf8_lossy(&line.into_bytes())),
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => break,
                Err(error) => return Err(failed("read the console log")(error)),
            }
        }
        Ok(text)
    }

    /// The last lines of what the container printed, and what it prints until it ends.
    pub(super) fn follow(&self, name: &str, lines: Option<usize>) -> ConsoleStream {
        let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).follow(true);
        let tail = lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let pieces = self.0.logs(name, Some(options.tail(&tail).build()));
        let told = pieces.take_while(|piece| ready(piece.is_ok()));
        told.filter_map(|piece| ready(piece.ok().map(LogOutput::into_bytes))).boxed()
    }

    /// Ids of servers whose containers end, as it happens, until the engine goes away.
    pub(super) fn ends(&self, cloud: &str) -> impl Stream<Item = (String, String)> + use<> {
        let label = format!("{CLOUD}={cloud}");
        let filters = HashMap::from([
            ("type", vec!["container"]),
            ("event", vec!["die"]),
            ("label", vec![label.as_str()]),
        ]);
        let options = query::EventsOptionsBuilder::default().filters(&filters).build();
        self.0.events(Some(options)).take_while(|event| ready(event.is_ok())).filter_map(|event| {
            let Ok(event) = event else { return ready(None) };
            let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
            let code = attributes.get("exitCode").map_or("unknown", String::as_str);
            let reason = format!("its first process ended with exit status {code}");
            ready(attributes.get(SERVER).map(|id| (id.clone(), reason)))
        })
    }

    /// Makes the cloud's network, unless there is one with these addresses.
    pub(super) async fn ensure_network(
        &self,
        cloud: &str,
        block: Block,
    ) -> Result<String, BackendError> {
        let name = format!("fake-cloud-{cloud}");
        let subnet = format!("{}/{}", block.network, block.prefix);
        if let Ok(network) = self.0.inspect_network(&name, None).await {
            let known = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
            if known.iter().any(|config| config.subnet.as_ref() == Some(&subnet)) {
                return Ok(name);
            }
            // Of another block: servers get addresses anew with their containers.
            self.0.remove_network(&name).await.map_err(failed("replace the network"))?;
        }
        let config = IpamConfig {
            subnet: Some(subnet.clone()),
            gateway: Some(block.hosts().first.to_string()),
            ..IpamConfig::default()
        };
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            labels: Some(HashMap::from([(CLOUD.to_owned(), cloud.to_owned())])),
            ..NetworkCreateRequest::default()
        };
        let created = self.0.create_network(request).await;
        created.map_err(failed(format!(
            "make a network {subnet}; if another network of the engine has these addresses, choose \
             others"
        )))?;
        Ok(name)
    }

    /// Removes the network of a cloud that is gone for good.
    pub(super) async fn remove_network(&self, cloud: &str) -> Result<(), BackendError> {
        let removed = self.0.remove_network(&format!("fake-cloud-{cloud}")).await;
        done(removed).map_err(failed("remove the network"))
    }

    /// The engine's image of a root file system; imported when it has none yet.
    pub(super) async fn ensure_image(&self, root: &Path) -> Result<String, BackendError> {
        let reading = || BackendError::step(format!("read the image {}", root.display()));
        let made = root.metadata().map_err(reading())?.ctime();
        // The same tree has the same name: nothing in it ever changes.
        let key = Sha256::digest(format!("{} {made}", root.display()));
        let name = format!("fake-cloud:{key:x}");
        if self.0.inspect_image(&name).await.is_ok() {
            return Ok(name);
        }
        let options = query::CreateImageOptionsBuilder::default()
            .from_src("-")
            // Podman overlooks a tag that comes by itself.
            .repo(&name)
            .message(&root.to_string_lossy())
            .build();
        let body = bollard::body_try_stream(archive_of(root.to_owned()));
        let import = self.0.create_image(Some(options), Some(body), None);
        import.try_collect::<Vec<_>>().await.map_err(failed("import the image"))?;
        Ok(name)
    }
}

/// The archive of a tree, as it is written.
fn archive_of(root: PathBuf) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        let mut writer = io::BufWriter::with_capacity(1 << 18, Sender(sender.clone()));
        if let Err(error) = pack(&root, &mut writer).and_then(|()| writer.flush()) {
            // A receiver that is gone has failed for a reason of its own.
            let _ = sender.blocking_send(Err(error));
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|part| (part, receiver))
    })
}

struct Sender(tokio::sync::mpsc::Sender<io::Result<Bytes>>);

impl Write for Sender {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(part)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
