//! Code that the user uploads, and pushes by git.

use integration::archive;
use protocol::api::code::{CodeUpload, CodeUploaded, CodeVersionName, KeyName, Keys};
use protocol::client::DirectorClient;
use protocol::{ClientError, ServiceId};
use serde_json::{Value, json};

use super::{User, told};
use crate::oracle::Told;
use crate::plan::Action;

const RUN: &str = "#!/bin/sh\necho it runs\n";

impl User {
    pub(super) async fn change_code(
        &mut self,
        client: &DirectorClient,
        action: Action,
        which: usize,
    ) -> Option<Told> {
        let id = self.service(which)?;
        let application = self.services[&id].application;
        match action {
            Action::Upload(_) => Some(self.upload(client, id).await),
            Action::UploadKey(_) => {
                let key = self.developer.public_key().await.ok()?;
                let added: Result<Value, _> =
                    client.service_upload(id, "upload_key", &[("", ""); 0], key.into()).await;
                self.applications.get_mut(&application)?.key.after(told(&added), |_| true);
                Some(told(&added))
            }
            Action::DeleteKey(_) => {
                let name = KeyName { fingerprint: self.developer.fingerprint().await.ok()? };
                let deleted: Result<Value, _> =
                    client.service_command(id, "delete_key", &name).await;
                self.applications.get_mut(&application)?.key.after(told(&deleted), |_| false);
                Some(told(&deleted))
            }
            _ => {
                let keys: Result<Keys, _> = client.service_query(id, "list_keys", &json!({})).await;
                let repository = keys.ok()?.repository?;
                let clone = format!("application-{application}");
                let pushed = self.developer.push(&clone, &repository, ("run.sh", RUN.as_bytes()));
                let Ok(version) = pushed.await else { return Some(Told::Nothing) };
                self.applications.get_mut(&application)?.pushed.insert(version);
                Some(Told::Accepted)
            }
        }
    }

    /// Uploads code and makes it active.
    async fn upload(&mut self, client: &DirectorClient, id: ServiceId) -> Told {
        let content = archive::tar_gz(&[("run.sh", RUN)]);
        let upload = CodeUpload {
            filename: "code.tar.gz".to_owned(),
            description: String::new(),
            strip: false,
        };
        let answer: Result<CodeUploaded, ClientError> =
            client.service_upload(id, "upload_code", &upload, content.into()).await;
        let CodeUploaded { code_version, .. } = match answer {
            Ok(uploaded) => uploaded,
            Err(error) => return told(&Err::<(), _>(error)),
        };
        if let Some(known) = self.services.get_mut(&id) {
            known.uploaded.insert(code_version.clone());
        }
        let name = CodeVersionName { code_version };
        told(&client.service_command::<Value>(id, "enable_code", &name).await)
    }
}
