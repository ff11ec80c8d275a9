//! Route tables made, changed and removed, and which subnets have them.

use super::gateways::{self, leads_out};
use super::route_tables::{Table, associated, association_id, main_of, of_network, view};
use super::{block, blocks, changeable, check_owner, interface_changes, own, subnets};
use crate::ec2::errors::Fault;
use crate::ec2::ids::{Id, Kind};
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::xml::Xml;
use crate::ec2::{instances, tags};
use crate::model::address::Block;
use crate::model::{
    Model, Network, NetworkId, Route, RouteTable, RouteTableId, RouteTarget, SubnetId,
};

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let tags = tags::specified(&call.params, Kind::RouteTable)?;
    let made = call.cloud.change(|model, _| {
        let network = changeable(&call, model, call.params.required("VpcId")?)?.id;
        let id = RouteTableId::random();
        model.create_route_table(id, network);
        let mut table = model.route_tables.get_mut(id).ok_or_else(|| missing(id))?;
        table.tags = tags;
        Ok::<_, Fault>(Kind::RouteTable.id(id).to_string())
    });
    let id = made.await?;
    let model = call.cloud.read();
    let table = find(&call, &model, &id)?;
    let mut xml = Xml::default();
    xml.within("routeTable", |xml| view(xml, &model, &table));
    Ok(xml)
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("RouteTableId")?;
    let deleted = call.cloud.change(|model, _| {
        let table = find(&call, model, text)?;
        let (id, main) = (table.id, table.is_main());
        if main || associated(model, &table).next().is_some() {
            let message =
                format!("The routeTable '{text}' has dependencies and cannot be deleted.");
            return Err(Fault::new("DependencyViolation", message));
        }
        Ok(model.route_tables.remove(id))
    });
    deleted.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn create_route(call: Call) -> Result<Xml, Fault> {
    change_route(call, |routes, route, _| {
        if routes.iter().any(|known| known.destination == route.destination) {
            let message = format!("The route identified by {} already exists.", route.destination);
            return Err(Fault::new("RouteAlreadyExists", message));
        }
        routes.push(route);
        Ok(())
    })
    .await
}

pub(in crate::ec2) async fn replace_route(call: Call) -> Result<Xml, Fault> {
    change_route(call, |routes, route, table| {
        let known = routes.iter_mut().find(|known| known.destination == route.destination);
        *known.ok_or_else(|| no_route(route.destination, table))? = route;
        Ok(())
    })
    .await
}

/// Changes the routes of a table by the one that a request describes.
async fn change_route(
    call: Call,
    change: impl FnOnce(&mut Vec<Route>, Route, Id) -> Result<(), Fault>,
) -> Result<Xml, Fault> {
    let params = &call.params;
    let destination = destination(params)?;
    let changed = call.cloud.change(|model, _| {
        let table = find(&call, model, params.required("RouteTableId")?)?;
        let (id, network) = (table.id, table.network);
        if blocks(model, network).contains(&destination.to_string()) {
            let message = format!("The route identified by {destination} already exists.");
            return Err(Fault::new("RouteAlreadyExists", message));
        }
        let target = target(&call, model, network)?;
        let mut routes = table.routes;
        change(&mut routes, Route { destination, target }, Kind::RouteTable.id(id))?;
        let network = network.id;
        record(model, id, network, routes);
        Ok(())
    });
    changed.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn delete_route(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let destination = destination(params)?;
    let changed = call.cloud.change(|model, _| {
        let table = find(&call, model, params.required("RouteTableId")?)?;
        let (id, network) = (table.id, table.network.id);
        if blocks(model, table.network).contains(&destination.to_string()) {
            let id = Kind::RouteTable.id(id);
            let message = format!("cannot remove local route {destination} in route table {id}");
            return Err(Fault::invalid_value(message));
        }
        let mut routes = table.routes;
        let before = routes.len();
        routes.retain(|route| route.destination != destination);
        if routes.len() == before {
            return Err(no_route(destination, Kind::RouteTable.id(id)));
        }
        record(model, id, network, routes);
        Ok(())
    });
    changed.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn associate(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let changed = call.cloud.change(|model, _| {
        let table = find(&call, model, params.required("RouteTableId")?)?;
        let subnet = subnets::changeable(&call, model, params.required("SubnetId")?)?;
        check_same_network(subnet.network_id, table.network.id)?;
        let (subnet, before) = (subnet.id, subnet.options.route_table);
        let table = table.id;
        if before.is_some_and(|before| before != table) {
            let id = Kind::RouteTable.id(table);
            return Err(Fault::new(
                "Resource.AlreadyAssociated",
                format!(
                    "the specified association for route table {id} conflicts with an existing \
                     association"
                ),
            ));
        }
        set_table(model, subnet, Some(table));
        Ok(association_id(subnet.0, table))
    });
    let id = changed.await?;
    let mut xml = Xml::default();
    xml.text("associationId", id);
    xml.within("associationState", |xml| xml.text("state", "associated"));
    Ok(xml)
}

pub(in crate::ec2) async fn disassociate(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("AssociationId")?;
    let changed = call.cloud.change(|model, _| match association(&call, model, text)? {
        Owner::Subnet(subnet, _) => {
            set_table(model, subnet, None);
            Ok(())
        }
        Owner::Network(_) => {
            let message = format!("cannot disassociate the main route table association {text}");
            Err(Fault::invalid_value(message))
        }
    });
    changed.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn replace_association(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let changed = call.cloud.change(|model, _| {
        let table = find(&call, model, params.required("RouteTableId")?)?;
        let (table, network) = (table.id, table.network.id);
        match association(&call, model, params.required("AssociationId")?)? {
            Owner::Subnet(subnet, of) => {
                check_same_network(of, network)?;
                set_table(model, subnet, Some(table));
                Ok::<_, Fault>(association_id(subnet.0, table))
            }
            Owner::Network(of) => {
                check_same_network(of, network)?;
                let found = model.networks.get_mut(network);
                let mut found =
                    found.ok_or_else(|| Fault::missing(Kind::Vpc, Kind::Vpc.id(network)))?;
                let vpc = found.vpc.as_mut().ok_or_else(|| {
                    let message = "This network was made by Neutron; its first route table stays.";
                    Fault::new("UnsupportedOperation", message)
                })?;
                vpc.main_table = table;
                Ok(association_id(network.0, table))
            }
        }
    });
    let id = changed.await?;
    let mut xml = Xml::default();
    xml.text("newAssociationId", id);
    xml.within("associationState", |xml| xml.text("state", "associated"));
    Ok(xml)
}

/// What has a route table.
enum Owner {
    Subnet(SubnetId, NetworkId),
    Network(NetworkId),
}

fn association(call: &Call, model: &Model, text: &str) -> Result<Owner, Fault> {
    let wanted = Kind::RouteTableAssociation.parse(text)?;
    let subnet = subnets::of_account(call, model).find(|subnet| {
        subnet.options.route_table.is_some_and(|it| association_id(subnet.id.0, it) == wanted)
    });
    let main = |network: &&Network| association_id(network.id.0, main_of(network)) == wanted;
    match (subnet, own(call, model).find(main)) {
        (Some(subnet), _) => Ok(Owner::Subnet(subnet.id, subnet.network_id)),
        (None, Some(network)) => {
            check_owner(call, network)?;
            Ok(Owner::Network(network.id))
        }
        (None, None) => Err(Fault::missing(Kind::RouteTableAssociation, text)),
    }
}

fn set_table(model: &mut Model, subnet: SubnetId, table: Option<RouteTableId>) {
    if let Some(mut subnet) = model.subnets.get_mut(subnet) {
        subnet.options.route_table = table;
    }
}

fn check_same_network(one: NetworkId, other: NetworkId) -> Result<(), Fault> {
    if one == other {
        return Ok(());
    }
    Err(Fault::invalid_value("The route table and the subnet belong to different networks"))
}

/// The table with an id, of a network that is the account's own.
fn find<'a>(call: &'a Call, model: &'a Model, text: &str) -> Result<Table<'a>, Fault> {
    let wanted = Kind::RouteTable.parse(text)?;
    let all = own(call, model).flat_map(|network| of_network(model, network));
    let table = all.into_iter().find(|table| Kind::RouteTable.id(table.id) == wanted);
    let table = table.ok_or_else(|| Fault::missing(Kind::RouteTable, text))?;
    check_owner(call, table.network)?;
    Ok(table)
}

/// The table on record with an id, of a network that is the account's own.
pub(in crate::ec2) fn by_id(call: &Call, model: &Model, text: &str) -> Result<RouteTableId, Fault> {
    let id = find(call, model, text)?.id;
    match model.route_tables.get(id) {
        Some(table) => Ok(table.id),
        None => Err(Fault::new(
            "UnsupportedOperation",
            "This network was made by Neutron; its first route table bears no tags.",
        )),
    }
}

/// Puts a table on record with these routes.
fn record(model: &mut Model, id: RouteTableId, network_id: NetworkId, routes: Vec<Route>) {
    let known = model.route_tables.get(id).map(|table| table.tags.clone());
    let tags = known.unwrap_or_default();
    model.route_tables.insert(RouteTable { id, network_id, routes, tags });
}

fn destination(params: &Params) -> Result<Block, Fault> {
    if let Some(text) = params.text("DestinationCidrBlock") {
        return block(text, "destinationCidrBlock");
    }
    let others = ["DestinationIpv6CidrBlock", "DestinationPrefixListId"];
    match others.into_iter().find(|name| params.has(name)) {
        None => Err(Fault::missing_parameter("DestinationCidrBlock")),
        Some(name) => {
            let message = format!("Routes of this cloud have no {name}");
            Err(Fault::new("UnsupportedOperation", message))
        }
    }
}

/// What the traffic of a route goes by.
fn target(call: &Call, model: &Model, network: &Network) -> Result<RouteTarget, Fault> {
    let params = &call.params;
    let port = if let Some(text) = params.text("GatewayId") {
        let router = gateways::by_id(call, model, text)?.id;
        if !leads_out(model, network, router) {
            let vpc = super::id(network);
            let message = format!("network gateway {text} is not attached to network {vpc}");
            return Err(Fault::invalid_value(message));
        }
        return Ok(RouteTarget::Gateway(router));
    } else if let Some(text) = params.text("NetworkInterfaceId") {
        interface_changes::by_id(call, model, text)?
    } else if let Some(text) = params.text("InstanceId") {
        let server = instances::find(call, model, text)?.server;
        let missing = || Fault::invalid_value(format!("Instance {text} has no network interface"));
        model.primary_port(server).ok_or_else(missing)?
    } else {
        let other = params.children().find(|(name, _)| {
            name.ends_with("Id") && *name != "RouteTableId" && !name.starts_with("AWS")
        });
        return Err(match other {
            None => Fault::missing_parameter("GatewayId"),
            Some((name, _)) => {
                let message = format!("Routes of this cloud have no {name}");
                Fault::new("UnsupportedOperation", message)
            }
        });
    };
    check_same_network(port.network_id, network.id)?;
    Ok(RouteTarget::Port(port.id))
}

fn no_route(destination: Block, table: Id) -> Fault {
    Fault::new(
        "InvalidRoute.NotFound",
        format!("no route with destination-cidr-block {destination} in route table {table}"),
    )
}

fn missing(id: RouteTableId) -> Fault {
    Fault::missing(Kind::RouteTable, Kind::RouteTable.id(id))
}
