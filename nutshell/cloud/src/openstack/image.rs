//! Glance: finds images.

use serde::Deserialize;

use super::catalog::Service::Image;
use super::session::{Call, Session};
use crate::CloudError;

/// An image as Glance writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) status: String,
}

/// The image with this id.
pub(crate) async fn image(session: &Session, id: &str) -> Result<Option<ImageRecord>, CloudError> {
    session.find(Call::get("look at an image", Image, &["images", id])).await
}

/// The images with this name, or the first hundred of all. A cloud may have thousands.
pub(crate) async fn images(
    session: &Session,
    name: Option<&str>,
) -> Result<Vec<ImageRecord>, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        images: Vec<ImageRecord>,
    }
    let call = Call::get("list images", Image, &["images"])
        .query("limit", Some("100"))
        .query("name", name);
    Ok(session.fetch::<Body>(call).await?.images)
}
