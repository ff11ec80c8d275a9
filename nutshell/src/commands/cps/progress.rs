//! Waiting for what the director has begun, in front of the user's eyes.

use protocol::ClientError;
use protocol::api::{Application, Service, State};

use super::{Caller, CpsError};
use crate::diagnostics::Exit;
use crate::printer::Activity;

impl Caller<'_> {
    /// Begins the work, waits until nothing is under way any more, and finishes the line.
    pub(crate) async fn watch_service(
        &self,
        line: &str,
        begin: impl Future<Output = Result<Service, ClientError>>,
        succeeded: impl Fn(&Service) -> bool,
    ) -> Result<Exit, CpsError> {
        // A refusal comes at once: then there was no work, and no line either.
        let begun = begin.await?;
        if !self.wait {
            self.printer.answer(&begun, |_| begun_line(line));
            return Ok(Exit::Success);
        }
        let activity = self.printer.activity(line);
        let service = self.client.service_await_stable(begun).await?;
        let exit = self.finish(activity, succeeded(&service), service.reason.as_deref());
        self.printer.json_only(&service);
        Ok(exit)
    }

    /// Waits until the application's manager runs, with the line the original prints. When there is
    /// no waiting, only says what was begun.
    pub(crate) async fn watch_manager(
        &self,
        application: Application,
        line: impl FnOnce(&Application) -> String,
    ) -> Result<(Exit, Application), CpsError> {
        if !self.wait {
            self.printer.answer_part(&format!("{}\n", begun_line(&line(&application))));
            return Ok((Exit::Success, application));
        }
        let settled = |application: &Application| application.state.is_stable();
        let known = |application: &Application| application.manager.is_some();
        let begun = self
            .client
            .application_await(application, |application| {
                known(application) || settled(application)
            })
            .await?;
        let activity = self.printer.activity(&line(&begun));
        let application = self.client.application_await(begun, settled).await?;
        let succeeded = application.state != State::Error;
        let exit = self.finish(activity, succeeded, application.reason.as_deref());
        Ok((exit, application))
    }

    fn finish(&self, activity: Activity<'_>, succeeded: bool, reason: Option<&str>) -> Exit {
        if succeeded {
            activity.done();
            if let Some(remark) = reason {
                self.printer.warn(remark);
            }
            return Exit::Success;
        }
        activity.failed();
        self.printer.error(reason.unwrap_or("the log of the manager says why"));
        Exit::Failure
    }
}

/// `Service 1 is starting...` without the end that is not waited for.
fn begun_line(line: &str) -> String {
    format!("{}.", line.trim_end_matches('.'))
}
