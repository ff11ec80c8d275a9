//! The administrator's calls of nova-network's days that make and remove floating addresses many
//! at once; gone since version 2.36.

use std::net::Ipv4Addr;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::model::HOST;
use crate::model::address::{Block, Pool};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let addresses = model.floating_addresses().map(|(address, network, taken)| {
        let port = taken.and_then(|ip| model.ports.get(ip.port_id?));
        json!({
            "address": address,
            "pool": network.name,
            "interface": null,
            "project_id": taken.map(|ip| ip.project_id),
            "instance_uuid": port.and_then(|port| port.server_id()),
            "fixed_ip": taken.and_then(|ip| Some(model.route_of(ip.id)?.1)),
        })
    });
    Ok(ok(&json!({"floating_ip_info": addresses.collect::<Vec<_>>()})))
}

/// The addresses at a host: all are at the only one.
pub(super) async fn of_host(cx: Context) -> Result<Response, Error> {
    if cx.param("host") == HOST { list(cx).await } else { Err(Fault::no_such_path().into()) }
}

#[derive(Debug, Deserialize)]
struct NewRange {
    ip_range: String,
    pool: Option<String>,
    interface: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let body: Map<String, Value> = cx.json().await?;
    let known = &[("ip_range", 1), ("pool", 1), ("interface", 1)];
    let wanted = fields::below("floating_ips_bulk_create", body)?;
    let wanted: NewRange = fields::read(&cx, "floating_ips_bulk_create", wanted, known)?;
    let (range, caller) = (hosts(&wanted.ip_range)?, cx.caller()?);
    let pool = cx.cloud.change(|model, now| {
        let missing = |_| Fault::not_found("Floating IP pool not found.");
        let network = model.floating_pool(wanted.pool.as_deref()).map_err(missing)?;
        let (id, name) = (network.id, network.name.clone());
        model.add_floating_addresses(&caller, id, range, now)?;
        Ok::<_, Error>(name)
    });
    Ok(ok(&json!({"floating_ips_bulk_create": {
        "ip_range": wanted.ip_range, "pool": pool.await?, "interface": wanted.interface
    }})))
}

#[derive(Debug, Deserialize)]
struct OldRange {
    ip_range: String,
}

/// `PUT /os-floating-ips-bulk/delete`.
pub(super) async fn delete(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    if cx.param("host") != "delete" {
        return Err(Fault::no_such_path().into());
    }
    let OldRange { ip_range } = cx.json().await?;
    let range = hosts(&ip_range)?;
    cx.cloud
        .change(|model, now| Ok::<_, Error>(model.remove_floating_addresses(range, now)?))
        .await?;
    Ok(ok(&json!({"floating_ips_bulk_delete": ip_range})))
}

/// The addresses that a text means: one, or those of a block that hosts may have.
fn hosts(text: &str) -> Result<Pool, Fault> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Pool { first: address, last: address });
    }
    let invalid = |why: &str| Err(Fault::bad_request(format!("Invalid input received: {why}")));
    match text.parse::<Block>() {
        Err(_) => invalid(&format!("{text} is neither an address nor a block of them")),
        Ok(block) if block.prefix > 30 => invalid(&format!(
            "/{} should be specified as single address(es) not in cidr format",
            block.prefix
        )),
        Ok(block) if block.prefix < 13 => invalid(&format!(
            "Too many IP addresses will be generated.  Please increase /{} to reduce the number \
             generated.",
            block.prefix
        )),
        Ok(block) => Ok(block.hosts()),
    }
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_an_address_or_a_block() {
        let hosts = |text: &str| hosts(text).map(|pool| pool.to_string()).map_err(|it| it.message);
        assert_eq!(hosts("127.0.2.9").as_deref(), Ok("127.0.2.9-127.0.2.9"));
        assert_eq!(hosts("127.0.2.0/24").as_deref(), Ok("127.0.2.1-127.0.2.254"));
        for wrong in ["", "all", "127.0.2.0/31", "127.0.0.0/8", "127.0.2.0/33"] {
            assert!(hosts(wrong).is_err(), "{wrong}");
        }
    }
}
