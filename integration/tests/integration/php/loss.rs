//! The cloud loses VMs of the PHP service while visitors ask: only what the lost VM was doing fails,
//! sessions stay, and other VMs take the places.

use integration::Stack;
use integration::load::Connection::{Kept, New};
use integration::load::{Answers, Load};

use super::{COUNT, roles, running};
use crate::loss::{lose, nodes};
use crate::visitor::Visitor;

/// Only requests that were under way fail: each visitor had one at most.
fn lost_at_most(answers: &Answers, visitors: u64) {
    assert!(answers.failed.values().sum::<u64>() <= visitors, "{answers:?}");
    assert!(answers.good.keys().all(|body| body == "one one" || body == "one"), "{answers:?}");
}

#[tokio::test]
async fn a_lost_backend_takes_nothing_with_it_but_what_it_was_doing() {
    let stack = Stack::up();
    let address = running(&stack);
    let _ = stack.cps(&["php", "add-nodes", "1", "2", "1", "0"]).ok();
    let director = stack.director().await.client;
    let mut visitor = Visitor::new(COUNT);
    assert_eq!(visitor.count(address), 1);
    let pages = Load::start(address, "/", &[Kept, Kept, Kept, New]);
    let files = Load::start(address, "/a.css", &[Kept, New]);

    let all = nodes(&director).await;
    let lost = all.iter().find(|node| node.role == "backend").expect("a backend");
    lose(&stack, &director, lost).await;

    lost_at_most(&pages.end(), 4);
    lost_at_most(&files.end(), 0);
    let mut roles = roles(&stack);
    roles.sort_unstable();
    assert_eq!(roles, ["backend", "backend", "proxy", "web"]);
    // By both backends, the new one too.
    assert_eq!([2, 3, 4, 5].map(|_| visitor.count(address)), [2, 3, 4, 5]);
}

#[tokio::test]
async fn the_other_proxy_goes_on_with_all_sessions_when_the_first_is_lost() {
    let stack = Stack::up();
    let first = running(&stack);
    let _ = stack.cps(&["php", "add-nodes", "1", "1", "1", "1"]).ok();
    let other = stack.addresses("php", "1")[1];
    let director = stack.director().await.client;
    let mut visitor = Visitor::new(COUNT);
    assert_eq!(visitor.count(first), 1);
    let pages = Load::start(other, "/", &[Kept, Kept, New]);
    let files = Load::start(other, "/a.css", &[Kept, New]);

    let all = nodes(&director).await;
    let lost = all.iter().find(|node| node.public_ip == Some(*first.ip())).expect("it is there");
    lose(&stack, &director, lost).await;

    // Nobody asked the lost one for anything.
    lost_at_most(&pages.end(), 0);
    lost_at_most(&files.end(), 0);
    assert_eq!(visitor.count(other), 2, "the copy has the session");
    let proxies = stack.addresses("php", "1");
    assert_eq!(proxies.len(), 2);
    let numbers: Vec<u64> = proxies.iter().map(|proxy| visitor.count(*proxy)).collect();
    assert_eq!(numbers, [3, 4], "by both proxies");
}
