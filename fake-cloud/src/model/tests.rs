//! Tests of the decisions that need a whole model.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::life::{Request, State, Task};
use super::*;
use crate::settings::{Listen, Settings};

pub(crate) const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn settings() -> Settings {
    let listen = Listen::Address("127.5.0.1:0".parse().unwrap());
    Settings::loopback(PathBuf::new(), listen, "secret")
}

pub(crate) fn model() -> (Model, Caller) {
    let mut model = Model::default();
    model.seed(&settings(), NOW);
    let user = model.user_named("admin").unwrap();
    let caller = Caller {
        user_id: user.id,
        project_id: Some(user.grants[0].0),
        is_admin: true,
        token_id: TokenId::random(),
    };
    (model, caller)
}

pub(crate) fn wanted(model: &Model) -> NewServers {
    NewServers {
        name: "vm".to_owned(),
        flavor: model.flavors.iter().next().unwrap().id.to_string(),
        image: model.images.iter().next().unwrap().id.to_string(),
        min_count: 1,
        max_count: 1,
        ..NewServers::default()
    }
}

fn create(model: &mut Model, caller: &Caller) -> ServerId {
    let wanted = wanted(model);
    model.create_servers(caller, caller.project_id.unwrap(), &wanted, NOW).unwrap()[0]
}

#[test]
fn seeding_twice_changes_nothing() {
    let (mut model, _) = model();
    assert!(!model.take_changes().is_empty());
    model.seed(&settings(), NOW);
    assert_eq!(model.take_changes(), []);
}

#[test]
fn seeding_follows_the_settings_and_keeps_ids() {
    let (mut model, _) = model();
    let before = model.flavors.iter().next().unwrap().id;
    let mut settings = settings();
    settings.flavors[0].price_per_hour = 9.5;
    settings.public_network = "internet".to_owned();
    model.seed(&settings, NOW);
    let flavor = model.flavors.get(before).unwrap();
    assert_eq!(flavor.extra_specs["price:per_hour"], "9.5");
    assert_eq!(model.public_network().unwrap().name, "internet");
    assert_eq!(model.networks.len(), 2);
}

#[test]
fn a_model_is_restored_from_its_changes() {
    let (mut model, caller) = model();
    let id = create(&mut model, &caller);
    let changes = model.take_changes();
    let mut restored = Model::default();
    for change in changes {
        let content = change.content.unwrap();
        assert!(restored.restore(change.kind, change.sequence, &content).unwrap());
    }
    assert_eq!(restored.servers.get(id).unwrap().name, "vm");
    assert_eq!(restored.ports.len(), model.ports.len());
    assert!(!restored.restore("unknown", 1, "{}").unwrap());
}

#[test]
fn a_refused_creation_leaves_nothing_behind() {
    let (mut model, caller) = model();
    let project = caller.project_id.unwrap();
    model.take_changes();
    model.default_quotas.ports = 1;
    let mut two = wanted(&model);
    two.min_count = 2;
    two.max_count = 2;
    assert!(model.create_servers(&caller, project, &two, NOW).is_err());
    assert_eq!(model.take_changes(), []);
    let outside = Plug::Network(
        model.private_network().unwrap().id,
        WantedIp::at(Some([10, 0, 0, 1].into())),
    );
    let elsewhere = NewServers { plugs: Plugs::These(vec![outside]), ..wanted(&model) };
    assert!(model.create_servers(&caller, project, &elsewhere, NOW).is_err());
    assert_eq!(model.take_changes(), []);
}

#[test]
fn a_task_ends_once_and_only_if_it_is_still_the_servers() {
    let (mut model, caller) = model();
    let id = create(&mut model, &caller);
    let text = id.to_string();
    let (_, task) = model.begin(&caller, &text, Request::Delete, "req", NOW).unwrap();
    model.finish(id, Task::Spawning, Ok(()), NOW);
    let server = model.servers.get(id).unwrap();
    assert_eq!((server.state, server.task), (State::Building, Some(Task::Deleting)));
    model.finish(id, task, Ok(()), NOW);
    assert!(model.servers.is_empty());
    assert!(model.ports.iter().all(|port| port.server_id().is_none()));
}

#[test]
fn a_deleted_server_frees_its_address_and_its_floating_ip() {
    let (mut model, caller) = model();
    let project_id = caller.project_id.unwrap();
    let id = create(&mut model, &caller);
    let port_id = model.servers.get(id).unwrap().ports[0];
    let network_id = model.public_network().unwrap().id;
    let floating = NewFloatingIp {
        target: Some(port_id.into()),
        ..NewFloatingIp::from_pool(network_id, project_id)
    };
    let floating = model.create_floating_ip(floating, NOW).unwrap();
    assert_eq!(model.route_of(floating), Some(([127, 5, 1, 10].into(), [127, 5, 16, 2].into())));
    model.begin(&caller, &id.to_string(), Request::Delete, "req", NOW).unwrap();
    let unrouted = model.finish(id, Task::Deleting, Ok(()), NOW);
    assert_eq!(unrouted, [std::net::Ipv4Addr::new(127, 5, 1, 10)]);
    assert_eq!(model.route_of(floating), None);
    let next = create(&mut model, &caller);
    let spec = model.spec(next, "http://x").unwrap();
    assert_eq!(spec.fixed_ip, std::net::Ipv4Addr::new(127, 5, 16, 2));
}

#[test]
fn only_a_running_server_can_end_by_itself() {
    let (mut model, caller) = model();
    let id = create(&mut model, &caller);
    assert!(!model.server_ended(id, NOW), "it is being made");
    model.finish(id, Task::Spawning, Ok(()), NOW);
    assert!(model.server_ended(id, NOW));
    assert!(!model.server_ended(id, NOW), "it has ended already");
    assert!(!model.server_ended(ServerId::random(), NOW));
}

#[test]
fn interrupted_work_on_volumes_is_settled() {
    let (mut model, caller) = model();
    let server = create(&mut model, &caller);
    model.finish(server, Task::Spawning, Ok(()), NOW);
    let project = caller.project_id.unwrap();
    let mut ids = vec![];
    for _ in 0..2 {
        let wanted = NewVolume { size_gib: Some(1), ..NewVolume::default() };
        let id = model.create_volume(&caller, project, wanted, NOW).unwrap().id;
        model.settle_volume(id, Some(VolumeState::Available), NOW);
        let (server, volume) = (server.to_string(), id.to_string());
        model.attach_volume(&caller, &server, &volume, AttachWanted::default(), NOW).unwrap();
        ids.push(id);
    }
    let (kept, taken) = (ids[0], ids[1]);
    assert_eq!(model.spec(server, "").unwrap().volumes, [], "the attachment shows them");
    model.settle_attachment(taken, VolumeState::Attaching, VolumeState::InUse, NOW);
    model.detach_volume(&caller, &server.to_string(), &taken.to_string(), "", NOW).unwrap();
    model.resume_volumes(NOW);
    let shown: Vec<_> = model.spec(server, "").unwrap().volumes;
    assert_eq!(shown.iter().map(|it| it.id).collect::<Vec<_>>(), [kept.0]);
    let taken = model.volumes.get(taken).unwrap();
    assert_eq!((taken.state, &taken.attachment), (VolumeState::Available, &None));
}
