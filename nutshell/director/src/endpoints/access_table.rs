//! Who may call what: every endpoint, by every kind of caller.
//!
//! An endpoint that is not in [`TABLE`] fails the test: decide whom it is for, and add its line.

use std::fmt;

use axum::http::Method;
use protocol::api::{ApplicationCreate, Node, TokenCreate};
use protocol::tls::{Credentials, Holder};
use protocol::{Identity, ServiceId};
use rcgen::KeyPair;
use reqwest::Client;
use serde_json::{Value, json};
use time::Duration;

use super::api;
use super::registry::{Endpoint, Role, Verb};
use crate::ca::VM_VALIDITY;
use crate::db;
use crate::tests::World;
use crate::tests::world::{PASSWORD, running_service, settled};

/// Whom an endpoint is for. What is for users takes an API token too, and one that may only read
/// where nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Anybody,
    Users,
    /// The user whose object it is; others do not learn that it exists.
    Owner,
    /// A user who logged in: no token.
    Sessions,
    /// The same, of the user whose object it is.
    OwnerSession,
    Administrators,
    Vms,
    Managers,
    /// The manager whose service it is.
    OwnManager,
}

const TABLE: &[(&str, For)] = &[
    ("healthz", For::Anybody),
    ("version", For::Anybody),
    ("openapi", For::Anybody),
    ("executable_download", For::Anybody),
    ("service_type_list", For::Users),
    ("cloud_list", For::Users),
    ("cloud_details", For::Users),
    ("user_register", For::Anybody),
    ("login_options", For::Anybody),
    ("login", For::Anybody),
    ("oidc_begin", For::Anybody),
    ("oidc_finish", For::Anybody),
    ("logout", For::Sessions),
    ("user_view", For::Users),
    ("password_change", For::Sessions),
    ("credits", For::Users),
    ("token_list", For::Users),
    ("token_create", For::Sessions),
    ("token_revoke", For::OwnerSession),
    ("user_list", For::Administrators),
    ("user_create", For::Administrators),
    ("user_change", For::Administrators),
    ("user_delete", For::Administrators),
    ("user_credits", For::Administrators),
    ("credits_grant", For::Administrators),
    ("application_list", For::Users),
    ("application_create", For::Users),
    ("application_view", For::Owner),
    ("application_rename", For::Owner),
    ("application_delete", For::Owner),
    ("application_start", For::Owner),
    ("application_stop", For::Owner),
    ("application_logs", For::Owner),
    ("application_manifest", For::Owner),
    ("manifest_list", For::Users),
    ("manifest_deploy", For::Users),
    ("manifest_register", For::Administrators),
    ("manifest_unregister", For::Administrators),
    ("deployment_view", For::Owner),
    ("service_list", For::Users),
    ("service_create", For::Users),
    ("service_view", For::Owner),
    ("service_rename", For::Owner),
    ("service_delete", For::Owner),
    ("service_start", For::Owner),
    ("service_stop", For::Owner),
    ("service_nodes", For::Owner),
    ("service_volumes", For::Owner),
    ("service_add_nodes", For::Owner),
    ("service_remove_nodes", For::Owner),
    ("service_logs", For::Owner),
    ("service_history", For::Owner),
    ("service_startup_script", For::Owner),
    ("service_set_startup_script", For::Owner),
    ("service_query", For::Owner),
    ("service_command", For::Owner),
    ("node_list", For::Users),
    ("operation_list", For::Administrators),
    ("events", For::Users),
    ("vm_certificate", For::Anybody),
    ("vm_ready", For::Vms),
    ("vm_alive", For::Vms),
    ("vm_services_wanted", For::Managers),
    ("vm_nodes", For::Managers),
    ("vm_nodes_create", For::OwnManager),
    // Nodes of others are passed over.
    ("vm_nodes_delete", For::Managers),
    ("vm_cloud", For::Managers),
    ("vm_volumes", For::Managers),
    ("vm_volume_create", For::OwnManager),
    // Volumes of others are passed over.
    ("vm_volume_delete", For::Managers),
    ("vm_service_report", For::OwnManager),
    // Of the caller's own application.
    ("vm_backup", For::Managers),
    ("vm_backup_replace", For::Managers),
    ("vm_backup_file", For::Managers),
    ("vm_backup_file_add", For::Managers),
];

/// Who calls. Objects are those of `User`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Nobody,
    WorthlessToken,
    User,
    OtherUser,
    Administrator,
    Token,
    ReadOnlyToken,
    Manager,
    OtherManager,
    Agent,
    OtherAgent,
    /// Of a VM that is gone.
    RevokedCertificate,
    ExpiredCertificate,
}

const CALLERS: [Caller; 13] = [
    Caller::Nobody,
    Caller::WorthlessToken,
    Caller::User,
    Caller::OtherUser,
    Caller::Administrator,
    Caller::Token,
    Caller::ReadOnlyToken,
    Caller::Manager,
    Caller::OtherManager,
    Caller::Agent,
    Caller::OtherAgent,
    Caller::RevokedCertificate,
    Caller::ExpiredCertificate,
];

/// What comes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Whatever the answer: it is about the request, not about the caller.
    Admitted,
    /// With that status.
    Refused(u16),
    /// TLS has refused.
    NoConnection,
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted => f.write_str("admitted"),
            Self::Refused(status) => write!(f, "{status}"),
            Self::NoConnection => f.write_str("no connection"),
        }
    }
}

fn expected(whom: For, reads: bool, caller: Caller) -> Verdict {
    use Verdict::{Admitted, NoConnection, Refused};
    match (whom, caller) {
        (_, Caller::ExpiredCertificate) => NoConnection,
        (For::Anybody, _) => Admitted,
        (For::Vms | For::Managers | For::OwnManager, caller) => match (caller, whom) {
            (Caller::Manager, _) | (Caller::Agent | Caller::OtherAgent, For::Vms) => Admitted,
            (Caller::OtherManager, For::OwnManager) => Refused(404),
            (Caller::OtherManager, _) => Admitted,
            (Caller::Agent | Caller::OtherAgent, _) => Refused(403),
            _ => Refused(401),
        },
        // What users call, by those who are none.
        (
            _,
            Caller::Nobody
            | Caller::WorthlessToken
            | Caller::Manager
            | Caller::OtherManager
            | Caller::Agent
            | Caller::OtherAgent
            | Caller::RevokedCertificate,
        ) => Refused(401),
        (For::Administrators, Caller::Administrator) => Admitted,
        (For::Administrators, _) => Refused(403),
        (For::Sessions | For::OwnerSession, Caller::Token | Caller::ReadOnlyToken) => Refused(403),
        (For::Users | For::Owner, Caller::ReadOnlyToken) if !reads => Refused(403),
        (For::Owner | For::OwnerSession, Caller::OtherUser | Caller::Administrator) => Refused(404),
        (
            For::Users | For::Owner | For::Sessions | For::OwnerSession,
            Caller::User
            | Caller::OtherUser
            | Caller::Administrator
            | Caller::Token
            | Caller::ReadOnlyToken,
        ) => Admitted,
    }
}

/// A world with an application of `test` and one of `other`, each with a service at work and a
/// manager and an agent; and what all callers come with.
struct Cast {
    world: World,
    sessions: Vec<(&'static str, String)>,
    token: String,
    read_only_token: String,
    /// By certificate; the others come without.
    clients: Vec<(Caller, Client)>,
    anonymous: Client,
}

impl Cast {
    async fn assemble() -> Self {
        let world = World::new().await;
        let user = world.login("test").await;
        let other = world.login("other").await;
        let create =
            |name: &str, read_only| TokenCreate { name: name.to_owned(), read_only, days: None };
        // Token 1, for whoever asks for its end.
        user.token_create(&create("spare", false)).await.unwrap();
        let token = user.token_create(&create("all", false)).await.unwrap().secret;
        let read_only_token = user.token_create(&create("reads", true)).await.unwrap().secret;
        let deployment = user.manifest_deploy(&json!({ "Services": [] }), None).await.unwrap();
        assert_eq!((deployment.id.0, deployment.application.0), (1, 1));
        let service = running_service(&user).await;
        assert_eq!((service.id.0, service.application.0), (1, 1), "what `{{id}}` stands for");
        running_service(&other).await;

        let name = Some("gone".to_owned());
        let gone = user.application_create(&ApplicationCreate { name }).await.unwrap();
        user.application_start(gone.id, None).await.unwrap();
        settled(&user, gone.id).await;
        let nodes = nodes(&world).await;
        let of = |application: i64, agent: bool| {
            let wanted =
                |node: &&Node| node.application.0 == application && node.service.is_some() == agent;
            nodes.iter().find(wanted).unwrap()
        };
        let mut clients = Vec::new();
        for (caller, node, validity) in [
            (Caller::Manager, of(1, false), VM_VALIDITY),
            (Caller::OtherManager, of(2, false), VM_VALIDITY),
            (Caller::Agent, of(1, true), VM_VALIDITY),
            (Caller::OtherAgent, of(2, true), VM_VALIDITY),
            (Caller::RevokedCertificate, of(gone.id.0, false), VM_VALIDITY),
            (Caller::ExpiredCertificate, of(1, false), -Duration::MINUTE),
        ] {
            clients.push((caller, certified(&world, node, validity).await));
        }
        user.application_stop(gone.id).await.unwrap();
        settled(&user, gone.id).await;
        let mut sessions = Vec::new();
        for username in ["test", "other", "admin"] {
            sessions.push((username, world.session(username).await));
        }
        let anonymous = world.trust().client(Identity::Director, None).unwrap();
        Self { world, sessions, token, read_only_token, clients, anonymous }
    }

    async fn session(&self, username: &str, endpoint: &Endpoint) -> String {
        if endpoint.operation == "logout" {
            return self.world.session(username).await;
        }
        let own = self.sessions.iter().find(|(whose, _)| *whose == username);
        own.map(|(_, secret)| secret.clone()).unwrap()
    }

    async fn verdict(&self, endpoint: &Endpoint, caller: Caller) -> Verdict {
        let own = self.clients.iter().find(|(whose, _)| *whose == caller);
        let client = own.map_or(&self.anonymous, |(_, client)| client);
        let path = endpoint
            .path
            .replace("{id}", "1")
            .replace("{method}", method(endpoint.verb))
            .replace("{cloud}", "default")
            .replace("{sha256}", "nonsense");
        let verb = Method::from_bytes(endpoint.verb.as_str().to_uppercase().as_bytes()).unwrap();
        let mut request = client.request(verb, format!("{}{path}", self.world.url()));
        let secret = match caller {
            Caller::WorthlessToken => Some("worthless".to_owned()),
            Caller::User => Some(self.session("test", endpoint).await),
            Caller::OtherUser => Some(self.session("other", endpoint).await),
            Caller::Administrator => Some(self.session("admin", endpoint).await),
            Caller::Token => Some(self.token.clone()),
            Caller::ReadOnlyToken => Some(self.read_only_token.clone()),
            _ => None,
        };
        if let Some(secret) = secret {
            request = request.bearer_auth(secret);
        }
        if endpoint.verb != Verb::Get {
            request = request.json(&body(endpoint.operation));
        }
        match request.send().await.map(|answer| answer.status().as_u16()) {
            Err(_) => Verdict::NoConnection,
            Ok(status @ (401 | 403 | 404)) => Verdict::Refused(status),
            Ok(_) => Verdict::Admitted,
        }
    }
}

async fn nodes(world: &World) -> Vec<Node> {
    let mut connection = world.app().db.read().await.unwrap();
    let nodes = db::node::list(&mut connection).await.unwrap();
    nodes.into_iter().map(|record| record.node).collect()
}

/// A client with a certificate of the node.
async fn certified(world: &World, node: &Node, validity: Duration) -> Client {
    let application = node.application;
    let identity = match node.service {
        None => Identity::Manager { application },
        Some(service) => Identity::Agent { application, service, node: node.id },
    };
    let key = KeyPair::generate().unwrap();
    let app = world.app();
    let signed = app.authority.sign(identity, &key, &[], validity).unwrap();
    let mut tx = app.db.write().await.unwrap();
    db::node::certificate_insert(&mut tx, node.id, signed.serial, signed.expires).await.unwrap();
    tx.commit().await.unwrap();
    let credentials = Credentials { certificate: signed.certificate, key: key.serialize_pem() };
    let holder = Holder::new(&credentials).unwrap();
    world.trust().client(Identity::Director, Some(holder)).unwrap()
}

/// A method of generic services that is called by the verb.
fn method(verb: Verb) -> &'static str {
    if verb == Verb::Get { "get_script_status" } else { "run" }
}

/// A body that the endpoint understands.
fn body(operation: &str) -> Value {
    match operation {
        "application_rename" | "service_rename" => json!({ "name": "another" }),
        "service_add_nodes" | "service_remove_nodes" => json!({ "nodes": { "node": 1 } }),
        "token_create" => json!({ "name": "new" }),
        "password_change" => json!({ "old_password": PASSWORD, "new_password": "another one" }),
        "user_create" => json!({ "username": "new", "password": "another one" }),
        "credits_grant" => json!({ "amount": 1 }),
        "vm_nodes_create" => {
            json!({ "service": ServiceId(1), "roles": ["nonsense"], "cloud": "default" })
        }
        "service_set_startup_script" => json!({ "script": "true" }),
        "manifest_deploy" | "manifest_register" => json!({ "Services": [] }),
        "vm_volume_create" => {
            json!({ "service": ServiceId(1), "node": 2, "name": "data", "size_mib": 1 })
        }
        "vm_nodes_delete" => json!({ "nodes": [] }),
        "vm_service_report" => json!({ "revision": 0, "state": "RUNNING" }),
        _ => json!({}),
    }
}

/// What stops VMs comes after what they call; what removes something comes last.
fn turn(endpoint: &Endpoint) -> u8 {
    match (endpoint.operation, endpoint.verb, endpoint.role) {
        (_, _, Role::Vm | Role::Manager) => 0,
        ("user_delete", ..) => 3,
        (_, Verb::Delete, _) => 2,
        _ => 1,
    }
}

#[tokio::test]
async fn every_endpoint_admits_those_it_is_for_and_nobody_else() {
    let api = api();
    let cast = Cast::assemble().await;
    let known = |operation| TABLE.iter().find(|(known, _)| *known == operation);
    for (operation, _) in TABLE {
        let there = api.endpoints().iter().any(|endpoint| endpoint.operation == *operation);
        assert!(there, "{operation} is in the table and not in the API");
    }
    let mut endpoints: Vec<_> = api.endpoints().iter().collect();
    endpoints.sort_by_key(|endpoint| turn(endpoint));
    // What is refused first: it leaves everything as it was.
    for refused in [true, false] {
        for endpoint in &endpoints {
            let operation = endpoint.operation;
            let Some((_, whom)) = known(operation) else {
                panic!("whom is {operation} for? Add it to TABLE");
            };
            for caller in CALLERS {
                let expected = expected(*whom, endpoint.verb == Verb::Get, caller);
                if (expected != Verdict::Admitted) != refused {
                    continue;
                }
                let verdict = cast.verdict(endpoint, caller).await;
                // What there never was, or is no longer, is told to those who may ask.
                let absent = turn(endpoint) > 1 || *whom == For::Anybody;
                let gone = !refused && absent && verdict == Verdict::Refused(404);
                assert!(verdict == expected || gone, "{operation} by {caller:?}: {verdict:?}");
            }
        }
    }
}
