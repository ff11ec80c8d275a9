//! Users, sessions, passwords.

use protocol::ErrorCode;
use protocol::api::Login;

use super::World;
use super::world::{CREDITS, PASSWORD, refusal};
use crate::UserSettings;

fn login(username: &str, password: &str) -> Login {
    Login { username: username.to_owned(), password: password.to_owned() }
}

#[tokio::test]
async fn a_session_begins_with_a_password_and_ends_with_logout() {
    let world = World::new().await;
    let user = world.login("test").await;
    let view = user.user_view().await.unwrap();
    assert_eq!((view.username.as_str(), view.credits), ("test", CREDITS));
    user.logout().await.unwrap();
    assert_eq!(refusal(user.user_view().await).0, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_are_told_alike_and_slowed_down() {
    let world = World::new().await;
    let anonymous = world.anonymous();
    let wrong = refusal(anonymous.login(&login("test", "guess")).await);
    assert_eq!(wrong, (ErrorCode::Unauthenticated, "wrong user name or password".to_owned()));
    assert_eq!(refusal(anonymous.login(&login("nobody", PASSWORD)).await), wrong);
    for _ in 0..9 {
        assert_eq!(refusal(anonymous.login(&login("test", "guess")).await), wrong);
    }
    let slowed = refusal(anonymous.login(&login("test", PASSWORD)).await);
    assert_eq!(slowed.0, ErrorCode::TooManyRequests);
    world.login("other").await;
    world.advance(time::Duration::MINUTE);
    world.login("test").await;
}

#[tokio::test]
async fn a_session_ends_after_thirty_days() {
    let world = World::new().await;
    let user = world.login("test").await;
    world.advance(time::Duration::days(29));
    user.user_view().await.unwrap();
    world.advance(time::Duration::days(1));
    assert_eq!(refusal(user.user_view().await).0, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn the_settings_rule_the_password_and_give_credits_once() {
    let world = World::new().await;
    let user = world.login("test").await;
    let settings = UserSettings {
        username: "test".to_owned(),
        password: "another".to_owned(),
        administrator: true,
        credits: Some(7),
    };
    world.app().user_ensure(&settings, 1).await.unwrap();
    assert_eq!(refusal(user.user_view().await).0, ErrorCode::Unauthenticated);
    let anonymous = world.anonymous();
    assert_eq!(
        refusal(anonymous.login(&login("test", PASSWORD)).await).0,
        ErrorCode::Unauthenticated
    );
    let view = anonymous.login(&login("test", "another")).await.unwrap().user;
    assert_eq!((view.administrator, view.credits), (true, CREDITS));
}
