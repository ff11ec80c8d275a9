//! `nutshell env`: what other people's clients need to know, as lines for a shell.

use std::collections::BTreeMap;

use crate::args::StateOption;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::{Format, Printer};
use crate::stack::{self, Holder, Installation, Secrets, StateDirectory};

/// The passwords are not for this user.
#[derive(Debug, thiserror::Error)]
#[error("the secrets of {} cannot be read by this user", .0.display())]
pub(crate) struct NoSecrets(std::path::PathBuf);

impl Advice for NoSecrets {}

/// Prints `export` lines, to be used as `eval "$(nutshell env)"`.
pub(crate) fn env(options: &StateOption, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.as_deref())?;
    let installation = Installation::load(&state)?;
    let secrets =
        installation.secrets.as_ref().ok_or_else(|| NoSecrets(state.path().to_owned()))?;
    let variables = variables(&state, &installation, secrets);
    match printer.format() {
        Format::Json => printer.json(&variables.into_iter().collect::<BTreeMap<_, _>>()),
        Format::Table => {
            for (name, value) in variables {
                printer.data(format!("export {name}={}", quoted(&value)));
            }
        }
    }
    if stack::holder(&state)? == Holder::Nobody {
        printer.warn("it does not run now: start it with `nutshell up`");
    }
    Ok(Exit::Success)
}

fn variables(
    state: &StateDirectory,
    installation: &Installation,
    secrets: &Secrets,
) -> Vec<(&'static str, String)> {
    vec![
        ("OS_AUTH_URL", installation.addresses.openstack_url()),
        ("OS_USERNAME", stack::CLOUD_USER.to_owned()),
        ("OS_PASSWORD", secrets.cloud_password.clone()),
        ("OS_PROJECT_NAME", stack::CLOUD_PROJECT.to_owned()),
        ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
        ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ("OS_IDENTITY_API_VERSION", "3".to_owned()),
        ("OS_REGION_NAME", stack::CLOUD_REGION.to_owned()),
        ("AWS_ENDPOINT_URL_EC2", installation.addresses.ec2_url()),
        ("AWS_ACCESS_KEY_ID", secrets.cloud_access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", secrets.cloud_secret_key.clone()),
        ("AWS_DEFAULT_REGION", stack::CLOUD_REGION.to_owned()),
        ("CPS_DIRECTOR_URL", installation.addresses.director_url()),
        ("CPS_CA_CERTIFICATE", state.ca_certificate().display().to_string()),
        ("CPS_USERNAME", installation.username.clone()),
        ("CPS_PASSWORD", secrets.password.clone()),
    ]
}

/// As a POSIX shell reads it back.
pub(super) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !value.is_empty() && value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_survive_the_shell() {
        assert_eq!(quoted("http://127.56.0.1:5000/v3"), "http://127.56.0.1:5000/v3");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
