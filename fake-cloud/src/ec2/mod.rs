//! The EC2 Query API, version 2016-11-15: one address, a table of operations, answers in XML.
//!
//! Answers at `/ec2/` (GET and POST), and at `/` for a POST, since some clients know no path.
//! A request is believed when its signature is right; the key says who asks and for which project.

mod account;
mod addresses;
mod answer;
mod errors;
mod filters;
mod ids;
mod images;
mod instance_types;
mod instances;
mod key_pairs;
mod launch_templates;
mod operation;
mod pages;
mod params;
mod permissions;
mod placement_groups;
mod places;
mod security_group_rules;
mod security_groups;
mod service;
mod signature;
mod snapshots;
mod sts;
mod tags;
mod volumes;
mod vpc;
mod xml;

use sha2::{Digest, Sha256};

pub(crate) use answer::router;
use errors::Fault;
pub(crate) use ids::{Kind, account};
pub(crate) use instances::tags as instance_tags;
use operation::{Answer, Operation, operations};
pub(crate) use places::Zone;

/// Where the API answers.
pub(crate) const PATH: &str = "/ec2/";

/// Everything that is answered.
pub(crate) const OPERATIONS: &[Operation] = operations![
    Reads GetCallerIdentity sts::caller_identity;
    Reads DescribeRegions places::regions;
    Reads DescribeAvailabilityZones places::zones;
    Reads DescribeAccountAttributes places::account_attributes;
    Reads DescribeVpcs vpc::vpcs;
    Reads DescribeVpcAttribute vpc::attribute;
    Changes CreateVpc vpc::make::create;
    Changes ModifyVpcAttribute vpc::make::modify;
    Changes DeleteVpc vpc::make::delete;
    Reads CreateDefaultVpc vpc::make::create_default;
    Reads CreateDefaultSubnet vpc::make::create_default_subnet;
    Changes CreateSubnet vpc::subnets::create;
    Reads DescribeSubnets vpc::subnets::subnets;
    Changes ModifySubnetAttribute vpc::subnets::modify;
    Changes DeleteSubnet vpc::subnets::delete;
    Changes CreateNetworkInterface vpc::interface_changes::create;
    Reads DescribeNetworkInterfaces vpc::interfaces::interfaces;
    Reads DescribeNetworkInterfaceAttribute vpc::interface_changes::attribute;
    Changes ModifyNetworkInterfaceAttribute vpc::interface_changes::modify;
    Changes AttachNetworkInterface vpc::interface_changes::attach;
    Changes DetachNetworkInterface vpc::interface_changes::detach;
    Changes DeleteNetworkInterface vpc::interface_changes::delete;
    Changes CreateInternetGateway vpc::gateways::create;
    Reads DescribeInternetGateways vpc::gateways::internet_gateways;
    Changes AttachInternetGateway vpc::gateways::attach;
    Changes DetachInternetGateway vpc::gateways::detach;
    Changes DeleteInternetGateway vpc::gateways::delete;
    Changes CreateRouteTable vpc::route_changes::create;
    Reads DescribeRouteTables vpc::route_tables::route_tables;
    Changes AssociateRouteTable vpc::route_changes::associate;
    Changes DisassociateRouteTable vpc::route_changes::disassociate;
    Changes ReplaceRouteTableAssociation vpc::route_changes::replace_association;
    Changes CreateRoute vpc::route_changes::create_route;
    Changes ReplaceRoute vpc::route_changes::replace_route;
    Changes DeleteRoute vpc::route_changes::delete_route;
    Changes DeleteRouteTable vpc::route_changes::delete;
    Reads DescribeNetworkAcls vpc::acls::network_acls;
    Reads DescribeDhcpOptions vpc::acls::dhcp_options;
    ChecksFirst RunInstances instances::run::run;
    Reads DescribeInstances instances::describe::instances;
    Reads DescribeInstanceStatus instances::describe::status;
    Changes TerminateInstances instances::life::terminate;
    Changes StartInstances instances::life::start;
    Changes StopInstances instances::life::stop;
    Changes RebootInstances instances::life::reboot;
    Reads DescribeInstanceAttribute instances::attributes::describe;
    Changes ModifyInstanceAttribute instances::attributes::modify;
    Changes ModifyInstanceMetadataOptions instances::attributes::modify_metadata_options;
    Changes MonitorInstances instances::attributes::monitor;
    Changes UnmonitorInstances instances::attributes::unmonitor;
    Reads GetPasswordData instances::attributes::password_data;
    Changes GetConsoleOutput instances::life::console_output;
    Reads GetConsoleScreenshot account::console_screenshot;
    Reads DescribeInstanceCreditSpecifications account::credit_specifications;
    Changes CreateLaunchTemplate launch_templates::create;
    Reads DescribeLaunchTemplates launch_templates::launch_templates;
    Changes ModifyLaunchTemplate launch_templates::modify;
    Changes DeleteLaunchTemplate launch_templates::delete;
    Changes CreateLaunchTemplateVersion launch_templates::versions::create;
    Reads DescribeLaunchTemplateVersions launch_templates::versions::describe;
    Changes DeleteLaunchTemplateVersions launch_templates::versions::delete;
    Reads GetLaunchTemplateData launch_templates::data::of_instance;
    Reads DescribeImages images::images;
    Changes CreateImage images::make::create;
    Changes CopyImage images::make::copy;
    Changes DeregisterImage images::make::deregister;
    Reads DescribeImageAttribute images::attributes::describe;
    Changes ModifyImageAttribute images::attributes::modify;
    Changes ResetImageAttribute images::attributes::reset;
    Reads DescribeInstanceTypes instance_types::instance_types;
    Reads DescribeInstanceTypeOfferings instance_types::offerings;
    Changes CreateKeyPair key_pairs::create;
    Changes ImportKeyPair key_pairs::import;
    Reads DescribeKeyPairs key_pairs::key_pairs;
    Changes DeleteKeyPair key_pairs::delete;
    Changes CreateSecurityGroup security_groups::create;
    Reads DescribeSecurityGroups security_groups::security_groups;
    Changes DeleteSecurityGroup security_groups::delete;
    Changes AuthorizeSecurityGroupIngress security_groups::authorize_ingress;
    Changes AuthorizeSecurityGroupEgress security_groups::authorize_egress;
    Changes RevokeSecurityGroupIngress security_groups::revoke_ingress;
    Changes RevokeSecurityGroupEgress security_groups::revoke_egress;
    Reads DescribeSecurityGroupRules security_group_rules::rules;
    Changes ModifySecurityGroupRules security_group_rules::modify;
    Changes UpdateSecurityGroupRuleDescriptionsIngress security_group_rules::describe_ingress;
    Changes UpdateSecurityGroupRuleDescriptionsEgress security_group_rules::describe_egress;
    Reads DescribeSecurityGroupReferences security_group_rules::references;
    Reads GetSecurityGroupsForVpc security_group_rules::of_vpc;
    Changes CreatePlacementGroup placement_groups::create;
    Reads DescribePlacementGroups placement_groups::placement_groups;
    Changes DeletePlacementGroup placement_groups::delete;
    Changes AllocateAddress addresses::allocate;
    Changes AssociateAddress addresses::associate;
    Changes DisassociateAddress addresses::disassociate;
    Changes ReleaseAddress addresses::release;
    Reads DescribeAddresses addresses::addresses;
    Reads DescribeAddressesAttribute account::addresses_attribute;
    Reads GetEbsEncryptionByDefault account::ebs_encryption;
    Changes CreateVolume volumes::create;
    Reads DescribeVolumes volumes::describe::volumes;
    Changes AttachVolume volumes::attach::attach;
    Changes DetachVolume volumes::attach::detach;
    Changes DeleteVolume volumes::delete;
    Changes ModifyVolume volumes::modify;
    Reads DescribeVolumesModifications volumes::describe::modifications;
    Reads DescribeVolumeStatus volumes::describe::health;
    Reads DescribeVolumeAttribute volumes::describe::attribute;
    Changes CreateSnapshot snapshots::create;
    Changes CreateSnapshots snapshots::create_several;
    Reads DescribeSnapshots snapshots::snapshots;
    Reads DescribeSnapshotAttribute snapshots::attribute;
    Changes DeleteSnapshot snapshots::delete;
    Changes CreateTags tags::create;
    Changes DeleteTags tags::delete;
    Reads DescribeTags tags::tags;
];

fn find(name: &str) -> Result<&'static Operation, Fault> {
    OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| {
        Fault::new("InvalidAction", format!("The action {name} is not valid for this web service."))
    })
}

/// A short digest of what a request asks for.
fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_in_the_table_once() {
        let names: std::collections::BTreeSet<_> = OPERATIONS.iter().map(|op| op.name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        assert!(find("DescribeInstances").is_ok());
        assert_eq!(find("DescribeSpaceships").unwrap_err().code, "InvalidAction");
    }
}
