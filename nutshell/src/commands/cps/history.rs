//! What a service went through.

use protocol::api::StateChange;
use time::macros::format_description;

use super::{Caller, CpsError};
use crate::args::ServiceRef;
use crate::diagnostics::Exit;

/// Prints the states that a service came into, oldest first.
pub(crate) async fn get_history(
    caller: &Caller<'_>,
    service: &ServiceRef,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let history = caller.client.service_history(id).await?;
    caller.printer.lines(&history.state_log, "No history.", line);
    Ok(Exit::Success)
}

/// `2026-11-21 20:15:03 ERROR run.sh failed`
fn line(change: &StateChange) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = change.time.format(format).unwrap_or_default();
    let reason = change.reason.as_deref().unwrap_or_default();
    format!("{time} {} {reason}", change.state).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use protocol::api::State;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_change_is_a_line_as_the_original_prints_it() {
        let mut change =
            StateChange { time: OffsetDateTime::UNIX_EPOCH, state: State::Init, reason: None };
        assert_eq!(line(&change), "1970-01-01 00:00:00 INIT");
        change.state = State::Error;
        change.reason = Some("run.sh failed".to_owned());
        assert_eq!(line(&change), "1970-01-01 00:00:00 ERROR run.sh failed");
    }
}
