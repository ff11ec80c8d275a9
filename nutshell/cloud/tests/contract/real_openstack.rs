//! What only a real OpenStack can be asked: limits that its administrator sets, and its own words when they are reached.

use cloud::openstack::{OpenStack, Settings};
use cloud::{Cloud as _, CloudError, NewServer, NewVolume, SecurityGroups as _, Volumes as _};
use reqwest::Method;
use serde_json::json;

use crate::real::{Administrator, Project};
use crate::world::{TAG, new_server, tags};

async fn project() -> (Administrator, Project) {
    let administrator = Administrator::from_environment().await;
    let project = Project::new(&administrator).await;
    (administrator, project)
}

fn driver(settings: Settings) -> OpenStack {
    OpenStack::new("default", settings).unwrap()
}

macro_rules! real {
    ($($test:ident),* $(,)?) => {
        /// As the profile of nextest finds them.
        mod real_openstack {
            $(#[tokio::test]
            #[ignore = "needs a real OpenStack: see the profile real-openstack"]
            async fn $test() {
                super::$test().await;
            })*
        }
    };
}

real!(
    a_used_up_quota_is_told_in_one_line,
    an_empty_pool_leaves_nothing_behind,
    lists_that_the_cloud_cuts_are_read_to_their_end,
    a_token_that_died_early_is_replaced,
    a_cloud_that_nobody_vouches_for_is_not_trusted,
    what_does_not_exist_is_named,
    a_network_must_be_chosen_where_there_are_several,
);

async fn a_used_up_quota_is_told_in_one_line() {
    let (administrator, project) = project().await;
    let cloud = driver(project.settings());
    let limits = json!({"quota_set": {"instances": 0}});
    let path = format!("/os-quota-sets/{}", project.id);
    administrator.call("compute", Method::PUT, &path, limits).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cloud's quota is used up: Quota exceeded for instances: Requested 1, but already used 0 of 0 instances"
    );

    let limits = json!({"quota_set": {"instances": 10}});
    administrator.call("compute", Method::PUT, &path, limits).await;
    let limits = json!({"quota": {"floatingip": 0, "security_group": 1}});
    let path = format!("/v2.0/quotas/{}", project.id);
    administrator.call("network", Method::PUT, &path, limits).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert!(matches!(error, CloudError::Quota { .. }), "{error}");
    assert!(error.to_string().contains("floatingip"), "{error}");
    assert!(cloud.servers(TAG.0, TAG.1).await.unwrap().is_empty(), "half of it is left");

    let limits = json!({"quota_set": {"gigabytes": 1}});
    let path = format!("/os-quota-sets/{}", project.id);
    administrator.call("block-storage", Method::PUT, &path, limits).await;
    let volume =
        NewVolume { name: "data".into(), size_mib: 2048, server: String::new(), tags: tags() };
    let error = cloud.volume_create(&volume).await.unwrap_err();
    assert!(matches!(error, CloudError::Quota { .. }), "{error}");
}

async fn an_empty_pool_leaves_nothing_behind() {
    let (administrator, project) = project().await;
    let name = administrator.new_name("pool");
    let pool = json!({"name": name, "router:external": true, "provider:network_type": "flat",
        "provider:physical_network": name});
    let pool = administrator.make("network", "/v2.0/networks", "network", pool).await;
    let range = json!([{"start": "127.126.0.1", "end": "127.126.0.2"}]);
    let subnet = json!({"network_id": pool, "ip_version": 4, "cidr": "127.126.0.0/29",
        "gateway_ip": null, "enable_dhcp": false, "allocation_pools": range});
    administrator.make("network", "/v2.0/subnets", "subnet", subnet).await;
    // A router of the project's own, with the first of the two addresses.
    let gateway = json!({"name": name, "tenant_id": project.id, "external_gateway_info": {"network_id": pool}});
    let router = administrator.make("network", "/v2.0/routers", "router", gateway).await;
    let own = json!({"name": name, "tenant_id": project.id});
    let own = administrator.make("network", "/v2.0/networks", "network", own).await;
    let subnet = json!({"network_id": own, "tenant_id": project.id, "ip_version": 4,
        "cidr": "127.125.0.0/24", "enable_dhcp": false});
    let subnet = administrator.make("network", "/v2.0/subnets", "subnet", subnet).await;
    let path = format!("/v2.0/routers/{router}/add_router_interface");
    administrator.call("network", Method::PUT, &path, json!({"subnet_id": subnet})).await;

    let mut settings = project.settings();
    (settings.network, settings.floating_pool) = (Some(own), Some(name.clone()));
    let cloud = driver(settings);
    cloud.check().await.unwrap();
    let server = cloud.server_create(&new_server()).await.unwrap();
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert!(matches!(&error, CloudError::AddressesExhausted { pool } if *pool == name), "{error}");
    let left = cloud.servers(TAG.0, TAG.1).await.unwrap();
    assert_eq!(left.iter().map(|left| &left.id).collect::<Vec<_>>(), [&server.id]);
}

async fn lists_that_the_cloud_cuts_are_read_to_their_end() {
    // Whatever it is asked for, this cloud shows no more than four of anything at once.
    const MANY: usize = 5;
    let (administrator, project) = project().await;
    let limits = json!({"quota_set": {"instances": MANY, "cores": MANY, "ram": 512 * MANY}});
    let path = format!("/os-quota-sets/{}", project.id);
    administrator.call("compute", Method::PUT, &path, limits).await;
    let limits = json!({"quota": {"security_group": MANY + 1}});
    let path = format!("/v2.0/quotas/{}", project.id);
    administrator.call("network", Method::PUT, &path, limits).await;
    let mut settings = project.settings();
    settings.floating_pool = None;
    let cloud = driver(settings);
    for number in 0..MANY {
        let group = cloud::NewSecurityGroup {
            name: format!("group-{number}"),
            tags: tags(),
            admits: [cloud::Admit::Members].into(),
        };
        cloud.security_group_ensure(&group).await.unwrap();
    }
    assert_eq!(cloud.security_groups(TAG.0, TAG.1).await.unwrap().len(), MANY);
    let tiny = NewServer { instance_type: Some("m1.tiny".to_owned()), ..new_server() };
    for _ in 0..MANY {
        cloud.server_create(&tiny).await.unwrap();
    }
    assert_eq!(cloud.servers(TAG.0, TAG.1).await.unwrap().len(), MANY);
    let name = administrator.new_name("flavor");
    for number in 0..MANY {
        let flavor =
            json!({"name": format!("{name}-{number}"), "ram": 9000, "vcpus": 1, "disk": 0});
        administrator.make("compute", "/flavors", "flavor", flavor).await;
    }
    let types = cloud.instance_types().await.unwrap();
    assert_eq!(types.iter().filter(|kind| kind.name.starts_with(&name)).count(), MANY);
}

async fn a_token_that_died_early_is_replaced() {
    let (administrator, project) = project().await;
    let cloud = driver(project.settings());
    let server = cloud.server_create(&new_server()).await.unwrap();
    // Takes all tokens of the user back.
    let path = format!("/users/{}", project.user);
    for enabled in [false, true] {
        let user = json!({"user": {"enabled": enabled}});
        administrator.call("identity", Method::PATCH, &path, user).await;
    }
    let left = cloud.servers(TAG.0, TAG.1).await.unwrap();
    assert_eq!(left.iter().map(|left| &left.id).collect::<Vec<_>>(), [&server.id]);
}

async fn a_cloud_that_nobody_vouches_for_is_not_trusted() {
    let (_administrator, project) = project().await;
    let settings = Settings { ca_certificate: None, ..project.settings() };
    let error = driver(settings).servers(TAG.0, TAG.1).await.unwrap_err();
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
    assert!(causes.any(|cause| cause.to_string().contains("certificate")), "{error:?}");
}

async fn what_does_not_exist_is_named() {
    let (_administrator, project) = project().await;
    let mut settings = project.settings();
    settings.image = "debian".into();
    settings.flavor = "huge".into();
    settings.network = Some("nowhere".into());
    // Is there, but leads nowhere.
    settings.floating_pool = Some("private".into());
    settings.security_groups = vec!["fort".into()];
    settings.key_name = Some("skeleton".into());
    let problems = driver(settings).check().await.unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (problem, named) in problems.iter().zip([
        "image 'debian', there are host",
        "flavor 'huge', there are m1",
        "network 'nowhere', there are ",
        "floating pool (an external network) 'private', there are ",
        "security group 'fort'",
        "key pair 'skeleton'",
    ]) {
        assert!(problem.contains(named), "{problem}");
    }
    assert_eq!(problems.len(), 6, "{problems:#?}");
}

async fn a_network_must_be_chosen_where_there_are_several() {
    let (administrator, project) = project().await;
    let mut settings = project.settings();
    settings.network = None;
    let cloud = driver(settings);
    // The shared one is the only one: Nova takes it.
    cloud.server_create(&new_server()).await.unwrap();
    let own = json!({"name": administrator.new_name("own"), "tenant_id": project.id});
    let own = administrator.make("network", "/v2.0/networks", "network", own).await;
    let subnet = json!({"network_id": own, "tenant_id": project.id, "ip_version": 4,
        "cidr": "127.125.1.0/24", "enable_dhcp": false});
    administrator.make("network", "/v2.0/subnets", "subnet", subnet).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cloud's settings are wrong: network is not set, and the project has several"
    );
    let problems = cloud.check().await.unwrap_err();
    assert!(matches!(problems.as_slice(), [CloudError::Ambiguous { .. }]), "{problems:?}");
}
