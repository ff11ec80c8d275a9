//! The store across uploads, deletions and restarts.

use bytes::Bytes;

use super::*;

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    builder.append_data(&mut header, "run.sh", &b"ls\n"[..]).unwrap();
    builder.into_inner().unwrap()
}

fn content(bytes: Vec<u8>) -> Content {
    let chunks: Vec<_> = bytes.chunks(700).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    futures::stream::iter(chunks).boxed()
}

fn about(filename: &str) -> CodeUpload {
    let (filename, description) = (filename.to_owned(), "mine".to_owned());
    CodeUpload { filename, description, strip: false }
}

fn message(error: ServiceError) -> String {
    ApiError::from(error).message
}

fn default_id() -> CodeVersionId {
    CodeVersionId::DEFAULT.parse().unwrap()
}

#[tokio::test]
async fn versions_survive_a_restart_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = CodeStore::open(directory.path()).unwrap();
    store.add_default(&tar()).unwrap();
    store.add_default(&tar()).unwrap();
    let id = store.add(&about("app.tar.gz"), content(tar()), |_| Ok(())).await.unwrap();
    store.activate(&id).unwrap();

    let reopened = CodeStore::open(directory.path()).unwrap();
    let versions = reopened.list();
    assert_eq!(versions.len(), 2);
    assert_eq!((&versions[0].id, versions[0].current), (&id, true));
    assert_eq!(versions[0].filename, "app.tar.gz");
    assert_eq!(versions[1].filename, "code-default.tar");
    assert_eq!(versions[1].description, "Initial version");
    assert_eq!(reopened.archive(&id).await.unwrap().filename, "app.tar.gz");
    assert_eq!(id.as_str().len(), "code-pw1LKs".len());
}

#[tokio::test]
async fn the_active_and_the_initial_version_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = CodeStore::open(directory.path()).unwrap();
    store.add_default(&tar()).unwrap();
    let id = store.add(&about("app.tar"), content(tar()), |_| Ok(())).await.unwrap();
    assert!(message(store.delete(&default_id()).unwrap_err()).contains("active"));
    store.activate(&id).unwrap();
    assert!(message(store.delete(&id).unwrap_err()).contains("active"));
    assert!(message(store.delete(&default_id()).unwrap_err()).contains("initial"));
    store.activate(&default_id()).unwrap();
    store.delete(&id).unwrap();
    assert_eq!(message(store.activate(&id).unwrap_err()), format!("there is no code version {id}"));
    assert!(!directory.path().join(id.as_str()).exists());
}

#[tokio::test]
async fn a_refused_or_broken_upload_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = CodeStore::open(directory.path()).unwrap();
    let refused =
        store.add(&about("a.zip"), content(b"text".to_vec()), |_| Ok(())).await.unwrap_err();
    assert_eq!(message(refused), "`a.zip` is not a tar or zip archive");
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(b"PK")),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ]);
    let broken = store.add(&about("a.zip"), broken.boxed(), |_| Ok(())).await.unwrap_err();
    assert_eq!(message(broken), "the upload of `a.zip` broke off");
    for name in ["", "..", "a/b", "a\"b", "a\nb"] {
        assert!(store.add(&about(name), content(tar()), |_| Ok(())).await.is_err(), "{name:?}");
    }
    assert!(store.list().is_empty());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_is_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = CodeStore::open(directory.path()).unwrap();
    store.add_default(&tar()).unwrap();
    fs::write(directory.path().join(".upload-x"), "half").unwrap();
    fs::write(directory.path().join("code-gone"), "deleted from the index").unwrap();
    let reopened = CodeStore::open(directory.path()).unwrap();
    assert_eq!(reopened.list().len(), 1);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}
