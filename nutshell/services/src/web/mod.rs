//! What the web hosting services share.

pub mod autoscaling;
