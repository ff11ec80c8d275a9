//! The EC2 Query API, version 2016-11-15: one address, a table of operations, answers in XML.
//!
//! Answers at `/ec2/` (GET and POST), and at `/` for a POST, since some clients know no path.
//! A request is believed when its signature is right; the key says who asks and for which project.

mod addresses;
mod errors;
mod filters;
mod ids;
mod images;
mod instance_types;
mod instances;
mod key_pairs;
mod operation;
mod pages;
mod params;
mod permissions;
mod places;
mod security_groups;
mod signature;
mod snapshots;
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
use signature::{Claim, Doubt, NoClaim, Signed};
use xml::Xml;

/// The version that answers say they are of when a request does not ask for one.
const VERSION: &str = "2016-11-15";

/// What requests are signed for.
const SERVICE: &str = "ec2";

/// The largest request that is read.
const BODY_MAX: usize = 1 << 20;

/// Where the API answers.
pub(crate) const PATH: &str = "/ec2/";

/// Everything that is answered.
pub(crate) const OPERATIONS: &[Operation] = operations![
    Reads DescribeRegions places::regions;
    Reads DescribeAvailabilityZones places::zones;
    Reads DescribeAccountAttributes places::account_attributes;
    Reads DescribeVpcs vpc::vpcs;
    Reads DescribeVpcAttribute vpc::attribute;
    Reads DescribeSubnets vpc::subnets;
    Reads DescribeNetworkInterfaces vpc::interfaces::interfaces;
    Reads DescribeInternetGateways vpc::gateways::internet_gateways;
    Reads DescribeRouteTables vpc::gateways::route_tables;
    Reads DescribeNetworkAcls vpc::gateways::network_acls;
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
    Reads DescribeImages images::images;
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
    Changes AllocateAddress addresses::allocate;
    Changes AssociateAddress addresses::associate;
    Changes DisassociateAddress addresses::disassociate;
    Changes ReleaseAddress addresses::release;
    Reads DescribeAddresses addresses::addresses;
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
    let (status, text) = match serve(&regions, request, &request_id).await {
        Ok(Some(text)) => (StatusCode::OK, text),
        Ok(None) => return control::dropped(),
        Err(fault) => (fault.status, fault.document(&request_id)),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/xml;charset=UTF-8"),
        (header::HeaderName::from_static("x-amzn-requestid"), request_id.as_str()),
    ];
    (status, headers, text).into_response()
}

/// Answers one request: who asks, for what, what do they get.
/// Nothing when its connection is to be closed instead.
async fn serve(
    regions: &Regions,
    request: Request,
    request_id: &str,
) -> Result<Option<String>, Fault> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| {
        Fault::new("RequestEntityTooLarge", "The request is too large.")
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
    })?;
    let mut pairs = query::parse(parts.uri.query().unwrap_or_default());
    pairs.extend(query::parse(&String::from_utf8_lossy(&body)));
    let claim = Claim::find(&parts.headers, &pairs).map_err(unclaimed)?;
    // Clients have one address for all regions; where they name none of ours, they mean that one.
    let there = claim.region().and_then(|region| regions.seen_from(region));
    let cloud = Arc::clone(there.as_ref().unwrap_or(regions).here());
    let (caller, project) = authenticate(&cloud, &claim, &parts, &pairs, &body)?;
    cloud.welcome(project).await?;
    let params = Params::of(pairs);
    let name = params.text("Action").ok_or_else(|| Fault::missing_parameter("Action"))?;
    let operation = find(name)?;
    let namespace = namespace(params.text("Version").unwrap_or(VERSION))?;
    let call = Call {
        cloud: Arc::clone(&cloud),
        caller,
        project,
        params,
        request_id: request_id.to_owned(),
    };
    let mut xml = Xml::default();
    xml.text("requestId", request_id);
    match cloud.strike(&points::ec2(operation.name), work(operation, call)).await {
        Struck::Answered(content) => xml.append(content?),
        Struck::Error(error) => return Err(Fault::injected(error)),
        Struck::Dropped => return Ok(None),
    }
    Ok(Some(xml.document(&format!("{}Response", operation.name), &namespace)))
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

/// Who has signed the request, and for which project.
fn authenticate(
    cloud: &Cloud,
    claim: &Claim,
    parts: &request::Parts,
    parameters: &[(String, String)],
    body: &[u8],
) -> Result<(Caller, ProjectId), Fault> {
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
    let checked = claim.verify(signed, parameters, &secret, SERVICE, cloud.now());
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
            "Credential should be scoped to correct service: 'ec2'.",
        ),
        Doubt::Mismatch => refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method.",
        ),
    })?;
    Ok((caller, project))
}

fn find(name: &str) -> Result<&'static Operation, Fault> {
    OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| {
        Fault::new("InvalidAction", format!("The action {name} is not valid for this web service."))
    })
}

/// Clients of every age look for the namespace of the version they ask for.
fn namespace(version: &str) -> Result<String, Fault> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if version.split('-').map(str::len).eq([4, 2, 2]) && version.split('-').all(digits) {
        return Ok(format!("http://ec2.amazonaws.com/doc/{version}/"));
    }
    let message = format!("The requested version ({version}) of service AmazonEC2 does not exist");
    Err(Fault::new("NoSuchVersion", message))
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

    #[test]
    fn the_namespace_is_of_the_version_that_was_asked_for() {
        let namespace = |version| namespace(version).map_err(|fault| fault.code);
        assert_eq!(namespace(VERSION).unwrap(), "http://ec2.amazonaws.com/doc/2016-11-15/");
        assert!(namespace("2016-11-15<").is_err() && namespace("aaaa-bb-cc").is_err());
    }
}
