//! What the executable does: a file a command.

pub(crate) mod check;
pub(crate) mod pack;
