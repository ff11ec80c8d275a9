//! How a new VM becomes a manager or an agent: what it is given, and what it exchanges for it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::ids::{ApplicationId, NodeId, ServiceId};

/// What the director's user-data leaves in a VM, as JSON: enough to join, once.
#[derive(Clone, Serialize, Deserialize)]
pub struct BootConfig {
    /// The installation, as it stands in certificates.
    pub installation: String,
    /// Where the director answers, as the VM reaches it: `https://host:port`.
    pub director_url: String,
    /// The installation's certificate authority, PEM.
    pub ca_certificate: String,
    /// Exchanged once for a certificate; worthless afterwards.
    pub token: String,
    /// This VM.
    pub node: NodeId,
    /// The cloud it comes from.
    pub cloud: String,
    /// The application it belongs to.
    pub application: ApplicationId,
    /// What it is to be.
    pub role: BootRole,
    /// How much memory its instance type has, in MiB, where the cloud says so: servers that share the
    /// kernel of their machine cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// How many milliseconds a minute of autoscaling takes, where it is to be watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling_minute: Option<u32>,
}

impl std::fmt::Debug for BootConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootConfig").field("node", &self.node).field("role", &self.role).finish()
    }
}

/// What a VM is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BootRole {
    /// The manager of the application.
    Manager,
    /// An agent of one of its services.
    Agent {
        /// The service.
        service: ServiceId,
        /// Its type, which chooses the agent half.
        service_type: String,
    },
}

impl BootConfig {
    /// The identity that the certificate will carry.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match self.role {
            BootRole::Manager => Identity::Manager { application: self.application },
            BootRole::Agent { service, .. } => {
                Identity::Agent { application: self.application, service, node: self.node }
            }
        }
    }
}

/// A VM's request for its certificate. The key never leaves the VM.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
pub struct CertificateRequest {
    /// The single-use token of the VM's user-data: it binds the key to the node. Absent for a renewal:
    /// the request's own signature proves that its sender holds a key that the director knows, even
    /// after the certificate has ended because the VM was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// PKCS#10 request, PEM. Only its public key counts: the director writes the names.
    pub csr: String,
}

/// The answer: who the VM is from now on. The director answers once it knows the addresses.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CertificateGrant {
    /// The certificate, PEM.
    pub certificate: String,
    /// Seconds after which the VM should ask for a new one.
    pub renew_after_seconds: u64,
    /// The address others reach the VM at.
    #[schemars(with = "String")]
    pub public_ip: Ipv4Addr,
    /// The address the VM itself has.
    #[schemars(with = "String")]
    pub private_ip: Ipv4Addr,
}
