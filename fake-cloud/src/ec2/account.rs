//! What clients ask of an account's settings besides its things: settings that nobody has changed,
//! since here they cannot be.

use super::errors::Fault;
use super::ids::Kind;
use super::operation::Call;
use super::xml::Xml;
use super::{addresses, instances};

/// Volumes are never encrypted here.
pub(super) fn ebs_encryption(_: &Call) -> Result<Xml, Fault> {
    let mut xml = Xml::default();
    xml.text("ebsEncryptionByDefault", false);
    xml.text("sseType", "none");
    Ok(xml)
}

/// No instance earns credits: none has processors that can be faster for a while.
pub(super) fn credit_specifications(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    for text in call.params.texts("InstanceId") {
        instances::find(call, &model, text)?;
    }
    let mut xml = Xml::default();
    xml.list("instanceCreditSpecificationSet", [(); 0], |_, ()| {});
    Ok(xml)
}

/// Addresses have no names to be looked up by.
pub(super) fn addresses_attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let named = call.params.texts("AllocationId").into_iter();
    let named = named.map(|text| Ok(addresses::by_id(call, &model, text)?.id));
    let named: Vec<_> = named.collect::<Result<_, Fault>>()?;
    let shown = addresses::own(call, &model)
        .filter(|address| named.is_empty() || named.contains(&address.id));
    let mut xml = Xml::default();
    xml.list("addressSet", shown, |xml, address| {
        xml.text("publicIp", address.address);
        xml.text("allocationId", Kind::Allocation.id(address.id));
    });
    Ok(xml)
}

/// No instance has a screen.
pub(super) fn console_screenshot(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let id = instances::find(call, &model, call.params.required("InstanceId")?)?.id();
    let message = format!("The instance '{id}' has no screen; GetConsoleOutput has what it says.");
    Err(Fault::new("UnsupportedOperation", message))
}
