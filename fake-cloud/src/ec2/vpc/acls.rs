//! What EC2 has for every network and nobody can change here: network ACLs that let everything
//! pass, since security groups alone say what may, and DHCP options.

use super::{id, own};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Id, Kind, account};
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::{NO_TAGS, wanted};
use crate::ec2::xml::Xml;
use crate::model::{Model, Network};

/// The number of the rule of an ACL that comes after all others.
const LAST_RULE: u32 = 32_767;

pub(in crate::ec2) fn network_acls(call: &Call) -> Result<Xml, Fault> {
    let known = ["association.subnet-id", "default", "network-acl-id", "owner-id", "vpc-id"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "NetworkAclId")?;
    let model = call.cloud.read();
    let ids = own(call, &model).map(|network| Kind::NetworkAcl.id(network.id));
    let named = wanted(call, "NetworkAclId", Kind::NetworkAcl, ids)?;
    let shown = own(call, &model).filter(|network| {
        let acl = Kind::NetworkAcl.id(network.id);
        (named.is_empty() || named.contains(&acl))
            && filters.pass(NO_TAGS, |name| match name {
                "association.subnet-id" => subnets(&model, network),
                "default" => vec!["true".to_owned()],
                "network-acl-id" => vec![acl.to_string()],
                "owner-id" => vec![account(network.project_id)],
                _ => vec![id(network).to_string()],
            })
    });
    let (networks, next) = page.in_order(&model.networks, shown);
    let mut xml = Xml::default();
    xml.list("networkAclSet", networks, |xml, network| {
        let acl = Kind::NetworkAcl.id(network.id);
        xml.text("networkAclId", acl);
        xml.text("vpcId", id(network));
        xml.text("ownerId", account(network.project_id));
        xml.text("default", true);
        let rules = [(100, "allow", false), (LAST_RULE, "deny", false)];
        let rules = rules.into_iter().chain([(100, "allow", true), (LAST_RULE, "deny", true)]);
        xml.list("entrySet", rules, |xml, (number, action, egress)| {
            xml.text("ruleNumber", number);
            xml.text("protocol", "-1");
            xml.text("ruleAction", action);
            xml.text("egress", egress);
            xml.text("cidrBlock", "0.0.0.0/0");
        });
        xml.list("associationSet", model.subnets_of(network.id), |xml, subnet| {
            xml.text("networkAclAssociationId", Kind::NetworkAclAssociation.id(subnet.id));
            xml.text("networkAclId", acl);
            xml.text("subnetId", Kind::Subnet.id(subnet.id));
        });
        xml.list("tagSet", [(); 0], |_, ()| {});
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

fn subnets(model: &Model, network: &Network) -> Vec<String> {
    model.subnets_of(network.id).map(|subnet| Kind::Subnet.id(subnet.id).to_string()).collect()
}

/// Each network has options of its own, all of them the same.
pub(super) fn dhcp_options_id(network: &Network) -> Id {
    Kind::DhcpOptions.id(network.id)
}

pub(in crate::ec2) fn dhcp_options(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["dhcp-options-id", "key", "owner-id", "value"])?;
    let page = Page::read(&call.params, "DhcpOptionsId")?;
    let model = call.cloud.read();
    let ids = own(call, &model).map(dhcp_options_id);
    let named = wanted(call, "DhcpOptionsId", Kind::DhcpOptions, ids)?;
    let options = [("domain-name", "internal"), ("domain-name-servers", "AmazonProvidedDNS")];
    let shown = own(call, &model).filter(|network| {
        (named.is_empty() || named.contains(&dhcp_options_id(network)))
            && filters.pass(NO_TAGS, |name| match name {
                "dhcp-options-id" => vec![dhcp_options_id(network).to_string()],
                "key" => options.iter().map(|(key, _)| (*key).to_owned()).collect(),
                "value" => options.iter().map(|(_, value)| (*value).to_owned()).collect(),
                _ => vec![account(network.project_id)],
            })
    });
    let (networks, next) = page.in_order(&model.networks, shown);
    let mut xml = Xml::default();
    xml.list("dhcpOptionsSet", networks, |xml, network| {
        xml.text("dhcpOptionsId", dhcp_options_id(network));
        xml.text("ownerId", account(network.project_id));
        xml.list("dhcpConfigurationSet", options, |xml, (key, value)| {
            xml.text("key", key);
            xml.list("valueSet", [value], |xml, value| xml.text("value", value));
        });
        xml.list("tagSet", [(); 0], |_, ()| {});
    });
    xml.optional("nextToken", next);
    Ok(xml)
}
