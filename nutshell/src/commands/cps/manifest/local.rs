//! Files that a manifest names by path: they go to the director within it.

use std::path::Path;

use protocol::api::InlineFile;
use protocol::api::manifest::inline_files;
use serde_json::Value;

use crate::commands::cps::CpsError;

/// Whether a manifest is meant that is in a file, and none that the director has by that name.
pub(super) fn is_file(manifest: &str) -> bool {
    manifest == "-"
        || manifest.contains('/')
        || manifest.ends_with(".json")
        || Path::new(manifest).is_file()
}

/// Puts the files that the manifest names by path, seen from that directory, into it.
pub(super) fn inline(manifest: &mut Value, directory: &Path) -> Result<(), CpsError> {
    inline_files(manifest, |path| file(&directory.join(path)).map(Some))
}

fn file(path: &Path) -> Result<InlineFile, CpsError> {
    if path.is_dir() {
        return Err(CpsError::Directory { path: path.to_owned() });
    }
    let content = std::fs::read(path).map_err(CpsError::file("read", path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(InlineFile { name, content })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_become_files_and_urls_stay() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("code.zip"), "zip").unwrap();
        let absolute = format!("file://{}", directory.path().join("code.zip").display());
        let mut manifest = json!({ "Services": [
            { "Archive": "code.zip" },
            { "Archive": "./code.zip", "StartupScript": absolute },
            { "Archive": "https://example.org/code.zip" },
            { "Archive": 3 },
            "nonsense",
        ] });
        inline(&mut manifest, directory.path()).unwrap();
        let url = InlineFile { name: "code.zip".to_owned(), content: b"zip".to_vec() }.to_url();
        assert_eq!(
            manifest,
            json!({ "Services": [
                { "Archive": url },
                { "Archive": url, "StartupScript": url },
                { "Archive": "https://example.org/code.zip" },
                { "Archive": 3 },
                "nonsense",
            ] })
        );
        let mut missing = json!({ "Services": [{ "Archive": "other.zip" }] });
        let error = inline(&mut missing, directory.path()).unwrap_err();
        assert!(error.to_string().ends_with("other.zip"), "{error}");
        let mut folder = json!({ "Services": [{ "Archive": "." }] });
        let error = inline(&mut folder, directory.path()).unwrap_err();
        assert!(matches!(error, CpsError::Directory { .. }));
    }

    #[test]
    fn what_looks_like_a_file_is_one() {
        for file in ["-", "shop.json", "./shop", "/tmp/shop"] {
            assert!(is_file(file), "{file}");
        }
        assert!(!is_file("generic"));
    }
}
