//! What the contract promises, kept by every driver against a whole cloud that speaks its API, and by the OpenStack
//! driver against a real OpenStack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod real;
mod real_openstack;
mod security_groups;
mod servers;
mod volumes;
mod world;

/// Makes a test of each of these for every driver; and where the cloud needs no steering for it, one for a real
/// OpenStack, which `integration/real-openstack` starts.
macro_rules! for_every_driver {
    ($($test:ident),* $(,)?; steered: $($steered:ident),* $(,)?) => {
        mod openstack {
            $(#[tokio::test] async fn $test() {
                super::$test(&crate::world::World::openstack().await).await;
            })*
            $(#[tokio::test] async fn $steered() {
                super::$steered(&crate::world::World::openstack().await).await;
            })*
        }

        mod ec2 {
            $(#[tokio::test] async fn $test() {
                super::$test(&crate::world::World::ec2().await).await;
            })*
            $(#[tokio::test] async fn $steered() {
                super::$steered(&crate::world::World::ec2().await).await;
            })*
        }

        mod real_openstack {
            $(#[tokio::test]
            #[ignore = "needs a real OpenStack: see the profile real-openstack"]
            async fn $test() {
                super::$test(&crate::world::World::real_openstack().await).await;
            })*
        }
    };
}
pub(crate) use for_every_driver;
