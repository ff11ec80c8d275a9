//! What is done to instances: several at once, all of them or none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;

use super::{Instance, InstanceState, TERMINATED, named};
use crate::cloud::Failure;
use crate::ec2::Kind;
use crate::ec2::errors::Fault;
use crate::ec2::operation::Call;
use crate::ec2::xml::{Millis, Xml};
use crate::model::ServerId;
use crate::model::life::{Refusal, Request};

pub(crate) async fn terminate(call: Call) -> Result<Xml, Fault> {
    change(call, Request::Delete, &["terminated", "shutting-down"]).await
}

pub(crate) async fn start(call: Call) -> Result<Xml, Fault> {
    change(call, Request::Start, &["running", "pending"]).await
}

pub(crate) async fn stop(call: Call) -> Result<Xml, Fault> {
    if call.params.flag("Hibernate")? == Some(true) {
        let message = "The instances are not configured for hibernation.";
        return Err(Fault::new("UnsupportedHibernationConfiguration", message));
    }
    change(call, Request::Stop, &["stopped", "stopping"]).await
}

pub(crate) async fn reboot(call: Call) -> Result<Xml, Fault> {
    let targets = targets(&call, Request::SoftReboot, &[])?;
    act(&call, Request::SoftReboot, &targets).await?;
    Ok(Xml::done())
}

pub(crate) async fn console_output(call: Call) -> Result<Xml, Fault> {
    let id = {
        let model = call.cloud.read();
        super::find(&call, &model, call.params.required("InstanceId")?)?.server.id
    };
    let output = call.cloud.backend.console(id.0, None).await.map_err(Failure::from)?;
    let mut xml = Xml::default();
    xml.text("instanceId", Kind::Instance.id(id));
    xml.text("timestamp", Millis(call.cloud.now()));
    xml.text("output", STANDARD.encode(output));
    Ok(xml)
}

/// An instance that a request is about, its state before, and whether it is there already.
struct Target {
    id: ServerId,
    before: InstanceState,
    done: bool,
}

/// Finds what a request is about, and refuses it when one of them cannot be changed so.
fn targets(call: &Call, request: Request, done: &[&str]) -> Result<Vec<Target>, Fault> {
    if call.params.list("InstanceId").is_empty() {
        return Err(Fault::missing_parameter("InstanceId"));
    }
    let model = call.cloud.read();
    let target = |instance: Instance<'_>| {
        let (server, before) = (instance.server, instance.state());
        let done = done.contains(&before.1);
        if !done {
            check_protection(&instance, request)?;
            let state = |obstacle| Refusal { server: server.id, request, obstacle };
            request
                .begin(server.state, server.task)
                .map_err(|obstacle| crate::model::Error::Refused(state(obstacle)))?;
            if before == TERMINATED {
                let message = format!("The instance '{}' is terminated.", instance.id());
                return Err(Fault::new("IncorrectInstanceState", message));
            }
        }
        Ok(Target { id: server.id, before, done })
    };
    named(call, &model)?.into_iter().map(target).collect()
}

/// Refuses what the owner has had forbidden.
fn check_protection(instance: &Instance<'_>, request: Request) -> Result<(), Fault> {
    let options = &instance.server.options;
    let (forbidden, done, attribute) = match request {
        Request::Delete => (options.termination_protected, "terminated", "disableApiTermination"),
        Request::Stop => (options.stop_protected, "stopped", "disableApiStop"),
        _ => return Ok(()),
    };
    if !forbidden {
        return Ok(());
    }
    let id = instance.id();
    Err(Fault::new(
        "OperationNotPermitted",
        format!(
            "The instance '{id}' may not be {done}. Modify its '{attribute}' instance attribute \
             and try again."
        ),
    ))
}

async fn act(call: &Call, request: Request, targets: &[Target]) -> Result<(), Fault> {
    let open = targets.iter().filter(|target| !target.done).map(|target| async {
        let id = target.id.to_string();
        call.cloud.act(&call.caller, &id, request, &call.request_id).await
    });
    try_join_all(open).await?;
    Ok(())
}

async fn change(call: Call, request: Request, done: &[&str]) -> Result<Xml, Fault> {
    let targets = targets(&call, request, done)?;
    act(&call, request, &targets).await?;
    let model = call.cloud.read();
    let mut xml = Xml::default();
    xml.list("instancesSet", targets, |xml, target| {
        let now = model.servers.get(target.id).map_or(TERMINATED, super::state);
        xml.text("instanceId", Kind::Instance.id(target.id));
        for (name, state) in [("currentState", now), ("previousState", target.before)] {
            xml.within(name, |xml| {
                xml.text("code", state.0);
                xml.text("name", state.1);
            });
        }
    });
    Ok(xml)
}
