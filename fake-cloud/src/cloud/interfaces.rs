//! Interfaces of running servers: the model says which, the backend makes it so.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Cloud, Failure, chain};
use crate::model::{AttachPlug, Caller, PortId, ServerId};

impl Cloud {
    /// Plugs a server into one more place; one that runs has the interface when this returns.
    pub(crate) async fn attach_interface(
        self: &Arc<Self>,
        caller: &Caller,
        server: &str,
        wanted: &AttachPlug,
        request_id: &str,
    ) -> Result<PortId, Failure> {
        let attached = self.change(|model, now| {
            let id = model.server(caller, server)?.id;
            let port = model.attach_interface(caller, server, wanted, request_id, now)?;
            Ok::<_, Failure>((id, port))
        });
        let (id, port) = attached.await?;
        self.plug(id).await;
        Ok(port)
    }

    /// Pulls a server out of a port; one that runs has lost the interface when this returns.
    pub(crate) async fn detach_interface(
        self: &Arc<Self>,
        caller: &Caller,
        server: &str,
        port: &str,
        request_id: &str,
    ) -> Result<(), Failure> {
        let id = self.read().server(caller, server)?.id;
        self.unroute(|model, now| model.detach_interface(caller, server, port, request_id, now))
            .await?;
        self.plug(id).await;
        Ok(())
    }

    /// Gives a running server the interfaces that the model says it has; waits a little for it.
    async fn plug(self: &Arc<Self>, id: ServerId) {
        let cloud = Arc::clone(self);
        let plugging = self.spawn(async move {
            let _turn = cloud.turns.begin(id).await;
            let interfaces = {
                let model = cloud.read();
                let Some(server) = model.servers.get(id) else { return };
                model.server_interfaces(server)
            };
            if let Err(error) = cloud.backend.set_interfaces(id.0, &interfaces).await {
                tracing::error!(server = %id, error = chain(&error), "its interfaces are not as told");
            }
        });
        self.wait_a_little(vec![plugging]).await;
    }

    /// All addresses of a server.
    pub(crate) fn addresses_of(&self, id: ServerId) -> Vec<Ipv4Addr> {
        let model = self.read();
        let ports = model.servers.get(id).into_iter().flat_map(|server| model.ports_of(server));
        ports.flat_map(|port| port.fixed_ips.iter().map(|fixed| fixed.address)).collect()
    }
}
