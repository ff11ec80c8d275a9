//! The types of every API, one file a resource.

pub mod application;
pub mod autoscaling;
pub mod backup;
pub mod cloud;
pub mod code;
pub mod credit;
pub mod event;
pub mod generic;
pub mod history;
pub mod internal;
pub mod log;
pub mod manifest;
pub mod node;
pub mod operation;
pub mod php;
pub mod service;
pub mod service_type;
pub mod usage;
pub mod user;
pub mod volume;
pub mod web;

pub use application::{Application, ApplicationCreate, ApplicationRename};
pub use autoscaling::{Autoscaling, Strategy};
pub use cloud::{Cloud, CloudState, InstanceType};
pub use code::CodeVersion;
pub use credit::{CreditEntry, CreditGrant, CreditKind, CreditQuery, Credits};
pub use event::Event;
pub use history::{ServiceHistory, StateChange};
pub use log::LogText;
pub use manifest::{
    Deployment, InlineFile, Manifest, ManifestService, ManifestVolume, ReadyManifest,
};
pub use node::{Node, NodeCounts, NodeState};
pub use operation::{Operation, OperationState};
pub use service::{
    NodesAdd, NodesRemove, Service, ServiceCreate, ServiceCreated, ServiceRename, ServiceStart,
    StartupScript, State,
};
pub use service_type::{MethodKind, MethodSummary, PortRange, Role, ServiceType, Transport};
pub use user::{
    Login, LoginGrant, LoginOptions, OidcBegun, OidcFinish, PasswordChange, Profile, Token,
    TokenCreate, TokenGrant, User, UserChange, UserCreate, UserRegister,
};
pub use volume::{Volume, VolumeCreate, VolumeState, Volumes};

/// The cloud that is meant when nobody names one.
pub const DEFAULT_CLOUD: &str = "default";
