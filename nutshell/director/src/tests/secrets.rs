//! What the director is told in confidence is in no log, however much is logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

use protocol::api::{Login, PasswordChange, Profile, TokenCreate, UserRegister};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::World;
use super::world::{PASSWORD, running_service};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn not_even_a_trace_of_everything_has_a_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _heard = tracing::subscriber::set_default(subscriber);

    let world = World::new().await;
    let anonymous = world.anonymous();
    let login =
        |password: &str| Login { username: "ada".to_owned(), password: password.to_owned() };
    let register = UserRegister {
        username: "ada".to_owned(),
        password: "ada's first secret".to_owned(),
        profile: Profile::default(),
    };
    anonymous.user_register(&register).await.unwrap();
    anonymous.login(&login("ada's wrong guess")).await.unwrap_err();
    let session = anonymous.login(&login("ada's first secret")).await.unwrap().token;
    let user = anonymous.with_token(session.clone());
    let change = PasswordChange {
        old_password: "ada's first secret".to_owned(),
        new_password: "ada's second secret".to_owned(),
    };
    user.password_change(&change).await.unwrap();
    let create = TokenCreate { name: "ci".to_owned(), read_only: false, days: None };
    let token = user.token_create(&create).await.unwrap().secret;
    running_service(&anonymous.with_token(token.clone())).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("TRACE"), "it was to be everything");
    assert!(text.contains("ada"), "what is no secret may be told");
    let mut secrets = vec![PASSWORD.to_owned(), "ada's".to_owned(), session, token];
    secrets.extend(world.cloud.boots().into_iter().map(|boot| boot.token));
    for secret in secrets {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(&secret)).collect();
        assert_eq!(lines, Vec::<&str>::new());
    }
}
