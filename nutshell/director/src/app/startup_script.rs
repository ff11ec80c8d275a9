//! Startup scripts: what new nodes of a service run before their agent.

use protocol::api::StartupScript;
use protocol::{ServiceId, UserId};

use super::service::service_of;
use super::{App, Error, Result};
use crate::db;

/// The longest script, in bytes: clouds take 16 KiB of user-data, and other things are in it, too.
const LONGEST: usize = 8 << 10;

impl App {
    pub(crate) async fn service_startup_script(
        &self,
        user: UserId,
        id: ServiceId,
    ) -> Result<StartupScript> {
        let mut connection = self.db.read().await?;
        service_of(&mut connection, user, id).await?;
        let script = db::service::startup_script(&mut connection, id).await?;
        Ok(StartupScript { script: script.unwrap_or_default() })
    }

    /// Sets the script for nodes that come from now on; an empty one is none.
    pub(crate) async fn service_set_startup_script(
        &self,
        user: UserId,
        id: ServiceId,
        wanted: StartupScript,
    ) -> Result<StartupScript> {
        check(&wanted.script)?;
        let mut tx = self.db.write().await?;
        service_of(&mut tx, user, id).await?;
        let script = Some(wanted.script.as_str()).filter(|script| !script.is_empty());
        db::service::set_startup_script(&mut tx, id, script).await?;
        tx.commit().await?;
        Ok(wanted)
    }
}

fn check(script: &str) -> Result<()> {
    if script.len() > LONGEST {
        return Err(Error::Invalid(format!(
            "the startup script is longer than {LONGEST} bytes; let it fetch what it needs"
        )));
    }
    if script.contains('\0') {
        return Err(Error::Invalid("the startup script is no text".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_a_text_that_clouds_hand_over() {
        assert!(check("").is_ok() && check(&"x".repeat(LONGEST)).is_ok());
        assert!(check(&"x".repeat(LONGEST + 1)).is_err() && check("a\0b").is_err());
    }
}
