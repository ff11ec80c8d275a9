//! The parameters of a request: `Filter.1.Value.2=x` is a tree.

use std::collections::BTreeMap;
use std::fmt;

use super::errors::Fault;

/// A parameter and those below it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Params {
    value: Option<String>,
    below: BTreeMap<String, Params>,
}

/// How many names a parameter's name may be made of: no operation has more than six.
const DEPTH_MAX: usize = 16;

impl Params {
    /// Makes the tree. Of a parameter that is sent twice, the last counts.
    pub(crate) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut root = Self::default();
        for (name, value) in pairs {
            if name.split('.').count() > DEPTH_MAX {
                continue;
            }
            let place = name
                .split('.')
                .fold(&mut root, |place, part| place.below.entry(part.to_owned()).or_default());
            place.value = Some(value);
        }
        root
    }

    /// What is at a path, as in `Placement.AvailabilityZone`.
    pub(crate) fn below(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |place, part| place.below.get(part))
    }

    /// Whether something was sent at a path, be it empty.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.below(path).is_some()
    }

    /// The value at a path; what is sent empty counts as not sent.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.below(path)?.value.as_deref().filter(|value| !value.is_empty())
    }

    /// This parameter's own value.
    pub(crate) fn own(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// A value that must be there.
    pub(crate) fn required(&self, path: &str) -> Result<&str, Fault> {
        self.text(path).ok_or_else(|| Fault::missing_parameter(path))
    }

    /// A whole number.
    pub(crate) fn number(&self, path: &str) -> Result<Option<i64>, Fault> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Fault::invalid_value(format!("Value ({text}) for parameter {path} is invalid."))
            })
        };
        self.text(path).map(parse).transpose()
    }

    /// All parameters below this one that have a value, each by its path.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (name, below) in &self.below {
            pairs.extend(below.value.iter().map(|value| (name.clone(), value.clone())));
            let longer = |(path, value)| (format!("{name}.{path}"), value);
            pairs.extend(below.pairs().into_iter().map(longer));
        }
        pairs
    }

    /// What is right below this parameter.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.below.iter().map(|(name, below)| (name.as_str(), below))
    }

    /// The same with what others say of it instead: each of their parameters takes the place of
    /// the whole one that has its name.
    pub(crate) fn overridden_by(&self, others: &Self) -> Self {
        let mut both = self.clone();
        both.below.extend(others.below.clone());
        both
    }

    /// The same without one parameter and what is below it.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.below.remove(name);
        rest
    }

    /// Whether something is wanted; `None` when that is not said.
    pub(crate) fn flag(&self, path: &str) -> Result<Option<bool>, Fault> {
        match self.text(path) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(other) => Err(Fault::invalid_value(format!(
                "Invalid value '{other}' for {path}. It must be true or false"
            ))),
        }
    }

    /// The members of a list, in the order of their numbers.
    pub(crate) fn list(&self, path: &str) -> Vec<&Self> {
        self.below(path).map(Self::members).unwrap_or_default()
    }

    fn members(&self) -> Vec<&Self> {
        let numbered = |(name, member)| Some((str::parse::<u32>(name).ok()?, member));
        let mut members: Vec<(u32, &Self)> = self.children().filter_map(numbered).collect();
        members.sort_by_key(|(number, _)| *number);
        members.into_iter().map(|(_, member)| member).collect()
    }

    /// The members of a list, if what is below has numbers and nothing else.
    pub(crate) fn list_of_all(&self) -> Option<Vec<&Self>> {
        let numbered = self.below.keys().all(|name| name.parse::<u32>().is_ok());
        (numbered && !self.below.is_empty()).then(|| self.members())
    }

    /// The values of a list.
    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        self.list(path).into_iter().map(Self::own).collect()
    }
}

/// Writes the tree: the same text for the same parameters, in whatever order they were sent.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{{", self.value)?;
        for (name, below) in &self.below {
            write!(f, "{name:?}:{below}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(text: &str) -> Params {
        Params::of(crate::query::parse(text))
    }

    #[test]
    fn dots_make_a_tree_and_numbers_a_list() {
        let params = params(
            "Action=X&Filter.10.Name=b&Filter.2.Name=a&Filter.2.Value.1=x&Filter.2.Value.2=y+z\
             &Placement.AvailabilityZone=nova&Empty=",
        );
        let names: Vec<_> =
            params.list("Filter").iter().map(|filter| filter.text("Name")).collect();
        assert_eq!(names, [Some("a"), Some("b")], "in the order of the numbers");
        assert_eq!(params.list("Filter")[0].texts("Value"), ["x", "y z"]);
        assert_eq!(params.text("Placement.AvailabilityZone"), Some("nova"));
        assert_eq!(params.text("Placement"), None);
        assert_eq!(params.text("Empty"), None);
        assert!(params.required("Empty").is_err() && params.list("Nothing").is_empty());
    }

    #[test]
    fn values_must_be_of_their_kind() {
        let params = params("N=12&M=x&T=true&F=0");
        assert_eq!(params.number("N").ok(), Some(Some(12)));
        assert!(params.number("M").is_err() && params.flag("M").is_err());
        assert_eq!(
            (params.flag("T").ok(), params.flag("F").ok()),
            (Some(Some(true)), Some(Some(false)))
        );
        assert_eq!(params.flag("None").ok(), Some(None));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read(text in "[A-Za-z0-9.=&%+]{0,200}") {
            let params = params(&text);
            let _ = (params.list("A"), params.text("A.1.B"));
        }
    }
}
