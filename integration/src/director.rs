//! A user's connection to a director, for what is too fast or too much for the command line.

use std::error::Error;
use std::path::Path;

use protocol::Identity;
use protocol::api::Login;
use protocol::client::DirectorClient;
use protocol::tls::{Trust, installation_of};

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The API.
    pub client: DirectorClient,
    /// What stands for the user: `Authorization: Bearer TOKEN`.
    pub token: String,
}

impl Connection {
    /// Logs in at the director that the authority with this certificate signed for. What the process
    /// does its TLS with must be installed.
    ///
    /// # Errors
    /// When there is no certificate yet, nobody answers, or the login is refused.
    pub async fn open(
        url: &str,
        certificate: &Path,
        username: &str,
        password: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let certificate = std::fs::read_to_string(certificate)?;
        let installation = installation_of(&certificate).ok_or("it is no authority")?;
        let http = Trust::new(&installation, &certificate)?.client(Identity::Director, None)?;
        let client = DirectorClient::new(http, url, None);
        let login = Login { username: username.to_owned(), password: password.to_owned() };
        let token = client.login(&login).await?.token;
        Ok(Self { client: client.with_token(token.clone()), token })
    }
}
