//! Instance types: flavors as EC2 sees them.

use super::errors::Fault;
use super::filters::Filters;
use super::operation::Call;
use super::pages::Page;
use super::places::NO_TAGS;
use super::xml::Xml;
use crate::model::Flavor;

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
    let known = |name: &str| model.flavors.iter().any(|flavor| flavor.name == name);
    if let Some(unknown) = named.iter().find(|name| !known(name)) {
        let message = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(Fault::new("InvalidInstanceType", message));
    }
    let wanted = |flavor: &&Flavor| {
        (named.is_empty() || named.contains(&flavor.name.as_str()))
            && filters.pass(NO_TAGS, |name| values(flavor, name))
    };
    let wanted = model.flavors.iter().filter(wanted);
    let (flavors, next) = page.in_order(&model.flavors, wanted);
    let mut xml = Xml::default();
    xml.list("instanceTypeSet", flavors, view);
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
