//! Instance types: flavors as EC2 sees them.

use super::errors::Fault;
use super::filters::Filters;
use super::operation::Call;
use super::pages::Page;
use super::places::NO_TAGS;
use super::xml::Xml;
use crate::model::{Flavor, Model};

const FILTERS: [&str; 7] = [
    "bare-metal",
    "current-generation",
    "instance-storage-supported",
    "instance-type",
    "memory-info.size-in-mib",
    "processor-info.supported-architecture",
    "vcpu-info.default-vcpus",
];

pub(super) fn instance_types(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "InstanceType")?;
    let model = call.cloud.read();
    let named = call.params.texts("InstanceType");
    let known = |name: &str| all(call, &model).any(|flavor| flavor.name == name);
    if let Some(unknown) = named.iter().find(|name| !known(name)) {
        let message = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(Fault::new("InvalidInstanceType", message));
    }
    let wanted = |flavor: &&Flavor| {
        (named.is_empty() || named.contains(&flavor.name.as_str()))
            && filters.pass(NO_TAGS, |name| values(flavor, name))
    };
    let wanted = all(call, &model).filter(wanted);
    let (flavors, next) = page.in_order(&model.flavors, wanted);
    let mut xml = Xml::default();
    xml.list("instanceTypeSet", flavors, view);
    xml.optional("nextToken", next);
    Ok(xml)
}

/// The types that the account may use.
fn all<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a Flavor> {
    model.flavors.iter().filter(|flavor| flavor.visible_to(&call.caller))
}

/// The type with a name.
pub(super) fn by_name<'a>(call: &Call, model: &'a Model, name: &str) -> Result<&'a Flavor, Fault> {
    all(call, model)
        .find(|flavor| flavor.name == name)
        .ok_or_else(|| Fault::invalid_value(format!("Invalid value '{name}' for InstanceType.")))
}

/// Which types there are in the zone, or in the region.
pub(super) fn offerings(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["instance-type", "location"])?;
    let page = Page::read(&call.params, "InstanceType")?;
    let location = match call.params.text("LocationType") {
        None | Some("region") => call.cloud.region.clone(),
        Some("availability-zone") => call.zone().to_string(),
        Some("availability-zone-id") => call.zone().id(),
        Some(other) => {
            let message = format!("Invalid value '{other}' for LocationType.");
            return Err(Fault::invalid_value(message));
        }
    };
    let model = call.cloud.read();
    let wanted = all(call, &model).filter(|flavor| {
        filters.pass(NO_TAGS, |name| match name {
            "location" => vec![location.clone()],
            _ => vec![flavor.name.clone()],
        })
    });
    let (flavors, next) = page.in_order(&model.flavors, wanted);
    let kind = call.params.text("LocationType").unwrap_or("region");
    let mut xml = Xml::default();
    xml.list("instanceTypeOfferingSet", flavors, |xml, flavor| {
        xml.text("instanceType", &flavor.name);
        xml.text("locationType", kind);
        xml.text("location", &location);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

fn values(flavor: &Flavor, filter: &str) -> Vec<String> {
    vec![match filter {
        "instance-type" => flavor.name.clone(),
        "memory-info.size-in-mib" => flavor.ram_mib.to_string(),
        "vcpu-info.default-vcpus" => flavor.vcpus.to_string(),
        "processor-info.supported-architecture" => std::env::consts::ARCH.to_owned(),
        "bare-metal" => "false".to_owned(),
        _ => "true".to_owned(),
    }]
}

fn view(xml: &mut Xml, flavor: &Flavor) {
    xml.text("instanceType", &flavor.name);
    xml.text("currentGeneration", true);
    xml.text("freeTierEligible", false);
    xml.within("supportedUsageClasses", |xml| xml.text("item", "on-demand"));
    xml.text("bareMetal", false);
    xml.text("hypervisor", "xen");
    xml.within("processorInfo", |xml| {
        xml.within("supportedArchitectures", |xml| xml.text("item", std::env::consts::ARCH));
    });
    xml.within("vCpuInfo", |xml| {
        xml.text("defaultVCpus", flavor.vcpus);
        xml.text("defaultCores", flavor.vcpus);
        xml.text("defaultThreadsPerCore", 1);
    });
    xml.within("memoryInfo", |xml| xml.text("sizeInMiB", flavor.ram_mib));
    xml.text("instanceStorageSupported", true);
    xml.within("instanceStorageInfo", |xml| xml.text("totalSizeInGB", flavor.disk_gib));
    xml.within("networkInfo", |xml| {
        xml.text("maximumNetworkInterfaces", 1);
        xml.text("ipv4AddressesPerInterface", 1);
        xml.text("ipv6Supported", false);
    });
    xml.text("burstablePerformanceSupported", false);
    xml.text("autoRecoverySupported", false);
}
