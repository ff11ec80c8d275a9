//! Whatever is done to a cloud, in whatever order, with whatever failures and restarts: no address,
//! volume, port, key or unit of a quota is ever lost, or held twice.

mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use time::OffsetDateTime;

use super::life::Request;
use super::quota::Quotas;
use super::*;
use crate::settings::{Listen, Settings};
use events::{Event, events};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// So small that sequences run into them.
const QUOTAS: Quotas = Quotas {
    instances: 4,
    cores: 6,
    ram: 8192,
    key_pairs: 2,
    metadata_items: 4,
    server_groups: 2,
    server_group_members: 2,
    floating_ips: 3,
    networks: 5,
    subnets: 5,
    routers: 2,
    // Two are the router's.
    ports: 8,
    security_groups: 3,
    security_group_rules: 20,
    volumes: 4,
    snapshots: 3,
    gigabytes: 9,
};

/// A cloud in memory, and what of it is on disk.
struct World {
    model: Model,
    disk: BTreeMap<(&'static str, u64), String>,
    settings: Settings,
    caller: Caller,
    project: ProjectId,
}

impl World {
    fn new() -> Self {
        let listen = Listen::Address("127.5.0.1:0".parse().unwrap());
        let mut settings = Settings::loopback(PathBuf::new(), listen, "secret");
        settings.quotas = QUOTAS;
        settings.floating_range = "127.5.1.10-127.5.1.12".parse().unwrap();
        let mut model = Model::default();
        model.seed(&settings, NOW);
        let user = model.user_named("admin").unwrap();
        let project = user.grants[0].0;
        let caller = Caller {
            user_id: user.id,
            project_id: Some(project),
            is_admin: true,
            token_id: TokenId::random(),
        };
        let mut world = Self { model, disk: BTreeMap::new(), settings, caller, project };
        world.write();
        world
    }

    /// Writes down what has changed.
    fn write(&mut self) {
        for change in self.model.take_changes() {
            let key = (change.kind, change.sequence);
            match change.content {
                Some(content) => self.disk.insert(key, content),
                None => self.disk.remove(&key),
            };
        }
    }

    /// What there is of a kind, chosen by an index.
    fn pick<T: Record>(table: &Table<T>, index: Index) -> Option<T::Id> {
        (!table.is_empty()).then(|| table.iter().nth(index.index(table.len())).unwrap().id())
    }

    fn happen(&mut self, event: Event) -> Option<()> {
        let (caller, project) = (self.caller, self.project);
        let caller = &caller;
        let model = &mut self.model;
        // Refusals are as good as consent: neither may lose anything.
        match event {
            Event::Create { count, volume } => {
                let new = LaunchVolume {
                    source: LaunchSource::New(Box::new(NewVolume {
                        size_gib: Some(1),
                        ..NewVolume::default()
                    })),
                    attach: AttachWanted { delete_on_termination: true, ..AttachWanted::default() },
                };
                let wanted = NewServers {
                    name: "vm".to_owned(),
                    flavor: model.flavors.iter().next()?.id.to_string(),
                    image: model.images.iter().next()?.id.to_string(),
                    min_count: 1,
                    max_count: count,
                    volumes: volume.then_some(new).into_iter().collect(),
                    ..NewServers::default()
                };
                let _ = model.create_servers(caller, project, &wanted, NOW);
            }
            Event::Ask(server, request) => {
                let id = Self::pick(&model.servers, server)?.to_string();
                let _ = model.begin(caller, &id, request, "req", NOW);
            }
            Event::Resize(server, flavor) => {
                let id = Self::pick(&model.servers, server)?.to_string();
                let flavor = Self::pick(&model.flavors, flavor)?.to_string();
                let _ = model.resize_server(caller, &id, &flavor, "req", NOW);
            }
            Event::Finish(server, well) => {
                let id = Self::pick(&model.servers, server)?;
                let task = model.servers.get(id)?.task?;
                if task == life::Task::Spawning && well {
                    Self::make_volumes_of(model, id);
                }
                let result = if well { Ok(()) } else { Err("bad luck".to_owned()) };
                model.finish(id, task, result, NOW);
            }
            Event::Die(server) => {
                let id = Self::pick(&model.servers, server)?;
                model.server_ended(id, NOW);
            }
            Event::CreateVolume { from, gib } => {
                let source = from.and_then(|from| Self::pick(&model.volumes, from));
                let source = source.map(|id| id.to_string());
                let wanted = NewVolume { size_gib: Some(gib), source, ..NewVolume::default() };
                let _ = model.create_volume(caller, project, wanted, NOW);
            }
            Event::CreateSnapshot(volume, forced) => {
                let id = Self::pick(&model.volumes, volume)?.to_string();
                let _ = model.create_snapshot(caller, &id, NewVolume::default(), forced, NOW);
            }
            Event::Settle(volume, well) => {
                let id = Self::pick(&model.volumes, volume)?;
                Self::settle(model, id, well);
            }
            Event::SettleSnapshot(snapshot, well) => {
                let id = Self::pick(&model.snapshots, snapshot)?;
                let state = match (model.snapshots.get(id)?.state, well) {
                    (VolumeState::Creating, true) => Some(VolumeState::Available),
                    (VolumeState::Deleting, true) => None,
                    (VolumeState::Creating | VolumeState::Deleting, false) => {
                        Some(VolumeState::Error)
                    }
                    _ => return None,
                };
                model.settle_snapshot(id, state, NOW);
            }
            Event::Attach(server, volume, delete_on_termination) => {
                let server = Self::pick(&model.servers, server)?.to_string();
                let volume = Self::pick(&model.volumes, volume)?.to_string();
                let wanted = AttachWanted { delete_on_termination, ..AttachWanted::default() };
                let _ = model.attach_volume(caller, &server, &volume, wanted, NOW);
            }
            Event::Detach(volume) => {
                let id = Self::pick(&model.volumes, volume)?;
                let server = model.volumes.get(id)?.attachment.as_ref()?.server_id.to_string();
                let _ = model.detach_volume(caller, &server, &id.to_string(), "", NOW);
            }
            Event::Extend(volume, gib) => {
                let id = Self::pick(&model.volumes, volume)?.to_string();
                let _ = model.extend_volume(caller, &id, gib, true, NOW);
            }
            Event::DeleteVolume(volume, with_snapshots) => {
                let id = Self::pick(&model.volumes, volume)?.to_string();
                let orphans = if with_snapshots { Orphans::Remove } else { Orphans::Refuse };
                let _ = model.delete_volume(caller, &id, orphans, NOW);
            }
            Event::DeleteSnapshot(snapshot) => {
                let id = Self::pick(&model.snapshots, snapshot)?.to_string();
                let _ = model.delete_snapshot(caller, &id, NOW);
            }
            Event::Allocate(port) => {
                let wanted = NewFloatingIp {
                    target: Self::target(model, port),
                    ..NewFloatingIp::from_pool(model.public_network()?.id, project)
                };
                let _ = model.create_floating_ip(wanted, NOW);
            }
            Event::Associate(floating, port) => {
                let id = Self::pick(&model.floating_ips, floating)?;
                let target = Self::target(model, port);
                let _ = model.associate(id, target, NOW);
            }
            Event::Release(floating) => {
                let id = Self::pick(&model.floating_ips, floating)?;
                model.floating_ips.remove(id);
            }
            Event::CreatePort => {
                let wanted = NewPort::on(model.private_network()?.id, project);
                let _ = model.create_port(wanted, NOW);
            }
            Event::DeletePort(port) => {
                let id = Self::pick(&model.ports, port)?;
                // The API refuses those of servers and routers.
                if model.ports.get(id)?.device == Device::Nothing {
                    model.delete_port(id, NOW);
                }
            }
            Event::CreateKey(number) => {
                let key = "ssh-ed25519 \
                           AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
                let _ = model.create_key_pair(caller, &format!("key-{number}"), key, NOW);
            }
            Event::DeleteKey(number) => {
                let _ = model.delete_key_pair(caller.user_id, &format!("key-{number}"));
            }
            Event::Exhaust(exhausted) => {
                let pools = model.networks.iter().map(|network| network.id);
                model.shortages.pools = if exhausted { pools.collect() } else { BTreeSet::new() };
            }
            Event::Restart => self.restart(),
        }
        Some(())
    }

    fn target(model: &Model, port: Option<Index>) -> Option<Target> {
        let port_id = Self::pick(&model.ports, port?)?;
        Some(Target { port_id, fixed_address: None })
    }

    /// What the effects do for a volume that is on its way.
    fn settle(model: &mut Model, id: VolumeId, well: bool) {
        let Some(volume) = model.volumes.get(id) else { return };
        match (volume.state, well) {
            // A new server makes those it is to have from its first start.
            (VolumeState::Creating, _) if volume.attachment.is_some() => {}
            (VolumeState::Creating, true) => {
                model.settle_volume(id, Some(VolumeState::Available), NOW);
            }
            (VolumeState::Deleting, true) => model.settle_volume(id, None, NOW),
            (VolumeState::Creating | VolumeState::Deleting, false) => {
                model.settle_volume(id, Some(VolumeState::Error), NOW);
            }
            (VolumeState::Attaching, _) => {
                let to = if well { VolumeState::InUse } else { VolumeState::Available };
                model.settle_attachment(id, VolumeState::Attaching, to, NOW);
            }
            (VolumeState::Detaching, _) => {
                let to = if well { VolumeState::Available } else { VolumeState::InUse };
                model.settle_attachment(id, VolumeState::Detaching, to, NOW);
            }
            (
                VolumeState::Available
                | VolumeState::InUse
                | VolumeState::Reverting
                | VolumeState::AwaitingTransfer
                | VolumeState::Error,
                _,
            ) => {}
        }
    }

    /// What the effects do before a server's first start.
    fn make_volumes_of(model: &mut Model, server: ServerId) {
        let making = |state| matches!(state, VolumeState::Creating | VolumeState::Attaching);
        let ids: Vec<VolumeId> = model
            .volumes_of(server)
            .filter(|(volume, _)| making(volume.state))
            .map(|(volume, _)| volume.id)
            .collect();
        for id in ids {
            model.settle_volume(id, Some(VolumeState::InUse), NOW);
        }
    }

    /// The cloud is killed and comes back with what is on disk.
    fn restart(&mut self) {
        self.write();
        let mut restored = Model::default();
        for ((kind, sequence), content) in &self.disk {
            assert!(restored.restore(kind, *sequence, content).unwrap());
        }
        assert_eq!(dump(&restored), dump(&self.model), "what is on disk is what was known");
        self.model = restored;
        self.model.seed(&self.settings, NOW);
        self.model.resume_volumes(NOW);
        self.model.resume(&std::collections::HashMap::new(), NOW);
    }

    /// Everything that must hold at any time.
    fn check(&self) {
        let model = &self.model;
        assert!(model.is_in_step(), "an index is not what its table is");
        let mut addresses = BTreeSet::new();
        for port in model.ports.iter() {
            for fixed in &port.fixed_ips {
                assert!(addresses.insert(fixed.address), "two ports have {}", fixed.address);
            }
            if let Some(server) = port.server_id() {
                let server = model.servers.get(server).expect("a port outlives its server");
                assert!(server.ports.contains(&port.id), "a server has lost a port");
            }
        }
        for server in model.servers.iter() {
            for port in &server.ports {
                let port = model.ports.get(*port).expect("a port of a server is gone");
                assert_eq!(port.server_id(), Some(server.id));
            }
        }
        let mut led = BTreeSet::new();
        for floating in model.floating_ips.iter() {
            assert!(addresses.insert(floating.address), "{} is given twice", floating.address);
            assert!(self.settings.floating_range.pool().contains(floating.address));
            if let Some(port) = floating.port_id {
                assert!(model.ports.get(port).is_some(), "a floating IP leads to no port");
                assert!(led.insert(port), "two floating IPs lead to one port");
            }
        }
        let mut devices = BTreeSet::new();
        for volume in model.volumes.iter() {
            match &volume.attachment {
                Some(attachment) => {
                    assert!(model.servers.get(attachment.server_id).is_some(), "{volume:?}");
                    let device = (attachment.server_id, &attachment.device);
                    assert!(devices.insert(device), "two volumes are one device");
                }
                None => assert!(
                    !matches!(
                        volume.state,
                        VolumeState::Attaching | VolumeState::InUse | VolumeState::Detaching
                    ),
                    "{volume:?} is held by nobody"
                ),
            }
        }
        let names: BTreeSet<_> = model.key_pairs.iter().map(|key| &key.name).collect();
        assert_eq!(names.len(), model.key_pairs.len(), "two keys have one name");
        self.check_quotas();
    }

    fn check_quotas(&self) {
        let model = &self.model;
        let gib: u64 = model.volumes.iter().map(|it| it.size_gib).sum::<u64>()
            + model.snapshots.iter().map(|it| it.size_gib).sum::<u64>();
        for (what, used, limit) in [
            ("instances", model.servers.len(), QUOTAS.instances),
            ("ports", model.ports.len(), QUOTAS.ports),
            ("floating IPs", model.floating_ips.len(), QUOTAS.floating_ips),
            ("volumes", model.volumes.len(), QUOTAS.volumes),
            ("snapshots", model.snapshots.len(), QUOTAS.snapshots),
            ("gigabytes", gib as usize, QUOTAS.gigabytes),
            ("key pairs", model.key_pairs.len(), QUOTAS.key_pairs),
        ] {
            assert!(used as i64 <= limit, "{used} {what} of {limit}");
        }
    }

    /// Everyone removes everything; what cannot be removed was lost.
    fn remove_all(&mut self) {
        self.model.shortages = Shortages::default();
        let caller = self.caller;
        for id in self.model.servers.iter().map(|server| server.id).collect::<Vec<_>>() {
            let begun = self.model.begin(&caller, &id.to_string(), Request::Delete, "req", NOW);
            self.model.finish(id, begun.unwrap().1, Ok(()), NOW);
        }
        for _ in 0..2 {
            let snapshots = self.model.snapshots.iter().map(|snapshot| snapshot.id);
            for id in snapshots.collect::<Vec<_>>() {
                self.model.settle_snapshot(id, None, NOW);
            }
            for id in self.model.volumes.iter().map(|volume| volume.id).collect::<Vec<_>>() {
                Self::settle(&mut self.model, id, true);
                let _ = self.model.delete_volume(&caller, &id.to_string(), Orphans::Remove, NOW);
                Self::settle(&mut self.model, id, true);
            }
        }
        for id in self.model.floating_ips.iter().map(|ip| ip.id).collect::<Vec<_>>() {
            self.model.floating_ips.remove(id);
        }
        let loose = self.model.ports.iter().filter(|port| port.device == Device::Nothing);
        for id in loose.map(|port| port.id).collect::<Vec<_>>() {
            self.model.delete_port(id, NOW);
        }
        let model = &self.model;
        assert!(model.servers.is_empty());
        assert_eq!(model.ports.len(), 2, "the router has its two");
        assert!(model.volumes.is_empty(), "{:?}", model.volumes);
        assert_eq!(model.storage_used(self.project), (0, 0, 0));
        assert_eq!(model.usage(self.project), quota::Usage::default());
    }
}

/// All that a model knows of what users have.
fn dump(model: &Model) -> Vec<String> {
    fn all<T: Record>(table: &Table<T>) -> impl Iterator<Item = String> {
        table.iter().map(|record| serde_json::to_string(record).unwrap())
    }
    all(&model.servers)
        .chain(all(&model.ports))
        .chain(all(&model.floating_ips))
        .chain(all(&model.volumes))
        .chain(all(&model.snapshots))
        .chain(all(&model.key_pairs))
        .chain(all(&model.terminated))
        .collect()
}

proptest! {
    #[test]
    fn nothing_is_ever_lost_or_held_twice(events in prop::collection::vec(events(), 1..60)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
            world.write();
        }
        world.restart();
        world.check();
        world.remove_all();
    }
}
