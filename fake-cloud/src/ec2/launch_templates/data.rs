//! What a launch template says of instances: parameters of `RunInstances`, kept as they were sent,
//! and shown by names that follow from theirs.

use std::collections::BTreeMap;

use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::instances;
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::xml::Xml;
use crate::model::{Model, Server};

/// The parameters in a request.
pub(super) fn read(params: &Params) -> Result<BTreeMap<String, String>, Fault> {
    let data = params.below("LaunchTemplateData");
    let data = data.ok_or_else(|| Fault::missing_parameter("LaunchTemplateData"))?;
    Ok(data.pairs().into_iter().collect())
}

/// Parameters as the answer has them.
pub(super) fn view(xml: &mut Xml, parameters: &Params) {
    for (name, parameter) in parameters.children() {
        let mut first = name.chars();
        let lower = first.next().map(|first| first.to_ascii_lowercase());
        let element: String = lower.into_iter().chain(first).collect();
        let items = parameter.list_of_all();
        match (name, items) {
            ("LicenseSpecification", Some(items)) => xml.list("licenseSet", items, view),
            ("SecurityGroupId", Some(items)) if parameters.has("DeviceIndex") => {
                // Those of an interface.
                xml.within("groupSet", |xml| {
                    items.iter().for_each(|item| xml.text("groupId", item.own()));
                });
            }
            (_, Some(items)) => {
                let set = if element.ends_with("Set") { element } else { format!("{element}Set") };
                xml.within(&set, |xml| {
                    for item in items {
                        match item.children().next() {
                            Some(_) => xml.within("item", |xml| view(xml, item)),
                            None => xml.text("item", item.own()),
                        }
                    }
                });
            }
            (_, None) if parameter.children().next().is_some() => {
                xml.within(&element, |xml| view(xml, parameter));
            }
            (_, None) => xml.text(&element, parameter.own()),
        }
    }
}

/// What a template would have to say for instances like one that is there.
pub(in crate::ec2) fn of_instance(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let id = call.params.required("InstanceId")?;
    let server = instances::find(call, &model, id)?.server;
    let parameters = Params::of(parameters_of(call, &model, server));
    let mut xml = Xml::default();
    xml.within("launchTemplateData", |xml| view(xml, &parameters));
    Ok(xml)
}

fn parameters_of(call: &Call, model: &Model, server: &Server) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut say = |path: String, value: String| pairs.push((path, value));
    say("ImageId".to_owned(), Kind::Image.id(server.image_id).to_string());
    say("InstanceType".to_owned(), server.flavor.name.clone());
    if let Some((name, _)) = &server.key {
        say("KeyName".to_owned(), name.clone());
    }
    if let Some(data) = &server.user_data {
        say("UserData".to_owned(), data.clone());
    }
    say("Placement.AvailabilityZone".to_owned(), call.zone().to_string());
    let options = &server.options;
    say("Monitoring.Enabled".to_owned(), options.monitored.to_string());
    say("DisableApiTermination".to_owned(), options.termination_protected.to_string());
    say("DisableApiStop".to_owned(), options.stop_protected.to_string());
    for (name, value) in instances::metadata_parameters(&options.metadata) {
        say(format!("MetadataOptions.{name}"), value);
    }
    for (index, port) in model.ports_of(server).enumerate() {
        let path = |name: &str| format!("NetworkInterface.{}.{name}", index + 1);
        say(path("DeviceIndex"), index.to_string());
        if let Some(fixed) = port.fixed_ips.first() {
            say(path("SubnetId"), Kind::Subnet.id(fixed.subnet_id).to_string());
        }
        for (number, group) in port.security_groups.iter().enumerate() {
            let path = path(&format!("SecurityGroupId.{}", number + 1));
            say(path, Kind::SecurityGroup.id(*group).to_string());
        }
    }
    for (index, (volume, held)) in model.volumes_of(server.id).enumerate() {
        let path = |name: &str| format!("BlockDeviceMapping.{}.{name}", index + 1);
        say(path("DeviceName"), format!("/dev/{}", held.device));
        say(path("Ebs.VolumeSize"), volume.size_gib.to_string());
        say(path("Ebs.VolumeType"), volume.performance.volume_type.clone());
        say(path("Ebs.DeleteOnTermination"), held.delete_on_termination.to_string());
    }
    let tags = instances::tags(server);
    if !tags.is_empty() {
        say("TagSpecification.1.ResourceType".to_owned(), "instance".to_owned());
    }
    for (index, (key, value)) in tags.into_iter().enumerate() {
        let path = |name: &str| format!("TagSpecification.1.Tag.{}.{name}", index + 1);
        say(path("Key"), key);
        say(path("Value"), value);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_name_what_requests_number() {
        let query = "ImageId=ami-1&BlockDeviceMapping.1.Ebs.VolumeSize=8&SecurityGroupId.1=sg-1\
                     &NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SecurityGroupId.1=sg-2\
                     &TagSpecification.1.Tag.1.Key=a&Monitoring.Enabled=true";
        let mut xml = Xml::default();
        view(&mut xml, &Params::of(crate::query::parse(query)));
        assert_eq!(
            xml.into_text(),
            "<blockDeviceMappingSet><item><ebs><volumeSize>8</volumeSize></ebs></item>\
             </blockDeviceMappingSet><imageId>ami-1</imageId><monitoring><enabled>true</enabled>\
             </monitoring><networkInterfaceSet><item><deviceIndex>0</deviceIndex><groupSet>\
             <groupId>sg-2</groupId></groupSet></item></networkInterfaceSet><securityGroupIdSet>\
             <item>sg-1</item></securityGroupIdSet><tagSpecificationSet><item><tagSet><item>\
             <key>a</key></item></tagSet></item></tagSpecificationSet>"
        );
    }
}
