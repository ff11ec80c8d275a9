//! What the steering API answers: [`super::Control`] in JSON.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::routes::{Call, Refusal};
use super::{ControlError, points};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    seconds: f64,
}

impl Seconds {
    fn duration(&self, unfit: &'static str) -> Result<Duration, ControlError> {
        Duration::try_from_secs_f64(self.seconds).map_err(|_| ControlError::Unfit(unfit))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    file: PathBuf,
}

pub(super) async fn overview(call: Call) -> Result<Value, Refusal> {
    Ok(json!(call.control.overview()))
}

pub(super) async fn clear(call: Call) -> Result<Value, Refusal> {
    call.control.clear().await;
    overview(call).await
}

pub(super) async fn points(_: Call) -> Result<Value, Refusal> {
    Ok(json!({"operations": points::operations(), "steps": points::steps()}))
}

pub(super) async fn inject(call: Call) -> Result<Value, Refusal> {
    Ok(json!(call.control.inject(call.json()?)?))
}

pub(super) async fn remove(call: Call) -> Result<Value, Refusal> {
    let name = call.param("fault");
    let missing = |_| ControlError::Missing { what: "fault", name: name.to_owned() };
    call.control.remove(name.parse().map_err(missing)?)?;
    Ok(json!({}))
}

pub(super) async fn transitions(call: Call) -> Result<Value, Refusal> {
    call.control.set_transitions(call.json()?)?;
    Ok(json!(call.control.overview().transitions))
}

pub(super) async fn latency(call: Call) -> Result<Value, Refusal> {
    let latency = call.json::<Seconds>()?.duration("a latency is a number of seconds")?;
    call.control.set_latency(latency);
    Ok(json!({"seconds": latency.as_secs_f64()}))
}

pub(super) async fn step(call: Call) -> Result<Value, Refusal> {
    Ok(json!({"stepped": call.control.step(&call.json()?)}))
}

pub(super) async fn advance(call: Call) -> Result<Value, Refusal> {
    let by = call.json::<Seconds>()?;
    let by = by.duration("a clock moves forward by a number of seconds")?;
    call.control.advance_clock(by);
    Ok(json!({"now": call.control.overview().now.to_string()}))
}

pub(super) async fn console(call: Call) -> Result<Body, Refusal> {
    let lines = call.query("lines").map(str::parse).transpose();
    let lines = lines.map_err(|_| ControlError::Unfit("lines is the number of lines"))?;
    let server = call.param("server");
    if call.query("follow").is_none() {
        return Ok(Body::from(call.control.console(server, lines).await?));
    }
    let pieces = call.control.follow_console(server, lines).await?;
    Ok(Body::from_stream(pieces.map(Ok::<_, Infallible>)))
}

pub(super) async fn usage(call: Call) -> Result<Value, Refusal> {
    Ok(json!(call.control.usage(call.param("server")).await?))
}

pub(super) async fn kill(call: Call) -> Result<Value, Refusal> {
    call.control.kill(call.param("server")).await?;
    Ok(json!({}))
}

pub(super) async fn cut_off(call: Call) -> Result<Value, Refusal> {
    call.control.cut_off(call.param("server")).await?;
    Ok(json!({}))
}

pub(super) async fn rejoin(call: Call) -> Result<Value, Refusal> {
    call.control.rejoin(call.param("server")).await?;
    Ok(json!({}))
}

pub(super) async fn snapshot(call: Call) -> Result<Value, Refusal> {
    let file = call.json::<Snapshot>()?.file;
    if !file.is_absolute() {
        return Err(ControlError::Unfit("the file needs a path from the root").into());
    }
    call.control.snapshot(file).await?;
    Ok(json!({}))
}

pub(super) async fn environment(call: Call) -> Result<Value, Refusal> {
    let variables = call.control.environment(call.param("user"))?;
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

pub(super) async fn shutdown(call: Call) -> Result<Value, Refusal> {
    call.control.request_shutdown();
    Ok(json!({}))
}

pub(super) async fn exhaust(call: Call) -> Result<Value, Refusal> {
    call.control.exhaust(&call.json()?)?;
    Ok(json!({}))
}
