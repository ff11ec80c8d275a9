//! Settings may name things by id or by name; the cloud wants ids. Each is looked up once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::session::Session;
use super::{compute, image, network};
use crate::CloudError;

/// What can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Image,
    Flavor,
    Network,
    FloatingPool,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Image => "image",
            Self::Flavor => "flavor",
            Self::Network => "network",
            Self::FloatingPool => "floating pool (an external network)",
        })
    }
}

/// The ids found so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<HashMap<(Kind, String), String>>,
}

impl Names {
    /// The id of what the settings call `wanted`.
    pub(crate) async fn id(
        &self,
        session: &Session,
        kind: Kind,
        wanted: &str,
    ) -> Result<String, CloudError> {
        let key = (kind, wanted.to_owned());
        if let Some(id) = self.known().get(&key) {
            return Ok(id.clone());
        }
        let id = pick(kind, wanted, &candidates(session, kind, wanted).await?)?;
        self.known().insert(key, id.clone());
        Ok(id)
    }

    /// Looks everything up again from now on: something was replaced under its name.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Kind, String), String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something with an id and a name.
struct Candidate {
    id: String,
    name: String,
}

async fn candidates(
    session: &Session,
    kind: Kind,
    wanted: &str,
) -> Result<Vec<Candidate>, CloudError> {
    Ok(match kind {
        Kind::Image => image_candidates(session, wanted).await?,
        Kind::Flavor => compute::flavors(session)
            .await?
            .into_iter()
            .map(|flavor| Candidate { id: flavor.id, name: flavor.name })
            .collect(),
        Kind::Network => network_candidates(session, |_| true).await?,
        Kind::FloatingPool => network_candidates(session, |network| network.external).await?,
    })
}

/// Asks for the id, then for the name, and for all only when nothing fits, to show what there is.
async fn image_candidates(session: &Session, wanted: &str) -> Result<Vec<Candidate>, CloudError> {
    let mut images: Vec<_> = image::image(session, wanted).await?.into_iter().collect();
    if images.is_empty() {
        images = image::images(session, Some(wanted)).await?;
    }
    if images.is_empty() {
        images = image::images(session, None).await?;
    }
    let candidate = |image: image::ImageRecord| Candidate {
        name: image.name.unwrap_or_else(|| image.id.clone()),
        id: image.id,
    };
    Ok(images.into_iter().map(candidate).collect())
}

async fn network_candidates(
    session: &Session,
    fits: impl Fn(&network::NetworkRecord) -> bool,
) -> Result<Vec<Candidate>, CloudError> {
    let networks = network::networks(session).await?.into_iter().filter(fits);
    Ok(networks.map(|network| Candidate { id: network.id, name: network.name }).collect())
}

/// The one that is meant: by id first, then by its exact name.
fn pick(kind: Kind, wanted: &str, candidates: &[Candidate]) -> Result<String, CloudError> {
    if candidates.iter().any(|candidate| candidate.id == wanted) {
        return Ok(wanted.to_owned());
    }
    let named: Vec<_> = candidates.iter().filter(|candidate| candidate.name == wanted).collect();
    match named.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => {
            Err(CloudError::NotFound { what: format!("{kind} '{wanted}', {}", offer(candidates)) })
        }
        several => Err(CloudError::Ambiguous {
            what: format!("{kind} '{wanted}'"),
            candidates: several.iter().map(|candidate| candidate.id.clone()).collect(),
        }),
    }
}

/// What there is instead.
fn offer(candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        return "there is none at all".to_owned();
    }
    let mut names: Vec<_> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(12);
    format!("there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Vec<Candidate> {
        [("i1", "debian"), ("i2", "cirros"), ("i3", "debian"), ("i4", "i2")]
            .map(|(id, name)| Candidate { id: id.into(), name: name.into() })
            .into()
    }

    #[test]
    fn an_id_wins_over_a_name() {
        assert_eq!(pick(Kind::Image, "i2", &images()).unwrap(), "i2");
        assert_eq!(pick(Kind::Image, "cirros", &images()).unwrap(), "i2");
    }

    #[test]
    fn a_name_must_fit_exactly() {
        let error = pick(Kind::Image, "Cirros", &images()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not found in the cloud: image 'Cirros', there are cirros, debian, i2"
        );
        let error = pick(Kind::Network, "private", &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not found in the cloud: network 'private', there is none at all"
        );
    }

    #[test]
    fn a_name_of_two_things_is_refused() {
        let error = pick(Kind::Image, "debian", &images()).unwrap_err();
        assert_eq!(error.to_string(), "image 'debian' is ambiguous, use one of the ids i1, i3");
    }
}
