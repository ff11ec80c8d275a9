//! Manifests that come with the director, for `cps manifest deploy NAME`.

use protocol::api::ReadyManifest;

/// Their names and texts.
const TEXTS: [(&str, &str); 2] =
    [("generic", include_str!("generic.json")), ("helloworld", include_str!("helloworld.json"))];

/// All of them.
pub(crate) fn ready_manifests() -> Vec<ReadyManifest> {
    let ready = |(name, text): (&str, &str)| {
        let manifest: serde_json::Value = serde_json::from_str(text).expect("a test reads them");
        let description = manifest["Description"].as_str().unwrap_or_default().to_owned();
        ReadyManifest { name: name.to_owned(), description, manifest }
    };
    TEXTS.into_iter().map(ready).collect()
}

#[cfg(test)]
mod tests {
    use super::super::read::{Known, read};
    use super::*;

    #[test]
    fn all_are_valid_and_say_what_they_are() {
        for ready in ready_manifests() {
            let text = ready.manifest.to_string();
            let plan = read(text.as_bytes(), &Known { clouds: &[], most_nodes: 500 });
            assert!(plan.is_ok_and(|plan| plan.services.iter().any(|one| one.start)));
            assert!(!ready.description.is_empty(), "{}", ready.name);
        }
    }
}
