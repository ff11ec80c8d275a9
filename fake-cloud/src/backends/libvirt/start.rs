//! A server's start: its disks, its machine, and the ports at which it answers.

use std::net::Ipv4Addr;
use std::sync::Arc;

use uuid::Uuid;
use virt::domain::Domain;
use virt_sys as sys;

use super::connection::failed;
use super::domain::{Accelerator, Machine};
use super::user_network::{ID, UserNetwork};
use super::{Inner, is_paused};
use crate::backends::{BackendError, ServerSpec};
use crate::network::loopback::listening;

impl Inner {
    /// Starts the server, or takes it up when it has run on while the cloud was away.
    pub(super) async fn start(self: Arc<Self>, server: ServerSpec) -> Result<(), BackendError> {
        let (id, fixed_ip) = (server.id, server.fixed_ip);
        if self.machines.runs(id) {
            // It ran on while the cloud was away.
            self.blocking(move |inner| inner.hypervisor.with_domain(id, resume)).await?;
        } else {
            let accelerator = self.accelerator().await;
            let booted = self.blocking(move |inner| inner.boot(&server, accelerator)).await;
            if let Err(error) = booted {
                if let Some(mut gone) = self.machines.ending(id) {
                    self.machines.stopped(id, "it never ran");
                    let _ = gone.wait_for(|gone| *gone).await;
                }
                return Err(error);
            }
            self.machines.started(id);
            // What ended before that has been overheard.
            self.look_at(id, "it ended at once").await;
        }
        self.blocking(move |inner| inner.forward(id, fixed_ip)).await
    }

    /// Makes the machine and switches it on.
    fn boot(&self, server: &ServerSpec, accelerator: Accelerator) -> Result<(), BackendError> {
        let disks = self.state.prepare(server)?;
        let files = self.state.server(server.id);
        let socket = files.console_socket();
        self.machines
            .expect(server.id, &files)
            .map_err(BackendError::step(format!("listen at {}", socket.display())))?;
        let volumes: Vec<_> = server
            .volumes
            .iter()
            .map(|volume| (volume.clone(), self.state.volumes.path(volume.id)))
            .collect();
        let definition = Machine {
            id: server.id,
            hostname: &server.hostname,
            cloud: self.state.cloud,
            vcpus: server.vcpus,
            memory_mib: server.memory_mib,
            accelerator,
            kernel: disks.kernel.as_ref(),
            root: &disks.root,
            drives: &disks.drives,
            volumes: &volumes,
            network: &UserNetwork::of(server),
            console: &socket,
            owner: self.owner()?,
        }
        .definition();
        self.hypervisor.with(|connect| {
            let domain = Domain::define_xml(connect, &definition)
                .map_err(failed("define the virtual machine"))?;
            domain.create().map(drop).map_err(failed("start the virtual machine"))
        })
    }

    /// Machines run as whoever runs the cloud, whose files their disks are: libvirt of the whole
    /// system would choose a user of its own.
    fn owner(&self) -> Result<Option<(u32, u32)>, BackendError> {
        let capabilities = self.hypervisor.with(|connect| {
            connect.get_capabilities().map_err(failed("ask what libvirt can do"))
        })?;
        let user = rustix::process::geteuid().as_raw();
        let group = rustix::process::getegid().as_raw();
        Ok(capabilities.contains("<model>dac</model>").then_some((user, group)))
    }

    /// Lets the machine answer at its fixed address.
    fn forward(&self, id: Uuid, fixed_ip: Ipv4Addr) -> Result<(), BackendError> {
        let open = listening::ports_of(fixed_ip);
        let missing: Vec<u16> =
            self.ports.iter().copied().filter(|port| !open.contains(port)).collect();
        self.hypervisor.with_domain(id, |domain| {
            for port in missing {
                let command = format!("hostfwd_add {ID} tcp:{fixed_ip}:{port}-:{port}");
                let flags = sys::VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP;
                match domain.qemu_monitor_command(&command, flags) {
                    Ok(answer) if answer.trim().is_empty() => {}
                    Ok(answer) => {
                        tracing::warn!(%fixed_ip, port, "not forwarded: {}", answer.trim());
                    }
                    Err(error) => {
                        tracing::warn!(%fixed_ip, port, "not forwarded: {}", error.message());
                    }
                }
            }
            Ok(())
        })?;
        self.machines.answers_at(id, fixed_ip, &self.ports);
        Ok(())
    }
}

fn resume(domain: &Domain) -> Result<(), BackendError> {
    if is_paused(domain) {
        domain.resume().map_err(failed("resume the virtual machine"))?;
    }
    Ok(())
}
