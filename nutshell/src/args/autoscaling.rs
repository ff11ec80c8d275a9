//! Autoscaling: for every type of service that scales itself.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use protocol::api::{Autoscaling, Strategy};

use super::ServiceArgument;

/// What can be asked of services that scale themselves.
#[derive(Debug, Subcommand)]
pub(crate) enum AutoscalingCommand {
    /// Have backends come and go with the load; once more changes how
    OnAutoscaling(OnAutoscaling),
    /// Leave the number of backends as it is
    OffAutoscaling(ServiceArgument),
    /// Print what autoscaling measured and decided, and why
    Autoscaling(ServiceArgument),
}

/// What autoscaling is to do.
#[derive(Debug, Clone, Args)]
pub(crate) struct OnAutoscaling {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// Minutes between two decisions
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1440))]
    adapt_interval: u32,
    /// Milliseconds within which 95 of 100 requests are to be answered
    #[arg(
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=600_000)
    )]
    response_time_threshold: u32,
    /// Which instance types it adds, and how much it keeps to spare: from the smallest and cheapest
    /// to the largest
    #[arg(
        value_parser = PossibleValuesParser::new(Strategy::ALL.map(Strategy::as_str))
            .try_map(|word| word.parse::<Strategy>().map_err(|error| error.message))
    )]
    strategy: Strategy,
}

impl OnAutoscaling {
    pub(crate) fn wanted(&self) -> Autoscaling {
        Autoscaling {
            adapt_interval: self.adapt_interval,
            response_time_threshold: self.response_time_threshold,
            strategy: self.strategy,
        }
    }
}
