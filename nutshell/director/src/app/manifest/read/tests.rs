//! What is read, what is refused, and that everything wrong is told.

use proptest::prelude::*;
use protocol::api::{Manifest, ManifestService};
use serde_json::json;

use super::*;

const CLOUDS: [&str; 2] = ["default", "amsterdam"];

fn reading(text: &str) -> Result<Plan, Vec<String>> {
    let clouds = CLOUDS.map(str::to_owned);
    let read = read(text.as_bytes(), &Known { clouds: &clouds, most_nodes: 500 });
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(value: Value) -> Vec<String> {
    reading(&value.to_string()).unwrap_err()
}

#[test]
fn a_manifest_of_the_original_is_read() {
    let plan = reading(
        &json!({
            "Application": "Shop",
            "Description": "anything",
            "Services": [
                {
                    "Type": "generic",
                    "ServiceName": "Workers",
                    "Cloud": "amsterdam",
                    "Start": 1,
                    "StartupInstances": { "master": "1", "node": "2" },
                    "StartupScript": "https://example.org/start.sh?x=1",
                    "Archive": "http://example.org/code/app.tar.gz",
                    "StartRole": "*",
                },
                { "Type": "helloworld" },
            ],
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(plan.application.as_deref(), Some("Shop"));
    let [workers, hello] = plan.services.as_slice() else { panic!("{plan:?}") };
    assert_eq!((workers.name.as_str(), workers.cloud.as_deref()), ("Workers", Some("amsterdam")));
    assert_eq!(workers.more_nodes(), BTreeMap::from([("node".to_owned(), 2)]));
    assert_eq!((workers.start, workers.vms()), (true, 3));
    let name = |source: &Option<Source>| source.as_ref().unwrap().file_name();
    assert_eq!(name(&workers.script), "start.sh");
    assert_eq!(name(&workers.archive), "app.tar.gz");
    assert_eq!(
        (hello.name.as_str(), hello.start, hello.vms()),
        ("New helloworld service", false, 0)
    );
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let told = problems(json!({
        "Application": " ",
        "Sercives": [],
        "Services": [
            { "Type": "generic", "Start": 2, "Archive": "file:///etc/passwd", "Cloud": "mars" },
            { "Type": "hadoop", "Dump": "x" },
            { "Type": "bakery" },
            {},
            { "Type": "helloworld", "Archive": "data:;base64,aGk=", "Password": "x" },
            { "Type": "generic", "StartupInstances": { "master": 2, "node": -1, "web": 1 } },
            { "Type": "generic", "StartRole": "master", "ServiceName": 3 },
            { "Type": "helloworld", "StartupInstances": { "node": 0 } },
            "generic",
            { "Type": 1 },
            { "Type": "generic", "Archive": "data:,x" },
            { "Type": "php", "Settings": { "memory_limit": "lots", "safe_mode": "On" } },
            { "Type": "generic", "Settings": {} },
            { "Type": "php", "StartupInstances": { "proxy": 2 } },
        ],
    }));
    assert_eq!(
        told,
        [
            "Application: the name is empty",
            "Sercives: there is no such key",
            "Services[0].Cloud: there is no cloud `mars`; there are default, amsterdam",
            "Services[0].Start: it is neither 0 nor 1",
            "Services[0].Archive: it is no http:, https: or data: URL",
            "Services[1].Type: `hadoop` services are not in this version; there are generic, helloworld, java, php",
            "Services[2].Type: there is no type of service `bakery`; there are generic, helloworld, java, php",
            "Services[3].Type: it is missing",
            "Services[4].Password: it is for mysql services, not for helloworld",
            "Services[4].Archive: helloworld services have no code",
            "Services[5].StartupInstances.node: it is not a number from 0 to 500",
            "Services[5].StartupInstances.master: There is exactly one master, from the start to the stop of the service.",
            "Services[5].StartupInstances.web: generic services have no such role; they have node, master",
            "Services[6].ServiceName: it is not a string",
            "Services[6].StartRole: `master` cannot go first: scripts start on all nodes at once (`*`)",
            "Services[7].StartupInstances.node: there are 1 at least",
            "Services[8]: it is not an object",
            "Services[9].Type: it is not a string",
            "Services[10].Archive: the `data:` URL is not in base64",
            "Services[11].Settings.memory_limit: memory_limit: `lots` is no value for it; expected a number with K, M or G",
            "Services[11].Settings.safe_mode: Unexpected arguments phpconf attribute \"safe_mode\"",
            "Services[12].Settings: generic services have no settings",
            "Services[13].StartupInstances: Cannot add more proxy servers without at least one stand-alone 'web' node and one stand-alone 'backend' node",
        ]
    );
    assert_eq!(problems(json!([])), ["it is not an object"]);
    assert_eq!(problems(json!({})), ["Services: it is missing"]);
    assert_eq!(problems(json!({ "Services": {} })), ["Services: it is not a list"]);
    assert!(reading("{").unwrap_err()[0].starts_with("it is no JSON: "));
}

/// Any manifest that the types allow and that means something.
fn manifest() -> impl Strategy<Value = Manifest> {
    let name = || proptest::option::of("[a-zA-Z][a-zA-Z0-9 ]{0,20}[a-z]");
    let service = (any::<bool>(), name(), any::<bool>(), 0..500_u32, any::<Vec<u8>>()).prop_map(
        |(generic, service_name, start, nodes, content)| {
            let archive = InlineFile { name: "a b.zip".to_owned(), content }.to_url();
            ManifestService {
                r#type: if generic { "generic" } else { "helloworld" }.to_owned(),
                service_name,
                start: start.into(),
                startup_instances: [("node".to_owned(), nodes.max(1))].into(),
                archive: generic.then_some(archive),
                ..ManifestService::default()
            }
        },
    );
    (name(), proptest::collection::vec(service, 0..4))
        .prop_map(|(application, services)| Manifest { application, description: None, services })
}

/// Any JSON, with the words of manifests in it.
fn anything() -> impl Strategy<Value = Value> {
    let word = || {
        prop_oneof![
            Just("Application"),
            Just("Services"),
            Just("Type"),
            Just("Start"),
            Just("Archive"),
            Just("StartupInstances"),
            Just("generic"),
            Just("node"),
            Just("data:;base64,aGk="),
            Just("Cloud"),
            Just("StartRole"),
            Just("Dump"),
            Just("1"),
            Just(""),
        ]
        .prop_map(str::to_owned)
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((word(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was_meant(manifest in manifest()) {
        let plan = reading(&serde_json::to_string(&manifest).unwrap()).unwrap();
        prop_assert_eq!(plan.services.len(), manifest.services.len());
        for (planned, written) in plan.services.iter().zip(&manifest.services) {
            prop_assert_eq!(&planned.service_type.name, &written.r#type);
            prop_assert_eq!(planned.start, written.start == 1);
            prop_assert_eq!(planned.nodes["node"], written.startup_instances["node"]);
            prop_assert_eq!(planned.archive.is_some(), written.archive.is_some());
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused_with_a_reason(value in anything()) {
        if let Err(problems) = reading(&value.to_string()) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".*") {
        let _ = reading(&text);
    }
}

#[test]
fn every_key_of_the_original_is_refused_by_its_name_where_it_means_nothing() {
    let told = problems(json!({ "Services": [{
        "Type": "generic",
        "Dump": "https://example.org/a.sql",
        "Password": "secret",
        "VolumeStartup": { "volumeName": "data", "owner": "www-data" },
        "ManifestStatus": "Under Construction",
        "StartupInstances": { "resume": [], "osd": 2 },
    }] }));
    for key in ["Dump", "Password", "VolumeStartup", "ManifestStatus"] {
        let named = format!("Services[0].{key}: ");
        assert!(told.iter().any(|problem| problem.starts_with(&named)), "{key}: {told:?}");
    }
    assert!(told.iter().any(|problem| problem.contains("StartupInstances.resume: snapshots")));
    assert!(told.iter().any(|problem| problem.contains("StartupInstances.osd: generic services")));
    assert!(!told.iter().any(|problem| problem.contains("secret")));
}

#[test]
fn volumes_have_their_nodes_or_are_refused() {
    let volume = |volumes: Value| {
        json!({ "Services": [{
            "Type": "generic", "Start": 1, "StartupInstances": { "node": 2 }, "Volumes": volumes,
        }] })
    };
    let good = volume(json!([
        { "Name": "data", "Size": 1024 },
        { "Name": "logs", "Size": "512", "Role": "node", "Node": "2" },
    ]));
    let plan = reading(&good.to_string()).unwrap();
    let places: Vec<_> =
        plan.services[0].volumes.iter().map(|one| (one.role.as_str(), one.nth)).collect();
    assert_eq!(places, [("master", 0), ("node", 1)]);
    let told = problems(volume(json!([
        { "Name": "a/b", "Size": 1 },
        { "Name": "data" },
        { "Name": "data", "Size": 1, "Node": 0 },
        { "Name": "data", "Size": 1, "Role": "node", "Node": 3 },
        { "Name": "data", "Size": 1 },
        { "Name": "data", "Size": 1 },
        { "Name": "data", "Size": 1, "Owner": "me" },
        "data",
    ])));
    assert_eq!(
        told,
        [
            "Services[0].Volumes[0]: `a/b` is no name for a volume: at most 64 letters, digits, - \
             and _",
            "Services[0].Volumes[1]: the size of a volume must be between 1 and 1073741824 MiB",
            "Services[0].Volumes[2].Node: it is not a number from 1",
            "Services[0].Volumes[6].Owner: there is no such key",
            "Services[0].Volumes[7]: it is not an object",
            "Services[0].Volumes[3]: there is no node 3 of the role `node`, but 2",
            "Services[0].Volumes[4]: another volume has the name `data`",
            "Services[0].Volumes[5]: another volume has the name `data`",
            "Services[0].Volumes[6]: another volume has the name `data`",
        ]
    );
    let told = problems(json!({ "Services": [
        { "Type": "helloworld", "Start": 1, "Volumes": [{ "Name": "data", "Size": 1 }] },
        { "Type": "generic", "Volumes": [{ "Name": "data", "Size": 1 }] },
    ] }));
    assert!(told[0].ends_with("helloworld services have no volumes"), "{told:?}");
    assert!(told[1].ends_with("must have `Start` 1"), "{told:?}");
}
