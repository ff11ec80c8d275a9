//! Whether this machine's processor really runs guests.
//!
//! `/dev/kvm` alone does not tell: inside another virtual machine it may be there, and guests hang
//! or crawl. So a guest is run that does nothing but reset its machine, which takes some tenths of
//! a second where KVM works.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;
use virt::domain::Domain;
use virt_sys as sys;

use super::Inner;
use super::connection::{Hypervisor, failed};
use super::domain::{Accelerator, mark, name};
use super::xml::Element;
use crate::backends::BackendError;

/// How long the guest may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// A sector that is booted: it tells the keyboard controller to reset the machine.
fn sector() -> [u8; 512] {
    let mut sector = [0; 512];
    // mov al, 0xfe; out 0x64, al; and then halt for good: hlt; jmp -3
    sector[..7].copy_from_slice(&[0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd]);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

impl Inner {
    /// Found out at the first start.
    pub(super) async fn accelerator(self: &Arc<Self>) -> Accelerator {
        *self.accelerator.get_or_init(|| self.find_accelerator()).await
    }

    async fn find_accelerator(self: &Arc<Self>) -> Accelerator {
        let kind = self.blocking(|inner| {
            inner
                .hypervisor
                .with(|connect| connect.get_type().map_err(failed("ask what libvirt drives")))
        });
        if kind.await.is_ok_and(|kind| kind.eq_ignore_ascii_case("test")) {
            return Accelerator::Pretended;
        }
        let (id, (tell, told)) = (Uuid::new_v4(), oneshot::channel());
        *self.probe.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, tell));
        let disk = self.state.probe();
        let path = disk.clone();
        let started = self
            .blocking(move |inner| start_probe(&inner.hypervisor, inner.state.cloud, id, &path));
        let found = match started.await {
            Ok(true) => judge(told).await,
            Ok(false) => Accelerator::Tcg,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "KVM cannot be used");
                Accelerator::Tcg
            }
        };
        let tidy = move |inner: &Arc<Self>| {
            inner.hypervisor.with_domain(id, |domain| Ok(domain.destroy()))?;
            fs::remove_file(disk).map_err(BackendError::step("remove the probe"))
        };
        if let Err(error) = self.blocking(tidy).await {
            tracing::debug!(%error, "the probe has tidied up itself");
        }
        if found == Accelerator::Tcg {
            tracing::warn!("this machine's processor does not run guests: QEMU emulates one");
        }
        found
    }

    /// Called when any machine has ended: this may be the one.
    pub(super) fn probe_ended(&self, id: Uuid) {
        let mut probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tell)) = probe.take_if(|(probe, _)| *probe == id) {
            // Nobody listens when it was too late.
            let _ = tell.send(());
        }
    }
}

/// Starts the guest, when libvirt offers KVM at all.
fn start_probe(
    hypervisor: &Hypervisor,
    cloud: Uuid,
    id: Uuid,
    disk: &Path,
) -> Result<bool, BackendError> {
    let offers = hypervisor
        .with(|connect| connect.get_capabilities().map_err(failed("ask what libvirt can do")))?;
    if !offers.contains("<domain type='kvm'") {
        return Ok(false);
    }
    fs::write(disk, sector()).map_err(BackendError::step(format!("write {}", disk.display())))?;
    let source = Element::new("disk")
        .with("type", "file")
        .with("device", "disk")
        .child(Element::new("driver").with("name", "qemu").with("type", "raw"))
        .child(Element::new("source").with("file", disk.display()))
        .child(Element::new("target").with("dev", "hda").with("bus", "ide"));
    let domain = Element::new("domain")
        .with("type", "kvm")
        .child(Element::new("name").text(name(id)))
        .child(Element::new("uuid").text(id))
        // Should the cloud be killed now, the next one removes it.
        .child(mark(cloud))
        .child(Element::new("memory").with("unit", "MiB").text(16))
        .child(Element::new("os").child(Element::new("type").text("hvm")))
        .child(Element::new("on_reboot").text("destroy"))
        .child(Element::new("devices").child(source))
        .to_string();
    let start = |connect: &_| {
        Domain::create_xml(connect, &domain, sys::VIR_DOMAIN_NONE)
            .map_err(failed("start a virtual machine with KVM"))
    };
    hypervisor.with(start).map(|_| true)
}

/// What the guest that was started tells of this machine.
async fn judge(ended: oneshot::Receiver<()>) -> Accelerator {
    match tokio::time::timeout(DEADLINE, ended).await {
        Ok(Ok(())) => Accelerator::Kvm,
        Ok(Err(_)) | Err(_) => Accelerator::Tcg,
    }
}
