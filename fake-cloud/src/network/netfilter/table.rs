//! Tables of nftables as data, and the commands that lead from one content to another: what stays
//! is not touched, because the kernel takes long to let go of things.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

/// A table: named collections, and chains that look into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Family and name, as in `ip guard`.
    name: String,
    collections: BTreeMap<String, Collection>,
    chains: BTreeMap<String, Chain>,
}

/// A set or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Collection {
    /// `set` or `map`.
    kind: &'static str,
    /// What its elements are, as in `type ipv4_addr`.
    properties: String,
    /// Its elements; what each leads to, or nothing in a set.
    elements: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    /// Where packets enter it; empty for one that others jump to.
    hook: String,
    rules: Vec<String>,
}

impl Table {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), collections: BTreeMap::new(), chains: BTreeMap::new() }
    }

    pub(crate) fn set(
        &mut self,
        name: impl Into<String>,
        properties: &str,
        elements: impl IntoIterator<Item = impl Display>,
    ) {
        let elements = elements.into_iter().map(|it| (it.to_string(), String::new())).collect();
        let set = Collection { kind: "set", properties: properties.to_owned(), elements };
        self.collections.insert(name.into(), set);
    }

    pub(crate) fn map(
        &mut self,
        name: impl Into<String>,
        properties: &str,
        elements: impl IntoIterator<Item = (impl Display, impl Display)>,
    ) {
        let elements = elements.into_iter();
        let elements = elements.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let map = Collection { kind: "map", properties: properties.to_owned(), elements };
        self.collections.insert(name.into(), map);
    }

    /// A chain that others jump to.
    pub(crate) fn chain(&mut self, name: impl Into<String>, rules: Vec<String>) {
        self.base_chain(name, "", rules);
    }

    /// A chain that packets enter at a hook, as in `type filter hook input priority 0`.
    pub(crate) fn base_chain(&mut self, name: impl Into<String>, hook: &str, rules: Vec<String>) {
        self.chains.insert(name.into(), Chain { hook: hook.to_owned(), rules });
    }

    /// What makes the table from nothing, whether there is one of its name or not.
    pub(crate) fn anew(&self) -> String {
        let name = &self.name;
        let before = Self::new(name);
        format!("add table {name}\ndelete table {name}\nadd table {name}\n{}", self.after(&before))
    }

    /// What makes this table of an earlier one; nothing when they are the same.
    pub(crate) fn after(&self, before: &Self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_changes(before, &mut text);
        text
    }

    fn write_changes(&self, before: &Self, text: &mut String) -> fmt::Result {
        let table = &self.name;
        let nothing = BTreeMap::new();
        // What is referred to comes first, and goes last.
        for (name, collection) in &self.collections {
            if !before.collections.contains_key(name) {
                let Collection { kind, properties, .. } = collection;
                writeln!(text, "add {kind} {table} {name} {{ {properties}; }}")?;
            }
        }
        for (name, chain) in &self.chains {
            match (before.chains.get(name), chain.hook.as_str()) {
                (Some(_), _) => {}
                (None, "") => writeln!(text, "add chain {table} {name}")?,
                (None, hook) => writeln!(text, "add chain {table} {name} {{ {hook}; }}")?,
            }
        }
        for (name, old) in &before.collections {
            let new = self.collections.get(name).map_or(&nothing, |it| &it.elements);
            let gone = old.elements.iter().filter(|(key, value)| new.get(*key) != Some(value));
            write_elements(text, "delete", table, name, gone.map(|(key, _)| (key, "")))?;
        }
        for (name, old) in &before.chains {
            if self.chains.get(name) != Some(old) && !old.rules.is_empty() {
                writeln!(text, "flush chain {table} {name}")?;
            }
        }
        for (name, chain) in &self.chains {
            if before.chains.get(name) != Some(chain) {
                for rule in &chain.rules {
                    writeln!(text, "add rule {table} {name} {rule}")?;
                }
            }
        }
        for (name, collection) in &self.collections {
            let old = before.collections.get(name).map_or(&nothing, |it| &it.elements);
            let new = collection.elements.iter();
            let new = new.filter(|(key, value)| old.get(*key) != Some(value));
            write_elements(text, "add", table, name, new.map(|(k, v)| (k, v.as_str())))?;
        }
        for name in before.chains.keys().filter(|name| !self.chains.contains_key(*name)) {
            writeln!(text, "delete chain {table} {name}")?;
        }
        for (name, old) in &before.collections {
            if !self.collections.contains_key(name) {
                writeln!(text, "delete {} {table} {name}", old.kind)?;
            }
        }
        Ok(())
    }
}

fn write_elements<'a>(
    text: &mut String,
    verb: &str,
    table: &str,
    name: &str,
    elements: impl Iterator<Item = (&'a String, &'a str)>,
) -> fmt::Result {
    let mut any = false;
    for (key, value) in elements {
        if any {
            text.push_str(", ");
        } else {
            write!(text, "{verb} element {table} {name} {{ ")?;
        }
        any = true;
        text.push_str(key);
        if !value.is_empty() {
            write!(text, " : {value}")?;
        }
    }
    if any { writeln!(text, " }}") } else { Ok(()) }
}
