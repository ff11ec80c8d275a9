//! A cloud of its own for each test, and a driver for it.

use std::collections::BTreeMap;

use cloud::ec2::{self, Ec2};
use cloud::openstack::{self, OpenStack};
use cloud::{Cloud, NewServer, NewVolume, Server};
use fake_cloud::FakeCloud;
use fake_cloud::control::{Effect, NewFault};

use crate::real::{Administrator, Project};

/// The tag that finds everything that the tests make.
pub(crate) const TAG: (&str, &str) = ("installation", "a1");

/// A cloud and an account on it.
pub(crate) struct World {
    pub(crate) cloud: Box<dyn Cloud>,
    /// The same with a wrong password.
    pub(crate) stranger: Box<dyn Cloud>,
    /// How to steer the cloud, when it is one that can be.
    fake: Option<FakeCloud>,
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
        let stranger = openstack::Settings { password: "wrong".into(), ..settings.clone() };
        let driver = |settings| Box::new(OpenStack::new("default", settings).unwrap());
        Self { cloud: driver(settings), stranger: driver(stranger), fake: Some(fake) }
    }

    pub(crate) async fn ec2() -> Self {
        let fake = fake().await;
        let credentials = fake.credentials("ada").unwrap();
        let settings: ec2::Settings = toml::from_str(&format!(
            r#"
            region = "{}"
            endpoint = "{}"
            access_key = "{}"
            secret_key = "{}"
            image = "host"
            instance_type = "m1.small"
            server_timeout_seconds = 10
            "#,
            credentials.region,
            credentials.ec2_url,
            credentials.access_key.access,
            credentials.access_key.secret,
        ))
        .unwrap();
        let stranger = ec2::Settings { secret_key: "wrong".into(), ..settings.clone() };
        let driver = |settings| Box::new(Ec2::new("default", settings).unwrap());
        Self { cloud: driver(settings), stranger: driver(stranger), fake: Some(fake) }
    }

    /// A project of its own on the real OpenStack that the environment names.
    pub(crate) async fn real_openstack() -> Self {
        let project = Project::new(&Administrator::from_environment().await).await;
        let settings = project.settings();
        let stranger = openstack::Settings { password: "wrong".into(), ..settings.clone() };
        let driver = |settings| Box::new(OpenStack::new("default", settings).unwrap());
        Self { cloud: driver(settings), stranger: driver(stranger), fake: None }
    }

    pub(crate) fn fake(&self) -> &FakeCloud {
        self.fake.as_ref().expect("only tests of clouds that can be steered do so")
    }

    /// The cloud answers these calls with this status from now on, or so many times.
    pub(crate) fn answers(&self, calls: &str, status: u16, times: Option<u64>) {
        let fault = NewFault { times, ..NewFault::new(calls, Effect::error(status)) };
        self.fake().control().inject(fault).unwrap();
    }

    /// What the cloud does after a call goes wrong from now on.
    pub(crate) fn fails(&self, step: &str) {
        let fault = NewFault::new(step, Effect::Fail { message: None });
        self.fake().control().inject(fault).unwrap();
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
        security_groups: vec![],
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
