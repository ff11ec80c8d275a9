//! The life of domains, with libvirt's own test driver: nothing runs, and everything else is real.

use std::fs;

use fake_cloud::backends::{Backend as _, BackendError, ImageSource, Survivor, VolumeMount};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

use crate::fixture::{Fixture, server, tree};

/// It has one domain of its own, which is nobody's business.
const URI: &str = "test:///default";

/// The state of a server's domain, as anyone sees it.
fn state(connect: &Connect, id: Uuid) -> Option<sys::virDomainState> {
    Some(Domain::lookup_by_uuid(connect, id).ok()?.get_state().unwrap().0)
}

#[tokio::test]
async fn a_server_is_a_domain_through_all_its_life() {
    let place = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(URI, &place.path().join("state")).unwrap();
    let libvirt = Connect::open(Some(URI)).unwrap();
    let server = server(&tree(place.path()), "");
    let (backend, id) = (&fixture.backend, server.id);

    backend.start(&server).await.unwrap();
    backend.start(&server).await.unwrap();
    assert_eq!(state(&libvirt, id), Some(sys::VIR_DOMAIN_RUNNING));
    assert!(backend.runs(id).await);
    assert_eq!(backend.disks().await.unwrap(), [id]);
    backend.pause(id, true).await.unwrap();
    assert_eq!(state(&libvirt, id), Some(sys::VIR_DOMAIN_PAUSED));
    backend.pause(id, false).await.unwrap();
    assert_eq!(state(&libvirt, id), Some(sys::VIR_DOMAIN_RUNNING));

    backend.stop(id).await.unwrap();
    assert_eq!(state(&libvirt, id), Some(sys::VIR_DOMAIN_SHUTOFF));
    assert!(!backend.runs(id).await);
    backend.stop(id).await.unwrap();
    backend.start(&server).await.unwrap();
    backend.delete(id).await.unwrap();
    assert_eq!(state(&libvirt, id), None);
    assert!(backend.disks().await.unwrap().is_empty());
    backend.delete(id).await.unwrap();
    assert!(fixture.exits.try_recv().is_err(), "nothing of that is news");
}

#[tokio::test]
async fn the_end_of_a_machine_is_told_once_and_it_can_be_started_again() {
    let place = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(URI, &place.path().join("state")).unwrap();
    let libvirt = Connect::open(Some(URI)).unwrap();
    let server = server(&tree(place.path()), "");

    for _ in 0..2 {
        fixture.backend.start(&server).await.unwrap();
        Domain::lookup_by_uuid(&libvirt, server.id).unwrap().shutdown().unwrap();
        let exit = fixture.exits.recv().await.unwrap();
        assert_eq!((exit.id, exit.reason.as_str()), (server.id, "it shut down"));
        assert!(!fixture.backend.runs(server.id).await);
    }
}

#[tokio::test]
async fn what_ran_on_is_taken_up_and_what_has_no_disk_is_removed() {
    let place = tempfile::tempdir().unwrap();
    let state_dir = place.path().join("state");
    let libvirt = Connect::open(Some(URI)).unwrap();
    let tree = tree(place.path());
    let [running, paused, ended, stopped, gone] = [(); 5].map(|()| server(&tree, ""));

    let fixture = Fixture::open(URI, &state_dir).unwrap();
    for server in [&running, &paused, &ended, &stopped, &gone] {
        fixture.backend.start(server).await.unwrap();
    }
    fixture.backend.pause(paused.id, true).await.unwrap();
    Domain::lookup_by_uuid(&libvirt, ended.id).unwrap().shutdown().unwrap();
    fixture.backend.cut(stopped.id).await.unwrap();
    fs::remove_dir_all(state_dir.join("servers").join(gone.id.to_string())).unwrap();
    // As if the process was killed: it does not tidy up.
    std::mem::forget(fixture);

    let fixture = Fixture::open(URI, &state_dir).unwrap();
    assert_eq!(state(&libvirt, gone.id), None);
    let survivors = fixture.backend.survivors().await;
    assert_eq!(survivors.get(&running.id), Some(&Survivor::Running));
    assert_eq!(survivors.get(&paused.id), Some(&Survivor::Paused));
    assert_eq!(survivors.get(&ended.id), Some(&Survivor::Ended));
    assert_eq!(survivors.get(&stopped.id), None);
    let started = Domain::lookup_by_uuid(&libvirt, running.id).unwrap().get_id();
    fixture.backend.start(&running).await.unwrap();
    let now = Domain::lookup_by_uuid(&libvirt, running.id).unwrap().get_id();
    assert_eq!(started, now, "it is the same run");

    fixture.backend.power_off().await;
    for server in [&running, &paused, &ended, &stopped] {
        assert_eq!(state(&libvirt, server.id), None, "nothing is left in libvirt");
    }
    assert_eq!(fixture.backend.disks().await.unwrap().len(), 4);
}

#[tokio::test]
async fn another_clouds_domains_are_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let libvirt = Connect::open(Some(URI)).unwrap();
    let theirs = Fixture::open(URI, &place.path().join("theirs")).unwrap();
    let server = server(&tree(place.path()), "");
    theirs.backend.start(&server).await.unwrap();

    let ours = Fixture::open(URI, &place.path().join("ours")).unwrap();
    assert!(ours.backend.survivors().await.is_empty());
    drop(ours);
    assert_eq!(state(&libvirt, server.id), Some(sys::VIR_DOMAIN_RUNNING));
    drop(theirs);
    assert_eq!(state(&libvirt, server.id), None);
}

#[tokio::test]
async fn volumes_are_disks_of_the_domain() {
    let place = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(URI, &place.path().join("state")).unwrap();
    let libvirt = Connect::open(Some(URI)).unwrap();
    let mut server = server(&tree(place.path()), "");
    let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
    let backend = &fixture.backend;
    backend.volume_create(volume.id, 1, None).await.unwrap();
    assert_eq!(backend.volumes().await.unwrap(), [volume.id]);
    // It does not run: there is nothing to do.
    backend.volume_attach(server.id, &volume).await.unwrap();

    server.volumes.push(volume.clone());
    backend.start(&server).await.unwrap();
    let domain = Domain::lookup_by_uuid(&libvirt, server.id).unwrap();
    let disks = || domain.get_xml_desc(0).unwrap().matches("device='disk'").count();
    assert_eq!(disks(), 2);
    // It is there already, and another one is not.
    backend.volume_attach(server.id, &volume).await.unwrap();
    let other = VolumeMount { id: Uuid::new_v4(), device: "sdc".to_owned() };
    backend.volume_detach(server.id, &other).await.unwrap();
    assert_eq!(disks(), 2);
}

#[tokio::test]
async fn what_cannot_be_booted_is_refused_and_leaves_no_machine() {
    let place = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(URI, &place.path().join("state")).unwrap();
    let mut server = server(&tree(place.path()), "");
    server.image = ImageSource::Host { extra_files: vec![] };
    let refused = fixture.backend.start(&server).await.unwrap_err();
    assert!(matches!(refused, BackendError::Image(_)), "{refused}");
    assert!(!fixture.backend.runs(server.id).await);

    // A disk image that is larger than the flavor's disk.
    let image = place.path().join("image");
    fs::File::create(&image).unwrap().set_len(2 << 30).unwrap();
    server.image = ImageSource::File { path: image };
    let refused = fixture.backend.start(&server).await.unwrap_err();
    assert!(refused.to_string().contains("too small"), "{refused}");
    server.disk_gib = 3;
    fixture.backend.start(&server).await.unwrap();
    assert!(fixture.backend.runs(server.id).await);
}

#[tokio::test]
async fn a_libvirt_that_is_not_there_is_said_so() {
    let place = tempfile::tempdir().unwrap();
    let error = Fixture::open("test:///nowhere.xml", place.path()).map(drop).unwrap_err();
    assert!(error.to_string().contains("connect to libvirt test:///nowhere.xml"), "{error}");
}
