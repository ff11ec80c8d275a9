//! The clouds, and whether they can be used.

use std::sync::Arc;
use std::time::Duration;

use cloud::CloudError;
use protocol::ApiError;
use protocol::api::{Cloud, CloudState, InstanceType};

use super::{App, Error};

/// How long a cloud may take to say what it offers.
const PATIENCE: Duration = Duration::from_secs(10);

impl App {
    /// What every cloud offers, asked now and all at once; the default one first.
    pub(crate) async fn cloud_details(&self) -> Vec<Cloud> {
        let asked = self.clouds.iter().enumerate().map(async |(index, (name, driver))| {
            let (state, reason, instance_types) = match offer(name, driver).await {
                Ok(types) => (CloudState::Ready, None, types),
                Err(error) => (CloudState::Failing, Some(ApiError::from(error).message), vec![]),
            };
            let (name, kind) = (name.clone(), driver.kind().to_owned());
            Cloud { name, kind, default: index == 0, state, reason, instance_types }
        });
        futures::future::join_all(asked).await
    }
}

async fn offer(name: &str, driver: &Arc<dyn cloud::Cloud>) -> Result<Vec<InstanceType>, Error> {
    let failed = |source| Error::Cloud { cloud: name.to_owned(), source };
    let what = "its instance types".to_owned();
    let late = |_| failed(CloudError::Timeout { what, waited: PATIENCE });
    let answer = tokio::time::timeout(PATIENCE, driver.instance_types()).await.map_err(late)?;
    let types = answer.map_err(failed)?.into_iter().map(|kind| InstanceType {
        name: kind.name,
        vcpus: kind.vcpus,
        memory_mib: kind.memory_mib,
        disk_gib: kind.disk_gib,
        price_per_hour: kind.price_per_hour,
    });
    Ok(types.collect())
}
