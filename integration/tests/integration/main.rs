//! The whole from outside, one module a behaviour.

mod architecture;
mod bad_input;
mod crash;
mod openstack_client;
mod restart;
mod side_by_side;
mod story;
mod web;
