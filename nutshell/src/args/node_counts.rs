//! How many nodes of which role: `2`, or `backend=2 web=1`.

use std::str::FromStr;

use protocol::api::NodeCounts;

/// The word by which the API knows a service's default role.
const DEFAULT_ROLE: &str = "count";

/// One of the words that say how many nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeCountWord {
    role: String,
    count: u32,
}

/// The word says no number of nodes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of nodes above 0, or ROLE=NUMBER")]
pub(crate) struct InvalidNodeCount;

impl FromStr for NodeCountWord {
    type Err = InvalidNodeCount;

    fn from_str(text: &str) -> Result<Self, InvalidNodeCount> {
        let (role, count) = text.split_once('=').unwrap_or((DEFAULT_ROLE, text));
        match count.parse() {
            Ok(count) if count > 0 && !role.is_empty() => Ok(Self { role: role.to_owned(), count }),
            _ => Err(InvalidNodeCount),
        }
    }
}

/// All words together; without any, one node of the default role. What is too large stays so, for
/// the director to refuse.
#[must_use]
pub(crate) fn node_counts(words: &[NodeCountWord], count: Option<u32>) -> NodeCounts {
    let mut counts = NodeCounts::new();
    let words = words.iter().map(|word| (word.role.as_str(), word.count));
    for (role, count) in words.chain(count.map(|count| (DEFAULT_ROLE, count))) {
        let sum: &mut u32 = counts.entry(role.to_owned()).or_default();
        *sum = sum.saturating_add(count);
    }
    if counts.is_empty() {
        counts.insert(DEFAULT_ROLE.to_owned(), 1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(words: &[&str], count: Option<u32>) -> Vec<(String, u32)> {
        let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        node_counts(&words, count).into_iter().collect()
    }

    #[test]
    fn a_number_means_the_default_role_and_nothing_means_one() {
        assert_eq!(counts(&["2"], None), [("count".to_owned(), 2)]);
        assert_eq!(counts(&[], None), [("count".to_owned(), 1)]);
        assert_eq!(counts(&[], Some(3)), [("count".to_owned(), 3)]);
        assert_eq!(
            counts(&["backend=2", "web=1", "web=1"], None),
            [("backend".to_owned(), 2), ("web".to_owned(), 2)]
        );
    }

    #[test]
    fn the_largest_number_stays_the_largest() {
        assert_eq!(counts(&["4294967295", "1"], Some(2)), [("count".to_owned(), u32::MAX)]);
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["0", "-1", "x", "=2", "web=", "web=0", "1.5", ""] {
            assert_eq!(bad.parse::<NodeCountWord>(), Err(InvalidNodeCount), "{bad}");
        }
    }
}
