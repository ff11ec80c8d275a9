//! SSH keys of those who may push code with git.

use axum::extract::Multipart;
use axum::response::Response;
use protocol::ServiceId;
use protocol::api::code::{AuthorizedKey, KeyName, KeysAdded};
use protocol::client::Upload;
use serde_json::{Value, json};

use super::service::answer;
use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::form::FilledForm;
use crate::session::Session;

/// The largest form with keys that is taken, in bytes.
pub(crate) const UPLOAD_LIMIT: usize = 1 << 20;

/// A key as the page lists it.
pub(super) struct KeyRow {
    /// What its holder called it, mostly `name@machine`.
    pub(super) comment: String,
    pub(super) fingerprint: String,
}

impl KeyRow {
    pub(super) fn new(key: AuthorizedKey) -> Self {
        let comment = key.key.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
        Self { comment, fingerprint: key.fingerprint }
    }
}

/// Adds keys, from a file or as they were pasted.
pub(crate) async fn upload(
    session: Session,
    Named(id): Named<ServiceId>,
    form: Multipart,
) -> Result<Response, Failure> {
    let form = FilledForm::read(form).await;
    let (keys, entered) = match &form {
        Ok(form) => (keys(form), form.fields.clone()),
        Err(_) => (None, Fields::new()),
    };
    let added = match (form, keys) {
        (Err(failure), _) => Err(failure),
        (Ok(_), None) => Err(Problem::invalid("Choose a file with public keys, or paste some.")
            .hint("A public key is a line such as the one in ~/.ssh/id_ed25519.pub.")
            .into()),
        (Ok(_), Some(keys)) => {
            let (nothing, keys) = (json!({}), Upload::from(keys));
            let sent =
                session.director.service_upload::<KeysAdded>(id, "upload_key", &nothing, keys);
            sent.await.map_err(Failure::from)
        }
    };
    answer(&session, id, added, entered).await
}

/// What was pasted and what is in the file, one after the other.
fn keys(form: &FilledForm) -> Option<Vec<u8>> {
    let pasted = filled(&form.fields, "keys").unwrap_or_default();
    let file = form.file("file").map(|file| &*file.content).unwrap_or_default();
    let keys = [pasted.as_bytes(), b"\n", file].concat();
    (!keys.trim_ascii().is_empty()).then_some(keys)
}

pub(crate) async fn delete(
    session: Session,
    Named(id): Named<ServiceId>,
    axum::Form(fields): axum::Form<Fields>,
) -> Result<Response, Failure> {
    let name = KeyName { fingerprint: filled(&fields, "fingerprint").unwrap_or_default() };
    let deleted = session.director.service_command::<Value>(id, "delete_key", &name).await;
    answer(&session, id, deleted.map_err(Failure::from), Fields::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::ChosenFile;

    #[test]
    fn a_key_is_shown_by_its_comment() {
        let row = |line: &str| {
            let key = AuthorizedKey { fingerprint: "SHA256:x".into(), key: line.into() };
            KeyRow::new(key).comment
        };
        assert_eq!(row("ssh-ed25519 AAAA me@home, the old one"), "me@home, the old one");
        assert_eq!(row("ssh-ed25519 AAAA"), "");
    }

    #[test]
    fn keys_are_pasted_or_in_a_file_or_both() {
        let mut form = FilledForm::default();
        assert_eq!(keys(&form), None);
        form.fields.insert("keys".into(), " ssh-ed25519 AAAA a \r\n".into());
        assert_eq!(keys(&form).unwrap(), b"ssh-ed25519 AAAA a\n");
        let content = "ssh-ed25519 BBBB b\n".into();
        form.files.push(ChosenFile { field: "file".into(), name: "b.pub".into(), content });
        assert_eq!(keys(&form).unwrap(), b"ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n");
    }
}
