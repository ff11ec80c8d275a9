//! Autoscaling on a service's page: its picture, its decisions, and the form that switches it.

use axum::Form;
use axum::response::Response;
use protocol::api::autoscaling::{AutoscalingStatus, Decision};
use protocol::api::{Autoscaling, Strategy};
use protocol::{ApiError, ClientError, ServiceId};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::service::answer;
use super::{Fields, Named};
use crate::failure::{Failure, Problem};
use crate::picture::Picture;
use crate::session::Session;
use crate::view::Since;

/// So many of the latest decisions are listed.
const DECISIONS: usize = 12;
/// What the form proposes to somebody who never asked for anything.
const PROPOSED: Autoscaling =
    Autoscaling { adapt_interval: 5, response_time_threshold: 2000, strategy: Strategy::Low };

/// What the page shows of it.
pub(crate) struct Scaling {
    pub(crate) is_on: bool,
    /// What is asked of it, or could be.
    pub(crate) wanted: Autoscaling,
    pub(crate) picture: Option<Picture>,
    /// The latest first.
    pub(crate) decisions: Vec<(Decision, Since)>,
}

impl Scaling {
    pub(crate) fn new(status: &AutoscalingStatus, now: OffsetDateTime) -> Self {
        let latest = status.decisions.iter().rev().take(DECISIONS);
        Self {
            is_on: status.wanted.is_some(),
            wanted: status.wanted.unwrap_or(PROPOSED),
            picture: Picture::of(status),
            decisions: latest.map(|it| (it.clone(), Since::new(it.at, now))).collect(),
        }
    }
}

/// Switches it on or off: the button says which.
pub(crate) async fn change(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let director = &session.director;
    let changed: Result<Value, Failure> = match wanted(&fields) {
        Ok(Some(wanted)) => {
            let asked = director.service_command(id, "on_autoscaling", &wanted).await;
            asked.map_err(Failure::from)
        }
        Ok(None) => {
            let asked = director.service_command(id, "off_autoscaling", &json!({})).await;
            asked.map_err(Failure::from)
        }
        Err(problem) => Err(problem.into()),
    };
    answer(&session, id, changed, fields).await
}

/// Reads the form; `None` switches autoscaling off.
fn wanted(fields: &Fields) -> Result<Option<Autoscaling>, Problem> {
    let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
    if field("autoscaling") == "off" {
        return Ok(None);
    }
    let number = |name: &str, what: &str| {
        let wrong = || Problem::invalid(format!("Enter {what} as a whole number."));
        field(name).parse::<u32>().map_err(|_| wrong())
    };
    let wanted = Autoscaling {
        adapt_interval: number("adapt_interval", "the minutes between decisions")?,
        response_time_threshold: number("response_time_threshold", "the milliseconds")?,
        strategy: field("strategy").parse().map_err(refused)?,
    };
    wanted.check().map_err(refused)?;
    Ok(Some(wanted))
}

fn refused(error: ApiError) -> Problem {
    ClientError::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_says_what_is_wanted_or_what_is_wrong() {
        let read = |interval: &str, button: &str| {
            let fields = [
                ("adapt_interval", interval),
                ("response_time_threshold", "1500"),
                ("strategy", "medium_up"),
                ("autoscaling", button),
            ];
            wanted(&fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
        };
        let on = read("10", "on").unwrap().unwrap();
        assert_eq!((on.adapt_interval, on.strategy), (10, Strategy::MediumUp));
        assert!(read("nonsense", "off").unwrap().is_none());
        assert!(read("0", "on").is_err() && read("often", "on").is_err());
    }
}
