//! The whole from outside, one module a behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod api_document;
mod architecture;
mod autoscaling;
mod bad_input;
mod browser;
mod chaos;
mod cloud_clients;
mod crash;
mod director_of_openstack;
mod ec2_client;
mod java;
mod libcloud_client;
mod loss;
mod metrics;
mod oidc;
mod openstack_client;
mod php;
mod regions;
mod restart;
mod secrets;
mod security_groups;
mod services_image;
mod shell;
mod side_by_side;
mod silent_vms;
mod story;
mod two_clouds;
mod visitor;
mod web;
