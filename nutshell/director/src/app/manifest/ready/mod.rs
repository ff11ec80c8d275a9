//! Manifests for everybody, by name: those that come with the director, and those that
//! administrators have registered.

use protocol::api::ReadyManifest;
use serde_json::Value;

use super::super::{App, Error, Result};
use super::{Known, most_nodes, plan};
use crate::db;

/// Names and texts of those that come with the director.
const TEXTS: [(&str, &str); 2] =
    [("generic", include_str!("generic.json")), ("helloworld", include_str!("helloworld.json"))];
/// The longest that may be registered, in bytes: everybody who lists them receives them all.
pub(crate) const REGISTER_LIMIT: u64 = 1 << 20;
/// The longest name.
const LONGEST_NAME: usize = 64;

/// Those that come with the director.
fn shipped() -> Vec<ReadyManifest> {
    let ready = |(name, text): (&str, &str)| {
        let manifest: Value = serde_json::from_str(text).expect("a test reads them");
        let description = description(&manifest);
        ReadyManifest { name: name.to_owned(), description, manifest, registered: false }
    };
    TEXTS.into_iter().map(ready).collect()
}

fn description(manifest: &Value) -> String {
    manifest["Description"].as_str().unwrap_or_default().to_owned()
}

impl App {
    pub(crate) async fn manifest_list(&self) -> Result<Vec<ReadyManifest>> {
        let mut all = shipped();
        all.extend(db::manifest::list(&mut *self.db.read().await?).await?);
        Ok(all)
    }

    /// Keeps a manifest for everybody; one that was registered under the name before is replaced.
    pub(crate) async fn manifest_register(&self, name: &str, text: &[u8]) -> Result<ReadyManifest> {
        check_name(name)?;
        if shipped().iter().any(|one| one.name == name) {
            return Err(Error::Invalid(format!(
                "the manifest {name} comes with the director; choose another name"
            )));
        }
        let clouds = self.cloud_list();
        plan(text, &Known { clouds: &clouds, most_nodes: most_nodes() })?;
        let manifest: Value = serde_json::from_slice(text).map_err(Error::NotUnderstood)?;
        let description = description(&manifest);
        let mut tx = self.db.write().await?;
        db::manifest::put(&mut tx, name, &description, &manifest.to_string()).await?;
        tx.commit().await?;
        Ok(ReadyManifest { name: name.to_owned(), description, manifest, registered: true })
    }

    pub(crate) async fn manifest_unregister(&self, name: &str) -> Result<()> {
        let mut tx = self.db.write().await?;
        if !db::manifest::delete(&mut tx, name).await? {
            return Err(Error::not_found("registered manifest", name));
        }
        Ok(tx.commit().await?)
    }
}

/// A name that stands in a path, and is taken for no file by `cps manifest deploy`.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(Error::Invalid(format!(
            "`{name}` is no name for a manifest: up to {LONGEST_NAME} letters, digits, - and _"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    #[test]
    fn all_are_valid_and_say_what_they_are() {
        for ready in shipped() {
            let text = ready.manifest.to_string();
            let plan = read(text.as_bytes(), &Known { clouds: &[], most_nodes: 500 });
            assert!(plan.is_ok_and(|plan| plan.services.iter().any(|one| one.start)));
            assert!(!ready.description.is_empty(), "{}", ready.name);
            assert!(check_name(&ready.name).is_ok());
        }
    }

    #[test]
    fn a_name_is_a_word() {
        for bad in ["", "a b", "shop.json", "../a", "-?", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
