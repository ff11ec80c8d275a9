//! `nutshell status`: what runs, and where.

use serde::Serialize;

use super::cps::CpsError;
use super::cps::connection::connect;
use super::runtime::block_on;
use crate::args::{ConnectionOptions, StateOption};
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;
use crate::stack::{self, Holder, Running, StateDirectory};

/// What there is to say.
#[derive(Debug, Serialize)]
struct Status {
    state: std::path::PathBuf,
    running: bool,
    pid: Option<i32>,
    #[serde(flatten)]
    ready: Option<Running>,
    /// What the director says, when it answers.
    contents: Option<Contents>,
}

/// What the first user has.
#[derive(Debug, Serialize)]
struct Contents {
    applications: usize,
    services: usize,
    vms: usize,
    credits: i64,
}

/// Prints the status; fails when nothing runs, for scripts.
pub(crate) fn status(options: &StateOption, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.as_deref())?;
    let holder = stack::holder(&state)?;
    let mut status = Status {
        state: state.path().to_owned(),
        running: holder != Holder::Nobody,
        pid: None,
        ready: None,
        contents: None,
    };
    if let Holder::Process(pid) = holder {
        status.pid = Some(pid.as_raw_nonzero().get());
        status.ready = Running::load(&state, pid);
    }
    let mut problem = None;
    if status.ready.is_some() {
        match block_on(contents(&state))? {
            Ok(contents) => status.contents = Some(contents),
            Err(error) => problem = Some(error),
        }
    }
    printer.answer(&status, describe);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    Ok(if status.running { Exit::Success } else { Exit::Failure })
}

async fn contents(state: &StateDirectory) -> Result<Contents, CpsError> {
    let options =
        ConnectionOptions { state: Some(state.path().to_owned()), ..ConnectionOptions::default() };
    let client = connect(&options).await?;
    let (user, applications, services, nodes) = tokio::try_join!(
        client.user_view(),
        client.application_list(),
        client.service_list(),
        client.node_list(),
    )?;
    Ok(Contents {
        applications: applications.len(),
        services: services.len(),
        vms: nodes.nodes.len(),
        credits: user.credits,
    })
}

fn describe(status: &Status) -> String {
    let place = status.state.display();
    if !status.running {
        return format!("Nothing runs in {place}.");
    }
    let process = status.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    let Some(ready) = &status.ready else {
        return format!("Nutshell is starting in {place}{process}.");
    };
    let mut text = format!("Nutshell runs in {place}{process}.\n\n{}", ready.summary());
    if let Some(contents) = &status.contents {
        let Contents { applications, services, vms, credits } = contents;
        text.push_str(&format!(
            "\n  {:14}{applications} applications, {services} services, {vms} VMs, {credits} credits",
            "In it"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status { state: "/state".into(), running: false, pid: None, ready: None, contents: None }
    }

    #[test]
    fn nothing_starting_and_running_are_told_apart() {
        assert_eq!(describe(&status()), "Nothing runs in /state.");
        let starting = Status { running: true, pid: Some(7), ..status() };
        assert_eq!(describe(&starting), "Nutshell is starting in /state, process 7.");
        let running = Status {
            ready: Some(Running::example()),
            contents: Some(Contents { applications: 1, services: 2, vms: 3, credits: 47 }),
            ..starting
        };
        let text = describe(&running);
        assert!(text.starts_with("Nutshell runs in /state, process 7.\n"), "{text}");
        assert!(text.contains("https://127.56.0.1:5555"), "{text}");
        assert!(text.ends_with("1 applications, 2 services, 3 VMs, 47 credits"), "{text}");
    }

    #[test]
    fn programs_read_one_flat_object() {
        let running = Status { running: true, ready: Some(Running::example()), ..status() };
        let value = serde_json::to_value(&running).unwrap();
        assert_eq!(value["running"], true);
        assert_eq!(value["director_url"], "https://127.56.0.1:5555");
    }
}
