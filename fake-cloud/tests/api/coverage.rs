//! COVERAGE.md tells the truth, and no operation can be asked by whom it should not.

use std::path::Path;

use reqwest::Method;

use crate::client::Stack;

/// Each operation: its method, its path and who may ask.
pub(crate) fn operations() -> Vec<(Method, String, String)> {
    let document = fake_cloud::coverage::document();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            [_, name, method, path, who, _] if name.contains(':') => {
                let path = path.trim_matches('`').replace(['{', '}'], "");
                Some((method.parse().unwrap(), path, (*who).to_owned()))
            }
            _ => None,
        }
    };
    document.lines().filter_map(row).collect()
}

#[test]
fn coverage_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("COVERAGE.md");
    let document = fake_cloud::coverage::document();
    if std::env::var_os("FAKE_CLOUD_BLESS").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document, "COVERAGE.md is old: run the tests with FAKE_CLOUD_BLESS=1");
}

#[tokio::test]
async fn nobody_is_answered_without_a_token() {
    let stack = Stack::start().await;
    let nobody = stack.with_token("");
    let junk = stack.with_token("junk");
    let operations = operations();
    assert!(operations.len() > 100, "the table is read: {}", operations.len());
    for (method, path, who) in operations {
        let open = who == "open";
        for client in [&nobody, &junk] {
            let status = client.status(method.clone(), &path).await;
            assert_eq!(status == 401, !open, "{method} {path} is for {who}, and answers {status}");
            if path.ends_with("/auth/tokens") && open {
                break;
            }
        }
    }
}

#[tokio::test]
async fn only_the_administrator_does_what_is_for_the_administrator() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    for (method, path, who) in operations() {
        if who == "admin" {
            assert_eq!(ada.status(method.clone(), &path).await, 403, "{method} {path}");
            assert_ne!(admin.status(method.clone(), &path).await, 403, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_words_of_each_service() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let (status, answer) = ada.refusal(Method::GET, "/compute/v2.1/nothing").await;
    assert_eq!((status, &answer["itemNotFound"]["code"]), (404, &404.into()));
    let (status, answer) = ada.refusal(Method::DELETE, "/compute/v2.1/flavors").await;
    assert_eq!((status, &answer["badMethod"]["code"]), (405, &405.into()));
    let (status, answer) = ada.refusal(Method::GET, "/network/v2.0/nothing").await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (404, &"HTTPNotFound".into()));
    let (status, answer) = ada.refusal(Method::GET, "/v3/nothing").await;
    assert_eq!((status, &answer["error"]["title"]), (404, &"Not Found".into()));
    let page = ada.request(Method::GET, "/image/v2/nothing").send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("<h1>404 Not Found</h1>"));
}

#[tokio::test]
async fn long_request_lines_are_read() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let ids = vec![uuid::Uuid::nil().to_string(); 500].join(",");
    let images = ada.get(&format!("/image/v2/images?id=in:{ids}")).await;
    assert_eq!(images["images"], serde_json::json!([]));
}
