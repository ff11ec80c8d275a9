//! Autoscaling: what a user asks of it, and what it decided.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::ids::NodeId;

/// Which instance types a service grows by, and how much of them it keeps free for what nobody
/// foresaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The smallest and cheapest, well used.
    Low,
    /// Between `low` and `medium`.
    MediumDown,
    /// Those in the middle.
    Medium,
    /// Between `medium` and `high`.
    MediumUp,
    /// The largest, with most to spare.
    High,
}

impl Strategy {
    /// All of them, the thriftiest first.
    pub const ALL: [Self; 5] =
        [Self::Low, Self::MediumDown, Self::Medium, Self::MediumUp, Self::High];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::MediumDown => "medium_down",
            Self::Medium => "medium",
            Self::MediumUp => "medium_up",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Strategy {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            ApiError::invalid(format!("there is no strategy `{text}`"))
                .hint(format!("one of {known}"))
        })
    }
}

/// What a user asks of autoscaling: the parameters of `on_autoscaling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Autoscaling {
    /// Minutes between two decisions.
    #[serde(alias = "cool_down")]
    pub adapt_interval: u32,
    /// Milliseconds within which requests are to be answered.
    #[serde(alias = "response_time", alias = "reponse_time")]
    pub response_time_threshold: u32,
    /// Which instance types it adds.
    pub strategy: Strategy,
}

impl Autoscaling {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// Names the parameter, and what it may be.
    pub fn check(&self) -> Result<(), ApiError> {
        let within = |name: &str, value: u32, most: u32, unit: &str| match value {
            value if (1..=most).contains(&value) => Ok(()),
            value => {
                Err(ApiError::invalid(format!("{name} is {value}, not from 1 to {most} {unit}")))
            }
        };
        within("adapt_interval", self.adapt_interval, 24 * 60, "minutes")?;
        let threshold = self.response_time_threshold;
        within("response_time_threshold", threshold, 10 * 60 * 1000, "milliseconds")
    }
}

/// What was decided at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// When, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub at: time::OffsetDateTime,
    /// What to do about the number of nodes.
    pub action: Action,
    /// New shares of the requests, by node; empty when they stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<NodeId, u32>,
    /// Why, for people.
    pub reason: String,
    /// What is coming, as far as it was foreseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Why it could not be carried out, when it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One measurement of a service, over a minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoadPoint {
    /// When it ended, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub at: time::OffsetDateTime,
    /// Requests a second for the backends.
    pub requests_per_second: f64,
    /// Milliseconds that they took on average; `None` when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_mean: Option<f64>,
    /// So many milliseconds, or less, for 95 of 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_percentile_95: Option<f64>,
    /// How busy the processors of the backends were on average, in percent.
    pub cpu_percent: f64,
    /// How many nodes of each instance type had each role.
    pub nodes: BTreeMap<String, BTreeMap<String, u32>>,
}

/// Result of `get_autoscaling`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AutoscalingStatus {
    /// What is asked of it; `None` while it is off.
    pub wanted: Option<Autoscaling>,
    /// The measurements of the last hours, oldest first.
    pub measurements: Vec<LoadPoint>,
    /// What was decided of late, oldest first.
    pub decisions: Vec<Decision>,
}

/// What to do about the number of nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    Hold,
    /// Add so many nodes of each instance type.
    Add(BTreeMap<String, u32>),
    /// Remove these nodes.
    Remove(Vec<NodeId>),
}

/// The load that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Forecast {
    /// Requests a second, at most, until nodes asked for at the next decision would serve.
    pub requests_per_second: f64,
    /// How wrong such forecasts were of late: the root of their mean squared error.
    pub error: f64,
    /// How it was made.
    pub method: Method,
}

/// A way to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// It stays as it is.
    Steady,
    /// It goes on as it has begun, less and less so: Holt's linear trend, damped.
    Trend,
    /// It goes as on the days before.
    Season,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_named_as_they_are_written_on_the_wire() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.as_str().parse::<Strategy>().unwrap(), strategy);
            let wire = serde_json::to_value(strategy).unwrap();
            assert_eq!(wire, strategy.as_str());
        }
        let refusal = "insane".parse::<Strategy>().unwrap_err();
        assert!(refusal.hint.unwrap().contains("medium_down"));
    }

    #[test]
    fn times_must_be_sensible() {
        let asked = |adapt_interval, response_time_threshold| Autoscaling {
            adapt_interval,
            response_time_threshold,
            strategy: Strategy::Low,
        };
        assert!(asked(5, 2000).check().is_ok());
        assert!(asked(0, 2000).check().unwrap_err().message.starts_with("adapt_interval is 0"));
        assert!(asked(5, 0).check().is_err());
        assert!(asked(5, u32::MAX).check().is_err());
    }
}
