//! What the executable does: a file a command.

pub(crate) mod background;
pub(crate) mod chaos;
pub(crate) mod clean;
mod client;
pub(crate) mod console;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod image;
mod regions;
pub(crate) mod run;
pub(crate) mod snapshot;
pub(crate) mod time;
