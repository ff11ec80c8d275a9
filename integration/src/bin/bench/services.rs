//! The director with more and more services: what one more costs, and how fast it lists them.

use std::time::{Duration, Instant};

use integration::director::Connection;
use integration::{Stack, processes};
use protocol::api::ServiceCreate;

use crate::cloud::rates;
use crate::load::Request;
use crate::table::Table;

const SERVICES: usize = 1000;

/// Measures a director on its way to a thousand services.
pub(crate) fn bench(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let stack = Stack::up();
    let connection = runtime.block_on(stack.director());
    let took: Vec<Duration> =
        (0..SERVICES).map(|_| runtime.block_on(create(&connection))).collect();
    // The first makes the manager, too.
    for (what, took) in [("2nd to 100th", &took[1..100]), ("901st to 1,000th", &took[900..])] {
        table.time(&format!("service created: the {what}"), took, "the same");
    }
    for path in ["/v1/services", "/v1/applications", "/v1/nodes"] {
        let request = Request {
            method: "GET",
            url: format!("{}{path}", connection.client.url()),
            headers: vec![("Authorization".to_owned(), format!("Bearer {}", connection.token))],
            body: String::new(),
        };
        rates(table, &format!("director: {path}, {SERVICES} services"), &request, "");
    }
    let memory: Vec<u64> = processes::pss_kib(stack.pid()).into_iter().collect();
    table.memory(&format!("cloud, director, web page with {SERVICES} services"), &memory, "");
    let managers = processes::running(stack.pid(), "manager");
    let memory: Vec<u64> = managers.into_iter().filter_map(processes::pss_kib).collect();
    table.memory(&format!("a manager with {SERVICES} services"), &memory, "");
}

async fn create(connection: &Connection) -> Duration {
    let create = ServiceCreate {
        service_type: "generic".to_owned(),
        application: None,
        name: None,
        cloud: None,
    };
    let begin = Instant::now();
    let created = connection.client.service_create(&create).await;
    created.unwrap_or_else(|error| panic!("no service: {error}"));
    begin.elapsed()
}
