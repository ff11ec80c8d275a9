//! The shape of the workspace: which part may import which, and what the documents name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom; see `nutshell/docs/architecture.md`.
const ARROWS: [(&str, &[&str]); 11] = [
    ("appliance", &[]),
    ("protocol", &[]),
    ("cloud", &[]),
    ("fake-cloud", &[]),
    ("services", &["protocol"]),
    ("manager", &["protocol", "services"]),
    ("agent", &["protocol", "services"]),
    ("frontend", &["protocol"]),
    ("director", &["cloud", "frontend", "protocol", "services"]),
    ("nutshell", &["agent", "cloud", "director", "fake-cloud", "manager", "protocol"]),
    ("integration", &["fake-cloud", "nutshell", "protocol", "services"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn imports_go_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    assert_eq!(
        ours.iter().map(String::as_str).collect::<Vec<_>>(),
        allowed.keys().copied().collect::<Vec<_>>(),
        "a part is new or gone: draw its arrows here and in the architecture"
    );
    for package in packages {
        let from = name(package);
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            // What only tests use draws no arrow.
            if ours.contains(to) && dependency["kind"].is_null() {
                assert!(allowed[from.as_str()].contains(to), "{from} → {to} is not drawn");
            }
        }
    }
}

#[test]
fn the_platform_does_not_know_that_its_cloud_may_be_fake() {
    for part in ["director", "cloud", "manager", "agent", "services", "frontend"] {
        for file in files_below(&root().join("nutshell").join(part).join("src"), "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                assert!(
                    !code.contains("fake_cloud") && !code.contains("is_fake"),
                    "{}:{}: {line}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_hold_in_mind() {
    let long: Vec<_> = files_below(&root(), "rs")
        .into_iter()
        .map(|file| (std::fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > 500)
        .collect();
    assert!(long.is_empty(), "split these: {long:#?}");
}

#[test]
fn paths_that_documents_name_exist() {
    let mut missing = Vec::new();
    for document in files_below(&root(), "md") {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in named_paths(&text) {
            let near = document.parent().unwrap().join(&path);
            if !near.exists() && !root().join(&path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Relative link targets, and code spans that begin with a top-level folder of ours.
fn named_paths(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links
        .filter(|link| !link.contains("://") && !link.starts_with(['#', '/']))
        .map(|link| link.split('#').next().unwrap_or_default());
    let spans = text.split('`').skip(1).step_by(2).filter(|span| {
        ["nutshell/", "fake-cloud/", "integration/", "provisioning/", "packer/", "appliance/"]
            .iter()
            .any(|top| span.starts_with(top))
            && span.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    });
    links.chain(spans).map(str::to_owned).collect()
}

fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if entry.file_type().unwrap().is_dir() {
                if !hidden && entry.file_name() != "target" {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}
