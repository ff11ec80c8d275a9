//! Keys for code by git: upload, list, delete.

use std::path::Path;

use protocol::ServiceId;
use protocol::api::code::{KeyName, Keys, KeysAdded};
use protocol::client::Upload;
use serde_json::{Value, json};

use super::{Caller, CpsError};
use crate::diagnostics::Exit;
use crate::printer::Printer;

/// Lets the holders of public keys push code.
pub(crate) async fn upload_key(
    caller: &Caller<'_>,
    service: ServiceId,
    path: &Path,
) -> Result<Exit, CpsError> {
    let text = tokio::fs::read(path).await.map_err(CpsError::file("read", path))?;
    let nothing = json!({});
    let added: KeysAdded =
        caller.client.service_upload(service, "upload_key", &nothing, Upload::from(text)).await?;
    let sentence = |added: &KeysAdded| format!("{} keys added to authorized_keys.", added.added);
    caller.printer.answer(&added, sentence);
    tell_repository(caller.printer, added.repository.as_deref());
    Ok(Exit::Success)
}

/// Lists the keys, one a line.
pub(crate) async fn list_keys(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let keys: Keys = caller.client.service_query(service, "list_keys", &json!({})).await?;
    caller.printer.lines(&keys.keys, "No keys.", |key| key.key.clone());
    tell_repository(caller.printer, keys.repository.as_deref());
    Ok(Exit::Success)
}

/// Lets nobody in with a key any more; it is named by its fingerprint or by itself.
pub(crate) async fn delete_key(
    caller: &Caller<'_>,
    service: ServiceId,
    key: &str,
) -> Result<Exit, CpsError> {
    let keys: Keys = caller.client.service_query(service, "list_keys", &json!({})).await?;
    let known = keys.keys.into_iter().find(|known| is_meant(&known.key, key));
    let fingerprint = known.map_or_else(|| key.to_owned(), |known| known.fingerprint);
    let name = KeyName { fingerprint };
    caller.client.service_command::<Value>(service, "delete_key", &name).await?;
    caller.printer.answer(&name, |name| format!("{} deleted", name.fingerprint));
    Ok(Exit::Success)
}

/// Whether a line is the key, or has that comment.
fn is_meant(line: &str, key: &str) -> bool {
    line == key || line.splitn(3, ' ').nth(2) == Some(key)
}

fn tell_repository(printer: &Printer, repository: Option<&str>) {
    if let Some(repository) = repository {
        printer.hint(format!("git clone {repository}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_itself_or_its_comment() {
        assert!(is_meant("ssh-ed25519 AAAA me@home", "me@home"));
        assert!(is_meant("ssh-ed25519 AAAA", "ssh-ed25519 AAAA"));
        assert!(!is_meant("ssh-ed25519 AAAA me@home", "AAAA"));
        assert!(!is_meant("ssh-ed25519 AAAA", ""));
    }
}
