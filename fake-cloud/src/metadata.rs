//! The metadata service: what a server may ask about itself. Each server has a part of its own,
//! behind a token that nobody can guess, in the layouts of EC2 and of OpenStack.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::cloud::Cloud;
use crate::control::{self, Struck, points};
use crate::model::{Model, Server, ZONE};

/// Answers below `/metadata/<token>/`.
pub(crate) fn router(cloud: Arc<Cloud>) -> Router {
    Router::new().route("/metadata/{token}/{*path}", get(show)).with_state(cloud)
}

async fn show(
    State(cloud): State<Arc<Cloud>>,
    Path((token, path)): Path<(String, String)>,
) -> Response {
    match cloud.strike(points::METADATA, async { answer(&cloud, &token, &path) }).await {
        Struck::Answered(response) => response,
        Struck::Error(error) => (error.status, error.message.unwrap_or_default()).into_response(),
        Struck::Dropped => control::dropped(),
    }
}

fn answer(cloud: &Cloud, token: &str, path: &str) -> Response {
    let model = cloud.read();
    let owner = |server: &&Server| server.metadata_token.as_bytes().ct_eq(token.as_bytes()).into();
    match model.servers.iter().find(owner).and_then(|server| value(&model, server, path)) {
        Some(Value::Text(text)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Some(Value::Json(json)) => axum::Json(json).into_response(),
        Some(Value::Bytes(bytes)) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "404 Not Found").into_response(),
    }
}

#[derive(Debug, PartialEq)]
enum Value {
    Text(String),
    Json(serde_json::Value),
    Bytes(Vec<u8>),
}

const META_DATA: [&str; 10] = [
    "ami-id",
    "hostname",
    "instance-id",
    "instance-type",
    "local-hostname",
    "local-ipv4",
    "placement/",
    "public-ipv4",
    "public-keys/",
    "reservation-id",
];

/// What a server finds at a path.
fn value(model: &Model, server: &Server, path: &str) -> Option<Value> {
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let port = model.primary_port(server);
    let user_data = || STANDARD.decode(server.user_data.as_ref()?).ok().map(Value::Bytes);
    // EC2 gives its API dates; clients that ask for one get the same as with `latest`.
    let path = match path.split_once('/') {
        Some((version, rest)) if is_version(version) => rest.trim_end_matches('/').to_owned(),
        Some(("openstack", rest)) => format!("openstack/{}", rest.split_once('/')?.1),
        _ if is_version(path) => String::new(),
        _ => return None,
    };
    match path.as_str() {
        "" => text("meta-data/\nuser-data"),
        "meta-data" => text(&META_DATA.join("\n")),
        "meta-data/ami-id" => text(&server.image_id.to_string()),
        "meta-data/hostname" | "meta-data/local-hostname" => text(&server.hostname),
        "meta-data/instance-id" => text(&server.id.to_string()),
        "meta-data/instance-type" => text(&server.flavor.name),
        "meta-data/local-ipv4" => text(&port?.address()?.to_string()),
        "meta-data/placement" => text("availability-zone"),
        "meta-data/placement/availability-zone" => text(ZONE),
        "meta-data/public-ipv4" => {
            let floating = model.floating_ips_of(port?.id).next()?;
            text(&floating.address.to_string())
        }
        "meta-data/public-keys" => text(&format!("0={}", server.key.as_ref()?.0)),
        "meta-data/public-keys/0" => server.key.as_ref().and_then(|_| text("openssh-key")),
        "meta-data/public-keys/0/openssh-key" => text(&server.key.as_ref()?.1),
        "meta-data/reservation-id" => text(&server.reservation_id),
        "user-data" | "openstack/user_data" => user_data(),
        "openstack/meta_data.json" => Some(Value::Json(openstack(server))),
        _ => None,
    }
}

fn is_version(word: &str) -> bool {
    word == "latest" || word.split('-').map(str::len).eq([4, 2, 2])
}

/// What OpenStack's `meta_data.json` says of a server.
pub(crate) fn openstack(server: &Server) -> serde_json::Value {
    let mut document = json!({
        "uuid": server.id,
        "name": server.name,
        "hostname": server.hostname,
        "availability_zone": ZONE,
        "launch_index": server.launch_index,
        "project_id": server.project_id,
        "meta": server.metadata,
    });
    if let Some((name, key)) = &server.key {
        document["public_keys"] = json!({name: key});
        document["keys"] = json!([{"name": name, "type": "ssh", "data": key}]);
    }
    document
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::model::{Caller, NewServers, TokenId};
    use crate::settings::{Listen, Settings};

    fn with_server(user_data: Option<&str>) -> (Model, Server) {
        let listen = Listen::Address("127.5.0.1:0".parse().unwrap());
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut model = Model::default();
        model.seed(&Settings::loopback("".into(), listen, "secret"), now);
        let user = model.user_named("admin").unwrap();
        let project = user.grants[0].0;
        let caller = Caller {
            user_id: user.id,
            project_id: Some(project),
            is_admin: true,
            token_id: TokenId::random(),
        };
        let wanted = NewServers {
            name: "web".to_owned(),
            flavor: model.flavors.iter().next().unwrap().id.to_string(),
            image: model.images.iter().next().unwrap().id.to_string(),
            user_data: user_data.map(str::to_owned),
            min_count: 1,
            max_count: 1,
            ..NewServers::default()
        };
        let id = model.create_servers(&caller, project, &wanted, now).unwrap()[0];
        let server = model.servers.get(id).unwrap().clone();
        (model, server)
    }

    #[test]
    fn both_layouts_tell_the_same_server() {
        let (model, server) = with_server(Some("IyEvYmluL3NoCg=="));
        let text = |path: &str| match value(&model, &server, path) {
            Some(Value::Text(text)) => text,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(text("latest/meta-data/local-ipv4"), "127.5.16.2");
        assert_eq!(text("2009-04-04/meta-data/hostname"), "web");
        assert_eq!(text("latest/meta-data/instance-id"), server.id.to_string());
        assert!(text("latest/meta-data/").contains("instance-type"));
        let script = Some(Value::Bytes(b"#!/bin/sh\n".to_vec()));
        assert_eq!(value(&model, &server, "latest/user-data"), script);
        assert_eq!(value(&model, &server, "openstack/latest/user_data"), script);
        let Some(Value::Json(document)) = value(&model, &server, "openstack/latest/meta_data.json")
        else {
            panic!("there is a document");
        };
        assert_eq!(document["uuid"], server.id.to_string());
    }

    #[test]
    fn what_a_server_does_not_have_is_not_there() {
        let (model, server) = with_server(None);
        for path in [
            "latest/user-data",
            "latest/meta-data/public-ipv4",
            "latest/meta-data/public-keys/",
            "latest/meta-data/what",
            "earliest/meta-data/hostname",
            "",
        ] {
            assert_eq!(value(&model, &server, path), None, "{path}");
        }
    }
}
