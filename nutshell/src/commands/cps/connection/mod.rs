//! How a client finds its director, and whom it speaks for.
//!
//! What the user says counts most, then the director in use, then the session, then the stack of this machine; so after
//! `nutshell up` every command works without a word about where and who.

mod authority;
mod conf_file;
pub(crate) mod directors;
pub(crate) mod password;
mod plan;
mod session;

use protocol::api::{Login, LoginGrant};
use protocol::client::DirectorClient;
use protocol::{ClientError, ErrorCode};

pub(crate) use self::authority::Authority;
pub(crate) use self::plan::complete;
use self::plan::{Local, Plan};
use self::session::Session;
use super::CpsError;
use crate::args::{self, ConnectionOptions};
use crate::printer::Printer;

/// Connects without being anybody.
pub(crate) fn anonymous(options: &ConnectionOptions) -> Result<DirectorClient, CpsError> {
    let session = Session::load_own(options.director.as_deref())?;
    director(&plan::make(options, session.as_ref(), Local::find(options)?.as_ref())?)
}

/// Connects with the API token or the session, or begins one where that needs no question.
pub(crate) async fn connect(options: &ConnectionOptions) -> Result<DirectorClient, CpsError> {
    if let Some(token) = &options.token {
        return Ok(anonymous(options)?.with_token(token.clone()));
    }
    let session = Session::load_own(options.director.as_deref())?;
    let local = Local::find(options)?;
    let plan = plan::make(options, session.as_ref(), local.as_ref())?;
    let director = director(&plan)?;
    if let Some(token) = &plan.token {
        let client = director.with_token(token.clone());
        match client.user_view().await {
            Ok(_) => return Ok(client),
            Err(ClientError::Api(error)) if error.code == ErrorCode::Unauthenticated => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (Some(username), Some(password)) = (plan.username.clone(), plan.password.clone()) else {
        // That there is no director is the better news.
        director.version().await?;
        return Err(CpsError::NotLoggedIn { url: plan.url });
    };
    let grant = director.login(&Login { username, password }).await?;
    // It is remembered with the stack, and goes with it; where that cannot be, the next command
    // logs in again.
    if let Some(local) = local.filter(|local| local.url == plan.url) {
        let _ = new_session(&plan, &grant).save(&local.session_file);
    }
    Ok(director.with_token(grant.token))
}

/// Begins a session; asks for the password where nothing else knows it.
pub(crate) async fn log_in(
    options: &ConnectionOptions,
    login: args::Login,
    printer: &Printer,
) -> Result<LoginGrant, CpsError> {
    let options = ConnectionOptions {
        username: login.user.or_else(|| options.username.clone()),
        password: login.pass.or_else(|| options.password.clone()),
        ..options.clone()
    };
    let session = Session::load_own(options.director.as_deref())?;
    let plan = plan::make(&options, session.as_ref(), Local::find(&options)?.as_ref())?;
    let director = director(&plan)?;
    let username = match &plan.username {
        Some(username) => username.clone(),
        None => password::ask_username(printer)?,
    };
    let password = match &plan.password {
        Some(password) => password.clone(),
        None => {
            director.version().await?;
            password::ask(&username, printer)?
        }
    };
    let grant = director.login(&Login { username, password }).await?;
    new_session(&plan, &grant).save_own(options.director.as_deref())?;
    Ok(grant)
}

/// Ends the session; says whether there was one.
pub(crate) async fn log_out(options: &ConnectionOptions) -> Result<bool, CpsError> {
    let Some(session) = Session::load_own(options.director.as_deref())? else { return Ok(false) };
    let plan = plan::make(options, Some(&session), Local::find(options)?.as_ref());
    Session::forget_own(options.director.as_deref())?;
    if let Ok(plan) = plan
        && plan.token.as_ref() == Some(&session.token)
    {
        // Its director may be gone, or have ended it: what counts is that nobody has the token.
        let _ = director(&plan)?.with_token(session.token).logout().await;
    }
    Ok(true)
}

fn director(plan: &Plan) -> Result<DirectorClient, CpsError> {
    let client = authority::trust(&plan.authority)?
        .client(protocol::Identity::Director, None)
        .map_err(CpsError::Trust)?;
    Ok(DirectorClient::new(client, &plan.url, None))
}

fn new_session(plan: &Plan, grant: &LoginGrant) -> Session {
    Session {
        director_url: plan.url.clone(),
        ca_certificate: plan.authority.certificate.clone(),
        username: grant.user.username.clone(),
        token: grant.token.clone(),
        expires: grant.expires,
    }
}
