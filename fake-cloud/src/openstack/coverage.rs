//! COVERAGE.md: what this cloud can do, written from the tables by which it answers.

use std::fmt::Write;

use super::SERVICES;
use super::microversion::Microversion;

/// The text of COVERAGE.md.
pub fn document() -> String {
    let mut text = format!(
        "# What fake-cloud answers\n\n\
         Generated from the tables of routes; `FAKE_CLOUD_BLESS=1 cargo test -p fake-cloud --test api` \
         writes it anew.\nEverything else gets the API's own answer for what it does not \
         have. Nova speaks versions {} to {}, Cinder 3.{} to 3.{},\nPlacement 1.0 to 1.{}.\n",
        Microversion::MIN,
        Microversion::MAX,
        Microversion::VOLUME_MIN.0,
        Microversion::VOLUME_MAX.0,
        Microversion::PLACEMENT_MAX.0
    );
    for service in SERVICES {
        let routes = service.routes();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n## {} ({}): {} operations\n\n| operation | method | path | who |\n|---|---|---|---|",
            service.name(),
            service.kinds().join(", "),
            routes.len()
        );
        for route in routes {
            let who = format!("{:?}", route.access).to_lowercase();
            let _ = writeln!(
                text,
                "| {} | {} | `{}{}` | {who} |",
                route.operation(service),
                route.method,
                service.prefix(),
                route.path
            );
        }
    }
    let operations = crate::ec2::OPERATIONS;
    let _ = writeln!(
        text,
        "\n## ec2: {} operations\n\nAt `{}`; for whom an access key is, each.\n\n| operation |\n|---|",
        operations.len(),
        crate::ec2::PATH
    );
    for operation in operations {
        let _ = writeln!(text, "| {} |", operation.name);
    }
    let _ = writeln!(
        text,
        "\n## control: {} operations\n\nSteering, apart from the imitated APIs; for whom the token \
         is that the cloud tells at its start.\n\n| method | path | what |\n|---|---|---|",
        crate::control::ROUTES.len()
    );
    for route in crate::control::ROUTES {
        let path = crate::control::PATH;
        let _ = writeln!(text, "| {} | `{path}{}` | {} |", route.method, route.path, route.what);
    }
    text
}
