//! Applications that the user has made from manifests.

use integration::archive;
use protocol::ClientError;
use protocol::api::OperationState;
use protocol::api::manifest::{Deployment, InlineFile};
use protocol::client::DirectorClient;
use serde_json::json;
use tokio::time::timeout;

use super::{KnownApplication, KnownService, PATIENCE, User, told};
use crate::oracle::{Outcome, Told};

impl User {
    pub(super) async fn deploy(
        &mut self,
        client: &DirectorClient,
        nodes: u32,
        patient: bool,
    ) -> Told {
        let content = archive::tar_gz(&[("run.sh", "#!/bin/sh\necho it runs\n")]);
        let archive = InlineFile { name: "code.tar.gz".to_owned(), content }.to_url();
        let manifest = json!({"Services": [{
            "Type": "generic",
            "Start": 1,
            "StartupInstances": {"master": 1, "node": nodes},
            "Archive": archive,
        }]});
        let answer = client.manifest_deploy(&manifest, None).await;
        match &answer {
            Ok(deployment) => {
                self.deployments.insert(deployment.id, nodes + 1);
                if patient {
                    let _ = timeout(PATIENCE, over(client, deployment.clone())).await;
                    let _ = self.learn(client).await;
                }
            }
            Err(_) if told(&answer) == Told::Nothing => self.maybe_services += 1,
            Err(_) => {}
        }
        told(&answer)
    }

    /// Looks at what became of deployments; says which are not over.
    pub(crate) async fn learn(
        &mut self,
        client: &DirectorClient,
    ) -> Result<Vec<String>, ClientError> {
        let mut under_way = Vec::new();
        for (id, nodes) in self.deployments.clone() {
            let deployment = client.deployment_view(id).await?;
            match deployment.state {
                OperationState::Done => self.adopt(client, &deployment, nodes).await?,
                // Nothing is left of it: whatever is would be nobody's.
                OperationState::Failed => {}
                OperationState::Running | OperationState::Unwinding => {
                    under_way.push(format!("deployment {id} is {:?}", deployment.state));
                    continue;
                }
            }
            self.deployments.remove(&id);
        }
        Ok(under_way)
    }

    async fn adopt(
        &mut self,
        client: &DirectorClient,
        deployment: &Deployment,
        nodes: u32,
    ) -> Result<(), ClientError> {
        let application = client.application_view(deployment.application).await?;
        for service in client.service_list().await? {
            // The user may have made more in it meanwhile.
            if service.application == application.id {
                let known = KnownService::new(&service, Outcome::Running(nodes));
                self.services.entry(service.id).or_insert(known);
            }
        }
        let known = KnownApplication::new(&application);
        self.applications.entry(application.id).or_insert(known);
        Ok(())
    }
}

async fn over(client: &DirectorClient, mut deployment: Deployment) -> Result<(), ClientError> {
    while !deployment.is_over() {
        deployment = client.deployment_changed(deployment.id, deployment.revision).await?;
    }
    Ok(())
}
