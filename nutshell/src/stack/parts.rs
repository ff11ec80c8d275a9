//! From one stack's settings to those of its parts: the cloud, the driver and the director.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use cloud::openstack::OpenStack;
use cloud::{Cloud, CloudError};
use fake_cloud::backends::ImageSource;
use fake_cloud::image::Store;
use fake_cloud::model::AccessKeyPair;
use fake_cloud::model::address::AddressRange;
use fake_cloud::settings::{BackendKind, FlavorSettings, Listen, UserSettings as CloudUser};

use super::{Addresses, Kept, Secrets, StartError, StateDirectory};

/// The cloud's user who owns all servers of the platform.
pub const CLOUD_USER: &str = "test";
/// The project the servers are in.
pub const CLOUD_PROJECT: &str = "test";
/// The cloud's only region.
pub const CLOUD_REGION: &str = "RegionOne";
/// How large the platform's servers are where nobody says.
const FLAVOR: &str = "m1.small";
/// The image that is this machine.
const HOST: &str = "host";

/// What the platform's servers are like.
#[derive(Debug)]
pub(super) struct Vms {
    pub(super) image: Image,
    pub(super) flavor: String,
}

impl Vms {
    /// Of this image and this instance type, or the usual ones.
    pub(super) fn find(
        image: Option<&str>,
        instance_type: Option<&str>,
    ) -> Result<Self, StartError> {
        let image = Image::find(image).map_err(StartError::Image)?;
        Ok(Self { image, flavor: flavor(instance_type)? })
    }
}

/// The flavor of this name, if the cloud has it.
fn flavor(name: Option<&str>) -> Result<String, StartError> {
    let name = name.unwrap_or(FLAVOR).to_owned();
    let known: Vec<String> =
        FlavorSettings::customary().into_iter().map(|flavor| flavor.name).collect();
    match known.contains(&name) {
        true => Ok(name),
        false => Err(StartError::InstanceType { name, known: known.join(", ") }),
    }
}

/// What the platform's servers boot from.
#[derive(Debug)]
pub(super) struct Image {
    name: String,
    /// Where it is kept, when it is not this machine itself.
    store: Option<PathBuf>,
    /// Where its files begin.
    pub(super) root: PathBuf,
}

impl Image {
    /// This machine, or an image that `fake-cloud image` keeps.
    fn find(name: Option<&str>) -> Result<Self, fake_cloud::image::Error> {
        match name.unwrap_or(HOST) {
            HOST => Ok(Self { name: HOST.to_owned(), store: None, root: "/".into() }),
            name => {
                let store = Store::open(&Store::default_path())?;
                let root = store.root(&store.get(name)?);
                let store = Some(store.path().to_owned());
                Ok(Self { name: name.to_owned(), store, root })
            }
        }
    }
}

/// What is asked for of the floating addresses; all is as usual where nothing is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floating {
    /// How many there are at most.
    pub(super) count: Option<u8>,
    /// Which ones.
    pub(super) range: Option<AddressRange>,
}

/// The settings of the cloud.
pub(super) fn fake_cloud(
    state: &StateDirectory,
    listener: TcpListener,
    secrets: &Secrets,
    kept: &Kept,
    image: &Image,
    floating: Floating,
) -> fake_cloud::Settings {
    let mut settings = fake_cloud::Settings::loopback(
        state.fake_cloud(),
        Listen::Bound(Arc::new(listener)),
        &secrets.cloud_admin_password,
    );
    settings.backend = BackendKind::Process;
    CLOUD_REGION.clone_into(&mut settings.region);
    settings.init_program.clone_from(&kept.executable.path);
    let mut user = CloudUser::member(CLOUD_USER, &secrets.cloud_password, CLOUD_PROJECT);
    user.access_key = Some(AccessKeyPair {
        access: secrets.cloud_access_key.clone(),
        secret: secrets.cloud_secret_key.clone(),
    });
    settings.users = vec![user];
    settings.image_store.clone_from(&image.store);
    settings.floating_range = floating.range.unwrap_or(settings.floating_range);
    if let Some(count) = floating.count {
        limit(&mut settings.floating_range, count);
    }
    for image in &mut settings.images {
        // With the executable in the image, no VM has to fetch it.
        if let ImageSource::Host { extra_files } = &mut image.source {
            let path = &kept.executable.path;
            extra_files.extend(kept.paths_in_vm().map(|in_vm| (path.clone(), in_vm)));
        }
    }
    settings
}

/// Leaves a range of addresses so many of its addresses, at least one.
fn limit(range: &mut AddressRange, count: u8) {
    let last = u32::from(range.first).saturating_add(u32::from(count.max(1)) - 1);
    range.last = range.last.min(last.into());
}

/// The driver for that cloud.
pub(super) fn driver(
    addresses: Addresses,
    secrets: &Secrets,
    vms: Vms,
) -> Result<Arc<dyn Cloud>, CloudError> {
    let settings = cloud::openstack::Settings {
        auth_url: addresses.openstack_url(),
        username: CLOUD_USER.to_owned(),
        password: secrets.cloud_password.as_str().into(),
        project: CLOUD_PROJECT.to_owned(),
        user_domain: "Default".to_owned(),
        project_domain: "Default".to_owned(),
        region: Some(CLOUD_REGION.to_owned()),
        interface: cloud::openstack::Interface::Public,
        image: vms.image.name,
        flavor: vms.flavor,
        prices: BTreeMap::new(),
        network: Some("private".to_owned()),
        floating_pool: Some("public".to_owned()),
        security_groups: Vec::new(),
        key_name: None,
        ca_certificate: None,
        server_timeout_seconds: 60,
    };
    Ok(Arc::new(OpenStack::new(protocol::api::DEFAULT_CLOUD, settings)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_can_be_made_smaller_but_not_larger() {
        let whole: AddressRange = "127.9.1.10-127.9.1.20".parse().unwrap();
        let limited = |count| {
            let mut range = whole;
            limit(&mut range, count);
            range.last.octets()[3]
        };
        assert_eq!((limited(1), limited(4), limited(200), limited(0)), (10, 13, 20, 10));
    }
}
