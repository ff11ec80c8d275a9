//! Serves the pages over a director with made-up answers: for work on templates and style.
//!
//! `cargo run -p frontend --example preview [ADDRESS]`; any user name, password `right`.

#[path = "../tests/canned/mod.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "it is made for the tests")]
mod canned;

use protocol::tls::server::{TlsListener, serve};
use protocol::tls::{ClientCertificates, server_config};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is all it has to say")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8443".to_owned());
    let director = canned::Director::start().await;
    let trust = director.trust.clone();
    let pages = frontend::router(frontend::Settings {
        director_url: director.url.clone(),
        trust: trust.clone(),
        holder: director.holder.clone(),
    });
    let config = server_config(director.holder.clone(), &trust, ClientCertificates::Optional)?;
    let listener = TlsListener::new(TcpListener::bind(&address).await?, config, trust)?;
    println!("https://{address}");
    Ok(serve(listener, pages, CancellationToken::new()).await?)
}
