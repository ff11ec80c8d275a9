//! How many nodes of which role: `2`, `backend=2 web=1`, or `2 1 0 amsterdam` as the original had it.

use std::str::FromStr;

use protocol::api::{NodeCounts, Role};

/// The word by which the API knows a service's default role.
const DEFAULT_ROLE: &str = "count";

/// One of the words that say how many nodes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeCountWord {
    /// `2`
    Count(u32),
    /// `backend=2`
    Of(String, u32),
    /// `amsterdam`
    Cloud(String),
}

/// The word says no number of nodes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of nodes, or ROLE=NUMBER")]
pub(crate) struct InvalidNodeCount;

impl FromStr for NodeCountWord {
    type Err = InvalidNodeCount;

    fn from_str(text: &str) -> Result<Self, InvalidNodeCount> {
        if let Some((role, count)) = text.split_once('=') {
            let count = count.parse().map_err(|_| InvalidNodeCount)?;
            return if role.is_empty() {
                Err(InvalidNodeCount)
            } else {
                Ok(Self::Of(role.to_owned(), count))
            };
        }
        match text.parse() {
            Ok(count) => Ok(Self::Count(count)),
            Err(_) if text.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                Ok(Self::Cloud(text.to_owned()))
            }
            Err(_) => Err(InvalidNodeCount),
        }
    }
}

/// Which nodes are meant, and in which cloud.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestedNodes {
    pub(crate) counts: NodeCounts,
    pub(crate) cloud: Option<String>,
}

/// Several numbers, and not one for each role.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one number of nodes, or one for each of {}", .0.join(", "))]
pub(crate) struct WrongNumberOfCounts(Vec<String>);

/// All words together. One number is of the default role, several are of the roles in their order;
/// without any, one node of the default role. What is too large stays so, for the director to refuse.
pub(crate) fn requested_nodes(
    words: &[NodeCountWord],
    count: Option<u32>,
    roles: &[Role],
) -> Result<RequestedNodes, WrongNumberOfCounts> {
    let mut requested = RequestedNodes::default();
    let numbers: Vec<u32> = words
        .iter()
        .filter_map(|word| match word {
            NodeCountWord::Count(count) => Some(*count),
            NodeCountWord::Of(..) | NodeCountWord::Cloud(_) => None,
        })
        .chain(count)
        .collect();
    let mut add = |role: &str, count: u32| {
        let sum: &mut u32 = requested.counts.entry(role.to_owned()).or_default();
        *sum = sum.saturating_add(count);
    };
    match &numbers[..] {
        [] => {}
        [only] => add(DEFAULT_ROLE, *only),
        several if several.len() == roles.len() => {
            roles.iter().zip(several).for_each(|(role, count)| add(&role.name, *count));
        }
        _ => {
            let names = roles.iter().map(|role| role.name.clone()).collect();
            return Err(WrongNumberOfCounts(names));
        }
    }
    for word in words {
        match word {
            NodeCountWord::Of(role, count) => add(role, *count),
            NodeCountWord::Cloud(cloud) => requested.cloud = Some(cloud.clone()),
            NodeCountWord::Count(_) => {}
        }
    }
    if requested.counts.is_empty() {
        requested.counts.insert(DEFAULT_ROLE.to_owned(), 1);
    }
    Ok(requested)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(words: &[&str], count: Option<u32>) -> Result<String, String> {
        let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        let roles =
            ["backend", "web", "proxy"].map(|name| Role { name: name.to_owned(), initial: 0 });
        let requested =
            requested_nodes(&words, count, &roles).map_err(|error| error.to_string())?;
        let counts = requested.counts.iter().map(|(role, count)| format!("{role}={count}"));
        Ok(counts.chain(requested.cloud.clone()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_number_means_the_default_role_and_nothing_means_one() {
        for (words, count, expected) in [
            (&["2"][..], None, "count=2"),
            (&[], None, "count=1"),
            (&[], Some(3), "count=3"),
            (&["backend=2", "web=1", "web=1"], None, "backend=2 web=2"),
            (&["backend=4294967295", "backend=2"], None, "backend=4294967295"),
            (&["1", "ams"], None, "count=1 ams"),
        ] {
            assert_eq!(requested(words, count).unwrap(), expected, "{words:?}");
        }
    }

    #[test]
    fn several_numbers_are_of_the_roles_in_their_order() {
        assert_eq!(requested(&["2", "0", "0"], None).unwrap(), "backend=2 proxy=0 web=0");
        assert_eq!(
            requested(&["1", "1", "0", "ams"], None).unwrap(),
            "backend=1 proxy=0 web=1 ams"
        );
        assert_eq!(
            requested(&["1", "1"], None).unwrap_err(),
            "expected one number of nodes, or one for each of backend, web, proxy"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["-1", "=2", "web=", "1.5", "", "4294967296"] {
            assert_eq!(bad.parse::<NodeCountWord>(), Err(InvalidNodeCount), "{bad}");
        }
    }
}
