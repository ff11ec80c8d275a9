//! Volumes of a service's instances.

use axum::Form;
use axum::response::Response;
use protocol::ServiceId;
use protocol::api::generic::{VolumeAdd, VolumeName};
use serde_json::Value;

use super::service::answer;
use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;

pub(crate) async fn create(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let created = match request(&fields) {
        Ok(add) => {
            let sent = session.director.service_command::<Value>(id, "create_volume", &add);
            sent.await.map_err(Failure::from)
        }
        Err(problem) => Err(problem.into()),
    };
    answer(&session, id, created, fields).await
}

fn request(fields: &Fields) -> Result<VolumeAdd, Problem> {
    let name = filled(fields, "volume").ok_or_else(|| {
        Problem::invalid("A volume needs a name.").hint("Letters, digits, - and _.")
    })?;
    let size_mib = filled(fields, "size")
        .and_then(|size| size.parse().ok())
        .filter(|size| *size > 0)
        .ok_or_else(|| {
            Problem::invalid("Enter the size of the volume in MB.").hint("1024 is a gigabyte.")
        })?;
    let node = filled(fields, "node")
        .and_then(|node| node.parse().ok())
        .ok_or_else(|| Problem::invalid("Choose the instance that gets the volume."))?;
    Ok(VolumeAdd { name, size_mib, node })
}

pub(crate) async fn delete(
    session: Session,
    Named((id, name)): Named<(ServiceId, String)>,
) -> Result<Response, Failure> {
    let name = VolumeName { name };
    let deleted = session.director.service_command::<Value>(id, "delete_volume", &name).await;
    answer(&session, id, deleted.map_err(Failure::from), Fields::new()).await
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;

    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<VolumeAdd, Problem> {
        request(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn a_volume_has_a_name_a_size_and_an_instance() {
        let add = read([("volume", " data "), ("size", "1024"), ("node", "5")]).unwrap();
        assert_eq!(add, VolumeAdd { name: "data".to_owned(), size_mib: 1024, node: NodeId(5) });
        assert!(read([("size", "1024"), ("node", "5")]).is_err());
        assert!(read([("volume", "data"), ("node", "5")]).is_err());
        assert!(read([("volume", "data"), ("size", "1024")]).is_err());
        for size in ["0", "-1", "1.5", "1G"] {
            assert!(read([("volume", "data"), ("size", size), ("node", "5")]).is_err(), "{size}");
        }
    }
}
