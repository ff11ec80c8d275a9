//! Network namespaces: made, held open, and entered for a piece of work.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use tokio::sync::oneshot;

use crate::backends::process::sys;

/// A network namespace. It lives as long as a process is in it or holds it open, as this value
/// does; with it go its interfaces, addresses, routes and rules.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Arc<OwnedFd>);

impl Namespace {
    /// The one that this thread is in.
    pub(crate) fn current() -> io::Result<Self> {
        Ok(Self(Arc::new(File::open("/proc/thread-self/ns/net")?.into())))
    }

    /// The one that the descriptor refers to.
    pub(crate) fn of(descriptor: Arc<OwnedFd>) -> Self {
        Self(descriptor)
    }

    /// A new one, with nothing in it but a loopback interface that is down.
    pub(crate) async fn create() -> io::Result<Self> {
        on_a_thread(Self::leave_for_new).await
    }

    /// As [`Namespace::create`], for who cannot wait otherwise.
    pub(crate) fn create_blocking() -> io::Result<Self> {
        on_a_thread_blocking(Self::leave_for_new)
    }

    fn leave_for_new() -> io::Result<Self> {
        sys::unshare(UnshareFlags::NEWNET)?;
        Self::current()
    }

    /// Does some work inside. A thread of its own does it: one that has entered a namespace is of
    /// no use to anybody else.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        on_a_thread(self.clone().inside(work)).await
    }

    /// As [`Namespace::run`], for who cannot wait otherwise.
    pub(crate) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        on_a_thread_blocking(self.clone().inside(work))
    }

    fn inside<T>(self, work: impl FnOnce() -> io::Result<T>) -> impl FnOnce() -> io::Result<T> {
        move || {
            move_into_link_name_space(self.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        }
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn on_a_thread_blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let thread = thread::Builder::new().name("network".into()).spawn(work)?;
    thread.join().map_err(|_| io::Error::other("the thread panicked"))?
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name("network".into()).spawn(move || {
        // Whoever asked may have gone meanwhile.
        let _ = done.send(work());
    })?;
    result.await.map_err(io::Error::other)?
}
