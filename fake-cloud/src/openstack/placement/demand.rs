//! What a request wants of a provider: `resources=VCPU:2,MEMORY_MB:512&required=COMPUTE_NODE`.

use std::collections::{BTreeMap, BTreeSet};

use super::host::{Host, TRAITS};
use super::resources::STANDARD;
use crate::openstack::errors::Fault;

/// What is wanted. With one provider, groups of requests (`resources1=`) all are requests of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// How much of each class, all groups together.
    pub(super) resources: BTreeMap<String, u64>,
    /// The groups that were asked for, by their suffixes.
    pub(super) groups: BTreeSet<String>,
    /// Whether the traits are there.
    pub(super) suitable: bool,
}

impl Demand {
    /// Reads the words of a query; those that are about something else are passed over.
    pub(super) fn read<'a>(words: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Fault> {
        let mut demand = Self { suitable: true, ..Self::default() };
        for (name, value) in words {
            if let Some(suffix) = name.strip_prefix("resources") {
                for (class, amount) in
                    value.split(',').map(read_amount).collect::<Result<Vec<_>, _>>()?
                {
                    *demand.resources.entry(class.to_owned()).or_default() += amount;
                }
                demand.groups.insert(suffix.to_owned());
            } else if name.starts_with("required") {
                demand.suitable &= has_traits(value)?;
            }
        }
        Ok(demand)
    }

    /// Whether the machine can give it.
    pub(super) fn fits(&self, host: &Host) -> bool {
        self.suitable && self.resources.iter().all(|(class, amount)| host.fits(class, *amount))
    }
}

fn read_amount(text: &str) -> Result<(&str, u64), Fault> {
    let malformed = || {
        Fault::bad_request(format!(
            "Badly formed resources parameter. Expected resources query string parameter in form: \
             ?resources=VCPU:2,MEMORY_MB:1024. Got: {text}."
        ))
    };
    let (class, amount) = text.split_once(':').ok_or_else(malformed)?;
    let amount = amount.parse().ok().filter(|amount| (1..=1 << 31).contains(amount));
    let amount = amount.ok_or_else(malformed)?;
    if STANDARD.contains(&class) {
        return Ok((class, amount));
    }
    Err(Fault::bad_request(format!("Invalid resource class in resources parameter: {class}.")))
}

/// Whether the machine has all of the traits, one of those after `in:`, none of those after `!`.
fn has_traits(text: &str) -> Result<bool, Fault> {
    if let Some(any) = text.strip_prefix("in:") {
        return Ok(any.split(',').any(|name| TRAITS.contains(&name)));
    }
    if text.is_empty() {
        return Err(Fault::bad_request(
            "Invalid query string parameters: Expected 'required' parameter value of the form: \
             HW_CPU_X86_VMX,!CUSTOM_MAGIC. Got: ",
        ));
    }
    Ok(text.split(',').all(|name| match name.strip_prefix('!') {
        Some(forbidden) => !TRAITS.contains(&forbidden),
        None => TRAITS.contains(&name),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Demand> {
        Demand::read(crate::query::parse(query).iter().map(|(n, v)| (&**n, &**v))).ok()
    }

    #[test]
    fn groups_are_wanted_of_the_same_machine() {
        let demand = read("resources=VCPU:2,DISK_GB:1&resources1=VCPU:1&limit=3").unwrap();
        assert_eq!(demand.resources, [("DISK_GB".to_owned(), 1), ("VCPU".to_owned(), 3)].into());
        assert_eq!(demand.groups, ["".to_owned(), "1".to_owned()].into());
        for wrong in ["VCPU", "VCPU:x", "VCPU:0", "VCPU:-1", "APPLES:1", ""] {
            assert_eq!(read(&format!("resources={wrong}")), None, "{wrong}");
        }
    }

    #[test]
    fn traits_are_wanted_or_not() {
        for (text, expected) in [
            ("COMPUTE_NODE", true),
            ("COMPUTE_NODE,HW_CPU_X86_VMX", false),
            ("!HW_CPU_X86_VMX", true),
            ("!COMPUTE_NODE", false),
            ("in:HW_CPU_X86_VMX,COMPUTE_NODE", true),
            ("in:HW_CPU_X86_VMX", false),
        ] {
            assert_eq!(read(&format!("required={text}")).unwrap().suitable, expected, "{text}");
        }
        assert_eq!(read("required="), None);
    }
}
