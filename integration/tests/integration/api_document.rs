//! The director's API is what its document says: schemathesis makes requests of the document, good
//! ones and bad ones, and compares the answers. What it tries, and on what: `schemathesis.toml`.

use std::path::Path;
use std::process::Command;

use integration::stack::Output;
use integration::{Stack, executable};
use serde_json::Value;

#[test]
fn the_api_is_as_its_document_says() {
    let program = executable::schemathesis();
    let stack = Stack::prepared();
    // Enough for what follows, and not for any number of nodes that a good request may ask for.
    std::fs::create_dir(stack.state()).unwrap();
    std::fs::write(stack.state().join("nutshell.toml"), "version = 1\ncredits = 8\n").unwrap();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    // Application, service and deployment 1, for the requests to find.
    let _ = stack.cps(&["manifest", "deploy", "generic"]).ok();
    let environment = stack.environment();
    let session = std::fs::read(stack.state().join("session.json")).unwrap();
    let session: Value = serde_json::from_slice(&session).unwrap();

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    command
        .current_dir(stack.directory())
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .args(["run", "--no-color", "--url", &environment["CPS_DIRECTOR_URL"]])
        .args(["--tls-verify", &environment["CPS_CA_CERTIFICATE"]])
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", session["token"].as_str().unwrap()))
        .arg(here.join("../nutshell/director/openapi.json"));
    let report = Output::of(&mut command).ok();
    assert!(report.contains("No issues found"), "{report}");
}
