//! Rules of the kernel's packet filter: kept as data, changed piece by piece.

pub(crate) mod groups;
pub(crate) mod nft;
pub(crate) mod table;

use std::io;

use super::namespace::Namespace;
use table::Table;

/// The tables that a network namespace has of us, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Tables(Option<Vec<Table>>);

impl Tables {
    /// Replaces them by others of the same names, all or none. To be awaited to its end: what is
    /// begun later must not overtake it.
    pub(crate) async fn replace(
        &mut self,
        namespace: &Namespace,
        next: Vec<Table>,
    ) -> io::Result<()> {
        let commands: String = match self.0.take() {
            Some(before) => next.iter().zip(&before).map(|(new, old)| new.after(old)).collect(),
            None => next.iter().map(Table::anew).collect(),
        };
        if !commands.is_empty() {
            namespace.run(move || nft::apply(&commands)).await?;
        }
        self.0 = Some(next);
        Ok(())
    }
}

/// Does work to its end, even when nobody waits for it any more.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    tokio::spawn(work).await.map_err(io::Error::from)?
}
