//! The user's own account: credits, API tokens, the password.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::TokenId;
use protocol::api::{CreditEntry, CreditQuery, PasswordChange, Token, TokenCreate};
use time::OffsetDateTime;

use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{Frame, Since, page};

/// How many entries of the ledger a page shows.
const SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    error: Option<Problem>,
    /// Of the token that was just made.
    secret: Option<String>,
    tokens: Vec<TokenRow>,
    balance: i64,
    entries: Vec<EntryRow>,
    /// The entries before that one are on the next page.
    older: Option<i64>,
}

impl AccountPage {
    fn username(&self) -> &str {
        self.frame.user.as_ref().map_or("", |user| &user.username)
    }
}

struct TokenRow {
    token: Token,
    used: Option<Since>,
    expires: Option<String>,
}

struct EntryRow {
    at: Since,
    what: String,
    amount: i64,
}

pub(crate) async fn show(
    session: Session,
    Query(query): Query<CreditQuery>,
) -> Result<Response, Failure> {
    render(&session, None, None, query.before).await
}

pub(crate) async fn password(
    session: Session,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let field = |name| fields.get(name).cloned().unwrap_or_default();
    if field("new_password") != field("again") {
        let problem = Problem::invalid("The two new passwords are not the same.");
        return render(&session, Some(problem), None, None).await;
    }
    let (old_password, new_password) = (field("old_password"), field("new_password"));
    let change = PasswordChange { old_password, new_password };
    let changed = session.director.password_change(&change).await;
    answer(&session, changed.map_err(Failure::from)).await
}

pub(crate) async fn token_create(
    session: Session,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let create = match token_request(&fields) {
        Ok(create) => create,
        Err(problem) => return render(&session, Some(problem), None, None).await,
    };
    match session.director.token_create(&create).await.map_err(Failure::from) {
        Ok(grant) => render(&session, None, Some(grant.secret), None).await,
        Err(failure) => answer(&session, Err(failure)).await,
    }
}

fn token_request(fields: &Fields) -> Result<TokenCreate, Problem> {
    let name = filled(fields, "name").ok_or_else(|| Problem::invalid("A token needs a name."))?;
    let days = filled(fields, "days").map(|days| days.parse()).transpose();
    let days = days.map_err(|_| Problem::invalid("Enter for how many days the token is."))?;
    Ok(TokenCreate { name, read_only: fields.contains_key("read_only"), days })
}

pub(crate) async fn token_revoke(
    session: Session,
    Named(id): Named<TokenId>,
) -> Result<Response, Failure> {
    let revoked = session.director.token_revoke(id).await;
    answer(&session, revoked.map_err(Failure::from)).await
}

/// Back to the page; with what was refused, if it was.
async fn answer(session: &Session, done: Result<(), Failure>) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to("/account").into_response()),
        Err(Failure::Problem(problem)) => render(session, Some(problem), None, None).await,
        Err(logged_out @ Failure::LoggedOut) => Err(logged_out),
    }
}

async fn render(
    session: &Session,
    error: Option<Problem>,
    secret: Option<String>,
    before: Option<i64>,
) -> Result<Response, Failure> {
    let query = CreditQuery { before, limit: Some(SHOWN) };
    let (frame, tokens, credits) = tokio::try_join!(
        session.frame(),
        async { Ok(session.director.token_list().await?) },
        async { Ok(session.director.credits(&query).await?) },
    )?;
    let now = OffsetDateTime::now_utc();
    let full = credits.entries.len() == SHOWN as usize;
    let account = AccountPage {
        frame,
        secret,
        tokens: tokens.into_iter().map(|token| token_row(token, now)).collect(),
        balance: credits.balance,
        older: credits.entries.last().filter(|_| full).map(|last| last.id),
        entries: credits.entries.iter().map(|entry| entry_row(entry, now)).collect(),
        error,
    };
    let status = account.error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &account))
}

fn token_row(token: Token, now: OffsetDateTime) -> TokenRow {
    let used = token.last_used.map(|used| Since::new(used, now));
    let expires = token.expires.map(|expires| expires.date().to_string());
    TokenRow { token, used, expires }
}

fn entry_row(entry: &CreditEntry, now: OffsetDateTime) -> EntryRow {
    let what = match (entry.node, entry.hour, &entry.note) {
        (Some(node), Some(hour), _) if entry.amount > 0 => {
            format!("hour {hour} of instance {node}, given back: it never came to work")
        }
        (Some(node), Some(hour), _) => format!("hour {hour} of instance {node}"),
        (_, _, Some(note)) => note.clone(),
        _ => "given by an administrator or at the beginning".to_owned(),
    };
    EntryRow { at: Since::new(entry.at, now), what, amount: entry.amount }
}
