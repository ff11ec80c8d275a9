//! Manifests and their deployments.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, COOKIE};
use axum::http::{Request, StatusCode};

use crate::site::Site;

#[tokio::test]
async fn manifests_are_deployed_from_a_list_a_file_or_a_text() {
    let site = Site::start().await;
    site.get("/manifests").await.shows(&["A &#60;service&#62;", "/manifests/shop/delete"]);
    let plain = site.get("/manifests").await.text;
    assert!(!plain.contains("/manifests/generic/delete"), "it comes with the director");

    let deploy = ("name=\"deploy\"", "");
    let field = ("name=\"ready\"", "shop");
    site.post_parts("/manifests", &[field]).await.leads_to("/deployments/12");
    assert_eq!(site.last_order().1, r#"{"Services":[1]}"#);

    let text = ("name=\"text\"", r#"{"Services": [{"Archive": "app.tgz"}]}"#);
    let beside = ("name=\"beside\"; filename=\"app.tgz\"", "the code");
    site.post_parts("/manifests", &[text, beside, deploy]).await.leads_to("/deployments/12");
    let (_, order) = site.last_order();
    assert!(order.contains("data:application/octet-stream;name=app.tgz;base64,"), "{order}");

    let missing = site.post_parts("/manifests", &[text, deploy]).await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    missing.shows(&["names the file app.tgz", "&#34;Archive&#34;: &#34;app.tgz&#34;"]);
    let file = ("name=\"file\"; filename=\"m.json\"", "{");
    site.post_parts("/manifests", &[file, deploy]).await.shows(&["is no JSON: "]);

    let keep = [("name=\"text\"", "{}"), ("name=\"name\"", " mine "), ("name=\"keep\"", "")];
    site.post_parts("/manifests", &keep).await.leads_to("/manifests");
    assert_eq!(site.last_order(), ("PUT /v1/manifests/mine".to_owned(), "{}".to_owned()));
    site.post("/manifests/shop/delete", "").await.leads_to("/manifests");
    assert_eq!(site.last_order().0, "DELETE /v1/manifests/shop");
}

#[tokio::test]
async fn a_deployment_is_followed_step_by_step() {
    let site = Site::start().await;
    let running = site.get("/deployments/12").await;
    running.shows(&["Shop: growing to 2 node", "data-follow=\"/deployments/12?after=7\""]);
    running.shows(&["<noscript><meta http-equiv=\"refresh\""]);
    site.get("/deployments/12?after=7").await.shows(&["DEPLOYING"]);
    assert!(
        site.director.asked().iter().any(|asked| asked.contains("deployments/12?after=7&wait"))
    );
    let failed = site.get("/deployments/13").await;
    failed.shows(&["no &#60;address&#62; is free", "FAILED"]);
    assert!(!failed.text.contains("data-follow"), "nothing more comes");
}

#[tokio::test]
async fn manifests_come_back_as_files() {
    let site = Site::start().await;
    let answer = site.get("/applications/1/manifest").await;
    assert_eq!(answer.header(CONTENT_DISPOSITION), "attachment; filename=\"Web-shop.json\"");
    answer.shows(&["\"Application\": \"Web shop\""]);
    let answer = site.get("/manifests/shop").await;
    assert_eq!(answer.header(CONTENT_DISPOSITION), "attachment; filename=\"shop.json\"");
    assert_eq!(site.get("/manifests/other").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_is_read_of_who_is_not_logged_in() {
    let site = Site::start().await;
    let upload = Request::builder()
        .method("POST")
        .uri("/manifests")
        .header(COOKIE, "__Host-nutshell_session=old")
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=cut");
    // A body that never comes.
    let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    site.send(upload.body(body).unwrap()).await.leads_to("/login");
}
