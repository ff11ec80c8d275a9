//! What the VMs of a service measured.

use futures::TryStreamExt;
use protocol::api::usage::ServiceUsage;

use crate::world::{SERVICE, World};

#[tokio::test]
async fn every_node_and_the_manager_tell_what_they_measured() {
    let world = World::running(&[("init.sh", "true")]).await;
    world.add_nodes(1).await;
    let usage = world.query("get_usage").await.unwrap();
    let usage: ServiceUsage = serde_json::from_value(usage).unwrap();
    let ids: Vec<_> = world.nodes().iter().map(|node| node.id).collect();
    assert_eq!(usage.nodes.keys().copied().collect::<Vec<_>>(), ids);
    for history in usage.nodes.values().chain([&usage.manager]) {
        assert!(history.samples.last().unwrap().memory_total > 0);
    }
    // One that is gone holds up nothing.
    world.director.lose(ids[1]);
    let metrics = world.client.download(SERVICE, "get_metrics", &[("", ""); 0]).await.unwrap();
    let text: Vec<bytes::Bytes> = metrics.content.try_collect().await.unwrap();
    let text = String::from_utf8(text.concat()).unwrap();
    let line = format!("nutshell_memory_total_bytes{{service=\"7\",node=\"{}\"}} ", ids[0]);
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("node=\"manager\"") && !text.contains(&format!("\"{}\"", ids[1])));
}
