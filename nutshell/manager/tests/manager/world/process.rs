//! What a process is to its peers: all of its tasks end at once when it is killed.

use tokio::runtime::{Builder, Runtime};

pub(crate) struct Process(Option<Runtime>);

impl Process {
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(work);
        Self(Some(runtime))
    }

    /// Returns when nothing of it is left.
    pub(crate) async fn kill(mut self) {
        let runtime = self.0.take().unwrap();
        let limit = std::time::Duration::from_secs(5);
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(limit)).await.unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
