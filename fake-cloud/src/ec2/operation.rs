//! What an operation is: declared once, as data, so that COVERAGE.md and the answers agree.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::digest;
use super::errors::Fault;
use super::ids::account;
use super::params::Params;
use super::places::Zone;
use super::xml::Xml;
use crate::cloud::Cloud;
use crate::model::{Caller, ClientToken, ProjectId};

/// A request on its way to its operation: its signature was right.
#[derive(Debug)]
pub(crate) struct Call {
    /// The cloud.
    pub(crate) cloud: Arc<Cloud>,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The project they ask for.
    pub(crate) project: ProjectId,
    /// What they ask for.
    pub(crate) params: Params,
    /// Names the request.
    pub(crate) request_id: String,
}

impl Call {
    /// The account that asks.
    pub(crate) fn account(&self) -> String {
        account(self.project)
    }

    /// Where everything of the region is.
    pub(crate) fn zone(&self) -> Zone<'_> {
        Zone { region: &self.cloud.region }
    }

    /// The name that the request bears, so that sending it again does nothing again.
    pub(crate) fn client_token(&self) -> Option<ClientToken> {
        self.params.text("ClientToken").map(|token| ClientToken {
            token: token.to_owned(),
            digest: digest(&self.params.without("ClientToken").to_string()),
        })
    }

    /// Refuses what was only a question whether it would be done.
    pub(crate) fn check_dry_run(&self) -> Result<(), Fault> {
        match self.params.flag("DryRun")? {
            Some(true) => {
                let message = "Request would have succeeded, but DryRun flag is set.";
                Err(Fault::new("DryRunOperation", message)
                    .with_status(http::StatusCode::PRECONDITION_FAILED))
            }
            Some(false) | None => Ok(()),
        }
    }
}

/// What answers: the content of the answer's root element.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Looks only.
    Reads(fn(&Call) -> Result<Xml, Fault>),
    /// May change something.
    Changes(fn(Call) -> BoxFuture<'static, Result<Xml, Fault>>),
    /// May change something, and checks more than the signature before it says what a dry run
    /// would have done.
    ChecksFirst(fn(Call) -> BoxFuture<'static, Result<Xml, Fault>>),
}

/// One operation of the API.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name, the parameter `Action`.
    pub(crate) name: &'static str,
    /// What answers.
    pub(crate) answer: Answer,
}

/// Writes a table of operations, one a line: `Reads Name module::function;`.
macro_rules! operations {
    (@answer Reads $($path:ident)::+) => { Answer::Reads($($path)::+) };
    (@answer $kind:ident $($path:ident)::+) => {
        Answer::$kind(|call| Box::pin($($path)::+(call)))
    };
    ($($kind:ident $name:ident $($path:ident)::+;)*) => {
        &[$(Operation {
            name: stringify!($name),
            answer: operations!(@answer $kind $($path)::+),
        }),*]
    };
}
pub(super) use operations;
