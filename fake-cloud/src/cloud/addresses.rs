//! Floating IPs at work: the model says where one leads, the network makes it so.

use std::net::Ipv4Addr;

use time::OffsetDateTime;

use super::{Cloud, Failure};
use crate::model::{Caller, Error, FloatingIpId, Model, NewFloatingIp, PortId, Target};

impl Cloud {
    /// Takes a floating IP from the pool and leads it to its port, if it has one.
    pub(crate) async fn create_floating_ip(
        &self,
        wanted: NewFloatingIp,
    ) -> Result<FloatingIpId, Failure> {
        let _moving = self.moving.lock().await;
        let id = self.change(|model, now| Ok::<_, Failure>(model.create_floating_ip(wanted, now)?));
        let id = id.await?;
        if let Err(error) = self.lead(id, None).await {
            self.change(|model, _| Ok::<_, Failure>(model.floating_ips.remove(id))).await?;
            return Err(error);
        }
        Ok(id)
    }

    /// Leads a floating IP to a port, or nowhere; when this returns it does.
    pub(crate) async fn associate(
        &self,
        caller: &Caller,
        id: &str,
        target: Option<Target>,
    ) -> Result<FloatingIpId, Failure> {
        let _moving = self.moving.lock().await;
        let moved = self.change(|model, now| {
            let floating = model.floating_ip(caller, id)?;
            let (id, before) = (floating.id, floating.target());
            let led = model.route_of(id);
            model.associate(id, target, now)?;
            Ok::<_, Failure>((id, before, led))
        });
        let (id, before, led) = moved.await?;
        if let Err(error) = self.lead(id, led).await {
            self.change(|model, now| Ok::<_, Failure>(model.associate(id, before, now)?)).await?;
            return Err(error);
        }
        Ok(id)
    }

    /// Gives a floating IP back to the pool.
    pub(crate) async fn delete_floating_ip(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), Failure> {
        let _moving = self.moving.lock().await;
        let removed = self.change(|model, _| {
            let id = model.floating_ip(caller, id)?.id;
            Ok::<_, Failure>(model.floating_ips.remove(id))
        });
        if let Some(floating) = removed.await? {
            self.network.disassociate(floating.address).await;
        }
        Ok(())
    }

    /// Removes a port; floating IPs that led to it lead nowhere.
    pub(crate) async fn delete_port(
        &self,
        decide: impl FnOnce(&Model) -> Result<PortId, Error>,
    ) -> Result<(), Failure> {
        self.unroute(|model, now| {
            let id = decide(model)?;
            Ok(model.delete_port(id, now))
        })
        .await
    }

    /// Lets the model decide which floating addresses lead nowhere from now on.
    pub(crate) async fn unroute(
        &self,
        decide: impl FnOnce(&mut Model, OffsetDateTime) -> Result<Vec<Ipv4Addr>, Error>,
    ) -> Result<(), Failure> {
        let _moving = self.moving.lock().await;
        let unrouted = self.change(|model, now| Ok::<_, Failure>(decide(model, now)?));
        for floating in unrouted.await? {
            self.network.disassociate(floating).await;
        }
        Ok(())
    }

    /// Makes every floating IP answer again after a start.
    pub(crate) async fn lead_all(&self) -> Result<(), Failure> {
        let routes: Vec<_> = {
            let model = self.read();
            model.floating_ips.iter().filter_map(|ip| model.route_of(ip.id)).collect()
        };
        for (floating, fixed) in routes {
            self.route(floating, fixed).await?;
        }
        Ok(())
    }

    /// Brings the network in line with the model for one floating IP.
    async fn lead(
        &self,
        id: FloatingIpId,
        before: Option<(Ipv4Addr, Ipv4Addr)>,
    ) -> Result<(), Failure> {
        let route = self.read().route_of(id);
        match (route, before) {
            (Some((floating, fixed)), _) => self.route(floating, fixed).await,
            (None, Some((floating, _))) => {
                self.network.disassociate(floating).await;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    async fn route(&self, floating: Ipv4Addr, fixed: Ipv4Addr) -> Result<(), Failure> {
        let led = self.network.associate(floating, fixed).await;
        led.map_err(|source| Failure::Network { floating, fixed, source })
    }
}
