//! Public addresses that instances have without anybody asking for an Elastic IP: given as soon as
//! a gateway leads to the instance, and gone with it.

use crate::cloud::chain;
use crate::ec2::operation::Call;
use crate::model::{Model, NewFloatingIp, PortId};

/// Gives public addresses to the account's instances that should have one and do not yet.
/// What cannot be given now is when there is a way, or an address.
pub(in crate::ec2) async fn give(call: &Call) {
    let (waiting, network) = {
        let model = call.cloud.read();
        (waiting(call, &model), model.public_network().map(|network| network.id))
    };
    let Some(network) = network else { return };
    for port in waiting {
        let wanted = NewFloatingIp {
            target: Some(port.into()),
            goes_with_port: true,
            ..NewFloatingIp::from_pool(network, call.project)
        };
        if let Err(error) = call.cloud.create_floating_ip(wanted).await {
            tracing::info!(%port, error = chain(&error), "no public address for an instance");
        }
    }
}

/// The ports of instances that should have a public address, have none, and can be reached.
fn waiting(call: &Call, model: &Model) -> Vec<PortId> {
    let own = model.servers.iter().filter(|server| server.project_id == call.project);
    let wanting = own.filter(|server| server.options.public_address);
    let ports = wanting.filter_map(|server| model.primary_port(server));
    let outside = model.public_network().map(|network| network.id);
    let reached = ports.filter(|port| {
        port.goes_with_server
            && model.floating_ips_of(port.id).next().is_none()
            && port.fixed_ips.first().is_some_and(|fixed| {
                outside.is_some_and(|it| model.router_between(it, fixed.subnet_id).is_some())
            })
    });
    reached.map(|port| port.id).collect()
}
