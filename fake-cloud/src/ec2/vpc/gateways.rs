//! Internet gateways: routers that lead out of networks.

use super::{changeable, id, out, own, public_addresses};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Id, Kind, account};
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::wanted;
use crate::ec2::tags::{self, NAME, Tags, tag_set};
use crate::ec2::xml::Xml;
use crate::model::{GatewayWanted, Model, Network, NewRouter, Router, RouterId};

pub(in crate::ec2) fn internet_gateways(call: &Call) -> Result<Xml, Fault> {
    let known = ["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "InternetGatewayId")?;
    let model = call.cloud.read();
    let named = wanted(
        call,
        "InternetGatewayId",
        Kind::InternetGateway,
        seen(call, &model).map(gateway_id),
    )?;
    let shown = seen(call, &model).filter(|router| {
        (named.is_empty() || named.contains(&gateway_id(router)))
            && filters.pass(&gateway_tags(router), |name| match name {
                "attachment.state" => {
                    attached(call, &model, router).map(|_| "available".to_owned()).collect()
                }
                "attachment.vpc-id" => {
                    attached(call, &model, router).map(|it| id(it).to_string()).collect()
                }
                "internet-gateway-id" => vec![gateway_id(router).to_string()],
                _ => vec![account(router.project_id)],
            })
    });
    let (routers, next) = page.in_order(&model.routers, shown);
    let mut xml = Xml::default();
    xml.list("internetGatewaySet", routers, |xml, router| view(xml, call, &model, router));
    xml.optional("nextToken", next);
    Ok(xml)
}

fn view(xml: &mut Xml, call: &Call, model: &Model, router: &Router) {
    xml.text("internetGatewayId", gateway_id(router));
    xml.text("ownerId", account(router.project_id));
    xml.list("attachmentSet", attached(call, model, router), |xml, network| {
        xml.text("vpcId", id(network));
        xml.text("state", "available");
    });
    tag_set(xml, &gateway_tags(router));
}

/// The gateways that the account sees: those it has made, and those its networks have.
fn seen<'a>(call: &'a Call, model: &'a Model) -> impl Iterator<Item = &'a Router> {
    model.routers.iter().filter(|router| {
        let made = router.internet_gateway && router.project_id == call.project;
        made || attached(call, model, router).next().is_some()
    })
}

/// The networks that a gateway leads out of.
fn attached<'a>(
    call: &'a Call,
    model: &'a Model,
    router: &'a Router,
) -> impl Iterator<Item = &'a Network> {
    own(call, model).filter(|network| leads_out(model, network, router.id))
}

/// Whether a gateway leads out of a network.
pub(super) fn leads_out(model: &Model, network: &Network, router: RouterId) -> bool {
    model.gateway_of(network.id) == Some(router)
        || out(model, network).any(|known| known.id == router)
}

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let mut tags = tags::specified(&call.params, Kind::InternetGateway)?;
    let name = tags.remove(NAME).unwrap_or_default();
    let made = call.cloud.change(|model, now| {
        let outside = model.public_network().map(|network| network.id);
        let network_id = outside.ok_or_else(|| {
            Fault::new("UnsupportedOperation", "This cloud has no way to the outside")
        })?;
        let wanted = NewRouter {
            name,
            description: String::new(),
            project_id: call.project,
            gateway: Some(GatewayWanted { network_id, fixed_ips: None, snat: true }),
        };
        let id = model.create_router(&call.caller, wanted, now)?;
        let mut router = model.routers.get_mut(id).ok_or_else(|| missing(id))?;
        router.internet_gateway = true;
        router.tags = tags;
        Ok::<_, Fault>(router.clone())
    });
    let router = made.await?;
    let model = call.cloud.read();
    let mut xml = Xml::default();
    xml.within("internetGateway", |xml| view(xml, &call, &model, &router));
    Ok(xml)
}

pub(in crate::ec2) async fn attach(call: Call) -> Result<Xml, Fault> {
    let (gateway, vpc) = named(&call)?;
    let changed = call.cloud.change(|model, now| {
        let router = by_id(&call, model, gateway)?;
        let network = changeable(&call, model, vpc)?;
        if let Some(known) = attached(&call, model, router).next() {
            let message =
                format!("resource {gateway} is already attached to network {}", id(known));
            return Err(Fault::new("Resource.AlreadyAssociated", message));
        }
        if model.gateway_of(network.id).is_some() || out(model, network).next().is_some() {
            let message = format!("Network {vpc} already has an internet gateway attached");
            return Err(Fault::invalid_value(message));
        }
        let (network, router) = (network.id, router.id);
        Ok(model.set_vpc_gateway(&call.caller, network, router, true, now)?)
    });
    changed.await?;
    public_addresses::give(&call).await;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn detach(call: Call) -> Result<Xml, Fault> {
    let (gateway, vpc) = named(&call)?;
    let changed = call.cloud.change(|model, now| {
        let router = by_id(&call, model, gateway)?.id;
        let network = changeable(&call, model, vpc)?;
        if !leads_out(model, network, router) {
            let message = format!("resource {gateway} is not attached to network {vpc}");
            return Err(Fault::new("Gateway.NotAttached", message));
        }
        let network = network.id;
        let inside = |port| model.ports.get(port).is_some_and(|port| port.network_id == network);
        if model.floating_ips.iter().any(|ip| ip.port_id.is_some_and(inside)) {
            return Err(Fault::new(
                "DependencyViolation",
                format!(
                    "Network {vpc} has some mapped public address(es). Please unmap those public \
                     address(es) before detaching the gateway."
                ),
            ));
        }
        Ok(model.set_vpc_gateway(&call.caller, network, router, false, now)?)
    });
    changed.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("InternetGatewayId")?;
    let deleted = call.cloud.change(|model, _| {
        let router = by_id(&call, model, text)?;
        let used = attached(&call, model, router).next().is_some()
            || model.interfaces_of(router.id).next().is_some();
        if used {
            let message =
                format!("The internetGateway '{text}' has dependencies and cannot be deleted.");
            return Err(Fault::new("DependencyViolation", message));
        }
        let id = router.id.to_string();
        Ok(model.delete_router(&call.caller, &id)?)
    });
    deleted.await?;
    Ok(Xml::done())
}

/// The gateway and the network that a request names.
fn named(call: &Call) -> Result<(&str, &str), Fault> {
    Ok((call.params.required("InternetGatewayId")?, call.params.required("VpcId")?))
}

/// The account's own gateway with an id.
pub(in crate::ec2) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Router, Fault> {
    let wanted = Kind::InternetGateway.parse(text)?;
    let found = of_account(call, model).find(|router| gateway_id(router) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::InternetGateway, text))
}

/// The gateways that are the account's own.
pub(in crate::ec2) fn of_account<'a>(
    call: &Call,
    model: &'a Model,
) -> impl Iterator<Item = &'a Router> {
    let project = call.project;
    let own = move |it: &&Router| it.project_id == project && !it.built_in && it.gateway.is_some();
    model.routers.iter().filter(own)
}

fn gateway_id(router: &Router) -> Id {
    Kind::InternetGateway.id(router.id)
}

fn missing(id: RouterId) -> Fault {
    Fault::missing(Kind::InternetGateway, Kind::InternetGateway.id(id))
}

/// A gateway's tags. The names of what the cloud has by itself are no tags.
pub(in crate::ec2) fn gateway_tags(router: &Router) -> Tags {
    let named = !router.name.is_empty() && !router.built_in;
    tags::with_name(&router.tags, named.then_some(&router.name))
}
