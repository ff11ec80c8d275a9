//! Placement: the one machine, what it has and what servers take of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

/// Asks in the words of a version of Placement's API.
async fn ask(client: &Client, version: &str, path: &str) -> (u16, Value) {
    let request = client.request(Method::GET, &format!("/placement{path}"));
    let version = format!("placement {version}");
    let answer = request.header("OpenStack-API-Version", &version).send().await.unwrap();
    assert_eq!(answer.headers()["openstack-api-version"], version.as_str());
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(client: &Client, path: &str) -> Value {
    let (status, answer) = ask(client, "1.39", path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn servers_take_what_their_flavors_say() {
    let stack = Stack::start().await;
    let (admin, ada) = (stack.admin().await, stack.ada().await);
    let providers = get(&admin, "/resource_providers").await;
    let provider = &providers["resource_providers"][0];
    let hypervisors = admin.get("/compute/v2.1/os-hypervisors").await;
    assert_eq!(provider["uuid"], hypervisors["hypervisors"][0]["id"]);
    let own = format!("/resource_providers/{}", provider["uuid"].as_str().unwrap());
    let inventories = get(&admin, &format!("{own}/inventories")).await;
    assert!(inventories["inventories"]["VCPU"]["total"].as_u64().unwrap() >= 1);

    let server = ada.create_server("web").await;
    let flavors = ada.get("/compute/v2.1/flavors/detail").await;
    let flavor = flavors["flavors"].as_array().unwrap().iter().find(|f| f["name"] == "m1.tiny");
    let flavor = flavor.unwrap();
    let expected = json!({
        "VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], "DISK_GB": flavor["disk"]
    });
    assert_eq!(get(&admin, &format!("{own}/usages")).await["usages"], expected);
    let allocation = get(&admin, &format!("/allocations/{server}")).await;
    let of_provider = &allocation["allocations"][provider["uuid"].as_str().unwrap()];
    assert_eq!(of_provider["resources"]["VCPU"], flavor["vcpus"]);
    assert_eq!(allocation["consumer_type"], "INSTANCE");
    let allocations = get(&admin, &format!("{own}/allocations")).await;
    assert_eq!(allocations["allocations"][&server]["resources"]["MEMORY_MB"], flavor["ram"]);
    let project = allocation["project_id"].as_str().unwrap();
    let usages = get(&ada, &format!("/usages?project_id={project}")).await;
    assert_eq!(usages["usages"]["INSTANCE"]["consumer_count"], 1);
    let (_, usages) = ask(&ada, "1.9", &format!("/usages?project_id={project}")).await;
    assert_eq!(usages["usages"], expected);

    assert_eq!(ada.act(&server, json!({"shelve": null})).await.0, 202);
    assert_eq!(get(&admin, &format!("/allocations/{server}")).await, json!({"allocations": {}}));
    assert_eq!(get(&admin, &format!("{own}/usages")).await["usages"]["VCPU"], 0);
}

#[tokio::test]
async fn what_fits_is_a_candidate() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let id = get(&admin, "/resource_providers").await["resource_providers"][0]["uuid"].take();
    let id = id.as_str().unwrap();
    let path = "/allocation_candidates?resources=VCPU:1,DISK_GB:1&required=COMPUTE_NODE&limit=5";
    let found = get(&admin, path).await;
    let expected = json!([{
        "allocations": {id: {"resources": {"DISK_GB": 1, "VCPU": 1}}}, "mappings": {"": [id]}
    }]);
    assert_eq!(found["allocation_requests"], expected);
    assert_eq!(found["provider_summaries"][id]["resources"]["VCPU"]["used"], 0);
    for none in
        ["resources=VCPU:100000000", "resources=VGPU:1", "resources=VCPU:1&required=HW_NUMA_ROOT"]
    {
        let found = get(&admin, &format!("/allocation_candidates?{none}")).await;
        assert_eq!(found["allocation_requests"], json!([]), "{none}");
        let found = get(&admin, &format!("/resource_providers?{none}")).await;
        assert_eq!(found["resource_providers"], json!([]), "{none}");
    }
    let (status, answer) = ask(&admin, "1.39", "/allocation_candidates?resources=APPLES:1").await;
    assert_eq!((status, &answer["errors"][0]["status"]), (400, &json!(400)));
    assert_eq!(ask(&admin, "1.9", "/allocation_candidates?resources=VCPU:1").await.0, 404);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_had_and_nothing_can_be_written() {
    let stack = Stack::start().await;
    let (admin, ada) = (stack.admin().await, stack.ada().await);
    let (status, answer) = ask(&admin, "1.39", "/resource_providers/x").await;
    let error = &answer["errors"][0];
    assert_eq!((status, &error["title"]), (404, &json!("Not Found")));
    let detail = "The resource could not be found.\n\n No resource provider with uuid x found  ";
    assert_eq!(error["detail"], detail);
    let (status, answer) = admin.refusal(Method::POST, "/placement/resource_providers").await;
    assert_eq!((status, &answer["errors"][0]["status"]), (405, &json!(405)));
    let project = uuid::Uuid::nil();
    assert_eq!(ask(&ada, "1.39", &format!("/usages?project_id={project}")).await.0, 403);
}
