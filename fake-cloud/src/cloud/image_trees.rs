//! Uploaded archives of root file systems: unpacked once, each beside its file.
//!
//! A tree lives as long as its image, or as a server whose disk is a layer above it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Cloud, chain};
use crate::backends::ImageSource;
use crate::guest::directory::remove_tree;
use crate::image::unpack::{self, Limits};
use crate::model::{ImageId, ImageStatus};

/// What was in an upload.
#[derive(Debug)]
pub(crate) enum Tree {
    /// No archive.
    None,
    /// The root file system at this path.
    Unpacked(PathBuf),
    /// An archive that servers cannot boot, and why.
    Failed(String),
}

impl Cloud {
    /// Unpacks the content of an image if it is an archive: wholly, or not at all.
    pub(crate) async fn unpack_image(&self, id: ImageId) -> Tree {
        if !self.backend.boots_directories() {
            return Tree::None;
        }
        let (content, limits) = (self.image_content_path(id), self.image_limits);
        let directory = self.tree_path(id);
        let work = tokio::task::spawn_blocking(move || make(&content, &directory, limits));
        match work.await {
            Ok(Ok(root)) => root.map_or(Tree::None, Tree::Unpacked),
            Ok(Err(error)) => Tree::Failed(chain(&error)),
            Err(error) => Tree::Failed(error.to_string()),
        }
    }

    /// Removes the trees that neither an image nor a server needs any more; what cannot be removed
    /// is at the next start.
    pub(crate) async fn drop_image_trees(&self) {
        if let Err(error) = self.tidy_image_trees().await {
            tracing::warn!(error = chain(&error), "the tree of an image could not be removed");
        }
    }

    pub(super) async fn tidy_image_trees(&self) -> io::Result<()> {
        let needed: HashSet<PathBuf> = {
            let model = self.read();
            let images = model.images.iter().map(|image| &image.source);
            let servers = model.servers.iter().map(|server| &server.image_source);
            let trees = images.chain(servers).filter_map(root).filter_map(Path::parent);
            let saving = model.images.iter().filter(|image| image.status == ImageStatus::Saving);
            trees.map(Path::to_owned).chain(saving.map(|image| self.tree_path(image.id))).collect()
        };
        let image_dir = self.image_dir.clone();
        tokio::task::spawn_blocking(move || tidy(&image_dir, &needed)).await?
    }

    fn tree_path(&self, id: ImageId) -> PathBuf {
        self.image_dir.join(format!("{id}.tree"))
    }
}

/// Removes the trees that are not needed.
fn tidy(image_dir: &Path, needed: &HashSet<PathBuf>) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(image_dir) {
        Err(error) if gone(&error) => return Ok(()),
        result => result?,
    };
    for entry in entries {
        let entry = entry?;
        if needed.contains(&entry.path()) || !entry.file_type()?.is_dir() {
            continue;
        }
        match remove_tree(&entry.path()) {
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn root(source: &ImageSource) -> Option<&Path> {
    match source {
        ImageSource::Directory { path } => Some(path),
        ImageSource::Host { .. } | ImageSource::File { .. } | ImageSource::Opaque => None,
    }
}

fn make(
    content: &Path,
    directory: &Path,
    limits: Limits,
) -> Result<Option<PathBuf>, unpack::Error> {
    let failed = |source| unpack::Error::Write { path: PathBuf::from("/"), source };
    if !unpack::is_archive(File::open(content).map_err(failed)?) {
        return Ok(None);
    }
    let file = File::open(content).map_err(failed)?;
    fs::create_dir(directory).map_err(failed)?;
    let root = directory.join("root");
    match unpack::unpack(file, &root, limits) {
        Ok(_) => Ok(Some(root)),
        Err(error) => {
            // If it cannot be removed now, it is at the next start.
            let _ = remove_tree(directory);
            Err(error)
        }
    }
}
