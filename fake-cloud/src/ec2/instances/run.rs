//! New instances: what a request asks for, in the words of the model.

use super::{Instance, devices, options, view};
use crate::ec2::Kind;
use crate::ec2::errors::Fault;
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::tags::{self, NAME};
use crate::ec2::xml::Xml;
use crate::ec2::{images, instance_types, launch_templates, places, security_groups, vpc};
use crate::model::{Model, NewServers, Plug, Plugs};

/// The most instances that one request makes.
const COUNT_MAX: i64 = 1000;

/// The size of an instance when a request does not say one.
const DEFAULT_TYPE: &str = "m1.small";

pub(crate) async fn run(mut call: Call) -> Result<Xml, Fault> {
    let client_token = call.client_token();
    call.params = launch_templates::applied(&call)?;
    let wanted = NewServers { client_token, ..read(&call, &call.cloud.read())? };
    call.check_dry_run()?;
    let ids = call.cloud.create_servers(&call.caller, call.project, &wanted).await?;
    let model = call.cloud.read();
    let find = |id| match (model.servers.get(id), model.terminated.get(id)) {
        (Some(server), _) => Some(Instance { server, gone: None }),
        // Somebody was quicker than this answer.
        (None, Some(gone)) => Some(Instance { server: &gone.server, gone: Some(gone) }),
        (None, None) => None,
    };
    let instances: Vec<Instance<'_>> = ids.into_iter().filter_map(find).collect();
    let mut xml = Xml::default();
    view::reservation(&mut xml, &call, &model, &instances);
    Ok(xml)
}

fn read(call: &Call, model: &Model) -> Result<NewServers, Fault> {
    let params = &call.params;
    let image = images::by_id(call, model, params.required("ImageId")?)?;
    let (min_count, max_count) = counts(params)?;
    let flavor = params.text("InstanceType").unwrap_or(DEFAULT_TYPE);
    let flavor = instance_types::by_name(call, model, flavor)?;
    if let Some(name) = params.text("KeyName") {
        model.key_pair(call.caller.user_id, name)?;
    }
    let zone = params.text("Placement.AvailabilityZone");
    zone.map_or(Ok(()), |zone| places::check_zone(call, zone))?;
    let mut tags = tags::specified(params, Kind::Instance)?;
    let name = tags.remove(NAME).unwrap_or_default();
    Ok(NewServers {
        name,
        same_name: true,
        flavor: flavor.id.to_string(),
        image: image.id.to_string(),
        key_name: params.text("KeyName").map(str::to_owned),
        user_data: params.text("UserData").map(str::to_owned),
        metadata: tags,
        security_groups: groups(call, model)?,
        plugs: Plugs::These(vec![plug(call, model)?]),
        options: options::read(params)?,
        volumes: devices::read(call, params, model, flavor, image)?,
        min_count,
        max_count,
        request_id: call.request_id.clone(),
        ..NewServers::default()
    })
}

fn counts(params: &Params) -> Result<(u32, u32), Fault> {
    let count = |name| {
        params.required(name)?;
        let count = params.number(name)?.filter(|count| (1..=COUNT_MAX).contains(count));
        let count = count.and_then(|count| u32::try_from(count).ok());
        count.ok_or_else(|| {
            Fault::invalid_value(format!("{name} must be a number from 1 to {COUNT_MAX}"))
        })
    };
    let (min, max) = (count("MinCount")?, count("MaxCount")?);
    if min > max {
        return Err(Fault::combination("MinCount must not be larger than MaxCount"));
    }
    Ok((min, max))
}

/// The groups' ids in the model, named by id or by name.
fn groups(call: &Call, model: &Model) -> Result<Vec<String>, Fault> {
    let params = &call.params;
    let interface = params.list("NetworkInterface").into_iter().next();
    let of_interface = interface.map(|it| it.texts("SecurityGroupId")).unwrap_or_default();
    let ids = params.texts("SecurityGroupId").into_iter().chain(of_interface);
    let ids = ids.map(|id| security_groups::by_id(call, model, id));
    let names = params.texts("SecurityGroup").into_iter();
    let names = names.map(|name| security_groups::by_name(call, model, name));
    ids.chain(names).map(|group| Ok(group?.id.to_string())).collect()
}

/// Where an instance is plugged in: a subnet of any network that the account may use, or the
/// default one; an address there may be asked for.
fn plug(call: &Call, model: &Model) -> Result<Plug, Fault> {
    let params = &call.params;
    let interfaces = params.list("NetworkInterface");
    if interfaces.len() > 1 {
        let message = "This cloud makes instances with one network interface";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let place = interfaces.first().copied().unwrap_or(params);
    let network = match place.text("SubnetId") {
        Some(text) => vpc::subnet(call, model, text)?.network_id,
        None => {
            let missing = || Fault::new("MissingInput", "No subnets found for the default VPC");
            model.private_network().ok_or_else(missing)?.id
        }
    };
    let address = place.text("PrivateIpAddress").map(|address| {
        let invalid = |_| Fault::invalid_value(format!("Invalid IP address: {address}"));
        address.parse().map_err(invalid)
    });
    Ok(Plug::Network(network, address.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(query: &str) -> Result<(u32, u32), String> {
        counts(&Params::of(crate::query::parse(query))).map_err(|fault| fault.code.into_owned())
    }

    #[test]
    fn counts_must_be_there_and_fit() {
        assert_eq!(counted("MinCount=1&MaxCount=3"), Ok((1, 3)));
        assert_eq!(counted("MaxCount=3").unwrap_err(), "MissingParameter");
        assert_eq!(counted("MinCount=0&MaxCount=3").unwrap_err(), "InvalidParameterValue");
        assert_eq!(counted("MinCount=4&MaxCount=3").unwrap_err(), "InvalidParameterCombination");
    }
}
