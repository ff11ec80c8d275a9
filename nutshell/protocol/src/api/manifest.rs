//! Manifests: a whole application in one JSON document, and what becomes of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::OperationState;
use crate::error::ApiError;
use crate::ids::{ApplicationId, OperationId};

/// The longest manifest, files in it included, in bytes.
pub const MANIFEST_LIMIT: u64 = 64 << 20;

/// An application as a document. The director reads it more strictly than the types say, and
/// tells all that is wrong with it at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Manifest {
    /// The application's name; where it is taken, a number is added to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// For readers; nothing is done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its services, which are made one after another.
    pub services: Vec<ManifestService>,
}

/// One service of a [`Manifest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ManifestService {
    /// Its type, one of the service types.
    pub r#type: String,
    /// Its name; `New <type> service` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Where its nodes are to run; the deployment's cloud when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// Whether it is started: 1, or 0 (and when absent) for a service that is made and no more.
    #[serde(default)]
    #[schemars(schema_with = "flag")]
    pub start: u8,
    /// How many nodes of each role it has once it runs; a role that is left out keeps the number
    /// that the type begins with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "counts")]
    pub startup_instances: BTreeMap<String, u32>,
    /// A script for new nodes: an `http:`, `https:` or `data:` URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_script: Option<String>,
    /// Its code: an `http:`, `https:` or `data:` URL of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// Settings that are not as by default, by their names; for types that have settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Volumes of its nodes, empty ones; for types that have volumes, and services that start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<ManifestVolume>,
    /// The role whose nodes run scripts first; only `*`, all of them at once, is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_role: Option<String>,
}

/// A volume of a [`ManifestService`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ManifestVolume {
    /// Its name, unique in the application: letters, digits, `-` and `_`.
    pub name: String,
    /// What must fit on it, in MiB; clouds round up, most to GiB.
    pub size: u64,
    /// The role of its node; the one that the service begins with when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Which node of that role, from 1, the oldest; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
}

/// A number, or a string of digits as old manifests have it.
fn counts(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 500 },
                { "type": "string", "pattern": "^[0-9]{1,3}$" },
            ],
        },
    })
}

fn flag(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "enum": [0, 1, "0", "1", true, false] })
}

/// A deployment of a manifest, under way or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deployment {
    /// Its id, that of the director's operation.
    pub id: OperationId,
    /// The application that it makes.
    pub application: ApplicationId,
    /// Where it stands. Once it has failed, the application is being removed.
    pub state: OperationState,
    /// What it does, in this order, as people read it.
    pub steps: Vec<String>,
    /// How many of the steps are done.
    pub done: usize,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
    /// Grows with every change of this object; see the `after` parameter of the view.
    pub revision: u64,
}

impl Deployment {
    /// Whether nothing of it is under way any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.state {
            OperationState::Done | OperationState::Failed => true,
            OperationState::Running | OperationState::Unwinding => false,
        }
    }
}

/// A manifest that comes with the director.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReadyManifest {
    /// The word for it.
    pub name: String,
    /// What it deploys, in a sentence.
    pub description: String,
    /// The manifest itself.
    pub manifest: Value,
    /// Whether an administrator registered it; the others come with the director.
    #[serde(default)]
    pub registered: bool,
}

/// The keys of a service whose values are files.
const FILES: [&str; 2] = ["Archive", "StartupScript"];

/// Puts the files that a manifest names by path into it, as `read` finds them. Anything else that
/// may be wrong with it is for the director to say.
///
/// # Errors
/// Those of `read`; a file that it does not find stays a path.
pub fn inline_files<E>(
    manifest: &mut Value,
    mut read: impl FnMut(&str) -> Result<Option<InlineFile>, E>,
) -> Result<(), E> {
    let services = manifest.get_mut("Services").and_then(Value::as_array_mut);
    for service in services.into_iter().flatten() {
        for key in FILES {
            if let Some(Value::String(text)) = service.get_mut(key)
                && let Some(path) = path(text)
                && let Some(file) = read(path)?
            {
                *text = file.to_url();
            }
        }
    }
    Ok(())
}

/// The path in a value, unless it is a URL of another kind.
fn path(text: &str) -> Option<&str> {
    match text.strip_prefix("file://") {
        Some(path) => Some(path),
        None if text.starts_with("data:") || text.contains("://") || text.is_empty() => None,
        None => Some(text),
    }
}

/// A file within a manifest: a `data:` URL with the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// Its name; never a path.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl InlineFile {
    /// The file as a URL.
    #[must_use]
    pub fn to_url(&self) -> String {
        let mut url = String::from("data:application/octet-stream;name=");
        for byte in self.name.bytes() {
            match byte {
                b'.' | b'-' | b'_' => url.push(byte.into()),
                _ if byte.is_ascii_alphanumeric() => url.push(byte.into()),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url.push_str(";base64,");
        STANDARD.encode_string(&self.content, &mut url);
        url
    }

    /// The file in a URL that begins with `data:`; `default` is the name of one that has none.
    ///
    /// # Errors
    /// What is wrong with the URL, as the rest of a sentence about it.
    pub fn from_url(url: &str, default: &str) -> Result<Self, &'static str> {
        let rest = url.strip_prefix("data:").ok_or("does not begin with `data:`")?;
        let (head, content) = rest.split_once(',').ok_or("has no `,` before its data")?;
        let head = head.strip_suffix(";base64").ok_or("is not in base64")?;
        let content = STANDARD.decode(content.trim_ascii()).map_err(|_| "is no valid base64")?;
        let name = match head.split(';').find_map(|parameter| parameter.strip_prefix("name=")) {
            Some(name) => percent_decoded(name).ok_or("has a name that cannot be read")?,
            None => default.to_owned(),
        };
        let plain = !matches!(name.as_str(), "" | "." | "..")
            && !name.contains('/')
            && !name.chars().any(char::is_control);
        if plain { Ok(Self { name, content }) } else { Err("has a name that is no file's") }
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_out_of_its_url_as_it_went_in() {
        for name in ["code.tar.gz", "a b;c,d%e.zip", "größe.sh"] {
            let file = InlineFile { name: name.to_owned(), content: vec![0, 1, 255, b'x'] };
            assert_eq!(InlineFile::from_url(&file.to_url(), "other"), Ok(file));
        }
        let unnamed = InlineFile::from_url("data:;base64,aGk=", "code").unwrap();
        assert_eq!((unnamed.name.as_str(), unnamed.content.as_slice()), ("code", &b"hi"[..]));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for bad in [
            "http://example.org/",
            "data:aGk=",
            "data:,hi",
            "data:;base64,a",
            "data:;name=..;base64,aGk=",
            "data:;name=a%2Fb;base64,aGk=",
            "data:;name=a%0Ab;base64,aGk=",
            "data:;name=%;base64,aGk=",
            "data:;name=%ff;base64,aGk=",
        ] {
            assert!(InlineFile::from_url(bad, "code").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_manifest_reads_as_in_the_guide() {
        let manifest = Manifest {
            application: Some("Sudoku".to_owned()),
            services: vec![ManifestService {
                r#type: "generic".to_owned(),
                start: 1,
                startup_instances: [("node".to_owned(), 2)].into(),
                ..ManifestService::default()
            }],
            ..Manifest::default()
        };
        assert_eq!(
            serde_json::to_value(&manifest).unwrap(),
            serde_json::json!({
                "Application": "Sudoku",
                "Services": [{ "Type": "generic", "Start": 1, "StartupInstances": { "node": 2 } }],
            })
        );
    }
}
