//! Brings the model in line with the settings: what they name is made or updated, what users
//! have made is left alone.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::network::{Network, Subnet};
use super::{
    AccessKey, AccessKeyPair, Flavor, FlavorId, Image, ImageId, ImageStatus, Model, NetworkId,
    Project, ProjectId, Role, RoleId, SubnetId, User, UserId, Visibility,
};
use crate::backends::ImageSource;
use crate::model::address::AddressRange;
use crate::settings::{FlavorSettings, ImageSettings, PRICE, Settings, UserSettings};

impl Model {
    /// Brings the model in line with the settings.
    pub fn seed(&mut self, settings: &Settings, now: OffsetDateTime) {
        self.default_quotas = settings.quotas;
        for user in settings.all_users() {
            self.seed_user(user, now);
        }
        let owner = self.seed_project(&settings.admin.project, now);
        self.seed_network(&settings.private_network, false, settings.fixed_range, owner, now);
        self.seed_network(&settings.public_network, true, settings.floating_range, owner, now);
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
        let grants: Vec<_> = roles.into_iter().map(|role| (project, role)).collect();
        let known = self.user_named(&wanted.name);
        let id = known.map_or_else(UserId::random, |user| user.id);
        if known.is_none_or(|user| user.grants != grants) {
            let password_hash = known.and_then(|user| user.password_hash.clone());
            self.users.insert(User { id, name: wanted.name.clone(), password_hash, grants });
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
        self.create_default_group(id, now);
        id
    }

    fn seed_role(&mut self, name: &str) -> RoleId {
        if let Some(role) = self.role_named(name) {
            return role.id;
        }
        let id = RoleId::random();
        self.roles.insert(Role { id, name: name.to_owned() });
        id
    }

    fn seed_network(
        &mut self,
        name: &str,
        external: bool,
        range: AddressRange,
        owner: ProjectId,
        now: OffsetDateTime,
    ) {
        let known = self.networks.iter().find(|network| network.external == external);
        let network_id = known.map_or_else(NetworkId::random, |network| network.id);
        if known.is_none_or(|network| network.name != name) {
            let created = known.map_or(now, |network| network.created);
            let name = name.to_owned();
            self.networks.insert(Network {
                id: network_id,
                name,
                project_id: owner,
                external,
                created,
            });
        }
        let known = self.subnet_of(network_id);
        if known.is_none_or(|subnet| subnet.range != range) {
            let id = known.map_or_else(SubnetId::random, |subnet| subnet.id);
            let created = known.map_or(now, |subnet| subnet.created);
            let name = format!("{name}-subnet");
            self.subnets.insert(Subnet { id, name, network_id, project_id: owner, range, created });
        }
    }

    fn seed_flavor(&mut self, wanted: &FlavorSettings) {
        let known = self.flavors.iter().find(|flavor| flavor.name == wanted.name);
        let flavor = Flavor {
            id: known.map_or_else(FlavorId::random, |flavor| flavor.id),
            name: wanted.name.clone(),
            vcpus: wanted.vcpus,
            ram_mib: wanted.ram_mib,
            disk_gib: wanted.disk_gib,
            extra_specs: BTreeMap::from([(PRICE.to_owned(), wanted.price_per_hour.to_string())]),
        };
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
            properties,
            tags: Vec::new(),
            source: wanted.source.clone(),
            created: known.map_or(now, |image| image.created),
            updated: now,
        };
        self.images.insert(image);
    }
}
