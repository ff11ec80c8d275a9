//! Code versions of a service.

use serde::{Deserialize, Serialize};

use crate::ids::CodeVersionId;

/// One revision of a service's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeVersion {
    /// Its id.
    pub id: CodeVersionId,
    /// Name of the uploaded file; the commit for a pushed version.
    pub filename: String,
    /// What the user said of it.
    pub description: String,
    /// Whether it is the one at work.
    pub current: bool,
    /// When it came, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: time::OffsetDateTime,
}

/// Parameters of the method `upload_code`; the archive is the body.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeUpload {
    /// Name of the file; its ending says nothing, its content is looked at.
    pub filename: String,
    /// What to say of it.
    #[serde(default)]
    pub description: String,
    /// Whether to take off the one directory that all of it lies in, where that is not done anyway.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", deserialize_with = "flag")]
    pub strip: bool,
}

/// In a query everything is text.
fn flag<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Plain(bool),
        Text(String),
    }
    match Flag::deserialize(from)? {
        Flag::Plain(flag) => Ok(flag),
        Flag::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// Parameters of `enable_code`, `delete_code` and `download_code`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeVersionName {
    /// The version that is meant.
    pub code_version: CodeVersionId,
}

/// Result of `upload_code`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeUploaded {
    /// Id of the new version.
    pub code_version: CodeVersionId,
    /// What is probably not as its user meant it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Result of `upload_key`, whose body is public keys as `~/.ssh/*.pub` holds them, one a line.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysAdded {
    /// How many were not there before.
    pub added: usize,
    /// What `git clone` takes now.
    pub repository: Option<String>,
}

/// A public SSH key whose holder may clone and push code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuthorizedKey {
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The key in one line.
    pub key: String,
}

/// Result of `list_keys`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Keys {
    /// The keys, oldest first.
    pub keys: Vec<AuthorizedKey>,
    /// What `git clone` takes; there is none before the first key.
    pub repository: Option<String>,
}

/// Parameters of `delete_key`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyName {
    /// `SHA256:…`, one of `list_keys`.
    pub fingerprint: String,
}

/// Result of `list_code`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeVersions {
    /// The versions.
    pub code_versions: Vec<CodeVersion>,
}
