//! What crosses the wire between the parts of the platform.
//!
//! Identifiers and identities, the types of every API, the one error form, the clients, and the TLS
//! by which the parts know each other. No part decides anything here.

pub mod api;
pub mod boot;
pub mod client;
pub mod error;
pub mod files;
pub mod identity;
pub mod ids;
pub mod membership;
pub mod tls;
pub mod vm;

pub use client::ClientError;
pub use error::{ApiError, ErrorCode};
pub use identity::Identity;
pub use ids::{
    ApplicationId, CodeVersionId, NodeId, OperationId, ServiceId, TokenId, UserId, VolumeId,
};

/// Where the director listens unless told otherwise.
pub const DIRECTOR_PORT: u16 = 5555;
/// The header by which the web pages say whose browser they speak for. The director believes it of
/// itself alone.
pub const CLIENT_ADDRESS: &str = "x-forwarded-for";
/// Where a manager listens, on its VM's address. Above 1024: nothing needs root.
pub const MANAGER_PORT: u16 = 5443;
/// Where an agent listens, on its VM's address.
pub const AGENT_PORT: u16 = 5555;
/// Where a manager takes code by git: SSH's own port, and another where that is taken or needs a right
/// that the manager lacks.
pub const GIT_PORTS: [u16; 2] = [22, 2222];
