//! A cloud in a few words.

use fake_cloud::FakeCloud;
use reqwest::StatusCode;

use crate::client::http;

#[tokio::test]
async fn a_cloud_in_a_few_words_is_private_and_leaves_nothing() {
    let first = FakeCloud::builder().user("ada", "lovelace", "engines").start().await.unwrap();
    let second = FakeCloud::builder().password("other").start().await.unwrap();
    assert_ne!(first.address().ip(), second.address().ip());
    let ada = first.credentials("ada").unwrap();
    assert_eq!((ada.project.as_str(), ada.region.as_str()), ("engines", "RegionOne"));
    assert_eq!(second.credentials("admin").unwrap().password, "other");
    assert!(second.credentials("ada").is_none());
    let state = first.state_dir().to_owned();
    assert!(state.join("fake-cloud.db").exists());

    let answer = http().get(first.auth_url()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    first.shutdown().await;
    assert!(!state.exists());
}

#[tokio::test]
async fn a_named_directory_stays() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("cloud");
    let cloud = FakeCloud::builder().state_dir(&state).start().await.unwrap();
    cloud.shutdown().await;
    assert!(state.join("fake-cloud.db").exists());
}

#[test]
fn a_cloud_that_is_dropped_goes_with_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cloud = runtime.block_on(FakeCloud::builder().start()).unwrap();
    let state = cloud.state_dir().to_owned();
    drop(cloud);
    drop(runtime);
    assert!(!state.exists());
}
