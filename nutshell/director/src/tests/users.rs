//! Users, sessions, passwords.

use protocol::ErrorCode;
use protocol::api::{
    CreditGrant, CreditKind, CreditQuery, Login, PasswordChange, Profile, State, TokenCreate,
    UserChange, UserCreate, UserRegister,
};
use protocol::client::DirectorClient;

use super::World;
use super::world::{CREDITS, PASSWORD, refusal, running_service};
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
    world.set_clock(time::Duration::days(-1));
    assert_eq!(refusal(anonymous.login(&login("test", PASSWORD)).await), slowed);
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
    world.app().user_ensure(&settings).await.unwrap();
    assert_eq!(refusal(user.user_view().await).0, ErrorCode::Unauthenticated);
    let anonymous = world.anonymous();
    assert_eq!(
        refusal(anonymous.login(&login("test", PASSWORD)).await).0,
        ErrorCode::Unauthenticated
    );
    let view = anonymous.login(&login("test", "another")).await.unwrap().user;
    assert_eq!((view.administrator, view.credits), (true, CREDITS));
}

fn register(username: &str, password: &str) -> UserRegister {
    let profile = Profile { email: "ada@example.org".to_owned(), ..Profile::default() };
    UserRegister { username: username.to_owned(), password: password.to_owned(), profile }
}

/// A new user with a session, and its client.
async fn registered(world: &World, username: &str) -> DirectorClient {
    let anonymous = world.anonymous();
    anonymous.user_register(&register(username, "a long secret")).await.unwrap();
    let grant = anonymous.login(&login(username, "a long secret")).await.unwrap();
    anonymous.with_token(grant.token)
}

#[tokio::test]
async fn people_make_themselves_users_with_the_default_credits() {
    let world = World::new().await;
    let user = registered(&world, "Ada").await.user_view().await.unwrap();
    assert_eq!((user.username.as_str(), user.administrator), ("Ada", false));
    assert_eq!((user.credits, user.profile.email.as_str()), (CREDITS, "ada@example.org"));
    let anonymous = world.anonymous();
    let taken = refusal(anonymous.user_register(&register("ada", "a long secret")).await);
    assert_eq!(taken, (ErrorCode::Conflict, "there is another user named `ada`".to_owned()));
    for (name, password) in [("a b", "a long secret"), ("bob", "short")] {
        let refused = refusal(anonymous.user_register(&register(name, password)).await);
        assert_eq!(refused.0, ErrorCode::InvalidRequest, "{refused:?}");
    }
    anonymous.login(&login("ADA", "a long secret")).await.unwrap();
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let world = World::new().await;
    let here = registered(&world, "ada").await;
    let anonymous = world.anonymous();
    let there = anonymous.login(&login("ada", "a long secret")).await.unwrap().token;
    let change = |old: &str, new: &str| PasswordChange {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
    };
    let refused = refusal(here.password_change(&change("a guess", "another secret")).await);
    assert_eq!(refused, (ErrorCode::InvalidRequest, "the old password is wrong".to_owned()));
    here.password_change(&change("a long secret", "another secret")).await.unwrap();
    here.user_view().await.unwrap();
    let ended = refusal(anonymous.with_token(there).user_view().await);
    assert_eq!(ended.0, ErrorCode::Unauthenticated);
    anonymous.login(&login("ada", "another secret")).await.unwrap();

    let in_settings = world.login("test").await;
    let refused = refusal(in_settings.password_change(&change(PASSWORD, "another secret")).await);
    assert_eq!(refused.0, ErrorCode::Conflict, "it would come back with the next start");
}

#[tokio::test]
async fn tokens_last_until_they_end_or_are_revoked() {
    let world = World::new().await;
    let user = world.login("test").await;
    let create = |name: &str, days| TokenCreate { name: name.to_owned(), read_only: false, days };
    let grant = user.token_create(&create("nightly", Some(7))).await.unwrap();
    assert!(grant.secret.starts_with("nutshell_"), "{}", grant.secret);
    let taken = refusal(user.token_create(&create("nightly", None)).await);
    assert_eq!(taken.0, ErrorCode::Conflict);
    let script = world.anonymous().with_token(grant.secret.clone());
    assert_eq!(user.token_list().await.unwrap()[0].last_used, None);
    assert_eq!(script.user_view().await.unwrap().username, "test");
    let [token] = &user.token_list().await.unwrap()[..] else { panic!("there is one") };
    assert!(token.last_used.is_some());
    world.advance(time::Duration::days(7));
    assert_eq!(refusal(script.user_view().await).0, ErrorCode::Unauthenticated);

    let grant = user.token_create(&create("another", None)).await.unwrap();
    let script = world.anonymous().with_token(grant.secret);
    script.user_view().await.unwrap();
    user.token_revoke(grant.token.id).await.unwrap();
    assert_eq!(refusal(script.user_view().await).0, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn an_administrator_makes_users_and_gives_credits() {
    let world = World::new().await;
    let admin = world.login("admin").await;
    let create = UserCreate {
        username: "ada".to_owned(),
        password: "a long secret".to_owned(),
        administrator: false,
        credits: Some(5),
        profile: Profile::default(),
    };
    let user = admin.user_create(&create).await.unwrap();
    assert_eq!(user.credits, 5);
    let grant = CreditGrant { amount: -2, note: Some("too many".to_owned()) };
    assert_eq!(admin.credits_grant(user.id, &grant).await.unwrap().credits, 3);
    let told = admin.user_credits(user.id, &CreditQuery::default()).await.unwrap();
    let amounts: Vec<_> = told.entries.iter().map(|entry| (entry.kind, entry.amount)).collect();
    assert_eq!(amounts, [(CreditKind::Grant, -2), (CreditKind::Grant, 5)]);
    assert_eq!((told.balance, told.entries[0].note.as_deref()), (3, Some("too many")));
    let names: Vec<_> =
        admin.user_list().await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["ada", "admin", "other", "test"]);
}

#[tokio::test]
async fn who_is_shut_out_has_nothing_running() {
    let world = World::new().await;
    let user = registered(&world, "ada").await;
    let admin = world.login("admin").await;
    let service = running_service(&user).await;
    let id = user.user_view().await.unwrap().id;
    let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
    assert!(admin.user_change(id, &disabled).await.unwrap().disabled);
    assert_eq!(refusal(user.user_view().await).0, ErrorCode::Unauthenticated);
    let refused = refusal(world.anonymous().login(&login("ada", "a long secret")).await);
    assert_eq!(refused, (ErrorCode::Forbidden, "the account of `ada` is disabled".to_owned()));
    world.app().operations_given_up().await;
    world.assert_clean_slate().await;

    let enabled = UserChange { disabled: Some(false), ..UserChange::default() };
    admin.user_change(id, &enabled).await.unwrap();
    let grant = world.anonymous().login(&login("ada", "a long secret")).await.unwrap();
    let user = world.anonymous().with_token(grant.token);
    let application = user.application_view(service.application).await.unwrap();
    assert_eq!(application.state, State::Stopped);
}

#[tokio::test]
async fn a_user_goes_with_everything() {
    let world = World::new().await;
    let user = registered(&world, "ada").await;
    let admin = world.login("admin").await;
    running_service(&user).await;
    let id = user.user_view().await.unwrap().id;
    admin.user_delete(id).await.unwrap();
    world.assert_clean_slate().await;
    assert!(admin.user_list().await.unwrap().iter().all(|user| user.id != id));
    let own = admin.user_view().await.unwrap().id;
    let refused = refusal(admin.user_delete(own).await);
    assert_eq!(refused, (ErrorCode::Conflict, "`admin` is the only administrator".to_owned()));
}
