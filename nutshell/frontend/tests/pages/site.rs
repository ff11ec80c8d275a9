//! The pages over a director that is reached by real TLS, and a browser's requests.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::canned::{Director, TOKEN};

/// The pages, and the director behind them.
pub(crate) struct Site {
    pub(crate) director: Director,
    pub(crate) router: Router,
}

/// What a browser gets.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl axum::http::header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn leads_to(&self, path: &str) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        assert_eq!(self.header(LOCATION), path);
    }

    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.text.contains(text), "`{text}` is not in {}", self.text);
        }
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        let director = Director::start().await;
        let router = frontend::router(frontend::Settings {
            director_url: director.url.clone(),
            trust: director.trust.clone(),
            holder: director.holder.clone(),
        });
        Self { director, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A page, as the user who is logged in.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// A form that the user sent from one of our pages.
    pub(crate) async fn post(&self, path: &str, form: &'static str) -> Answer {
        let request = request("POST", path)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(form.into()).unwrap()).await
    }

    /// A form with files: `head` of each part, and its content.
    pub(crate) async fn post_parts(&self, path: &str, parts: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (head, content) in parts {
            body.push_str(&format!(
                "--cut\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n"
            ));
        }
        let request = request("POST", path)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=cut");
        self.send(request.body(format!("{body}--cut--\r\n").into()).unwrap()).await
    }

    /// The last order the director was given: method and path, body.
    pub(crate) fn last_order(&self) -> (String, String) {
        let order = self.director.orders().pop().unwrap();
        (order.what, order.body)
    }
}

/// A request of the user who is logged in.
pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    let cookie = format!("theme=x; __Host-nutshell_session={TOKEN}");
    Request::builder().method(method).uri(path).header("host", "here").header(COOKIE, cookie)
}
