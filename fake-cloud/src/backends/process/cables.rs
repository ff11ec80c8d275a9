//! The interfaces of a server that has a network of its own: plugged in at its start and while it
//! runs.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::backends::Interface;
use crate::network::Switch;

/// The interfaces of a server.
#[derive(Debug)]
pub(super) struct Cables {
    switch: Arc<dyn Switch>,
    namespace: Arc<OwnedFd>,
    /// By their numbers, which they keep while others go.
    plugged: tokio::sync::Mutex<Vec<Option<Interface>>>,
}

impl Cables {
    /// Of the network namespace that a process is in; none are there yet.
    pub(super) fn of(process: u32, switch: Arc<dyn Switch>) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{process}/ns/net"))?;
        Ok(Self { switch, namespace: Arc::new(namespace.into()), plugged: Default::default() })
    }

    /// Gives the server these interfaces and no others. New ones have the lowest numbers that are
    /// free.
    pub(super) async fn set(&self, wanted: &[Interface]) -> io::Result<()> {
        let mut plugged = self.plugged.lock().await;
        for place in plugged.iter_mut() {
            if let Some(gone) = place.as_ref().filter(|interface| !wanted.contains(interface)) {
                self.switch.unplug(gone).await?;
                *place = None;
            }
        }
        for interface in wanted {
            if plugged.iter().flatten().any(|known| known == interface) {
                continue;
            }
            let free = plugged.iter().position(Option::is_none);
            let number = free.unwrap_or(plugged.len());
            self.switch.plug(interface, number, Arc::clone(&self.namespace)).await?;
            if number == plugged.len() {
                plugged.push(None);
            }
            plugged[number] = Some(interface.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::backends::InterfaceAddress;
    use crate::model::address::Block;

    /// Writes down what is plugged where.
    #[derive(Debug, Default)]
    struct Recorder(Mutex<Vec<String>>);

    #[async_trait]
    impl Switch for Recorder {
        async fn plug(&self, it: &Interface, number: usize, _: Arc<OwnedFd>) -> io::Result<()> {
            self.0.lock().unwrap().push(format!("{} is eth{number}", it.mac));
            Ok(())
        }

        async fn unplug(&self, it: &Interface) -> io::Result<()> {
            self.0.lock().unwrap().push(format!("{} is out", it.mac));
            Ok(())
        }
    }

    #[tokio::test]
    async fn interfaces_keep_their_numbers_and_new_ones_take_free_ones() {
        let recorder = Arc::new(Recorder::default());
        let cables = Cables::of(std::process::id(), Arc::clone(&recorder) as _).unwrap();
        let subnet = Block::around(Ipv4Addr::new(10, 0, 0, 0), 24);
        let interface = |mac: &str| {
            let address = Ipv4Addr::new(10, 0, 0, 2);
            let addresses = vec![InterfaceAddress { address, subnet, gateway: None }];
            Interface { mac: mac.to_owned(), addresses, ..Interface::default() }
        };
        let [a, b, c, d] = ["a", "b", "c", "d"].map(interface);
        cables.set(&[a.clone(), b, c.clone()]).await.unwrap();
        cables.set(&[a.clone(), c.clone()]).await.unwrap();
        cables.set(&[a.clone(), c.clone()]).await.unwrap();
        cables.set(&[a, c, d]).await.unwrap();
        let expected = ["a is eth0", "b is eth1", "c is eth2", "b is out", "d is eth1"];
        assert_eq!(*recorder.0.lock().unwrap(), expected);
    }
}
