//! What the contract promises, kept by every driver against a whole cloud that speaks its API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod security_groups;
mod servers;
mod volumes;
mod world;

/// Makes a test for every driver of each of these.
macro_rules! for_every_driver {
    ($($test:ident),* $(,)?) => {
        mod openstack {
            $(#[tokio::test] async fn $test() {
                super::$test(&crate::world::World::openstack().await).await;
            })*
        }

        mod ec2 {
            $(#[tokio::test] async fn $test() {
                super::$test(&crate::world::World::ec2().await).await;
            })*
        }
    };
}
pub(crate) use for_every_driver;
