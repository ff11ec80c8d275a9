//! What a service's page shows beside its state: volumes, keys, history.

use axum::http::StatusCode;

use crate::site::Site;

#[tokio::test]
async fn volumes_and_keys_are_listed_made_and_deleted() {
    let site = Site::start().await;
    let page = site.get("/services/3").await;
    page.shows(&["<code>data</code>", "1024 MB", "/services/3/volumes/data/delete", "ATTACHED"]);
    page.shows(&["git clone git@127.200.0.10:code", "me@home", "SHA256:abc/+"]);
    assert!(!site.get("/services/4").await.text.contains("Volumes"), "Hello World has none");

    site.post("/services/3/volumes", "volume=logs&size=512&node=6").await.leads_to("/services/3");
    assert_eq!(site.last_order().1, r#"{"name":"logs","size_mib":512,"node":6}"#);
    let refused = site.post("/services/3/volumes", "volume=logs&size=much&node=6").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    refused.shows(&["size of the volume in MB", "value=\"logs\""]);
    site.post("/services/3/volumes/data/delete", "").await.leads_to("/services/3");
    assert_eq!(site.last_order().1, r#"{"name":"data"}"#);

    let key = "ssh-ed25519 BBBB you@there";
    site.post_parts(
        "/services/3/keys",
        &[("name=\"keys\"", key), ("name=\"file\"; filename=\"\"", "")],
    )
    .await
    .leads_to("/services/3");
    assert_eq!(site.last_order().1.trim(), key);
    let none = site.post_parts("/services/3/keys", &[("name=\"keys\"", " ")]).await;
    none.shows(&["Choose a file with public keys"]);
    site.post("/services/3/keys/delete", "fingerprint=SHA256%3Aabc%2F%2B")
        .await
        .leads_to("/services/3");
    assert_eq!(site.last_order().1, r#"{"fingerprint":"SHA256:abc/+"}"#);
}

#[tokio::test]
async fn a_service_has_a_history() {
    let site = Site::start().await;
    let page = site.get("/services/3").await;
    page.shows(&["node &#60;8&#62; is gone"]);
    // The latest comes first.
    let place = |text: &str| page.text.find(text).unwrap();
    let table = place("history-entries");
    assert!(page.text[table..].find("ERROR") < page.text[table..].find("INIT"));
}

#[tokio::test]
async fn a_web_service_shows_its_address_its_programs_and_its_settings() {
    let site = Site::start().await;
    let page = site.get("/services/9").await;
    page.shows(&["<a href=\"http://127.200.0.21:8080/\"", "role.backend", "Strip the directory"]);
    page.shows(&["proxy, restarted 2 times, last after exit 137", ">web</span>"]);
    page.shows(&["name=\"setting.memory_limit\" value=\"256M\"", "<option selected>Off</option>"]);
    assert!(!site.get("/services/3").await.text.contains("Strip the directory"));

    let changed = "setting.memory_limit=512M&setting.display_errors=Off";
    site.post("/services/9/settings", changed).await.leads_to("/services/9");
    assert_eq!(site.last_order().1, r#"{"phpconf":{"memory_limit":"512M"}}"#);
    let same = site.post("/services/9/settings", "setting.display_errors=Off").await;
    same.shows(&["No setting differs", "<details id=\"settings\" class=\"card\" open>"]);
}

#[tokio::test]
async fn a_doubtful_upload_is_told_of() {
    let site = Site::start().await;
    let fields = [("name=\"strip\"", "yes"), ("name=\"archive\"; filename=\"b.zip\"", "content")];
    let page = site.post_parts("/services/9/code", &fields).await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&["class=\"problem warning\"", "code-Xy12Za is uploaded, but all of `b.zip` lies"]);
    assert!(site.last_order().0.contains("strip=true"), "{}", site.last_order().0);
}

#[tokio::test]
async fn a_service_that_scales_itself_shows_how_it_went_and_can_be_told_otherwise() {
    let site = Site::start().await;
    let page = site.get("/services/9").await;
    page.shows(&["On: every 5 min, answers within 800 ms, medium", "class=\"mark added\""]);
    page.shows(&["<title>adding 1 m1.large: &#60;12&#62; are coming</title>", "backend m1.large"]);
    assert!(!site.get("/services/3").await.text.contains("Autoscaling"));
    let asked = "adapt_interval=10&response_time_threshold=500&strategy=low&autoscaling=on";
    site.post("/services/9/autoscaling", asked).await.leads_to("/services/9");
    let wanted = r#"{"adapt_interval":10,"response_time_threshold":500,"strategy":"low"}"#;
    assert_eq!(site.last_order().1, wanted);
    site.post("/services/9/autoscaling", "autoscaling=off").await.leads_to("/services/9");
    assert!(site.last_order().0.ends_with("/off_autoscaling"));
    let never = "adapt_interval=0&response_time_threshold=500&strategy=low&autoscaling=on";
    let refused = site.post("/services/9/autoscaling", never).await;
    refused.shows(&["adapt_interval is 0, not from 1 to 1440 minutes"]);
}
