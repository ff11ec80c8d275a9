//! Brings the model in line with the settings: what they name is made or updated, what users
//! have made is left alone.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use time::OffsetDateTime;

use super::address::{AddressRange, Block};
use super::{
    AccessKey, AccessKeyPair, Caller, DEFAULT_DOMAIN, Domain, DomainId, Flavor, FlavorId,
    GatewayWanted, Image, ImageId, ImageOptions, ImageStatus, InterfaceWanted, Model, Network,
    NetworkId, NewNetwork, NewRouter, NewSubnetPool, Project, ProjectId, Role, RoleId,
    StandardAttributes, Subnet, SubnetId, TokenId, User, UserId, Visibility, WantedIp,
};
use crate::backends::ImageSource;
use crate::settings::{FlavorSettings, ImageSettings, PRICE, Settings, UserSettings};

impl Model {
    /// Brings the model of the home region in line with the settings.
    pub fn seed(&mut self, settings: &Settings, now: OffsetDateTime) {
        let owner = self.seed_identity(settings, now);
        self.seed_region(settings, owner, now);
    }

    /// Makes domains, projects and users; gives the administrator's project.
    fn seed_identity(&mut self, settings: &Settings, now: OffsetDateTime) -> ProjectId {
        if self.domains.get(DomainId::DEFAULT).is_none() {
            let (name, description) = (DEFAULT_DOMAIN.to_owned(), "The default domain".to_owned());
            self.domains.insert(Domain { id: DomainId::DEFAULT, name, description, enabled: true });
        }
        for user in settings.all_users() {
            self.seed_user(user, now);
        }
        self.seed_project(&settings.admin.project, now)
    }

    /// Brings what every region has in line with the settings; `owner` is the administrator's
    /// project.
    pub fn seed_region(&mut self, settings: &Settings, owner: ProjectId, now: OffsetDateTime) {
        self.default_quotas = settings.quotas;
        self.carried = settings.carried();
        self.largest_packet = settings.largest_packet();
        self.renumber(settings, now);
        self.welcome(owner, now);
        let (fixed, floating) = (settings.fixed_range, settings.floating_range);
        let (_, inside) = self.seed_network(&settings.private_network, false, fixed, owner, now);
        let outside = self.seed_network(&settings.public_network, true, floating, owner, now);
        self.seed_router(outside, inside, owner, now);
        self.seed_subnet_pool(owner, now);
        self.seed_volume_type(now);
        for flavor in &settings.flavors {
            self.seed_flavor(flavor);
        }
        for image in &settings.images {
            self.seed_image(image, owner, now);
        }
    }

    fn seed_user(&mut self, wanted: &UserSettings, now: OffsetDateTime) {
        let project = self.seed_project(&wanted.project, now);
        let roles: Vec<RoleId> = wanted.roles.iter().map(|name| self.seed_role(name)).collect();
        let known = self.user_named(&wanted.name).cloned();
        let mut user = known.clone().unwrap_or_else(|| User::new(&wanted.name));
        // Roles in other projects are the administrator's doing.
        let elsewhere = user.grants.iter().filter(|(at, _)| *at != project).copied();
        user.grants = roles.into_iter().map(|role| (project, role)).chain(elsewhere).collect();
        let id = user.id;
        if known.is_none_or(|known| known.grants != user.grants) {
            self.users.insert(user);
        }
        self.seed_access_key(id, project, wanted.access_key.as_ref());
    }

    /// Gives a user the key that the settings name, or one of their own when they have none.
    fn seed_access_key(
        &mut self,
        user: UserId,
        project: ProjectId,
        wanted: Option<&AccessKeyPair>,
    ) {
        let fits = |key: &AccessKey| {
            key.project_id == project && wanted.is_none_or(|pair| key.pair == *pair)
        };
        if self.access_keys_of(user).any(fits) {
            return;
        }
        if let Some(replaced) = wanted.and_then(|pair| self.access_key(&pair.access)) {
            let id = replaced.id;
            self.access_keys.remove(id);
        }
        let pair = wanted.cloned().unwrap_or_else(AccessKeyPair::random);
        // A user without any role can use no project, and needs no key.
        let _ = self.create_access_key(user, project, pair);
    }

    fn seed_project(&mut self, name: &str, now: OffsetDateTime) -> ProjectId {
        if let Some(project) = self.project_named(name) {
            return project.id;
        }
        let project = Project::new(name);
        let id = project.id;
        self.projects.insert(project);
        self.welcome(id, now);
        id
    }

    fn seed_role(&mut self, name: &str) -> RoleId {
        if let Some(role) = self.role_named(name) {
            return role.id;
        }
        let id = RoleId::random();
        self.roles.insert(Role { id, name: name.to_owned(), description: None });
        id
    }

    fn seed_network(
        &mut self,
        name: &str,
        external: bool,
        range: AddressRange,
        owner: ProjectId,
        now: OffsetDateTime,
    ) -> (NetworkId, SubnetId) {
        let built_in = |it: &&Network| it.built_in && it.external == external;
        let known = self.networks.iter().find(built_in).map(|network| network.id);
        let wanted = NewNetwork {
            name: name.to_owned(),
            description: String::new(),
            project_id: owner,
            external,
            shared: true,
            mtu: None,
        };
        let id = known.unwrap_or_else(|| self.insert_network(wanted, now));
        let fits = |it: &Network| it.built_in && it.name == name && it.is_default == external;
        let most = self.largest_packet;
        if let Some(mut network) = self.networks.get_mut(id).filter(|it| it.mtu > most) {
            // The cloud had another kind of network.
            network.mtu = most;
        }
        if !self.networks.get(id).is_some_and(fits)
            && let Some(mut network) = self.networks.get_mut(id)
        {
            network.name = name.to_owned();
            network.built_in = true;
            network.is_default = external;
        }
        (id, self.seed_subnet(name, id, external, range, owner, now))
    }

    fn seed_subnet(
        &mut self,
        network: &str,
        network_id: NetworkId,
        external: bool,
        range: AddressRange,
        owner: ProjectId,
        now: OffsetDateTime,
    ) -> SubnetId {
        let known = self.subnets_of(network_id).next();
        let id = known.map_or_else(SubnetId::random, |subnet| subnet.id);
        let (block, pools) = (range.block(), vec![range.pool()]);
        let configured = Some(range.pool());
        if known.is_some_and(|it| it.block == block && it.configured == configured) {
            return id;
        }
        let gateway = block.hosts().first;
        let standard = known.map(|subnet| subnet.standard.clone());
        self.subnets.insert(Subnet {
            id,
            name: format!("{network}-subnet"),
            network_id,
            project_id: owner,
            block,
            gateway: (!range.pool().contains(gateway)).then_some(gateway),
            pools,
            dhcp: !external,
            nameservers: Vec::new(),
            host_routes: Vec::new(),
            subnet_pool_id: None,
            configured,
            options: known.map(|subnet| subnet.options.clone()).unwrap_or_default(),
            tags: known.map(|subnet| subnet.tags.clone()).unwrap_or_default(),
            standard: standard.unwrap_or_else(|| StandardAttributes::new("", now)),
        });
        id
    }

    /// Makes the router by which servers are reached from outside, once.
    fn seed_router(
        &mut self,
        (external, outside): (NetworkId, SubnetId),
        inside: SubnetId,
        owner: ProjectId,
        now: OffsetDateTime,
    ) {
        if self.routers.iter().any(|router| router.built_in) {
            return;
        }
        let admin = Caller {
            user_id: UserId(owner.0),
            project_id: Some(owner),
            is_admin: true,
            token_id: TokenId(owner.0),
        };
        // Not one of the pool: those are for floating IPs.
        let subnet = self.subnets.get(outside);
        let pooled = |subnet: &Subnet, address| subnet.pools.iter().any(|it| it.contains(address));
        let address = subnet.and_then(|subnet| {
            let hosts = subnet.block.hosts();
            let mut hosts = (hosts.first.to_bits()..=hosts.last.to_bits()).map(Ipv4Addr::from_bits);
            hosts.find(|it| subnet.gateway != Some(*it) && !pooled(subnet, *it))
        });
        let place = WantedIp { subnet_id: Some(outside), address };
        let wanted = NewRouter {
            name: "router".to_owned(),
            description: String::new(),
            project_id: owner,
            gateway: Some(GatewayWanted {
                network_id: external,
                fixed_ips: Some(address.map(|_| place).into_iter().collect()),
                snat: true,
            }),
        };
        // A network without a gateway, or a quota without routers: there is no way to the outside
        // then, and no floating IP will lead inside.
        let Ok(id) = self.create_router(&admin, wanted, now) else { return };
        if let Some(mut router) = self.routers.get_mut(id) {
            router.built_in = true;
        }
        let inside = InterfaceWanted::Subnet(inside);
        let _ = self.add_interface(&admin, &id.to_string(), inside, now);
    }

    /// Makes the pool that subnets are from which name no block, once.
    fn seed_subnet_pool(&mut self, owner: ProjectId, now: OffsetDateTime) {
        if self.subnet_pools.iter().any(|pool| pool.built_in) {
            return;
        }
        let prefixes = match self.carried {
            // The first eighth is for what the settings name.
            Some(carried) => carried.parts(carried.prefix.saturating_add(3)).skip(1).collect(),
            None => vec![Block::around(Ipv4Addr::new(10, 0, 0, 0), 8)],
        };
        let wanted = NewSubnetPool {
            name: "shared-default-subnetpool-v4".to_owned(),
            description: String::new(),
            project_id: owner,
            shared: true,
            is_default: true,
            prefixes,
            default_prefix: Some(24),
            min_prefix: None,
            max_prefix: None,
        };
        // Refused when users have made another one the default: theirs is taken then.
        let Ok(id) = self.create_subnet_pool(wanted, now) else { return };
        if let Some(mut pool) = self.subnet_pools.get_mut(id) {
            pool.built_in = true;
        }
    }

    fn seed_flavor(&mut self, wanted: &FlavorSettings) {
        let known = self.flavors.iter().find(|flavor| flavor.name == wanted.name);
        let mut flavor = known.cloned().unwrap_or_else(|| Flavor {
            id: FlavorId::random(),
            given_id: None,
            name: wanted.name.clone(),
            description: None,
            vcpus: 0,
            ram_mib: 0,
            disk_gib: 0,
            ephemeral_gib: 0,
            swap_mib: 0,
            private_to: None,
            extra_specs: BTreeMap::new(),
        });
        (flavor.vcpus, flavor.ram_mib, flavor.disk_gib) =
            (wanted.vcpus, wanted.ram_mib, wanted.disk_gib);
        flavor.extra_specs.insert(PRICE.to_owned(), wanted.price_per_hour.to_string());
        if known != Some(&flavor) {
            self.flavors.insert(flavor);
        }
    }

    fn seed_image(&mut self, wanted: &ImageSettings, owner: ProjectId, now: OffsetDateTime) {
        let built_in = |image: &&Image| {
            // What users upload has a checksum, whatever they call it.
            image.name.as_deref() == Some(&wanted.name)
                && image.source != ImageSource::Opaque
                && image.md5.is_none()
        };
        let properties = wanted.properties.clone();
        let known = self.images.iter().find(built_in);
        if known
            .is_some_and(|image| image.source == wanted.source && image.properties == properties)
        {
            return;
        }
        let image = Image {
            id: known.map_or_else(ImageId::random, |image| image.id),
            name: Some(wanted.name.clone()),
            owner,
            visibility: Visibility::Public,
            status: ImageStatus::Active,
            disk_format: Some("raw".to_owned()),
            container_format: Some("bare".to_owned()),
            min_ram: 0,
            min_disk: 0,
            protected: true,
            hidden: false,
            size: Some(0),
            md5: None,
            sha512: None,
            members: Vec::new(),
            properties,
            tags: Vec::new(),
            source: wanted.source.clone(),
            options: ImageOptions::default(),
            created: known.map_or(now, |image| image.created),
            updated: now,
        };
        self.images.insert(image);
    }
}
