//! What a test of a program that uses OpenStack looks like: a cloud of its own, private and gone at
//! the end. `cargo run -p fake-cloud --example in_your_tests`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use fake_cloud::FakeCloud;
use fake_cloud::clock::ManualClock;
use fake_cloud::settings::BackendKind;

fn main() -> Result<(), Box<dyn Error>> {
    // Servers of the process backend are this very executable, started again. In a test, where
    // `main` is not yours, name one that does this: `.init_program("/usr/bin/fake-cloud")`.
    fake_cloud::guest::run_if_guest();
    tokio::runtime::Runtime::new()?.block_on(test())
}

async fn test() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::new(time::OffsetDateTime::now_utc()));
    let cloud = FakeCloud::builder()
        .backend(BackendKind::Process)
        .user("ada", "lovelace", "engines")
        .clock(Arc::clone(&clock) as _)
        .settings(|settings| settings.quotas.instances = 2)
        .start()
        .await?;

    let ada = cloud.credentials("ada").ok_or("no such user")?;
    println!("give your program {:?}", ada.environment());

    // Tokens that were issued until now have expired.
    clock.advance(Duration::from_secs(3600));

    cloud.shutdown().await;
    Ok(())
}
