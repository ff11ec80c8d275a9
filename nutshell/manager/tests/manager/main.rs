//! A manager with real agents over TLS, and a director that has clouds in its hands.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod backup;
mod code;
mod git;
mod refusals;
mod restart;
mod scaling;
mod story;
mod usage;
mod volumes;
mod world;
