//! `[oidc.<name>]`: an identity provider, as the settings of a director and of a stack name it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What the settings say about an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// Its issuer: an `https` URL, or an `http` one of this machine itself.
    pub issuer: String,
    /// The installation's id at the provider.
    pub client_id: String,
    /// The file with the installation's secret at the provider, where there is one.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What to ask for beside `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Whether whoever comes for the first time becomes a user.
    #[serde(default = "yes")]
    pub registration: bool,
}

fn usual_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).into()
}

fn yes() -> bool {
    true
}

impl IdentityProvider {
    /// As the director takes it, with the secret read.
    ///
    /// # Errors
    /// When the file with the secret cannot be read: the file, and why.
    pub fn settings(
        &self,
        name: &str,
    ) -> Result<director::IdentityProviderSettings, (&Path, std::io::Error)> {
        let secret = self
            .client_secret_file
            .as_deref()
            .map(|path| std::fs::read_to_string(path).map_err(|error| (path, error)));
        let secret = secret.transpose()?;
        Ok(director::IdentityProviderSettings {
            name: name.to_owned(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: secret.map(|secret| secret.trim().to_owned()),
            scopes: self.scopes.clone(),
            registration: self.registration,
        })
    }
}
