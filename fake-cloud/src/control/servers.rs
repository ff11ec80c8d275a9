//! A look at servers from outside, whosever they are.

use crate::backends::{BackendError, ConsoleStream, Usage};

use super::{Control, ControlError};

impl Control {
    /// The last lines of a server's console, by its id or name; all that is kept if no number is given.
    ///
    /// # Errors
    /// When there is no such server, or the console cannot be read.
    pub async fn console(
        &self,
        server: &str,
        lines: Option<usize>,
    ) -> Result<String, ControlError> {
        let id = self.server(server)?.0;
        self.cloud().backend.console(id, lines).await.map_err(unread)
    }

    /// What [`Control::console`] gives, and then all that the server prints while it exists. Of a
    /// container it ends when that does.
    ///
    /// # Errors
    /// When there is no such server, or the console cannot be read.
    pub async fn follow_console(
        &self,
        server: &str,
        lines: Option<usize>,
    ) -> Result<ConsoleStream, ControlError> {
        let id = self.server(server)?.0;
        self.cloud().backend.follow_console(id, lines).await.map_err(unread)
    }

    /// What a server uses now, by its id or name.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn usage(&self, server: &str) -> Result<Usage, ControlError> {
        let id = self.server(server)?.0;
        Ok(self.cloud().backend.usage(id).await)
    }
}

fn unread(error: BackendError) -> ControlError {
    ControlError::Console(Box::new(error))
}
