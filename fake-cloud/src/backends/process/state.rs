//! The backend's directory on disk.
//!
//! ```text
//!  servers/<id>/   a server, see [`crate::guest::directory`]
//!  volumes/        the data of volumes, see [`super::volumes`]
//!  base/           what servers share, see [`super::base`]
//!  trash/          what is being removed; a removal that was cut short goes on at the next start
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use uuid::Uuid;

use super::volumes::{self, Volumes};
use super::{base, remains};
use crate::guest::directory::{ServerDirectory, remove, remove_tree, write_private};
use crate::guest::order::Order;

#[derive(Debug, Clone)]
pub(super) struct State {
    path: PathBuf,
    volumes: Volumes,
    /// Whether the base is built. Held while it is being built: the others wait for it.
    base_built: Arc<Mutex<bool>>,
    background: Arc<Background>,
}

/// Work that goes on beside the calls.
#[derive(Debug, Default)]
struct Background {
    threads: Mutex<Vec<JoinHandle<()>>>,
    ending: AtomicBool,
}

/// Where a server's directory is.
pub(super) fn server(state_dir: &Path, id: Uuid) -> ServerDirectory {
    ServerDirectory::new(state_dir.join("servers").join(id.to_string()))
}

/// Ids of the servers that have a directory.
pub(super) fn servers(state_dir: &Path) -> io::Result<Vec<Uuid>> {
    let mut ids = vec![];
    for entry in fs::read_dir(state_dir.join("servers"))? {
        let name = entry?.file_name();
        ids.extend(name.to_str().and_then(|name| Uuid::parse_str(name).ok()));
    }
    Ok(ids)
}

/// What is in the directory of a cloud only for as long as it runs.
pub(super) fn temporary(state_dir: &Path) -> Vec<PathBuf> {
    let own = ["base", "trash"].map(|name| state_dir.join(name)).into_iter();
    own.filter(|path| path.exists())
        .chain(volumes::unfinished(&state_dir.join("volumes")))
        .collect()
}

/// Earlier versions had all of this one level deeper, in a directory `servers`. What cannot be made
/// again is moved to where it is now; a move that was cut short goes on here.
fn flatten(path: &Path) -> io::Result<()> {
    let (now, earlier) = (path.join("servers"), path.join("earlier-servers"));
    if now.join("servers").exists() && !earlier.exists() {
        fs::rename(&now, &earlier)?;
    }
    if !earlier.exists() {
        return Ok(());
    }
    for kept in ["servers", "volumes"] {
        match fs::rename(earlier.join(kept), path.join(kept)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    remove_tree(&earlier)
}

impl State {
    /// Creates the directory, or cleans up in it.
    pub(super) fn open(path: &Path, init_program: &Path) -> io::Result<Self> {
        flatten(path)?;
        for inner in ["servers", "trash"] {
            DirBuilder::new().recursive(true).mode(0o700).create(path.join(inner))?;
        }
        let path = path.canonicalize()?;
        let state = Self {
            volumes: Volumes::open(path.join("volumes"), init_program)?,
            path,
            base_built: Arc::default(),
            background: Arc::default(),
        };
        // This machine's `/etc` may have changed since: the base is built again.
        state.move_to_trash(&state.base())?;
        let builder = state.clone();
        for id in state.servers()? {
            state.server(id).tidy();
        }
        state.in_background("base", move || {
            remains::end_strays(&builder.path);
            // The first start that needs it tries again, and reports what fails.
            let _ = builder.ensure_base();
        });
        state.empty_trash();
        Ok(state)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn base(&self) -> PathBuf {
        self.path.join("base")
    }

    pub(super) fn server(&self, id: Uuid) -> ServerDirectory {
        server(&self.path, id)
    }

    /// Ids of the servers that have a directory.
    pub(super) fn servers(&self) -> io::Result<Vec<Uuid>> {
        servers(&self.path)
    }

    pub(super) fn volumes(&self) -> &Volumes {
        &self.volumes
    }

    /// Takes a volume's data away at once; its content is removed in the background.
    pub(super) fn discard_volume(&self, id: Uuid) -> io::Result<()> {
        if let Some(data) = self.volumes.path(id)
            && self.move_to_trash(&data)?
        {
            self.empty_trash();
        }
        Ok(())
    }

    /// Builds what servers share, once.
    pub(super) fn ensure_base(&self) -> io::Result<()> {
        let mut built = self.base_built.lock().unwrap_or_else(PoisonError::into_inner);
        if !*built {
            base::build(&self.base(), &self.background.ending)?;
            *built = true;
        }
        Ok(())
    }

    /// Writes what the server's first process reads.
    pub(super) fn prepare(
        &self,
        order: &Order,
        user_data: Option<&[u8]>,
    ) -> io::Result<ServerDirectory> {
        let directory = self.server(order.id);
        DirBuilder::new().recursive(true).mode(0o700).create(directory.path())?;
        if let Some(user_data) = user_data {
            write_private(&directory.user_data(), user_data)?;
        }
        write_private(&directory.order(), &serde_json::to_vec(order)?)?;
        Ok(directory)
    }

    /// Takes a server's directory away at once; its content is removed in the background.
    pub(super) fn discard(&self, id: Uuid) -> io::Result<()> {
        if self.move_to_trash(self.server(id).path())? {
            self.empty_trash();
        }
        Ok(())
    }

    /// Takes all that a server has written away at once, and what says that it has booted; its
    /// console log stays.
    pub(super) fn discard_disk(&self, id: Uuid) -> io::Result<()> {
        let server = self.server(id);
        for path in [server.booted(), server.disk(), server.layers(), server.user_data()] {
            self.move_to_trash(&path)?;
        }
        self.empty_trash();
        Ok(())
    }

    fn move_to_trash(&self, path: &Path) -> io::Result<bool> {
        let trash = self.path.join("trash").join(Uuid::new_v4().to_string());
        match fs::rename(path, trash) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn empty_trash(&self) {
        let trash = self.path.join("trash");
        let background = Arc::clone(&self.background);
        let empty = move || {
            for entry in fs::read_dir(&trash).into_iter().flatten().flatten() {
                if background.ending.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(error) = remove(&entry.path()) {
                    tracing::warn!(path = %entry.path().display(), %error, "failed to remove");
                }
            }
        };
        self.in_background("removal", empty);
    }

    /// For work that is made up for later if there is no thread for it now.
    fn in_background(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        let Ok(thread) = thread::Builder::new().name(name.into()).spawn(work) else { return };
        let mut threads = self.background.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    /// What goes on in the background has no purpose any more.
    pub(super) fn end(&self) {
        self.background.ending.store(true, Ordering::Relaxed);
    }

    /// Returns when nothing works in the directory any more.
    pub(super) fn finish(&self) {
        self.end();
        let mut threads = self.background.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // It has said what was wrong.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_layout_is_taken_over_whenever_that_was_cut_short() {
        let lies = |directory: &Path, file: &str| directory.join(file).exists();
        let id = Uuid::new_v4().to_string();
        let disk = format!("servers/{id}/disk");
        for moved in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            let earlier = path.join(if moved == 0 { "servers" } else { "earlier-servers" });
            let place = if moved == 2 { path } else { &earlier };
            fs::create_dir_all(place.join(&disk)).unwrap();
            fs::create_dir_all(earlier.join(format!("volumes/{id}"))).unwrap();
            fs::create_dir_all(earlier.join("base/etc")).unwrap();
            flatten(path).unwrap();
            flatten(path).unwrap();
            assert!(lies(path, &disk) && lies(path, &format!("volumes/{id}")), "{moved}");
            assert_eq!(fs::read_dir(path).unwrap().count(), 2, "{moved}");
        }
    }

    #[test]
    fn only_servers_are_listed_and_a_discarded_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::open(directory.path(), Path::new("")).unwrap();
        let id = Uuid::new_v4();
        fs::create_dir(state.server(id).path()).unwrap();
        fs::create_dir(directory.path().join("servers/other")).unwrap();
        assert_eq!(state.servers().unwrap(), [id]);
        state.discard(id).unwrap();
        assert!(state.servers().unwrap().is_empty());
        state.discard(id).unwrap();
    }
}
