//! Ids are types: a server's id cannot be given where a port's is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Declares one id type a line; `simple` ids are written as 32 digits without hyphens, as
/// Keystone writes them.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $style:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.$style(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.$style().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}

/// A domain. The first one is called by a word instead of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(Uuid);

/// How the first domain is called.
const DEFAULT: &str = "default";

impl DomainId {
    /// The domain that is always there.
    pub const DEFAULT: Self = Self(Uuid::nil());

    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DEFAULT => f.write_str(DEFAULT),
            Self(uuid) => fmt::Display::fmt(&uuid.simple(), f),
        }
    }
}

impl FromStr for DomainId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == DEFAULT { Ok(Self::DEFAULT) } else { Uuid::parse_str(text).map(Self) }
    }
}

impl From<DomainId> for Uuid {
    fn from(id: DomainId) -> Self {
        id.0
    }
}

impl Serialize for DomainId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DomainId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

ids! {
    /// A project: who owns things and whose quota they count against.
    ProjectId simple;
    /// A user.
    UserId simple;
    /// A role.
    RoleId simple;
    /// A token; made from the token's hash, so that a leaked record opens nothing.
    TokenId simple;
    /// A group of users.
    GroupId simple;
    /// What a program logs in with.
    ApplicationCredentialId simple;
    /// A key pair of the EC2 API: an access key and its secret.
    AccessKeyId simple;
    /// A flavor.
    FlavorId hyphenated;
    /// An image.
    ImageId hyphenated;
    /// A key pair.
    KeyPairId hyphenated;
    /// A network.
    NetworkId hyphenated;
    /// A subnet.
    SubnetId hyphenated;
    /// A subnet pool.
    SubnetPoolId hyphenated;
    /// A router.
    RouterId hyphenated;
    /// A port: a place on a network where a server is plugged in.
    PortId hyphenated;
    /// A floating IP.
    FloatingIpId hyphenated;
    /// A security group.
    SecurityGroupId hyphenated;
    /// A rule of a security group.
    SecurityGroupRuleId hyphenated;
    /// A server.
    ServerId hyphenated;
    /// A group of servers.
    ServerGroupId hyphenated;
    /// A host aggregate.
    AggregateId hyphenated;
    /// What is said of the service that runs servers.
    ComputeServiceId hyphenated;
    /// A volume.
    VolumeId hyphenated;
    /// A snapshot of a volume.
    SnapshotId hyphenated;
    /// A route table.
    RouteTableId hyphenated;
    /// A type of volumes.
    VolumeTypeId hyphenated;
    /// The offer of a volume to another project.
    TransferId hyphenated;
    /// What lets a project use another's network.
    RbacPolicyId hyphenated;
    /// A launch template.
    LaunchTemplateId hyphenated;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_written_in_its_own_style_and_read_in_both() {
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(ProjectId(uuid).to_string(), "0123456789abcdef0123456789abcdef");
        assert_eq!(ServerId(uuid).to_string(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!("0123456789abcdef0123456789abcdef".parse(), Ok(ServerId(uuid)));
        assert_eq!("default".parse(), Ok(DomainId::DEFAULT));
        assert_eq!(DomainId::DEFAULT.to_string(), "default");
        let json = serde_json::to_string(&ServerId(uuid)).unwrap();
        assert_eq!(serde_json::from_str::<ServerId>(&json).unwrap(), ServerId(uuid));
    }
}
