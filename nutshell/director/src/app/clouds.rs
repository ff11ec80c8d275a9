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
        let asked = self.clouds.iter().map(|(name, driver)| self.describe(name, driver));
        futures::future::join_all(asked).await
    }

    /// What one cloud offers, asked now.
    pub(crate) async fn cloud_view(&self, name: &str) -> Result<Cloud, Error> {
        let name = self.cloud_name(Some(name))?;
        Ok(self.describe(&name, self.cloud(&name)?).await)
    }

    /// How much memory VMs of this kind have. They can be made without knowing.
    pub(crate) async fn memory_mib(&self, cloud: &str, instance_type: &str) -> Option<u64> {
        let asked = self.cloud(cloud).ok()?.memory_mib(instance_type);
        match patiently(cloud, "the memory of an instance type", asked).await {
            Ok(memory_mib) => Some(memory_mib),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(cloud, error, "the memory of new VMs is not known");
                None
            }
        }
    }

    async fn describe(&self, name: &str, driver: &Arc<dyn cloud::Cloud>) -> Cloud {
        let (state, reason, instance_types) = match offer(name, driver).await {
            Ok(types) => (CloudState::Ready, None, types),
            Err(error) => (CloudState::Failing, Some(ApiError::from(error).message), vec![]),
        };
        let default = self.clouds.first().is_some_and(|(first, _)| first == name);
        let (name, kind) = (name.to_owned(), driver.kind().to_owned());
        Cloud { name, kind, default, state, reason, instance_types }
    }

    /// Whether this cloud has VMs of this kind.
    pub(crate) async fn check_instance_type(&self, cloud: &str, wanted: &str) -> Result<(), Error> {
        let offered = offer(cloud, self.cloud(cloud)?).await?;
        if offered.iter().any(|kind| kind.name == wanted) {
            return Ok(());
        }
        let mut known: Vec<&str> = offered.iter().map(|kind| kind.name.as_str()).collect();
        // Some clouds have hundreds.
        if known.len() > 12 {
            known.truncate(12);
            known.push("and others");
        }
        Err(Error::Invalid(format!(
            "the cloud `{cloud}` has no instance type `{wanted}`; it has {}",
            known.join(", ")
        )))
    }
}

async fn offer(name: &str, driver: &Arc<dyn cloud::Cloud>) -> Result<Vec<InstanceType>, Error> {
    let types = patiently(name, "its instance types", driver.instance_types()).await?;
    let types = types.into_iter().map(|kind| InstanceType {
        name: kind.name,
        vcpus: kind.vcpus,
        memory_mib: kind.memory_mib,
        disk_gib: kind.disk_gib,
        price_per_hour: kind.price_per_hour,
        autoscaling: kind.autoscaling,
    });
    Ok(types.collect())
}

/// The cloud's answer, if it comes in time.
async fn patiently<T>(
    cloud: &str,
    what: &str,
    answer: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, Error> {
    let late = |_| Err(CloudError::Timeout { what: what.to_owned(), waited: PATIENCE });
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(late);
    answer.map_err(|source| Error::Cloud { cloud: cloud.to_owned(), source })
}
