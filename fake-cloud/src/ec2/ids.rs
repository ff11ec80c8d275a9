//! EC2's ids: a prefix and the first 68 bits of the model's own id, so that there is nothing to
//! keep and both APIs mean the same thing.

use std::fmt;

use uuid::Uuid;

use super::errors::Fault;
use crate::model::ProjectId;

/// How many hexadecimal digits follow the prefix.
const DIGITS: usize = 17;

/// How many there were once.
const SHORT: usize = 8;

/// Declares the kinds of ids, one a line: what they begin with, what the codes of errors about
/// missing things and about malformed ids begin with, what messages call them, what tags do.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $prefix:literal, $missing:literal, $malformed:literal,
        $words:literal, $resource:literal;)*) => {
        /// What an id can be of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// What its ids begin with.
            pub(crate) fn prefix(self) -> &'static str {
                match self { $(Self::$kind => $prefix),* }
            }

            /// What the codes of errors about missing ones begin with.
            pub(crate) fn missing_code(self) -> &'static str {
                match self { $(Self::$kind => $missing),* }
            }

            /// What the codes of errors about malformed ids begin with.
            pub(crate) fn malformed_code(self) -> &'static str {
                match self { $(Self::$kind => $malformed),* }
            }

            /// What messages call it.
            pub(crate) fn words(self) -> &'static str {
                match self { $(Self::$kind => $words),* }
            }

            /// What tags call it.
            pub(crate) fn resource_type(self) -> &'static str {
                match self { $(Self::$kind => $resource),* }
            }
        }
    };
}

kinds! {
    /// A server.
    Instance: "i", "InvalidInstanceID", "InvalidInstanceID", "instance ID", "instance";
    /// An image.
    Image: "ami", "InvalidAMIID", "InvalidAMIID", "image id", "image";
    /// A security group.
    SecurityGroup: "sg", "InvalidGroup", "InvalidGroupId", "security group", "security-group";
    /// A rule of a security group.
    Rule: "sgr", "InvalidSecurityGroupRuleId", "InvalidSecurityGroupRuleId", "security group rule ID", "security-group-rule";
    /// A floating IP.
    Allocation: "eipalloc", "InvalidAllocationID", "InvalidAllocationID", "allocation ID", "elastic-ip";
    /// A floating IP and where it leads.
    Association: "eipassoc", "InvalidAssociationID", "InvalidAssociationID", "association ID", "elastic-ip-association";
    /// A key pair.
    KeyPair: "key", "InvalidKeyPair", "InvalidKeyPairID", "key pair", "key-pair";
    /// A volume.
    Volume: "vol", "InvalidVolume", "InvalidVolumeID", "volume", "volume";
    /// A snapshot of a volume.
    Snapshot: "snap", "InvalidSnapshot", "InvalidSnapshotID", "snapshot", "snapshot";
    /// A network.
    Vpc: "vpc", "InvalidVpcID", "InvalidVpcID", "vpc ID", "vpc";
    /// A subnet.
    Subnet: "subnet", "InvalidSubnetID", "InvalidSubnetID", "subnet ID", "subnet";
    /// A router that leads to the outside.
    InternetGateway: "igw", "InvalidInternetGatewayID", "InvalidInternetGatewayId", "internetGateway ID", "internet-gateway";
    /// The routes of a network.
    RouteTable: "rtb", "InvalidRouteTableID", "InvalidRouteTableId", "routeTable ID", "route-table";
    /// A route table and its network.
    RouteTableAssociation: "rtbassoc", "InvalidAssociationID", "InvalidAssociationID", "association ID", "route-table-association";
    /// What may pass into a network.
    NetworkAcl: "acl", "InvalidNetworkAclID", "InvalidNetworkAclId", "networkAcl ID", "network-acl";
    /// A network ACL and a subnet.
    NetworkAclAssociation: "aclassoc", "InvalidAssociationID", "InvalidAssociationID", "association ID", "network-acl-association";
    /// A port and what is plugged in.
    InterfaceAttachment: "eni-attach", "InvalidAttachmentID", "InvalidAttachmentID", "attachment ID", "network-interface-attachment";
    /// A group of servers.
    PlacementGroup: "pg", "InvalidPlacementGroupId", "InvalidPlacementGroupId", "placement group ID", "placement-group";
    /// A VPC and its block.
    BlockAssociation: "vpc-cidr-assoc", "InvalidVpcCidrBlockAssociationID", "InvalidVpcCidrBlockAssociationID", "CIDR block association ID", "vpc-cidr-block-association";
    /// What servers of a network are told by DHCP.
    DhcpOptions: "dopt", "InvalidDhcpOptionsID", "InvalidDhcpOptionsId", "dhcpOptions ID", "dhcp-options";
    /// A launch template.
    LaunchTemplate: "lt", "InvalidLaunchTemplateId", "InvalidLaunchTemplateId", "launch template ID", "launch-template";
    /// A port.
    Interface: "eni", "InvalidNetworkInterfaceID", "InvalidNetworkInterfaceId", "networkInterface ID", "network-interface";
}

/// An id in EC2's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id {
    kind: Kind,
    bits: u128,
}

impl Kind {
    /// All kinds that can bear tags.
    pub(crate) const TAGGED: [Self; 15] = [
        Self::Instance,
        Self::Image,
        Self::SecurityGroup,
        Self::Allocation,
        Self::KeyPair,
        Self::Volume,
        Self::Snapshot,
        Self::LaunchTemplate,
        Self::Rule,
        Self::PlacementGroup,
        Self::Vpc,
        Self::Subnet,
        Self::InternetGateway,
        Self::RouteTable,
        Self::Interface,
    ];

    /// The id of something of this kind.
    pub(crate) fn id(self, uuid: impl Into<Uuid>) -> Id {
        Id { kind: self, bits: uuid.into().as_u128() >> (128 - 4 * DIGITS) }
    }

    /// Reads an id.
    pub(crate) fn parse(self, text: &str) -> Result<Id, Fault> {
        self.read(text).ok_or_else(|| Fault::malformed(self, text))
    }

    /// Reads an id that may be of another kind, or none.
    pub(crate) fn read(self, text: &str) -> Option<Id> {
        let digits = text.strip_prefix(self.prefix())?.strip_prefix('-')?;
        // Ids were shorter once, and are not of this cloud then, but well-formed.
        let formed = matches!(digits.len(), SHORT | DIGITS)
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u128::from_str_radix(digits, 16).ok().filter(|_| formed)?;
        // A short id is no long one with zeros in front.
        Some(Id { kind: self, bits: if digits.len() == DIGITS { bits } else { bits | 1 << 127 } })
    }
}

impl Id {
    /// The ids of the model that it may stand for: from the first to the last. None for a short one.
    pub(crate) fn range(self) -> Option<(Uuid, Uuid)> {
        let first = (self.bits >> 127 == 0).then_some(self.bits << (128 - 4 * DIGITS))?;
        let last = first | (u128::MAX >> (4 * DIGITS));
        Some((Uuid::from_u128(first), Uuid::from_u128(last)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, bits } = *self;
        let mut digits = [0; DIGITS];
        let mut rest = bits;
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
        let shown = if bits >> 127 == 0 { &digits[..] } else { &digits[DIGITS - SHORT..] };
        f.write_str(kind.prefix())?;
        f.write_str("-")?;
        f.write_str(str::from_utf8(shown).expect("they are ASCII"))
    }
}

/// The twelve digits of an account, made from its project's id.
pub(crate) fn account(project: ProjectId) -> String {
    format!("{:012}", project.0.as_u128() % 1_000_000_000_000)
}

/// How policies would name a thing of an account in a region.
pub(crate) fn arn(region: &str, project: ProjectId, kind: Kind, id: impl fmt::Display) -> String {
    format!("arn:aws:ec2:{region}:{}:{}/{id}", account(project), kind.resource_type())
}

/// How policies would name a user of an account.
pub(crate) fn user_arn(project: ProjectId, name: &str) -> String {
    format!("arn:aws:iam::{}:user/{name}", account(project))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_always_the_same_and_read_back() {
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let id = Kind::Instance.id(uuid);
        assert_eq!(id.to_string(), "i-0123456789abcdef0");
        assert_eq!(Kind::Instance.read("i-0123456789abcdef0"), Some(id));
        let (first, last) = id.range().unwrap();
        assert!(first < uuid && uuid < last);
        assert_eq!((Kind::Instance.id(first), Kind::Instance.id(last)), (id, id));
        let next = Uuid::from_u128(last.as_u128() + 1);
        assert_ne!(Kind::Instance.id(next), id);
        assert_ne!(Kind::Image.id(uuid), id);
        assert_eq!(Kind::Vpc.id(Uuid::nil()).to_string(), "vpc-00000000000000000");
    }

    #[test]
    fn short_ids_are_well_formed_and_mean_nothing_here() {
        let short = Kind::Image.read("ami-12345678").unwrap();
        assert_eq!(short.range(), None);
        assert_eq!(short.to_string(), "ami-12345678");
        assert_ne!(short, Kind::Image.read("ami-00000000012345678").unwrap());
    }

    #[test]
    fn what_is_no_id_is_malformed() {
        for text in ["", "i", "i-", "i-xyz", "i-123", "ami-0123456789abcdef0", "i-+1234567"] {
            assert_eq!(Kind::Instance.parse(text).unwrap_err().code, "InvalidInstanceID.Malformed");
        }
    }

    #[test]
    fn an_account_has_twelve_digits() {
        assert_eq!(account(ProjectId(Uuid::from_u128(7))), "000000000007");
        assert_eq!(account(ProjectId(Uuid::max())).len(), 12);
    }
}
