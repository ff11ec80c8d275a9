//! Neutron: security groups. Records as it writes them, and one function a call.

use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::Service::Network;
use super::network::{describe, has_tag};
use super::session::{Call, Session};
use crate::{Admit, CloudError, NewSecurityGroup, Protocol, SecurityGroup};

const ANYWHERE: &str = "0.0.0.0/0";

/// A security group as Neutron writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    security_group_rules: Vec<RuleRecord>,
}

#[derive(Clone, Debug, Deserialize)]
struct RuleRecord {
    id: String,
    direction: String,
    ethertype: String,
    protocol: Option<String>,
    port_range_min: Option<u16>,
    port_range_max: Option<u16>,
    remote_ip_prefix: Option<String>,
    remote_group_id: Option<String>,
    #[serde(default)]
    remote_address_group_id: Option<String>,
}

impl GroupRecord {
    /// Whether it carries this tag.
    pub(crate) fn has_tag(&self, key: &str, value: &str) -> bool {
        has_tag(self.description.as_deref(), key, value)
    }

    /// Its rules for what comes in: the id of each, and what it lets in.
    pub(crate) fn ingress(&self) -> impl Iterator<Item = (String, Option<Admit>)> {
        let ingress = self.security_group_rules.iter().filter(|rule| rule.direction == "ingress");
        ingress.map(|rule| (rule.id.clone(), rule.admits(&self.id)))
    }
}

impl RuleRecord {
    fn admits(&self, group: &str) -> Option<Admit> {
        let anywhere = self.remote_ip_prefix.as_deref().is_none_or(|block| block == ANYWHERE);
        if self.ethertype != "IPv4" || self.remote_address_group_id.is_some() || !anywhere {
            return None;
        }
        let ports = (self.port_range_min, self.port_range_max);
        match (self.protocol.as_deref(), ports, self.remote_group_id.as_deref()) {
            (None | Some("any"), (None, None), Some(remote)) if remote == group => {
                Some(Admit::Members)
            }
            (Some(word), (Some(first), Some(last)), None) => {
                let protocol = Protocol::from_word(word)?;
                Some(Admit::Anyone { protocol, first, last })
            }
            // So Neutron writes it when all ports are meant, however it was asked.
            (Some(word), (None, None), None) => {
                let protocol = Protocol::from_word(word)?;
                Some(Admit::Anyone { protocol, first: 1, last: u16::MAX })
            }
            _ => None,
        }
    }
}

impl From<GroupRecord> for SecurityGroup {
    fn from(record: GroupRecord) -> Self {
        Self { id: record.id, name: record.name }
    }
}

/// All groups of the project, or those with one name, with their rules.
pub(crate) async fn groups(
    session: &Session,
    name: Option<&str>,
) -> Result<Vec<GroupRecord>, CloudError> {
    let call = Call::get("list security groups", Network, &["security-groups"]).query("name", name);
    let mut groups: Vec<GroupRecord> = session.list(call, "security_groups").await?;
    groups.retain(|group| name.is_none_or(|name| group.name == name));
    Ok(groups)
}

/// All groups of the project, without their rules, which would make up most of the answer.
pub(crate) async fn group_names(session: &Session) -> Result<Vec<GroupRecord>, CloudError> {
    let fields = ["id", "name", "description"].into_iter();
    let call = Call::get("list security groups", Network, &["security-groups"]);
    let call = fields.fold(call, |call, field| call.query("fields", Some(field)));
    session.list(call, "security_groups").await
}

/// Makes a group that lets nothing in yet.
pub(crate) async fn create(
    session: &Session,
    new: &NewSecurityGroup,
) -> Result<GroupRecord, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        security_group: GroupRecord,
    }
    let description = describe("a security group", &new.tags)?;
    let body = json!({"security_group": {"name": new.name, "description": description}});
    let call = Call::post("create a security group", Network, &["security-groups"], body);
    Ok(session.fetch::<Body>(call).await?.security_group)
}

/// Lets more into a group.
pub(crate) async fn admit(
    session: &Session,
    group: &str,
    admits: &[Admit],
) -> Result<(), CloudError> {
    let rules: Vec<Value> = admits.iter().map(|admit| rule(group, *admit)).collect();
    let body = json!({ "security_group_rules": rules });
    let path = ["security-group-rules"];
    let call = Call::post("create rules of a security group", Network, &path, body);
    session.fetch::<Value>(call).await.map(|_| ())
}

fn rule(group: &str, admit: Admit) -> Value {
    let mut rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": "IPv4"});
    match admit {
        Admit::Members => rule["remote_group_id"] = json!(group),
        Admit::Anyone { protocol, first, last } => {
            rule["protocol"] = json!(protocol.word());
            rule["port_range_min"] = json!(first);
            rule["port_range_max"] = json!(last);
            rule["remote_ip_prefix"] = json!(ANYWHERE);
        }
    }
    rule
}

/// Takes a rule from its group.
pub(crate) async fn rule_delete(session: &Session, id: &str) -> Result<(), CloudError> {
    let path = ["security-group-rules", id];
    session.remove(Call::delete("delete a rule of a security group", Network, &path)).await
}

/// Deletes a group that guards nothing.
pub(crate) async fn delete(session: &Session, id: &str) -> Result<(), CloudError> {
    let path = ["security-groups", id];
    session.remove(Call::delete("delete a security group", Network, &path)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_were_asked_for() {
        let tcp = |first, last| Admit::Anyone { protocol: Protocol::Tcp, first, last };
        let read = |mut rule: Value| {
            for field in ["protocol", "port_range_min", "port_range_max", "remote_ip_prefix"] {
                rule.as_object_mut().unwrap().entry(field).or_insert(Value::Null);
            }
            rule["id"] = json!("r1");
            serde_json::from_value::<RuleRecord>(rule).unwrap().admits("g1")
        };
        for admit in [Admit::Members, tcp(80, 80), tcp(5556, 65_535)] {
            assert_eq!(read(rule("g1", admit)), Some(admit));
        }
        assert_eq!(read(rule("g2", Admit::Members)), None, "of another group");
        let mut narrower = rule("g1", tcp(80, 80));
        narrower["remote_ip_prefix"] = json!("10.0.0.0/8");
        assert_eq!(read(narrower), None);
        let mut all_ports = rule("g1", tcp(1, 65_535));
        (all_ports["port_range_min"], all_ports["port_range_max"]) = (Value::Null, Value::Null);
        assert_eq!(read(all_ports), Some(tcp(1, 65_535)));
    }
}
