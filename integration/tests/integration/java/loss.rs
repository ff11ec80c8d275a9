//! The cloud loses a VM of the Java service while visitors ask.

use integration::load::Connection::{Kept, New};
use integration::load::Load;

use super::World;
use crate::loss::{lose, nodes};
use crate::visitor::Visitor;

#[tokio::test]
async fn a_lost_tomcat_takes_nothing_with_it_but_what_it_was_doing() {
    let (world, address) = World::start();
    let _ = world.cps("add-nodes 1 2 0 0").ok();
    let director = world.stack.director().await.client;
    let mut visitor = Visitor::new("/count");
    assert_eq!([1, 2].map(|_| visitor.count(address)), [1, 2]);
    let servlets = Load::start(address, "/noted", &[Kept, Kept, New]);
    let files = Load::start(address, "/a.css", &[Kept, New]);

    let all = nodes(&director).await;
    let lost = all.iter().find(|node| node.role == "backend").expect("a backend");
    lose(&world.stack, &director, lost).await;

    // Each visitor had one request under way at most.
    let (servlets, files) = (servlets.end(), files.end());
    assert!(servlets.failed.values().sum::<u64>() <= 3, "{servlets:?}");
    assert!(files.failed.is_empty(), "{files:?}");
    assert_eq!(servlets.good.keys().collect::<Vec<_>>(), ["Noted one"]);
    assert_eq!(
        [3, 4, 5, 6].map(|_| visitor.count(address)),
        [3, 4, 5, 6],
        "by both, the new one too"
    );
}
