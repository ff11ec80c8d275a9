//! What to do while an agent does not answer.

use std::future::Future;
use std::time::Duration;

use protocol::ClientError;
use tokio::time::Instant;

use crate::{ManagerContext, ServiceError};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Tries again while the agent cannot be reached: it may have been killed and be on its way back.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, ServiceError>>>(
    context: &ManagerContext,
    attempt: impl Fn() -> F,
) -> Result<T, ServiceError> {
    let deadline = Instant::now() + context.agents.patience();
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Err(ServiceError::Agent {
                source: ClientError::Unreachable { .. } | ClientError::Broken { .. },
                ..
            }) if Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}
