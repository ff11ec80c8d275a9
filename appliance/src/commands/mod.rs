//! What the executable does: a file a command.

pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod import;
mod machine;
pub(crate) mod pack;
