//! The EC2 Query API, version 2016-11-15: one address, a table of operations, answers in XML.
//!
//! Answers at `/ec2/` (GET and POST), and at `/` for a POST, since some clients know no path.
//! A request is believed when its signature is right; the key says who asks and for which project.

mod account;
mod addresses;
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

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header, request};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::control::{self, Struck, points};
use crate::model::{Caller, ProjectId};
use crate::query;
use crate::regions::Regions;

use errors::Fault;
pub(crate) use ids::{Kind, account};
pub(crate) use instances::tags as instance_tags;
use operation::{Answer, Call, Operation, operations};
use params::Params;
pub(crate) use places::Zone;
use service::Service;
use signature::{Claim, Doubt, NoClaim, Signed};
use xml::Xml;

/// The largest request that is read.
const BODY_MAX: usize = 1 << 20;

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

/// Answers at the API's addresses.
pub(crate) fn router(regions: Regions) -> Router {
    Router::new()
        .route("/", post(answer))
        .route("/ec2", get(answer).post(answer))
        .route(PATH, get(answer).post(answer))
        .with_state(regions)
}

async fn answer(State(regions): State<Regions>, request: Request) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let received = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| {
        Fault::new("RequestEntityTooLarge", "The request is too large.")
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
    });
    let body = received.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let mut pairs = query::parse(parts.uri.query().unwrap_or_default());
    pairs.extend(query::parse(&String::from_utf8_lossy(body)));
    let params = Params::of(pairs.clone());
    let service = Service::of(&params);
    let served = match &received {
        Ok(body) => {
            let signed = authenticate(&regions, service, &parts, &pairs, body);
            serve(service, signed, params, &request_id).await
        }
        Err(fault) => Err(fault.clone()),
    };
    let (status, text) = match served {
        Ok(Some(text)) => (StatusCode::OK, text),
        Ok(None) => return control::dropped(),
        Err(fault) => (fault.status, service.fault(&fault, &request_id)),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/xml;charset=UTF-8"),
        (header::HeaderName::from_static("x-amzn-requestid"), request_id.as_str()),
    ];
    (status, headers, text).into_response()
}

/// Answers one request of who has signed it: for what, what do they get.
/// Nothing when its connection is to be closed instead.
async fn serve(
    service: Service,
    signed: Result<(Arc<Cloud>, Caller, ProjectId), Fault>,
    params: Params,
    request_id: &str,
) -> Result<Option<String>, Fault> {
    let (cloud, caller, project) = signed?;
    cloud.welcome(project).await?;
    let name = params.text("Action").ok_or_else(|| Fault::missing_parameter("Action"))?;
    let operation = find(name)?;
    let namespace = service.namespace(&params)?;
    let request_id = request_id.to_owned();
    let call = Call { cloud: Arc::clone(&cloud), caller, project, params, request_id };
    let request_id = call.request_id.clone();
    match cloud.strike(&points::ec2(operation.name), work(operation, call)).await {
        Struck::Answered(content) => {
            Ok(Some(service.document(operation.name, content?, &namespace, &request_id)))
        }
        Struck::Error(error) => Err(Fault::injected(error)),
        Struck::Dropped => Ok(None),
    }
}

/// Works out an answer. What may change something does so in a task of its own: a client that
/// goes away must not leave half of it done.
async fn work(operation: &'static Operation, call: Call) -> Result<Xml, Fault> {
    let change = match operation.answer {
        Answer::Reads(read) => {
            call.check_dry_run()?;
            return read(&call);
        }
        Answer::Changes(change) => {
            call.check_dry_run()?;
            change
        }
        Answer::ChecksFirst(change) => change,
    };
    let cloud = Arc::clone(&call.cloud);
    cloud.spawn(change(call)).await.unwrap_or_else(|error| {
        tracing::error!(%error, operation = operation.name, "failed");
        Err(Fault::internal())
    })
}

fn refused(status: StatusCode, code: &'static str, message: &str) -> Fault {
    Fault::new(code, message).with_status(status)
}

/// What is answered to who does not say who has signed.
fn unclaimed(none: NoClaim) -> Fault {
    match none {
        NoClaim::Missing => refused(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request must contain a signature, in the header Authorization or in its parameters",
        ),
        NoClaim::Malformed => refused(
            StatusCode::BAD_REQUEST,
            "IncompleteSignature",
            "The signature is incomplete, or neither AWS4-HMAC-SHA256 nor of version 2",
        ),
    }
}

/// Who has signed the request, for which region's cloud and for which project.
fn authenticate(
    regions: &Regions,
    service: Service,
    parts: &request::Parts,
    parameters: &[(String, String)],
    body: &[u8],
) -> Result<(Arc<Cloud>, Caller, ProjectId), Fault> {
    let claim = Claim::find(&parts.headers, parameters).map_err(unclaimed)?;
    // Clients have one address for all regions; where they name none of ours, they mean that one.
    let there = claim.region().and_then(|region| regions.seen_from(region));
    let cloud = Arc::clone(there.as_ref().unwrap_or(regions).here());
    let unknown = || {
        let message = "AWS was not able to validate the provided access credentials";
        refused(StatusCode::UNAUTHORIZED, "AuthFailure", message)
    };
    let (caller, project, secret) = {
        let model = cloud.identity().read();
        let key = model.access_key(claim.access()).ok_or_else(unknown)?;
        let caller = model.bearer(key).ok_or_else(unknown)?;
        (caller, key.project_id, key.pair.secret.clone())
    };
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let checked = claim.verify(signed, parameters, &secret, service.name(), cloud.now());
    checked.map_err(|doubt| match doubt {
        Doubt::NoTime => refused(
            StatusCode::BAD_REQUEST,
            "IncompleteSignature",
            "Date must be in ISO-8601 'basic format' in the header X-Amz-Date",
        ),
        Doubt::Expired => {
            refused(StatusCode::BAD_REQUEST, "RequestExpired", "Request has expired.")
        }
        Doubt::Service => refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            &format!("Credential should be scoped to correct service: '{}'.", service.name()),
        ),
        Doubt::Mismatch => refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method.",
        ),
    })?;
    Ok((cloud, caller, project))
}

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
