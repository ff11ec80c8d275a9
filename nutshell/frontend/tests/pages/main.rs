//! The pages as a browser meets them, over a director that is reached by real TLS.

#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

#[path = "../canned/mod.rs"]
mod canned;
mod manifests;
mod service;
mod site;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use protocol::{ApiError, ErrorCode};

use site::{Site, request};

#[tokio::test]
async fn who_is_not_logged_in_is_led_to_the_login_page() {
    let site = Site::start().await;
    for path in [
        "/",
        "/services/new",
        "/services/3",
        "/services/3/logs",
        "/events",
        "/account",
        "/users",
        "/manifests",
        "/manifests/shop",
        "/deployments/12",
        "/applications/1/manifest",
    ] {
        let bare = Request::builder().uri(path).body(Body::empty()).unwrap();
        site.send(bare).await.leads_to("/login");
        let expired = Request::builder().uri(path).header(COOKIE, "__Host-nutshell_session=old");
        let answer = site.send(expired.body(Body::empty()).unwrap()).await;
        answer.leads_to("/login");
        assert!(answer.header(SET_COOKIE).contains("Max-Age=0"), "the old token is forgotten");
    }
    site.get("/login").await.shows(&["name=\"password\"", "action=\"/login\""]);
}

#[tokio::test]
async fn logging_in_sets_the_cookie_and_logging_out_takes_it_away() {
    let site = Site::start().await;
    let answer = site.post("/login", "username=test&password=right").await;
    answer.leads_to("/");
    let cookie = answer.header(SET_COOKIE);
    assert!(cookie.starts_with("__Host-nutshell_session=the-token; "), "{cookie}");
    for rule in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(rule), "{rule} is missing in {cookie}");
    }
    let answer = site.post("/logout", "").await;
    answer.leads_to("/login");
    assert!(answer.header(SET_COOKIE).starts_with("__Host-nutshell_session=; Max-Age=0"));
    assert_eq!(site.last_order().0, "POST /v1/logout");
}

#[tokio::test]
async fn a_wrong_password_leaves_the_name_in_the_form() {
    let site = Site::start().await;
    let answer = site.post("/login", "username=%22me%22&password=no").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header(SET_COOKIE), "");
    answer.shows(&["The user name or the password is wrong.", "value=\"&#34;me&#34;\""]);
}

#[tokio::test]
async fn orders_from_elsewhere_are_refused_before_the_director_hears_of_them() {
    let site = Site::start().await;
    for path in [
        "/login",
        "/logout",
        "/register",
        "/account/password",
        "/account/tokens",
        "/users",
        "/users/1/delete",
        "/services",
        "/services/3/terminate",
        "/services/3/code",
        "/services/3/keys",
        "/services/3/keys/delete",
        "/services/3/volumes",
        "/services/3/volumes/data/delete",
        "/manifests",
        "/manifests/shop/delete",
        "/applications",
        "/applications/1/stop",
        "/applications/1/delete",
    ] {
        for sign in [None, Some(("sec-fetch-site", "cross-site")), Some(("origin", "https://evil"))]
        {
            let mut request = request("POST", path);
            if let Some((name, value)) = sign {
                request = request.header(name, value);
            }
            let answer = site.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {sign:?}");
        }
    }
    assert!(site.director.asked().is_empty());
    let own = request("POST", "/services/3/stop").header("origin", "https://here");
    site.send(own.body(Body::empty()).unwrap()).await.leads_to("/services/3");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::start().await;
    for path in [
        "/",
        "/login",
        "/nowhere",
        "/static/live.js",
        "/services/3",
        "/account",
        "/users",
        "/manifests",
        "/deployments/12",
        "/applications/1/manifest",
    ] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!answer.text.contains(inline), "{path} has {inline}, which browsers ignore");
        }
    }
}

#[tokio::test]
async fn the_dashboard_shows_services_below_their_applications() {
    let site = Site::start().await;
    let answer = site.get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.shows(&["<b>47</b> credits", ">test<", "Web shop", "127.200.0.10", "Hello World"]);
    answer.shows(&[
        "RUNNING",
        "led-error",
        "init.sh ended with return code 3",
        "href=\"/services/3\"",
    ]);
    answer.shows(&["Shop &#60;front&#62;"]);
    let place = |text: &str| answer.text.find(text).unwrap();
    assert!(place("Greeter") < place("Experiments") && place("Experiments") < place("Crawler"));
}

#[tokio::test]
async fn a_service_page_offers_what_its_state_and_type_allow() {
    let site = Site::start().await;
    let running = site.get("/services/3").await;
    running.shows(&["127.200.0.15", "127.201.0.6", "/services/3/stop", "/services/3/terminate"]);
    running.shows(&["code-pw1LKs", "/code/code-pw1LKs/enable", "shop-1.3.tar.gz", "run.sh"]);
    running.shows(&["STOPPED (return code 0)", "NEVER STARTED", "data-again=\"1\"", "role.master"]);
    assert!(!running.text.contains("/services/3/start\""));
    assert!(!running.text.contains("/code/code-Ab3dEf/enable"), "the active version is active");
    let greeter = site.get("/services/4").await;
    greeter.shows(&["Received helloworld from node 9"]);
    assert!(!greeter.text.contains("Code versions"));
    let fresh = site.get("/services/8").await;
    fresh.shows(&["/services/8/start", "<fieldset disabled>"]);
    assert!(!fresh.text.contains("/services/8/stop\""));
    // The manager of this one does not answer; the rest of the page is there.
    fresh.shows(&["there is no GET /v1/services/8/nodes", "New generic service"]);
}

#[tokio::test]
async fn orders_reach_the_api() {
    let site = Site::start().await;
    for (path, form, order, body) in [
        ("/services/5/start", "", "POST /v1/services/5/start", "{}"),
        ("/services/5/start", "cloud=c", "POST /v1/services/5/start", r#"{"cloud":"c"}"#),
        ("/services/3/stop", "", "POST /v1/services/3/stop", "{}"),
        ("/services/3/rename", "name=+a+b+", "PATCH /v1/services/3", r#"{"name":"a b"}"#),
        (
            "/services/3/nodes",
            "role.node=2&role.master=&change=add",
            "POST /v1/services/3/add-nodes",
            r#"{"nodes":{"node":2}}"#,
        ),
        (
            "/services/3/nodes",
            "role.node=1&change=remove",
            "POST /v1/services/3/remove-nodes",
            r#"{"nodes":{"node":1}}"#,
        ),
        (
            "/services/3/scripts",
            "script=run&parameters=8000+%27a+b%27",
            "POST /v1/services/3/methods/run",
            r#"{"parameters":["8000","a b"]}"#,
        ),
        (
            "/services/3/code/code-pw1LKs/enable",
            "",
            "POST /v1/services/3/methods/enable_code",
            r#"{"code_version":"code-pw1LKs"}"#,
        ),
        (
            "/services/3/code/code-pw1LKs/delete",
            "",
            "POST /v1/services/3/methods/delete_code",
            r#"{"code_version":"code-pw1LKs"}"#,
        ),
    ] {
        let page = path.split('/').take(3).collect::<Vec<_>>().join("/");
        site.post(path, form).await.leads_to(&page);
        assert_eq!(site.last_order(), (order.to_owned(), body.to_owned()));
    }
    site.post("/services/3/terminate", "").await.leads_to("/");
    assert_eq!(site.last_order().0, "DELETE /v1/services/3");
    site.post("/services", "service_type=generic&name=x&application=2")
        .await
        .leads_to("/services/3");
    assert_eq!(site.last_order().1, r#"{"service_type":"generic","application":2,"name":"x"}"#);
}

#[tokio::test]
async fn a_refusal_is_shown_in_place_and_nothing_typed_is_lost() {
    let site = Site::start().await;
    let refusal =
        ApiError::new(ErrorCode::CloudFailed, "no <b>address</b> is free").hint("free one");
    for (order, path, form, kept) in [
        (
            "POST /v1/services/3/add-nodes",
            "/services/3/nodes",
            "role.node=2&change=add",
            "value=\"2\"",
        ),
        (
            "POST /v1/services/3/methods/run",
            "/services/3/scripts",
            "script=run&parameters=-v+1",
            "value=\"-v 1\"",
        ),
        ("PATCH /v1/services/3", "/services/3/rename", "name=other", "value=\"other\""),
        ("POST /v1/services", "/services", "service_type=generic&name=mine", "value=\"mine\""),
    ] {
        site.director.refuse(order, refusal.clone());
        let answer = site.post(path, form).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{path}");
        answer.shows(&[
            "no &#60;b&#62;address&#60;/b&#62; is free",
            "free one",
            "role=\"alert\"",
            kept,
        ]);
    }
    // A reload of that answer leads back to the service.
    site.get("/services/3/nodes").await.leads_to("/services/3");
}

#[tokio::test]
async fn applications_take_orders_on_the_dashboard() {
    let site = Site::start().await;
    let page = site.get("/").await;
    page.shows(&["/applications/1/stop", "/applications/1/manifest", "/applications/2/delete"]);
    assert!(!page.text.contains("/applications/1/start"), "it runs");
    for (path, form, order, body) in [
        ("/applications", "name=+Shop+", "POST /v1/applications", r#"{"name":"Shop"}"#),
        ("/applications/2/start", "", "POST /v1/applications/2/start", "{}"),
        ("/applications/1/stop", "", "POST /v1/applications/1/stop", "{}"),
        ("/applications/1/rename", "name=a+b", "PATCH /v1/applications/1", r#"{"name":"a b"}"#),
        ("/applications/2/delete", "", "DELETE /v1/applications/2", "{}"),
    ] {
        site.post(path, form).await.leads_to("/");
        assert_eq!(site.last_order(), (order.to_owned(), body.to_owned()));
        site.get(path).await.leads_to("/");
    }
    site.director.refuse("POST /v1/applications/1/stop", ApiError::conflict("not now"));
    let refused = site.post("/applications/1/stop", "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows(&["not now", "Web shop"]);
    site.post("/applications/1/rename", "name=+").await.shows(&["An application needs a name."]);
}

#[tokio::test]
async fn what_does_not_exist_is_a_page_that_says_so() {
    let site = Site::start().await;
    for path in ["/services/99", "/services/x", "/services/3/code/code-..x/download", "/nowhere"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.shows(&["role=\"alert\"", "href=\"/\""]);
    }
}

#[tokio::test]
async fn an_archive_goes_through_with_its_name_and_description() {
    let site = Site::start().await;
    let large = "x".repeat(5 << 20);
    let part = |head: &str, content: &str| {
        format!("--cut\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let upload = async |parts: String| {
        let request = request("POST", "/services/3/code")
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=cut");
        site.send(request.body(format!("{parts}--cut--\r\n").into()).unwrap()).await
    };
    let description = part("name=\"description\"", "Second try");
    let archive = part("name=\"archive\"; filename=\"app 1.tar.gz\"", &large);
    upload(format!("{description}{archive}")).await.leads_to("/services/3");
    let (order, body) = site.last_order();
    assert_eq!(
        order,
        "POST /v1/services/3/methods/upload_code?filename=app+1.tar.gz&description=Second+try"
    );
    assert!(body == large, "the archive arrived changed");

    let none = part("name=\"archive\"; filename=\"\"", "");
    let answer = upload(format!("{description}{none}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.shows(&["Choose the archive", "value=\"Second try\""]);

    let whole = part("name=\"archive\"; filename=\"a\"", "the first half");
    let request = request("POST", "/services/3/code")
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=cut");
    let orders = site.director.orders().len();
    let answer = site.send(request.body(whole.into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.shows(&["did not arrive whole"]);
    assert_eq!(site.director.orders().len(), orders, "the director took a part for the whole");
}

#[tokio::test]
async fn a_code_version_comes_back_as_a_file() {
    let site = Site::start().await;
    let answer = site.get("/services/3/code/code-Ab3dEf/download").await;
    assert_eq!(answer.text, "archive");
    assert_eq!(answer.header(CONTENT_DISPOSITION), "attachment; filename=\"shop.tar.gz\"");
    let asked = site.director.asked();
    assert!(asked.last().unwrap().ends_with("/download_code?code_version=code-Ab3dEf"));
}

#[tokio::test]
async fn logs_of_manager_and_nodes_are_shown_escaped() {
    let site = Site::start().await;
    let answer = site.get("/services/3/logs?node=6&name=agent.out").await;
    answer.shows(&["run.sh started &#60;3&#62; &#38; listens", "?node=6&#38;name=agent.err"]);
    let asked = site.director.asked();
    assert!(asked.contains(&"GET /v1/services/3/logs?node=6&name=agent.out&lines=1000".to_owned()));
    let gone = ApiError::new(ErrorCode::Unavailable, "node 6 does not answer");
    site.director.refuse("GET /v1/services/3/logs", gone);
    let answer = site.get("/services/3/logs?node=6").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    answer.shows(&["node 6 does not answer", "node=5"]);
}

#[tokio::test]
async fn events_name_what_changed() {
    let site = Site::start().await;
    let answer = site.get("/events").await;
    assert_eq!(answer.header(CONTENT_TYPE), "text/event-stream");
    answer.shows(&["retry: 1000", "data: services service-3\n"]);
    // The topics are those that pages listen to.
    site.get("/services/3").await.shows(&["data-live=\"service-3 applications\""]);
    site.get("/").await.shows(&["data-live=\"applications services\"", "data-live=\"credits\""]);
}

#[tokio::test]
async fn a_director_that_is_away_is_named() {
    let mut site = Site::start().await;
    site.router = frontend::router(frontend::Settings {
        // The director listens on another address.
        director_url: site.director.url.replace("127.0.0.1", "127.0.0.254"),
        trust: site.director.trust.clone(),
        holder: site.director.holder.clone(),
    });
    let answer = site.get("/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    answer.shows(&["The director does not answer", "nutshell status"]);
}

#[tokio::test]
async fn the_account_page_has_the_ledger_the_tokens_and_the_password() {
    let site = Site::start().await;
    let page = site.get("/account").await;
    page.shows(&[
        "hour 2 of instance 5",
        "a gift",
        "nightly",
        "read-only",
        "name=\"new_password\"",
    ]);
    site.post("/account/password", "old_password=a&new_password=b&again=b")
        .await
        .leads_to("/account");
    let order = ("POST /v1/user/password".to_owned(), r#"{"old_password":"a","new_password":"b"}"#);
    assert_eq!(site.last_order(), (order.0, order.1.to_owned()));
    let answer = site.post("/account/password", "old_password=a&new_password=b&again=c").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.shows(&["The two new passwords are not the same."]);

    let made = site.post("/account/tokens", "name=ci&read_only=on&days=30").await;
    made.shows(&["nutshell_secret", "not shown again"]);
    assert_eq!(site.last_order().1, r#"{"name":"ci","read_only":true,"days":30}"#);
    site.post("/account/tokens/4/revoke", "").await.leads_to("/account");
    assert_eq!(site.last_order().0, "DELETE /v1/user/tokens/4");
    site.get("/account/tokens/4/revoke").await.leads_to("/account");
}

#[tokio::test]
async fn administrators_look_after_users() {
    let site = Site::start().await;
    site.get("/users").await.shows(&["ada", "disabled", "name=\"amount\"", "/users/7/delete"]);
    site.post("/users/7/credits", "amount=-5&note=too+many").await.leads_to("/users");
    assert_eq!(
        site.last_order(),
        ("POST /v1/users/7/credits".to_owned(), r#"{"amount":-5,"note":"too many"}"#.to_owned())
    );
    site.post("/users/7/change", "administrator=true").await.leads_to("/users");
    assert_eq!(site.last_order().1, r#"{"administrator":true}"#);
    site.post("/users/7/change", "disabled=false").await.leads_to("/users");
    assert_eq!(site.last_order().1, r#"{"disabled":false}"#);
    site.post("/users/7/delete", "").await.leads_to("/users");
    assert_eq!(site.last_order().0, "DELETE /v1/users/7");
    site.post("/users", "username=bob&password=a+long+one&credits=").await.leads_to("/users");
    assert!(site.last_order().1.starts_with(r#"{"username":"bob","password":"a long one""#));
    assert_eq!(site.post("/users/7/credits", "amount=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn people_register_where_the_director_takes_them() {
    let site = Site::start().await;
    site.get("/login").await.shows(&["href=\"/register\""]);
    site.get("/register").await.shows(&["name=\"email\""]);
    let answer = site.post("/register", "username=ada&password=right&again=right&email=").await;
    answer.leads_to("/");
    assert!(answer.header(SET_COOKIE).starts_with("__Host-nutshell_session=the-token; "));
}

#[tokio::test]
async fn an_identity_provider_is_visited_and_come_back_from() {
    let site = Site::start().await;
    site.get("/login").await.shows(&["href=\"/login/oidc/corp\"", "Log in with corp"]);
    let there = site.get("/login/oidc/corp").await;
    there.leads_to("https://corp.example.org/auth?x=1");
    let kept = there.header(SET_COOKIE);
    assert!(
        kept.starts_with("__Host-nutshell_oidc=a.b.c; Max-Age=600; Path=/; HttpOnly"),
        "{kept}"
    );
    let back = Request::builder()
        .uri("/login/oidc/corp/callback?code=1&state=a")
        .header(COOKIE, "__Host-nutshell_oidc=a.b.c")
        .header("sec-fetch-site", "cross-site");
    let back = site.send(back.body(Body::empty()).unwrap()).await;
    assert_eq!(back.status, StatusCode::OK);
    back.shows(&["content=\"0;url=/\""]);
    let cookies: Vec<_> = back.headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert_eq!(site.last_order().1, r#"{"code":"1","state":"a","flow":"a.b.c"}"#);
    let refused = site.get("/login/oidc/corp/callback?error=access_denied").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    refused.shows(&["access_denied"]);
}
