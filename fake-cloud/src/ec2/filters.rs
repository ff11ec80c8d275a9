//! What a list is narrowed down by: `Filter.1.Name=tag:role&Filter.1.Value.1=web*`.

use std::collections::BTreeMap;

use super::errors::Fault;
use super::params::Params;

/// All filters of a request: each must let a thing pass, by any one of its values.
#[derive(Debug, Default)]
pub(crate) struct Filters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filters {
    /// Reads the filters of a request whose operation has filters of these names; filters by tags
    /// are everywhere.
    pub(crate) fn read(params: &Params, known: &[&str]) -> Result<Self, Fault> {
        let read = |filter: &Params| {
            let name = filter.required("Name")?;
            let by_tag = name.starts_with("tag:") || matches!(name, "tag-key" | "tag-value");
            if !by_tag && !known.contains(&name) {
                return Err(Fault::invalid_value(format!("The filter '{name}' is invalid")));
            }
            let values = filter.texts("Value").into_iter().map(str::to_owned).collect();
            Ok(Filter { name: name.to_owned(), values })
        };
        params.list("Filter").into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a thing with these tags passes; `values` gives what it has for a filter's name.
    pub(crate) fn pass(
        &self,
        tags: &BTreeMap<String, String>,
        values: impl Fn(&str) -> Vec<String>,
    ) -> bool {
        self.0.iter().all(|filter| match filter.name.as_str() {
            "tag-key" => tags.keys().any(|key| filter.wants(key)),
            "tag-value" => tags.values().any(|value| filter.wants(value)),
            name => match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).is_some_and(|value| filter.wants(value)),
                None => values(name).iter().any(|value| filter.wants(value)),
            },
        })
    }

    /// Whether there is none: everything passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Filter {
    fn wants(&self, value: &str) -> bool {
        self.values.iter().any(|pattern| matches(pattern.as_bytes(), value.as_bytes()))
    }
}

/// Whether a text has the form of a pattern: `*` is anything, `?` one character, and a backslash
/// takes their meaning away. Takes time in proportion to both lengths at most.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    // Where to go on when the last star must swallow one character more.
    let mut retry: Option<(usize, usize)> = None;
    while here < text.len() {
        let step = match pattern.get(at..).unwrap_or_default() {
            [b'*', ..] => {
                retry = Some((at + 1, here));
                at += 1;
                continue;
            }
            [b'?', ..] => Some(1),
            [b'\\', literal, ..] if *literal == text[here] => Some(2),
            [literal, ..] if *literal != b'\\' && *literal == text[here] => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(step), _) => (at, here) = (at + step, here + 1),
            (None, Some((after_star, from))) => {
                retry = Some((after_star, from + 1));
                (at, here) = (after_star, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(query: &str, known: &[&str]) -> Result<Filters, Fault> {
        Filters::read(&Params::of(crate::query::parse(query)), known)
    }

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("web", "web", true),
            ("web", "web1", false),
            ("web*", "web1", true),
            ("*b*1", "web1", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_filter_must_pass_by_any_value() {
        let tags = BTreeMap::from([("role".to_owned(), "web".to_owned())]);
        let pass = |query: &str| {
            let values = |_: &str| vec!["running".to_owned()];
            filters(query, &["state"]).unwrap().pass(&tags, values)
        };
        assert!(pass(""));
        assert!(pass("Filter.1.Name=state&Filter.1.Value.1=stopped&Filter.1.Value.2=run*"));
        assert!(pass("Filter.1.Name=tag:role&Filter.1.Value.1=web"));
        assert!(pass("Filter.1.Name=tag-key&Filter.1.Value.1=role"));
        assert!(!pass("Filter.1.Name=tag:other&Filter.1.Value.1=*"));
        assert!(!pass(
            "Filter.1.Name=state&Filter.1.Value.1=running&Filter.2.Name=tag:role&Filter.2.Value.1=db"
        ));
    }

    #[test]
    fn an_unknown_filter_is_refused() {
        let fault = filters("Filter.1.Name=colour&Filter.1.Value.1=x", &["state"]).unwrap_err();
        assert_eq!(fault.code, "InvalidParameterValue");
    }
}
