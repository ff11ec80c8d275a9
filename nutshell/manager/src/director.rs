//! What the manager asks of the director, also while that is away for a while.

use std::time::Duration;

use protocol::api::Node;
use protocol::api::internal::{NodesCreate, NodesDelete, ServiceReport, ServicesWanted};
use protocol::client::VmClient;
use protocol::{ApiError, ClientError, ErrorCode, NodeId, ServiceId};
use tokio::sync::watch;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long users wait for nodes that a director who is away cannot give.
const PATIENCE: Duration = Duration::from_secs(60);

/// The director, who may come and go.
#[derive(Debug, Clone)]
pub(crate) struct Director(VmClient);

impl Director {
    pub(crate) fn new(client: VmClient) -> Self {
        Self(client)
    }

    /// Says that the manager listens, until it is heard.
    pub(crate) async fn ready(&self) {
        let said = persist(None, is_passing, || self.0.ready()).await;
        if let Err(refusal) = said {
            tracing::error!(%refusal, "the director does not want this manager");
        }
    }

    /// The services the application should have.
    pub(crate) async fn services_wanted(&self) -> Result<ServicesWanted, ApiError> {
        persist(None, is_passing, || self.0.services_wanted()).await
    }

    /// The nodes that the director has for a service, asked once.
    pub(crate) async fn nodes(&self, service: ServiceId) -> Result<Vec<Node>, ApiError> {
        let mut nodes = self.0.nodes().await.map_err(refusal)?.nodes;
        nodes.retain(|node| node.service == Some(service));
        Ok(nodes)
    }

    /// Nodes for a service, all or none. `known` are those it has.
    pub(crate) async fn create_nodes(
        &self,
        create: &NodesCreate,
        known: &[NodeId],
    ) -> Result<Vec<Node>, ApiError> {
        let deadline = Instant::now() + PATIENCE;
        let mut first = true;
        let attempt = || {
            let again = !std::mem::take(&mut first);
            async move {
                // An answer that was lost may have been a yes.
                if again {
                    self.delete_strays(create.service, known).await?;
                }
                self.0.create_nodes(create).await
            }
        };
        Ok(persist(Some(deadline), is_absence, attempt).await?.nodes)
    }

    async fn delete_strays(&self, service: ServiceId, known: &[NodeId]) -> Result<(), ClientError> {
        let there = self.0.nodes().await?.nodes;
        let strays = there
            .iter()
            .filter(|node| node.service == Some(service) && !known.contains(&node.id))
            .map(|node| node.id)
            .collect();
        self.0.delete_nodes(&NodesDelete { nodes: strays }).await
    }

    /// Gives nodes back, however long the director is away.
    pub(crate) async fn delete_nodes(&self, nodes: Vec<NodeId>) -> Result<(), ApiError> {
        if nodes.is_empty() {
            return Ok(());
        }
        let delete = NodesDelete { nodes };
        persist(None, is_absence, || self.0.delete_nodes(&delete)).await
    }

    /// Gives back all nodes of a service.
    pub(crate) async fn delete_all_nodes(&self, service: ServiceId) -> Result<(), ApiError> {
        persist(None, is_absence, || self.delete_strays(service, &[])).await
    }

    /// Reports every state that lasts, the newest first of all, as long as the service is there.
    pub(crate) async fn report(self, id: ServiceId, mut reports: watch::Receiver<ServiceReport>) {
        loop {
            let newest = || {
                let report = reports.borrow_and_update().clone();
                let director = &self.0;
                async move { director.report_service(id, &report).await }
            };
            if let Err(refusal) = persist(None, is_passing, newest).await {
                tracing::warn!(service = %id, %refusal, "a report is not wanted");
            }
            if reports.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Repeats a call while its error is one of these, or until the deadline is near.
async fn persist<T, F: Future<Output = Result<T, ClientError>>>(
    deadline: Option<Instant>,
    again: fn(&ClientError) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, ApiError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if again(&error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the director is away");
                if deadline.is_some_and(|deadline| Instant::now() + pause > deadline) {
                    return Err(refusal(error));
                }
            }
            Err(error) => return Err(refusal(error)),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the director is not there now.
fn is_absence(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken { .. } => true,
        ClientError::Api(refusal) => refusal.code == ErrorCode::Unavailable,
        ClientError::NotUnderstood { .. } => false,
    }
}

/// Whether it says nothing about what was asked: the director has troubles of its own.
fn is_passing(error: &ClientError) -> bool {
    is_absence(error) || error.api().is_some_and(|refusal| refusal.code.is_passing())
}

fn refusal(error: ClientError) -> ApiError {
    match error {
        ClientError::Api(refusal) => refusal,
        other => {
            tracing::warn!(error = &other as &dyn std::error::Error, "the director failed");
            ApiError::new(ErrorCode::Unavailable, "the director does not answer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: ErrorCode) -> ClientError {
        ApiError::new(code, "no").into()
    }

    #[test]
    fn a_director_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
        use ErrorCode::{Internal, Timeout, TooManyRequests, Unavailable};
        for code in [Unavailable, Internal, Timeout, TooManyRequests] {
            assert!(is_passing(&failure(code)), "{code:?}");
            // Whatever may have made or paid for nodes is for the user to know.
            assert_eq!(is_absence(&failure(code)), code == Unavailable, "{code:?}");
        }
        use ErrorCode::{CloudFailed, Conflict, Forbidden, InsufficientCredits, NotFound};
        for code in [NotFound, Forbidden, Conflict, CloudFailed, InsufficientCredits] {
            assert!(!is_passing(&failure(code)) && !is_absence(&failure(code)), "{code:?}");
        }
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_it_is_answered() {
        let mut answers = vec![Ok(7), Err(failure(ErrorCode::Internal))];
        let answer = persist(None, is_passing, || std::future::ready(answers.pop().unwrap()));
        assert_eq!(answer.await, Ok(7));
        let refused =
            persist(None, is_passing, || async { Err::<(), _>(failure(ErrorCode::NotFound)) });
        assert_eq!(refused.await.unwrap_err().code, ErrorCode::NotFound);
    }
}
