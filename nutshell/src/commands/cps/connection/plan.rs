//! Which director, recognised by what, and as whom: decided before anybody is called.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::authority::Authority;
use super::session::Session;
use crate::args::ConnectionOptions;
use crate::commands::cps::CpsError;
use crate::stack::{Installation, StateDirectory, StateError};

/// The port of a director whose URL names none.
const DEFAULT_PORT: u16 = protocol::DIRECTOR_PORT;

/// The stack on this machine, as far as this user may look.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// Where its director answers.
    pub(crate) url: String,
    /// Its authority.
    pub(crate) authority: Authority,
    /// Its first user and their password.
    pub(crate) credentials: Option<(String, String)>,
    /// The session that some command began without being asked to.
    pub(crate) session: Option<Session>,
    /// Where that is remembered.
    pub(crate) session_file: PathBuf,
}

impl Local {
    /// Looks for the stack: the one that was named, or the default one.
    pub(crate) fn find(options: &ConnectionOptions) -> Result<Option<Self>, CpsError> {
        let found = StateDirectory::choose(options.state.as_deref())
            .and_then(|state| Installation::load(&state).map(|found| (state, found)));
        let (state, installation) = match found {
            Ok(found) => found,
            // Who asked for it should know why it is not to be had; for the others there is none.
            Err(error @ (StateError::Newer { .. } | StateError::Damaged { .. })) => {
                return Err(error.into());
            }
            Err(error) if options.state.is_some() && options.director_url.is_none() => {
                return Err(error.into());
            }
            Err(_) => return Ok(None),
        };
        let Ok(authority) = Authority::read(&state.ca_certificate()) else { return Ok(None) };
        let credentials =
            installation.secrets.map(|secrets| (installation.username, secrets.password));
        let session_file = state.session_file();
        Ok(Some(Self {
            url: installation.addresses.director_url(),
            authority,
            credentials,
            session: Session::load(&session_file).unwrap_or_default(),
            session_file,
        }))
    }
}

/// Everything that is needed to connect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) authority: Authority,
    pub(crate) token: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

/// Puts together what the user says, what the session remembers and what runs here.
pub(crate) fn make(
    options: &ConnectionOptions,
    session: Option<&Session>,
    local: Option<&Local>,
) -> Result<Plan, CpsError> {
    let session_url = session.map(|session| session.director_url.clone());
    let local_url = local.map(|local| local.url.clone());
    let url = match (&options.director_url, &options.state) {
        (Some(url), _) => complete(url),
        (None, Some(_)) => local_url.ok_or(CpsError::NoDirector)?,
        (None, None) => session_url.or(local_url).ok_or(CpsError::NoDirector)?,
    };
    if !url.starts_with("https://") {
        return Err(CpsError::NotHttps { url });
    }
    let session = session.filter(|session| session.director_url == url);
    let local = local.filter(|local| local.url == url);
    let authority = match (&options.ca_certificate, local, session) {
        (Some(path), _, _) => Authority::read(path)?,
        (None, Some(local), _) => local.authority.clone(),
        (None, None, Some(session)) => {
            Authority { path: "the session".into(), certificate: session.ca_certificate.clone() }
        }
        (None, None, None) => return Err(CpsError::NoAuthority { url }),
    };
    // The same address with another authority is another installation.
    let ours = |session: &&Session| session.ca_certificate == authority.certificate;
    let session = session.filter(ours);
    let known = local.and_then(|local| local.credentials.clone());
    let username = options
        .username
        .clone()
        .or_else(|| session.map(|session| session.username.clone()))
        .or_else(|| known.as_ref().map(|(username, _)| username.clone()));
    let password = options.password.clone().or_else(|| {
        known.filter(|(name, _)| Some(name) == username.as_ref()).map(|(_, password)| password)
    });
    let begun_here = local.and_then(|local| local.session.as_ref()).filter(ours);
    let token = [session, begun_here]
        .into_iter()
        .flatten()
        .filter(|session| Some(&session.username) == username.as_ref())
        .find(|session| session.expires > OffsetDateTime::now_utc())
        .map(|session| session.token.clone());
    Ok(Plan { url, authority, token, username, password })
}

/// `example.org` is `https://example.org:5555`.
pub(crate) fn complete(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let scheme = scheme.to_ascii_lowercase();
    match has_port {
        true => format!("{scheme}://{host}{path}"),
        false => format!("{scheme}://{host}:{DEFAULT_PORT}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(certificate: &str) -> Authority {
        Authority { path: "ca.pem".into(), certificate: certificate.to_owned() }
    }

    fn local() -> Local {
        Local {
            url: "https://127.56.0.1:5555".to_owned(),
            authority: authority("local"),
            credentials: Some(("test".to_owned(), "sesame".to_owned())),
            session: None,
            session_file: "/nowhere".into(),
        }
    }

    fn session(url: &str, certificate: &str) -> Session {
        Session {
            director_url: url.to_owned(),
            ca_certificate: certificate.to_owned(),
            username: "test".to_owned(),
            token: "t".to_owned(),
            expires: OffsetDateTime::now_utc() + time::Duration::HOUR,
        }
    }

    fn options() -> ConnectionOptions {
        ConnectionOptions::default()
    }

    #[test]
    fn urls_are_completed_as_the_original_does() {
        for (typed, url) in [
            ("example.org", "https://example.org:5555"),
            ("https://example.org/", "https://example.org:5555"),
            ("HTTPS://example.org:443", "https://example.org:443"),
            ("127.56.0.1:5555", "https://127.56.0.1:5555"),
        ] {
            assert_eq!(complete(typed), url);
        }
    }

    #[test]
    fn with_nothing_said_the_local_stack_is_used_with_its_own_password() {
        let plan = make(&options(), None, Some(&local())).unwrap();
        assert_eq!(plan.url, local().url);
        assert_eq!(
            (plan.username.as_deref(), plan.password.as_deref()),
            (Some("test"), Some("sesame"))
        );
        assert_eq!(plan.token, None);
    }

    #[test]
    fn a_session_is_used_before_the_local_stack_unless_a_stack_is_named() {
        let elsewhere = session("https://example.org:5555", "other");
        let plan = make(&options(), Some(&elsewhere), Some(&local())).unwrap();
        assert_eq!(
            (plan.url.as_str(), plan.token.as_deref()),
            ("https://example.org:5555", Some("t"))
        );
        assert_eq!(plan.password, None);
        let named = ConnectionOptions { state: Some("/state".into()), ..options() };
        let plan = make(&named, Some(&elsewhere), Some(&local())).unwrap();
        assert_eq!((plan.url, plan.token), (local().url, None));
    }

    #[test]
    fn a_session_of_an_earlier_installation_is_not_used() {
        let same = session(&local().url, "local");
        assert!(make(&options(), Some(&same), Some(&local())).unwrap().token.is_some());
        let earlier = session(&local().url, "earlier");
        let plan = make(&options(), Some(&earlier), Some(&local())).unwrap();
        assert_eq!((plan.token, plan.authority), (None, authority("local")));
        let mut ended = same.clone();
        ended.expires = OffsetDateTime::now_utc() - time::Duration::SECOND;
        assert_eq!(make(&options(), Some(&ended), Some(&local())).unwrap().token, None);
    }

    #[test]
    fn a_session_begun_without_being_asked_counts_for_its_stack_alone() {
        let begun = Local { session: Some(session(&local().url, "local")), ..local() };
        assert!(make(&options(), None, Some(&begun)).unwrap().token.is_some());
        let earlier = Local { session: Some(session(&local().url, "earlier")), ..local() };
        assert_eq!(make(&options(), None, Some(&earlier)).unwrap().token, None);
    }

    #[test]
    fn another_user_has_neither_the_token_nor_the_password() {
        let other = ConnectionOptions { username: Some("eve".to_owned()), ..options() };
        let plan = make(&other, Some(&session(&local().url, "local")), Some(&local())).unwrap();
        assert_eq!((plan.token, plan.password), (None, None));
    }

    #[test]
    fn nothing_is_sent_but_over_https() {
        for typed in ["http://127.56.0.1:5555", "HTTP://example.org", "ftp://example.org:5555"] {
            let options = ConnectionOptions {
                director_url: Some(typed.into()),
                ca_certificate: Some("/nonexistent/ca.pem".into()),
                ..options()
            };
            let refused = make(&options, None, Some(&local()));
            assert!(matches!(refused, Err(CpsError::NotHttps { .. })), "{typed}: {refused:?}");
        }
        let remembered = session("http://example.org:80", "other");
        let refused = make(&options(), Some(&remembered), None);
        assert!(matches!(refused, Err(CpsError::NotHttps { .. })), "{refused:?}");
    }

    #[test]
    fn without_a_director_or_its_authority_nothing_is_called() {
        assert!(matches!(make(&options(), None, None), Err(CpsError::NoDirector)));
        let unknown = ConnectionOptions { director_url: Some("example.org".into()), ..options() };
        assert!(matches!(make(&unknown, None, Some(&local())), Err(CpsError::NoAuthority { .. })));
    }
}
