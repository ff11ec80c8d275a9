//! What answers and requests of any cloud have in common when something is wrong.

use std::collections::BTreeMap;

use crate::CloudError;

/// How much of an unknown answer is worth showing.
const EXCERPT_CHARACTERS: usize = 200;

/// The beginning of a text, short enough for one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// What is to be made must carry a tag.
pub(crate) fn check_tags(
    kind: &str,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    if tags.is_empty() {
        return Err(CloudError::Refused {
            operation: format!("create {kind} {name}"),
            message: "without a tag it could not be told from other people's".into(),
        });
    }
    Ok(())
}
