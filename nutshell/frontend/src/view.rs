//! What templates show: the words, colours and choices that follow from the API's objects.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use protocol::api::generic::ScriptStatus;
use protocol::api::web::DaemonStatus;
use protocol::api::{NodeState, Service, ServiceType, State, User, VolumeState};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// What surrounds every page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) user: Option<User>,
}

impl Frame {
    pub(crate) fn of(user: User) -> Self {
        Self { user: Some(user) }
    }

    pub(crate) fn anonymous() -> Self {
        Self { user: None }
    }

    pub(crate) fn is_administrator(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.administrator)
    }
}

/// Renders a template as an answer.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to render a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A moment, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) ago: String,
    pub(crate) exactly: String,
}

impl Since {
    pub(crate) fn new(moment: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { ago: ago(now - moment), exactly: moment.format(&Rfc3339).unwrap_or_default() }
    }
}

fn ago(elapsed: Duration) -> String {
    let (count, unit) = match elapsed.whole_seconds() {
        ..10 => return "just now".to_owned(),
        seconds @ ..60 => (seconds, "second"),
        seconds @ ..3_600 => (seconds / 60, "minute"),
        seconds @ ..86_400 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", plural(count))
}

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `1 instance`, `2 instances`.
pub(crate) fn instances(count: &u32) -> String {
    format!("{count} instance{}", plural((*count).into()))
}

/// What may be done to a service now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actions {
    pub(crate) start: bool,
    pub(crate) stop: bool,
    pub(crate) terminate: bool,
    pub(crate) resize: bool,
}

impl Actions {
    pub(crate) fn of(state: State) -> Self {
        Self {
            start: matches!(state, State::Init | State::Stopped),
            stop: matches!(state, State::Running | State::Error),
            terminate: state.is_stable(),
            resize: state == State::Running,
        }
    }
}

/// The colour class of the light beside a state.
pub(crate) fn led(state: &State) -> &'static str {
    match state {
        State::Init => "led-init",
        State::Running => "led-on",
        State::Prologue | State::Adapting | State::Epilogue => "led-on led-busy",
        State::Stopped => "led-off",
        State::Error => "led-error",
    }
}

/// The colour class of the light beside a node.
pub(crate) fn node_led(state: &NodeState) -> &'static str {
    match state {
        NodeState::Ready => "led-on",
        NodeState::Starting | NodeState::Stopping => "led-on led-busy",
        NodeState::Lost => "led-error",
    }
}

/// The word for a node's state.
pub(crate) fn node_word(state: &NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Ready => "READY",
        NodeState::Stopping => "STOPPING",
        NodeState::Lost => "LOST",
    }
}

/// The colour class of the light beside a volume.
pub(crate) fn volume_led(state: &VolumeState) -> &'static str {
    match state {
        VolumeState::Attached => "led-on",
        VolumeState::Creating | VolumeState::Deleting => "led-on led-busy",
        VolumeState::Lost => "led-error",
    }
}

/// What is not as it should be with a program that a node keeps running.
pub(crate) fn daemon(daemon: &DaemonStatus) -> String {
    let DaemonStatus { name, running, restarts, last_exit } = daemon;
    let mut told = name.clone();
    if !running {
        told.push_str(" is not running");
    }
    if *restarts > 0 {
        told.push_str(&format!(", restarted {restarts} times"));
    }
    if let Some(status) = last_exit {
        told.push_str(&format!(", last after exit {status}"));
    }
    told
}

/// The word for a volume's state.
pub(crate) fn volume_word(state: &VolumeState) -> &'static str {
    match state {
        VolumeState::Creating => "CREATING",
        VolumeState::Attached => "ATTACHED",
        VolumeState::Deleting => "DELETING",
        VolumeState::Lost => "LOST",
    }
}

/// The colour class of a script's status.
pub(crate) fn script_led(status: &ScriptStatus) -> &'static str {
    match status {
        ScriptStatus::NeverStarted => "led-off",
        ScriptStatus::Running => "led-on led-busy",
        ScriptStatus::Stopped { return_code: 0 } => "led-on",
        ScriptStatus::Stopped { .. } => "led-error",
    }
}

/// The picture of a service type in `icons.svg`.
pub(crate) fn icon(service_type: &str) -> &'static str {
    match service_type {
        "php" | "java" => "web",
        "mysql" | "scalaris" => "database",
        "xtreemfs" => "disk",
        "generic" => "terminal",
        "helloworld" => "greeting",
        "hadoop" | "taskfarm" | "htc" | "flink" => "cluster",
        _ => "box",
    }
}

/// A service in a list.
#[derive(Debug)]
pub(crate) struct ServiceRow {
    pub(crate) service: Service,
    pub(crate) title: String,
    pub(crate) since: Since,
}

impl ServiceRow {
    pub(crate) fn new(service: Service, types: &[ServiceType], now: OffsetDateTime) -> Self {
        let kind = types.iter().find(|kind| kind.name == service.service_type);
        let title = kind.map_or(&service.service_type, |kind| &kind.title).clone();
        let since = Since::new(service.since, now);
        Self { service, title, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_say_them() {
        for (seconds, text) in [
            (-5, "just now"),
            (9, "just now"),
            (10, "10 seconds ago"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
        ] {
            assert_eq!(ago(Duration::seconds(seconds)), text);
        }
    }

    #[test]
    fn buttons_follow_the_state() {
        let offered = |state| {
            let actions = Actions::of(state);
            [actions.start, actions.stop, actions.terminate, actions.resize]
        };
        for (state, expected) in [
            (State::Init, [true, false, true, false]),
            (State::Prologue, [false; 4]),
            (State::Running, [false, true, true, true]),
            (State::Adapting, [false; 4]),
            (State::Epilogue, [false; 4]),
            (State::Stopped, [true, false, true, false]),
            (State::Error, [false, true, true, false]),
        ] {
            assert_eq!(offered(state), expected, "{state}");
        }
    }
}
