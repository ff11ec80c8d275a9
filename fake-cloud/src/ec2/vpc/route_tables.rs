//! Route tables, listed. A network has one from the beginning; where EC2 has not made the network,
//! it leads out where a router does, until somebody changes it.

use uuid::Uuid;

use super::gateways::leads_out;
use super::{blocks, id, out, own};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Id, Kind, account};
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::wanted;
use crate::ec2::tags::{Tags, tag_set};
use crate::ec2::xml::Xml;
use crate::model::address::Block;
use crate::model::{Model, Network, Route, RouteTable, RouteTableId, RouteTarget, Subnet};

/// Everything that is not nearer.
const ANYWHERE: Block = Block { network: std::net::Ipv4Addr::UNSPECIFIED, prefix: 0 };

const FILTERS: [&str; 10] = [
    "association.main",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.gateway-id",
    "route.instance-id",
    "vpc-id",
];

pub(in crate::ec2) fn route_tables(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "RouteTableId")?;
    let model = call.cloud.read();
    let all: Vec<Table<'_>> = own(call, &model).flat_map(|it| of_network(&model, it)).collect();
    let ids = all.iter().map(Table::shown_id);
    let named = wanted(call, "RouteTableId", Kind::RouteTable, ids)?;
    let shown = all.into_iter().enumerate().filter(|(_, table)| {
        (named.is_empty() || named.contains(&table.shown_id()))
            && filters.pass(&table.tags, |name| values(&model, table, name))
    });
    let (tables, next) = page.of(shown.map(|(index, table)| ((false, index as u64 + 1), table)));
    let mut xml = Xml::default();
    xml.list("routeTableSet", tables, |xml, table| view(xml, &model, &table));
    xml.optional("nextToken", next);
    Ok(xml)
}

/// A route table, on record or not.
pub(super) struct Table<'a> {
    /// Its id.
    pub(super) id: RouteTableId,
    /// The network it is of.
    pub(super) network: &'a Network,
    /// Its routes besides the one to the network itself.
    pub(super) routes: Vec<Route>,
    tags: Tags,
}

impl Table<'_> {
    /// Whether it is that of subnets that have none of their own.
    pub(super) fn is_main(&self) -> bool {
        self.id == main_of(self.network)
    }

    fn shown_id(&self) -> Id {
        Kind::RouteTable.id(self.id)
    }
}

/// The table that subnets of a network have that have none of their own.
pub(super) fn main_of(network: &Network) -> RouteTableId {
    network.vpc.as_ref().map_or(RouteTableId(network.id.0), |vpc| vpc.main_table)
}

/// All tables of a network.
pub(super) fn of_network<'a>(model: &'a Model, network: &'a Network) -> Vec<Table<'a>> {
    let recorded = model.route_tables_of(network.id).map(|table| Table {
        id: table.id,
        network,
        routes: table.routes.clone(),
        tags: table.tags.clone(),
    });
    let mut tables: Vec<Table<'_>> = recorded.collect();
    let first = RouteTableId(network.id.0);
    if tables.iter().all(|table| table.id != first) {
        let ways = out(model, network).take(1);
        let ways = ways.map(|it| RouteTarget::Gateway(it.id));
        let routes = ways.map(|target| Route { destination: ANYWHERE, target }).collect();
        tables.insert(0, Table { id: first, network, routes, tags: Tags::new() });
    }
    tables
}

/// The subnets that have a table of their own: this one.
pub(super) fn associated<'a>(
    model: &'a Model,
    table: &Table<'_>,
) -> impl Iterator<Item = &'a Subnet> {
    let (network, id) = (table.network.id, table.id);
    model.subnets_of(network).filter(move |subnet| subnet.options.route_table == Some(id))
}

/// Names a table and the subnet that has it, or the network whose main one it is.
pub(super) fn association_id(owner: Uuid, table: RouteTableId) -> Id {
    let bits = owner.as_u128() ^ table.0.as_u128().rotate_left(61);
    Kind::RouteTableAssociation.id(Uuid::from_u128(bits))
}

fn associations(model: &Model, table: &Table<'_>) -> Vec<(Id, Option<Id>)> {
    let main = table.is_main().then(|| (association_id(table.network.id.0, table.id), None));
    let own = associated(model, table)
        .map(|subnet| (association_id(subnet.id.0, table.id), Some(Kind::Subnet.id(subnet.id))));
    main.into_iter().chain(own).collect()
}

fn values(model: &Model, table: &Table<'_>, name: &str) -> Vec<String> {
    let associations = || associations(model, table).into_iter();
    match name {
        "association.main" => associations().map(|(_, it)| it.is_none().to_string()).collect(),
        "association.route-table-association-id" => {
            associations().map(|(id, _)| id.to_string()).collect()
        }
        "association.route-table-id" => {
            associations().map(|_| table.shown_id().to_string()).collect()
        }
        "association.subnet-id" => {
            associations().filter_map(|(_, subnet)| Some(subnet?.to_string())).collect()
        }
        "owner-id" => vec![account(table.network.project_id)],
        "route-table-id" => vec![table.shown_id().to_string()],
        "route.destination-cidr-block" => {
            let others = table.routes.iter().map(|route| route.destination.to_string());
            blocks(model, table.network).into_iter().chain(others).collect()
        }
        "route.gateway-id" => {
            let gateways = table.routes.iter().filter_map(|route| match route.target {
                RouteTarget::Gateway(it) => Some(Kind::InternetGateway.id(it).to_string()),
                RouteTarget::Port(_) => None,
            });
            gateways.chain(["local".to_owned()]).collect()
        }
        "route.instance-id" => {
            let servers = table.routes.iter().filter_map(|route| match route.target {
                RouteTarget::Port(port) => model.ports.get(port)?.server_id(),
                RouteTarget::Gateway(_) => None,
            });
            servers.map(|server| Kind::Instance.id(server).to_string()).collect()
        }
        _ => vec![id(table.network).to_string()],
    }
}

pub(super) fn view(xml: &mut Xml, model: &Model, table: &Table<'_>) {
    xml.text("routeTableId", table.shown_id());
    xml.text("vpcId", id(table.network));
    xml.text("ownerId", account(table.network.project_id));
    xml.within("routeSet", |xml| {
        for block in blocks(model, table.network) {
            xml.within("item", |xml| {
                xml.text("destinationCidrBlock", block);
                xml.text("gatewayId", "local");
                xml.text("state", "active");
                xml.text("origin", "CreateRouteTable");
            });
        }
        for route in &table.routes {
            xml.within("item", |xml| view_route(xml, model, table.network, route));
        }
    });
    xml.list("associationSet", associations(model, table), |xml, (id, subnet)| {
        xml.text("routeTableAssociationId", id);
        xml.text("routeTableId", table.shown_id());
        xml.text("main", subnet.is_none());
        xml.optional("subnetId", subnet);
        xml.within("associationState", |xml| xml.text("state", "associated"));
    });
    xml.list("propagatingVgwSet", [(); 0], |_, ()| {});
    tag_set(xml, &table.tags);
}

fn view_route(xml: &mut Xml, model: &Model, network: &Network, route: &Route) {
    xml.text("destinationCidrBlock", route.destination);
    let works = match route.target {
        RouteTarget::Gateway(router) => {
            xml.text("gatewayId", Kind::InternetGateway.id(router));
            leads_out(model, network, router)
        }
        RouteTarget::Port(port) => {
            let server = model.ports.get(port).and_then(|port| port.server_id());
            xml.text("networkInterfaceId", Kind::Interface.id(port));
            xml.optional("instanceId", server.map(|server| Kind::Instance.id(server)));
            xml.optional("instanceOwnerId", server.map(|_| account(network.project_id)));
            server.is_some()
        }
    };
    xml.text("state", if works { "active" } else { "blackhole" });
    xml.text("origin", "CreateRoute");
}

/// The tables that are the account's own to tag: those on record.
pub(in crate::ec2) fn of_account<'a>(
    call: &'a Call,
    model: &'a Model,
) -> impl Iterator<Item = &'a RouteTable> {
    model.route_tables.iter().filter(|table| {
        model.networks.get(table.network_id).is_some_and(|it| it.project_id == call.project)
    })
}
