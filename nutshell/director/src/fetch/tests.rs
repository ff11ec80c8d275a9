//! Against a server on this machine.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::Path as PathParameter;
use axum::response::Redirect;
use axum::routing::get;

use super::*;

/// A server on `127.0.0.1`; its URL.
async fn server() -> String {
    let hop = async |PathParameter(left): PathParameter<u32>| match left {
        0 => Redirect::to("/file"),
        left => Redirect::to(&format!("/hop/{}", left - 1)),
    };
    let endless =
        async || Body::from_stream(futures::stream::repeat_with(|| io::Result::Ok(&[0; 1024][..])));
    let router = Router::new()
        .route("/file", get(async || "content"))
        .route("/hop/{left}", get(hop))
        .route("/endless", get(endless))
        .route("/silent", get(std::future::pending::<()>))
        .route("/elsewhere", get(async || Redirect::to("file:///etc/passwd")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn private() -> FetchSettings {
    FetchSettings { allow_private: true, ..FetchSettings::default() }
}

async fn fetch(settings: &FetchSettings, text: &str) -> Result<String, FetchError> {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("fetched");
    to_file(settings, &url(text)?, &path).await?;
    Ok(std::fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn a_file_is_fetched_over_some_redirections_and_not_over_many() {
    let server = server().await;
    for path in ["file", "hop/0", "hop/4"] {
        assert_eq!(fetch(&private(), &format!("{server}/{path}")).await.unwrap(), "content");
    }
    let refused = fetch(&private(), &format!("{server}/hop/5")).await;
    assert!(matches!(refused, Err(FetchError::Redirections { .. })), "{refused:?}");
    let missing = fetch(&private(), &format!("{server}/nothing")).await;
    assert!(matches!(missing, Err(FetchError::Status { .. })), "{missing:?}");
}

#[tokio::test]
async fn size_and_time_have_limits() {
    let server = server().await;
    let small = FetchSettings { largest: 100_000, ..private() };
    let refused = fetch(&small, &format!("{server}/endless")).await;
    assert!(matches!(refused, Err(FetchError::TooLarge { limit: 100_000, .. })), "{refused:?}");
    let exact = FetchSettings { largest: 7, ..private() };
    assert_eq!(fetch(&exact, &format!("{server}/file")).await.unwrap(), "content");
    let announced = FetchSettings { largest: 6, ..private() };
    let refused = fetch(&announced, &format!("{server}/file")).await;
    assert!(matches!(refused, Err(FetchError::TooLarge { .. })), "{refused:?}");
    let short = FetchSettings { timeout: Duration::from_millis(50), ..private() };
    let refused = fetch(&short, &format!("{server}/silent")).await;
    assert!(matches!(refused, Err(FetchError::Timeout { .. })), "{refused:?}");
}

#[tokio::test]
async fn nothing_is_asked_of_addresses_that_are_not_public() {
    let server = server().await;
    let port = server.rsplit_once(':').unwrap().1.to_owned();
    for host in
        ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"]
    {
        let refused = fetch(&FetchSettings::default(), &format!("http://{host}:{port}/file")).await;
        assert!(matches!(refused, Err(FetchError::Private { .. })), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn a_redirection_is_judged_as_the_first_url_was() {
    let server = server().await;
    let refused = fetch(&private(), &format!("{server}/elsewhere")).await;
    assert!(matches!(refused, Err(FetchError::NotHttp(_))), "{refused:?}");
    // Judged before anything is sent: the rule is asked for the second URL alone.
    let next = Url::parse(&server).unwrap().join("http://169.254.169.254/latest").unwrap();
    let refused = request(&FetchSettings::default(), &next).await;
    assert!(matches!(refused, Err(FetchError::Private { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_judged() {
    let server = server().await;
    let listening: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
    // The name resolves to nothing anywhere: only what was judged can be connected to.
    let client = Client::builder()
        .tls_backend_preconfigured(tls())
        .no_proxy()
        .dns_resolver(Arc::new(Resolved(vec![listening])))
        .build()
        .unwrap();
    let url = format!("http://judged.invalid:{}/file", listening.port());
    assert_eq!(client.get(url).send().await.unwrap().text().await.unwrap(), "content");
}

#[test]
fn only_the_web_is_fetched_and_secrets_are_not_shown() {
    for bad in ["", "x", "file:///etc/passwd", "ftp://example.org/", "data:,x", "http://", "//x"] {
        assert!(matches!(url(bad), Err(FetchError::NotHttp(_))), "{bad}");
    }
    let url = url("https://user:secret@example.org/a.zip?token=1#x").unwrap();
    assert_eq!(shown(&url), "https://example.org/a.zip");
}
