//! What the director answers, as text of the wire.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// The answer to a request, `None` when the director knows no such thing.
pub(crate) fn to(what: &str, body: &str) -> Option<String> {
    let answer = match what {
        "POST /v1/login" => return login(body),
        "GET /v1/user" => user(),
        "GET /v1/login-options" => json!({"registration": true, "providers": ["corp"]}),
        "POST /v1/login/oidc/corp/begin" => {
            json!({"url": "https://corp.example.org/auth?x=1", "flow": "a.b.c"})
        }
        "POST /v1/login/oidc/corp/finish" => {
            json!({"token": super::TOKEN, "user": user(), "expires": ago(-3600)})
        }
        "POST /v1/register" => user(),
        "GET /v1/user/credits" => json!({"balance": 47, "entries": [
            {"id": 3, "kind": "charge", "amount": -1, "node": 5, "hour": 2, "at": ago(60)},
            {"id": 1, "kind": "grant", "amount": 48, "note": "a gift", "at": ago(9000)},
        ]}),
        "GET /v1/user/tokens" => json!([token()]),
        "POST /v1/user/tokens" => json!({"secret": "nutshell_secret", "token": token()}),
        "GET /v1/users" => json!([user(), {
            "id": 7, "username": "ada", "administrator": false, "disabled": true, "credits": 3,
            "email": "ada@example.org",
        }]),
        "GET /v1/service-types" => service_types(),
        "GET /v1/clouds" => json!(["default"]),
        "GET /v1/applications" => json!([application(1), application(2)]),
        "POST /v1/applications"
        | "POST /v1/applications/1/stop"
        | "POST /v1/applications/2/start"
        | "PATCH /v1/applications/1" => application(1),
        "GET /v1/applications/1" => application(1),
        "GET /v1/applications/2" => application(2),
        "GET /v1/services" => services(),
        "POST /v1/services" => json!({"service": services()[0], "application": application(1)}),
        "GET /v1/services/3/nodes" => json!({"nodes": [node(5, 3, "master"), node(6, 3, "node")]}),
        "GET /v1/services/3/volumes" => json!({"volumes": [{
            "id": 1, "application": 1, "service": 3, "node": 5, "name": "data", "size_mib": 1024,
            "state": "attached", "cloud": "default", "volume": "8e0c", "device": "vdb",
            "created": ago(60),
        }]}),
        "GET /v1/services/3/history" => json!({"state_log": [
            {"time": ago(4000), "state": "INIT"},
            {"time": ago(60), "state": "ERROR", "reason": "node <8> is gone"},
        ]}),
        "GET /v1/services/3/methods/list_keys" => json!({
            "keys": [{"fingerprint": "SHA256:abc/+", "key": "ssh-ed25519 AAAA me@home"}],
            "repository": "git@127.200.0.10:code",
        }),
        "POST /v1/services/3/methods/upload_key" => json!({"added": 1}),
        "POST /v1/services/3/methods/create_volume"
        | "POST /v1/services/3/methods/delete_volume"
        | "POST /v1/services/3/methods/delete_key" => json!({}),
        "GET /v1/manifests" => json!([
            {"name": "generic", "description": "A <service>", "manifest": {"Services": []}},
            {"name": "shop", "description": "", "manifest": {"Services": [1]}, "registered": true},
        ]),
        "POST /v1/manifests" | "GET /v1/deployments/12" => deployment("running"),
        "GET /v1/deployments/13" => deployment("failed"),
        "PUT /v1/manifests/mine" => {
            json!({"name": "mine", "description": "", "manifest": {}, "registered": true})
        }
        "GET /v1/applications/1/manifest" => {
            json!({"Application": "Web shop", "Services": []})
        }
        "GET /v1/services/9/nodes" => {
            json!({"nodes": [node(11, 9, "proxy"), node(12, 9, "backend")]})
        }
        "GET /v1/services/9/methods/list_code" => code_versions(),
        "POST /v1/services/9/methods/upload_code" => {
            json!({"code_version": "code-Xy12Za", "warning": "all of `b.zip` lies in `blog`"})
        }
        "GET /v1/services/9/methods/get_configuration" => json!({
            "code_version": null, "urls": ["http://127.200.0.21:8080"],
            "phpconf": {"memory_limit": "256M", "display_errors": "Off"},
        }),
        "GET /v1/services/9/methods/get_daemon_status" => json!({"nodes": {
            "11": {"roles": ["proxy", "web"], "daemons": [
                {"name": "proxy", "running": true, "restarts": 2, "last_exit": 137},
                {"name": "web", "running": true, "restarts": 0},
            ]},
        }}),
        "GET /v1/services/9/methods/get_autoscaling" => autoscaling(),
        "POST /v1/services/9/methods/on_autoscaling"
        | "POST /v1/services/9/methods/off_autoscaling" => json!({}),
        "POST /v1/services/9/methods/update_php_configuration" => json!({"phpconf": {}}),
        "GET /v1/services/4/nodes" => json!({"nodes": [node(9, 4, "node")]}),
        "GET /v1/services/3/logs" => json!({
            "log": "10:02:11 INFO  run.sh started <3> & listens\n10:02:12 INFO  GET / 200\n",
            "available": ["agent.log", "agent.out", "agent.err"]
        }),
        "GET /v1/services/3/methods/list_code" => code_versions(),
        "GET /v1/services/3/methods/get_script_status" => script_statuses(),
        "GET /v1/services/3/methods/download_code" => return Some("archive".to_owned()),
        "POST /v1/services/3/methods/upload_code" => json!({"code_version": "code-Xy12Za"}),
        "GET /v1/services/4/methods/get_helloworld" => {
            json!({"helloworld": "Received helloworld from node 9"})
        }
        "GET /v1/events" => {
            return Some(format!("data: {}\n\n", json!({"event": "service_deleted", "id": 3})));
        }
        "POST /v1/users" | "POST /v1/users/7/credits" | "PATCH /v1/users/7" => user(),
        "POST /v1/logout"
        | "DELETE /v1/services/3"
        | "POST /v1/user/password"
        | "DELETE /v1/user/tokens/4"
        | "DELETE /v1/manifests/shop"
        | "DELETE /v1/applications/2"
        | "DELETE /v1/users/7" => Value::Null,
        _ => {
            // A view of a service, or an order: all orders answer with the service.
            let (verb, path) = what.split_once(" /v1/services/")?;
            let (id, order) = path.split_once('/').unwrap_or((path, ""));
            let id: i64 = id.parse().ok()?;
            if verb == "GET" && !order.is_empty() {
                return None;
            }
            services().as_array()?.iter().find(|service| service["id"] == id)?.clone()
        }
    };
    Some(answer.to_string())
}

fn deployment(state: &str) -> Value {
    let error = match state {
        "failed" => json!({"code": "cloud_failed", "message": "no <address> is free"}),
        _ => Value::Null,
    };
    json!({
        "id": 12, "application": 1, "state": state, "done": 1, "revision": 7, "error": error,
        "steps": ["Starting the manager", "Shop: starting", "Shop: growing to 2 node"],
    })
}

fn login(body: &str) -> Option<String> {
    let login: Value = serde_json::from_str(body).ok()?;
    (login["password"] == "right")
        .then(|| json!({"token": super::TOKEN, "user": user(), "expires": ago(-3600)}).to_string())
}

fn token() -> Value {
    json!({"id": 4, "name": "nightly", "read_only": true, "created": ago(9000)})
}

fn user() -> Value {
    json!({"id": 1, "username": "test", "administrator": true, "credits": 47})
}

fn ago(seconds: i64) -> String {
    (OffsetDateTime::now_utc() - Duration::seconds(seconds)).format(&Rfc3339).unwrap()
}

fn application(id: i64) -> Value {
    let (name, state, manager) = match id {
        1 => ("Web shop", "RUNNING", json!("127.200.0.10")),
        _ => ("Experiments", "PROLOGUE", Value::Null),
    };
    json!({
        "id": id, "name": name, "state": state, "manager": manager, "cloud": "default",
        "revision": 3, "created": ago(9000 * id),
    })
}

fn service(id: i64, application: i64, kind: &str, name: &str, state: &str, nodes: u32) -> Value {
    json!({
        "id": id, "application": application, "service_type": kind, "name": name, "state": state,
        "since": ago(id * 300 - 700), "nodes": nodes, "revision": 2, "created": ago(4000),
    })
}

fn services() -> Value {
    let mut failed = service(6, 2, "generic", "Crawler", "ERROR", 1);
    failed["reason"] = json!("init.sh ended with return code 3 on node 8");
    json!([
        service(3, 1, "generic", "Shop <front>", "RUNNING", 2),
        service(4, 1, "helloworld", "Greeter", "RUNNING", 1),
        service(5, 1, "generic", "Nightly reports", "STOPPED", 0),
        failed,
        service(9, 1, "php", "Blog", "RUNNING", 2),
        service(7, 2, "helloworld", "Try-out", "PROLOGUE", 0),
        service(8, 2, "generic", "New generic service", "INIT", 0),
    ])
}

fn node(id: i64, service: i64, role: &str) -> Value {
    json!({
        "id": id, "application": 1, "service": service, "role": role, "cloud": "default",
        "instance_type": "m1.small",
        "server": "8e0c", "state": "ready", "public_ip": format!("127.200.0.{}", id + 10),
        "private_ip": format!("127.201.0.{id}"), "created": ago(900),
    })
}

fn method(name: &str, kind: &str) -> Value {
    json!({"name": name, "kind": kind, "description": name})
}

fn service_types() -> Value {
    let generic: Vec<_> = [
        ("upload_code", "upload"),
        ("list_code", "query"),
        ("enable_code", "command"),
        ("delete_code", "command"),
        ("download_code", "download"),
        ("run", "command"),
        ("interrupt", "command"),
        ("cleanup", "command"),
        ("get_script_status", "query"),
        ("create_volume", "command"),
        ("list_keys", "query"),
    ]
    .map(|(name, kind)| method(name, kind))
    .into();
    json!([
        {
            "name": "generic", "title": "Generic", "description": "Your own code, started by scripts, on as many machines as you like.",
            "roles": [{"name": "node", "initial": 0}, {"name": "master", "initial": 1}], "ports": [], "methods": generic,
        },
        {
            "name": "php", "title": "PHP", "description": "Hosts web applications in PHP, and static files.",
            "roles": [{"name": "backend", "initial": 0}, {"name": "web", "initial": 0}, {"name": "proxy", "initial": 1}],
            "ports": [], "methods": [
                method("upload_code", "upload"), method("list_code", "query"),
                method("get_configuration", "query"), method("get_daemon_status", "query"),
                method("update_php_configuration", "command"), method("get_autoscaling", "query"),
            ],
        },
        {
            "name": "helloworld", "title": "Hello World", "description": "The smallest service: each of its machines greets.",
            "roles": [{"name": "node", "initial": 1}], "ports": [], "methods": [method("get_helloworld", "query")],
        },
    ])
}

fn code_versions() -> Value {
    let version = |id, file, description, current, seconds| {
        json!({
            "id": id, "filename": file, "description": description, "current": current,
            "created": ago(seconds),
        })
    };
    json!({"code_versions": [
        version("code-pw1LKs", "shop-1.3.tar.gz", "Faster search", false, 40),
        version("code-Ab3dEf", "shop-1.2.tar.gz", "Gift vouchers", true, 3700),
        version("code-default", "code-default.tar", "Initial version", false, 9000),
    ]})
}

fn script_statuses() -> Value {
    let never = json!({"state": "never_started"});
    let done = json!({"state": "stopped", "return_code": 0});
    let running = json!({"state": "running"});
    let scripts = |notify: &Value| {
        json!({
            "init": done, "notify": notify, "run": running, "interrupt": never, "cleanup": never,
        })
    };
    json!({"nodes": {"5": scripts(&done), "6": scripts(&never)}})
}

/// Two hours of a day that begins, with one backend added.
fn autoscaling() -> Value {
    let measured = |minute: i64| {
        let rate = 4.0 + (minute as f64 / 15.0).sin() + 0.1 * minute as f64;
        let backends = if minute < 70 {
            json!({"m1.small": 1})
        } else {
            json!({"m1.small": 1, "m1.large": 1})
        };
        json!({
            "at": ago((120 - minute) * 60), "requests_per_second": rate, "cpu_percent": 40.0,
            "response_mean": 60.0 + 30.0 * rate, "response_percentile_95": 90.0 + 70.0 * rate,
            "nodes": {"proxy": {"m1.small": 1}, "backend": backends},
        })
    };
    let decided = |minutes_ago: i64, action: Value, reason: &str| json!({"at": ago(minutes_ago * 60), "action": action, "reason": reason});
    json!({
        "wanted": {"adapt_interval": 5, "response_time_threshold": 800, "strategy": "medium"},
        "measurements": (0..120).map(measured).collect::<Vec<_>>(),
        "decisions": [
            decided(55, json!({"add": {"m1.large": 1}}), "adding 1 m1.large: <12> are coming"),
            decided(5, json!("hold"), "holding: all is well"),
        ],
    })
}
