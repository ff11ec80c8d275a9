//! A cloud of its own for each test, and a driver for it.

use std::collections::BTreeMap;

use cloud::openstack::{self, OpenStack};
use cloud::{Cloud, NewServer, NewVolume, Server};
use fake_cloud::FakeCloud;
use fake_cloud::control::{Effect, NewFault};

/// The tag that finds everything that the tests make.
pub(crate) const TAG: (&str, &str) = ("installation", "a1");

/// A cloud and an account on it.
pub(crate) struct World {
    pub(crate) cloud: Box<dyn Cloud>,
    pub(crate) fake: FakeCloud,
}

impl World {
    pub(crate) async fn openstack() -> Self {
        let fake = fake().await;
        let credentials = fake.credentials("ada").unwrap();
        let settings: openstack::Settings = toml::from_str(&format!(
            r#"
            auth_url = "{}"
            username = "ada"
            password = "lovelace"
            project = "engines"
            image = "host"
            flavor = "m1.small"
            network = "private"
            floating_pool = "public"
            server_timeout_seconds = 10
            "#,
            credentials.auth_url
        ))
        .unwrap();
        Self { cloud: Box::new(OpenStack::new("default", settings).unwrap()), fake }
    }

    /// What the cloud does after a call goes wrong from now on.
    pub(crate) fn fails(&self, step: &str) {
        let fault = NewFault::new(step, Effect::Fail { message: None });
        self.fake.control().inject(fault).unwrap();
    }

    /// A server with the tag.
    pub(crate) async fn server(&self) -> Server {
        self.cloud.server_create(&new_server()).await.unwrap()
    }
}

async fn fake() -> FakeCloud {
    FakeCloud::builder().user("ada", "lovelace", "engines").start().await.unwrap()
}

pub(crate) fn tags() -> BTreeMap<String, String> {
    [TAG, ("node", "7")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

pub(crate) fn new_server() -> NewServer {
    NewServer {
        name: "manager".to_owned(),
        instance_type: None,
        user_data: b"#!/bin/sh\nexit 0\n".to_vec(),
        tags: tags(),
    }
}

pub(crate) fn new_volume(server: &Server) -> NewVolume {
    NewVolume {
        name: "vol-data".to_owned(),
        size_mib: 1500,
        server: server.id.clone(),
        tags: tags(),
    }
}
