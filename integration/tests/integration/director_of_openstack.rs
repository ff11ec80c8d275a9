//! A director with an OpenStack whose servers are records only, so that no manager ever comes to work: what it makes
//! there, and that nothing of it stays, however the start ends. On fake-cloud, and on a real OpenStack.

use std::net::Ipv4Addr;
use std::process::Command;

use fake_cloud::FakeCloud;
use integration::director::Director;
use integration::stack::Output;
use integration::{Stack, executable};
use protocol::ApplicationId;
use protocol::api::State;
use serde_json::{Value, json};

/// Of the account, whose name is that of its user and of its project.
const PASSWORD: &str = "lovelace";

/// An account of its own for the test.
struct Account<'a> {
    stack: &'a Stack,
    /// How the cloud's administrator logs in.
    administrator: Vec<(String, String)>,
    name: String,
}

impl<'a> Account<'a> {
    fn new(stack: &'a Stack, administrator: Vec<(String, String)>) -> Self {
        let name = format!("director-{}", std::process::id());
        let account = Self { stack, administrator, name };
        account.administrate(&["make", &account.name, PASSWORD]);
        account
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stack.program(executable::openstack_python());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/account.py");
        command.args(["-B", script]).args(arguments).envs(self.administrator.iter().cloned());
        command
    }

    fn administrate(&self, arguments: &[&str]) {
        let _ = Output::of(&mut self.command(arguments)).ok();
    }

    fn call(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        command.env("OS_USERNAME", &self.name).env("OS_PROJECT_NAME", &self.name);
        Output::of(command.env("OS_PASSWORD", PASSWORD)).ok().trim().to_owned()
    }

    /// All that is in it.
    fn content(&self) -> Value {
        serde_json::from_str(&self.call(&["show"])).unwrap()
    }

    /// The same without security groups, which the reconciler removes when it comes by.
    fn content_without_groups(&self) -> Value {
        let mut content = self.content();
        content["groups"] = json!({});
        content
    }

    fn variable(&self, wanted: &str) -> Option<&str> {
        let found = self.administrator.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }

    /// Where the cloud is; its address has room for a director.
    fn ip(&self) -> Ipv4Addr {
        let url = self.variable("OS_AUTH_URL").unwrap();
        let host = url.split("://").nth(1).unwrap().split([':', '/']).next().unwrap();
        host.parse().unwrap()
    }

    fn settings(&self) -> String {
        let authority = self.variable("OS_CACERT");
        format!(
            r#"
            [clouds.ours]
            kind = "openstack"
            auth_url = "{auth_url}"
            {authority}
            username = "{name}"
            password = "{PASSWORD}"
            project = "{name}"
            image = "host"
            flavor = "m1.small"
            network = "private"
            floating_pool = "public"
            "#,
            auth_url = self.variable("OS_AUTH_URL").unwrap(),
            authority =
                authority.map_or_else(String::new, |path| format!("ca_certificate = \"{path}\"")),
            name = self.name,
        )
    }
}

fn nothing() -> Value {
    json!({"servers": [], "ports": [], "addresses": [], "volumes": [], "groups": {}})
}

mod fake_cloud_inert {
    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_start_makes_goes_with_it() {
        super::on_fake_cloud().await;
    }
}

mod real_openstack {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a real OpenStack: see the profile real-openstack"]
    async fn what_a_start_makes_goes_with_it() {
        let administrator = std::env::vars().filter(|(name, _)| name.starts_with("OS_")).collect();
        super::what_a_start_makes_goes_with_it(administrator).await;
    }
}

async fn on_fake_cloud() {
    let cloud = FakeCloud::builder().start().await.unwrap();
    let admin = cloud.credentials("admin").unwrap();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let administrator = admin.environment().into_iter().map(owned).collect();
    what_a_start_makes_goes_with_it(administrator).await;
    cloud.shutdown().await;
}

async fn what_a_start_makes_goes_with_it(administrator: Vec<(String, String)>) {
    let stack = Stack::prepared();
    let account = Account::new(&stack, administrator);
    let start = || Director::start(&stack, account.ip(), &account.settings());
    let director = start();
    let cps = |arguments: &[&str]| director.cps(&stack, arguments).ok();
    assert_eq!(director.said, Vec::<String>::new(), "the settings are good");
    let clouds = cps(&["cloud", "list"]);
    assert!(clouds.contains("ours") && clouds.contains("ready"), "{clouds}");

    cps(&["application", "create", "engine"]);
    assert_eq!(account.content(), nothing(), "an application is a record until it starts");
    cps(&["application", "start", "1", "--no-wait"]);
    let manager = manager_address(&director).await;
    let made = account.content();
    let server = &made["servers"][0];
    assert_eq!(server["name"], "director-u1-a1-mgr", "{made}");
    assert_eq!((&server["status"], &server["flavor"]), (&json!("ACTIVE"), &json!("m1.small")));
    let tag = server["tags"]["installation"].as_str().unwrap();
    let tags = json!({"installation": tag, "application": "1", "node": "1"});
    let groups = [format!("nutshell-{tag}-application-1"), format!("nutshell-{tag}-managers")];
    assert_eq!(server["tags"], tags);
    let port = json!([{"server": server["id"], "network": "private", "groups": groups}]);
    assert_eq!(made["ports"], port);
    let description = format!("application=1; installation={tag}; node=1");
    assert_eq!(
        made["addresses"],
        json!([{"address": manager, "network": "public", "server": server["id"], "description": description}]),
    );
    assert_eq!(made["groups"].as_object().unwrap().keys().collect::<Vec<_>>(), groups.each_ref());
    let resources = cps(&["cloud", "list-resources"]);
    assert!(resources.contains(&manager.to_string()) && resources.contains("ours"), "{resources}");
    let page = director.connection().await.page("/").await;
    assert!(page.contains(&format!("Manager <code>{manager}</code>")), "{page}");

    // Killed, and started again: it goes on with the server that it made, and removes one that nobody has.
    drop(director);
    let stray = account.call(&["stray", &format!("installation={tag}"), "node=99"]);
    let director = start();
    let cps = |arguments: &[&str]| director.cps(&stack, arguments).ok();
    account.call(&["await-end", &stray]);
    assert_eq!(manager_address(&director).await, manager);
    assert_eq!(account.content()["servers"], made["servers"]);

    cps(&["application", "stop", "1"]);
    assert_eq!(account.content_without_groups(), nothing(), "a start that was given up");
    account.administrate(&["allow", &account.name, "0"]);
    let refused = director.cps(&stack, &["application", "start", "1"]).failed();
    assert!(refused.contains("the cloud's quota is used up"), "{refused}");
    assert_eq!(account.content_without_groups(), nothing(), "a start that the cloud refused");

    account.administrate(&["allow", &account.name, "1"]);
    cps(&["application", "start", "1", "--no-wait"]);
    manager_address(&director).await;
    cps(&["application", "delete", "1"]);
    account.call(&["await-no-groups"]);
    assert_eq!(account.content(), nothing(), "an application that was deleted");
}

/// Where the manager of the first application is to be, once it has a server; it has not come to work.
async fn manager_address(director: &Director) -> Ipv4Addr {
    let client = director.connection().await.client;
    let application = client.application_view(ApplicationId(1)).await.unwrap();
    let application = client.application_await(application, |it| it.manager.is_some());
    let application = application.await.unwrap();
    assert_eq!(application.state, State::Prologue);
    application.manager.unwrap()
}
