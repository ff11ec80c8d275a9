//! Fixtures: a private nutshell on this machine, and what tests and benchmarks do with it.

pub mod archive;
pub mod autoscaling;
pub mod developer;
pub mod director;
pub mod executable;
pub mod http;
pub mod load;
pub mod processes;
pub mod stack;
pub mod terminal;
pub mod wait;

pub use stack::Stack;
pub use terminal::Terminal;
pub use wait::wait_for;
