//! The library: a whole nutshell inside a test's own process.

use std::net::TcpStream;
use std::path::Path;

use nutshell::stack::{Stack, StackSettings, StartError, StateDirectory};

fn settings(state: &Path) -> StackSettings {
    StackSettings::new(state, env!("CARGO_BIN_EXE_nutshell").into())
}

fn answers(url: &str) -> bool {
    let address = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    address.is_some_and(|address| TcpStream::connect(address).is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let first = Stack::start(settings(&state)).await.unwrap();
    let (running, credentials) = (first.running().clone(), first.credentials.clone());
    assert!(answers(first.director_url()) && answers(first.openstack_url()));
    let authority = std::fs::read_to_string(first.ca_certificate()).unwrap();

    let refused = Stack::start(settings(&state)).await.unwrap_err();
    assert!(matches!(refused, StartError::Lock(_)), "{refused}");
    first.shutdown().await;
    assert!(!answers(&running.director_url) && !answers(&running.openstack_url));

    let again = Stack::start(settings(&state)).await.unwrap();
    assert_eq!(again.director_url(), running.director_url);
    assert_eq!(again.credentials, credentials);
    assert_eq!(std::fs::read_to_string(again.ca_certificate()).unwrap(), authority);
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vms_of_an_unknown_size_are_refused_before_anything_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let huge = StackSettings { instance_type: Some("m9.huge".to_owned()), ..settings(&state) };
    let refused = Stack::start(huge).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no instance type m9.huge: there are m1.tiny, m1.small, m1.medium, m1.large, m1.xlarge"
    );
    assert!(!state.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_do_not_share_addresses_and_a_password_can_be_given() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let given = StackSettings { password: Some("sesame".to_owned()), ..settings(&two) };
    let (one, two) = tokio::join!(Stack::start(settings(&one)), Stack::start(given));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.director_url(), two.director_url());
    assert_ne!(one.credentials.password, two.credentials.password);
    assert_eq!(two.credentials.password, "sesame");
    tokio::join!(one.shutdown(), two.shutdown());
    let state = StateDirectory::at(&directory.path().join("two"));
    assert!(!state.path().join("running.json").exists());
}
