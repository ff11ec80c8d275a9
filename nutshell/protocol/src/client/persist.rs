//! Calls that are repeated until they are answered: whoever is called may be on its way back.

use std::time::Duration;

use tokio::time::Instant;

use super::ClientError;
use crate::error::ErrorCode;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats a call while its error is one of these, or until the deadline is near.
///
/// # Errors
/// The first error that is none of these, or the last one before the deadline.
pub async fn persist<T, F: Future<Output = Result<T, ClientError>>>(
    deadline: Option<Instant>,
    again: fn(&ClientError) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, ClientError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Err(error) if again(&error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a call is repeated");
                if deadline.is_some_and(|deadline| Instant::now() + pause > deadline) {
                    return Err(error);
                }
            }
            answer => return answer,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the one who was called is not there now.
#[must_use]
pub fn is_absence(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken { .. } => true,
        ClientError::Api(refusal) => refusal.code == ErrorCode::Unavailable,
        ClientError::NotUnderstood { .. } => false,
    }
}

/// Whether it says nothing about what was asked: the one who was called has troubles of its own.
#[must_use]
pub fn is_passing(error: &ClientError) -> bool {
    is_absence(error) || error.api().is_some_and(|refusal| refusal.code.is_passing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    fn failure(code: ErrorCode) -> ClientError {
        ApiError::new(code, "no").into()
    }

    #[test]
    fn one_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
        use ErrorCode::{Internal, Timeout, TooManyRequests, Unavailable};
        for code in [Unavailable, Internal, Timeout, TooManyRequests] {
            assert!(is_passing(&failure(code)), "{code:?}");
            // Whatever may have made or paid for something is for the user to know.
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
        assert_eq!(answer.await.unwrap(), 7);
        let refused =
            persist(None, is_passing, || async { Err::<(), _>(failure(ErrorCode::NotFound)) });
        assert_eq!(refused.await.unwrap_err().api().unwrap().code, ErrorCode::NotFound);
    }
}
