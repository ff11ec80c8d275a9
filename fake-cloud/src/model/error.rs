//! Why the model refuses: one list for all dialects, each of which says it in its own words.

use super::life::Refusal;

/// A refusal of the model, free of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or the caller may not see it.
    #[error("{kind} {id} could not be found")]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// Its id or name as it was given.
        id: String,
    },
    /// The request cannot be meant as it was sent.
    #[error("{0}")]
    Invalid(String),
    /// The thing is in a state in which this cannot be done.
    #[error("{0}")]
    Conflict(String),
    /// The thing exists and this caller may not do this with it.
    #[error("{0}")]
    Forbidden(String),
    /// A rule of networks forbids it.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A server is in a state that forbids the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The project has used up what it was given.
    #[error("quota exceeded for {}", .0.iter().map(|over| over.resource).collect::<Vec<_>>().join(", "))]
    OverQuota(Vec<Over>),
    /// A request bears the name of another one.
    #[error("another request was sent with the client token {0}")]
    OtherRequest(String),
    /// The server does not have the volume.
    #[error("Instance {server} is not attached to volume {volume}")]
    NotAttached {
        /// The server.
        server: super::ServerId,
        /// The volume.
        volume: String,
    },
    /// The network has no address left to give.
    #[error("No fixed IP addresses available for network: {0}")]
    NoAddress(super::NetworkId),
    /// No machine may take the server.
    #[error("No valid host was found. There are not enough hosts available.")]
    NoHost,
}

/// A rule of networks that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Broken {
    /// The rule, as Neutron calls it.
    pub rule: &'static str,
    /// What sort of fault it is.
    pub fault: Sort,
    /// What is wrong.
    pub message: String,
}

/// The sorts of faults that break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It can never be meant so.
    Invalid,
    /// Something that is needed is not there.
    Missing,
    /// Something else is in the way.
    Conflict,
}

impl Broken {
    /// A rule that the request itself breaks.
    pub fn invalid(rule: &'static str, message: String) -> Error {
        Error::Broken(Self { rule, fault: Sort::Invalid, message })
    }

    /// A rule by which something must be there.
    pub fn missing(rule: &'static str, message: String) -> Error {
        Error::Broken(Self { rule, fault: Sort::Missing, message })
    }

    /// A rule by which something must not be there.
    pub fn conflict(rule: &'static str, message: String) -> Error {
        Error::Broken(Self { rule, fault: Sort::Conflict, message })
    }
}

/// One quota that would be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// The resource, by the name the API gives its quota.
    pub resource: &'static str,
    /// How much was asked for.
    pub requested: u64,
    /// How much is in use.
    pub used: u64,
    /// How much may be in use.
    pub limit: u64,
}

/// The kinds of things that can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A project.
    Project,
    /// A user.
    User,
    /// A domain.
    Domain,
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// That someone has a role.
    RoleAssignment,
    /// What a program logs in with.
    ApplicationCredential,
    /// A project that an image is shared with.
    ImageMember,
    /// A token.
    Token,
    /// A key of the EC2 API.
    AccessKey,
    /// A flavor.
    Flavor,
    /// An image.
    Image,
    /// A key pair.
    KeyPair,
    /// A network.
    Network,
    /// A subnet.
    Subnet,
    /// A subnet pool.
    SubnetPool,
    /// A router.
    Router,
    /// A port.
    Port,
    /// A floating IP.
    FloatingIp,
    /// A security group.
    SecurityGroup,
    /// A rule of a security group.
    SecurityGroupRule,
    /// A server.
    Server,
    /// A group of servers.
    ServerGroup,
    /// A machine.
    Host,
    /// A host aggregate.
    Aggregate,
    /// A machine in an aggregate.
    AggregateHost,
    /// A volume.
    Volume,
    /// A snapshot of a volume.
    Snapshot,
    /// A type of volumes.
    VolumeType,
    /// A project that may use a type of volumes.
    VolumeTypeAccess,
    /// The offer of a volume to another project.
    Transfer,
    /// What lets a project use another's network.
    RbacPolicy,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Project => "project",
            Self::User => "user",
            Self::Domain => "domain",
            Self::Group => "group",
            Self::Role => "role",
            Self::RoleAssignment => "role assignment with role",
            Self::ApplicationCredential => "Application Credential",
            Self::ImageMember => "image member",
            Self::Token => "token",
            Self::AccessKey => "credential",
            Self::Flavor => "flavor",
            Self::Image => "image",
            Self::KeyPair => "key pair",
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::SubnetPool => "subnet pool",
            Self::Router => "router",
            Self::Port => "port",
            Self::FloatingIp => "floating IP",
            Self::SecurityGroup => "security group",
            Self::SecurityGroupRule => "security group rule",
            Self::Server => "server",
            Self::ServerGroup => "server group",
            Self::Host => "compute host",
            Self::Aggregate => "aggregate",
            Self::AggregateHost => "host in the aggregate",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::VolumeType => "volume type",
            Self::VolumeTypeAccess => "access to the volume type for project",
            Self::Transfer => "transfer",
            Self::RbacPolicy => "RBAC policy",
        })
    }
}

impl Error {
    /// Something that could not be found.
    pub fn not_found(kind: Kind, id: impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }
}
