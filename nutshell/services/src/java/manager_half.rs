//! What the Java service decides: what can be its code, and what its backends are told.

use protocol::ApiError;
use protocol::api::Node;
use serde_json::{Value, json};

use super::tomcat::Backend;
use crate::ServiceError;
use crate::code::Contents;
use crate::manager_half::no_such_method;
use crate::web::default_code;
use crate::web::manager_half::{Hosting, enclosing_directory};
use crate::web::rollout::Rollout;

/// The largest body of a request, in bytes. What of it is taken is the application's to say.
const LARGEST_BODY: u64 = 100 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Manager;

impl Hosting for Manager {
    /// Users set nothing: an application says in its `web.xml` what it needs.
    type Settings = ();
    type Backend = Backend;
    const CHANGES: &'static [&'static str] = &[];

    fn default_code() -> Vec<u8> {
        default_code::archive("Java")
    }

    fn check_upload(
        filename: &str,
        contents: &Contents,
        strip: bool,
    ) -> Result<Option<String>, ApiError> {
        check_upload(filename, contents, strip)
    }

    fn changed((): &(), method: &str, _given: Value) -> Result<(), ServiceError> {
        Err(no_such_method(method))
    }

    fn describe((): &()) -> Value {
        json!({})
    }

    fn largest_body((): &()) -> u64 {
        LARGEST_BODY
    }

    fn backend(rollout: &Rollout<'_, Self>, node: &Node) -> Result<Backend, ServiceError> {
        Ok(Backend {
            code_version: rollout.version.clone(),
            sessions: rollout.sessions(node)?,
            password: rollout.kept.password.clone(),
        })
    }
}

/// What is refused, and what is probably not as its user meant it.
fn check_upload(
    filename: &str,
    contents: &Contents,
    strip: bool,
) -> Result<Option<String>, ApiError> {
    let wrapper = contents.wrapper.as_ref().and_then(|wrapper| wrapper.to_str());
    // All of an application may lie there.
    if let Some(own @ ("WEB-INF" | "META-INF")) = wrapper {
        return match strip {
            true => Err(ApiError::invalid(format!(
                "`{filename}`: {own} belongs to the application and cannot be taken off"
            ))
            .hint("upload it without --strip")),
            false => Ok(None),
        };
    }
    if !strip && wrapper.is_some() {
        return Ok(enclosing_directory(filename, contents, |directory| {
            format!("(cd {directory} && zip -qr ../app.war .)")
        }));
    }
    let wars = contents.files_of_form("war");
    if wars > 1 && !contents.has_directory("WEB-INF") {
        return Err(ApiError::invalid(format!(
            "`{filename}` holds {wars} war files: which is the application?"
        ))
        .hint("leave one of them there"));
    }
    let is_application = contents.has_directory("WEB-INF")
        || wars == 1
        || contents.files_of_form("jsp") + contents.files_of_form("html") > 0;
    Ok((!is_application).then(|| {
        format!(
            "`{filename}` has neither WEB-INF nor a page nor a war file at its top: it is no \
             application for Tomcat; sources are to be compiled first"
        )
    }))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::code::contents_of;

    #[test]
    fn a_war_is_an_application_and_so_is_an_archive_with_one_in_it() {
        let check = |names: &[(&str, bool)], strip| {
            check_upload("a.war", &contents_of(names), strip).map_err(|error| error.message)
        };
        for good in [
            &[("WEB-INF/web.xml", true), ("index.jsp", true)][..],
            &[("WEB-INF/classes/A.class", true)],
            &[("README.md", true), ("shop.war", true)],
            &[("a.html", true), ("a.css", true)],
        ] {
            assert_eq!(check(good, false), Ok(None), "{good:?}");
        }
        let wrapped = [("shop/WEB-INF/web.xml", true), ("shop/a.jsp", true)];
        let told = check(&wrapped, false).unwrap().unwrap();
        assert!(told.contains("--strip") && told.contains("cd shop"), "{told}");
        assert_eq!(check(&wrapped, true), Ok(None));
        let told = check(&[("pom.xml", true), ("src/A.java", true)], false).unwrap().unwrap();
        assert!(told.contains("compiled first"), "{told}");
        let refused = check(&[("a.war", true), ("b.war", true)], false).unwrap_err();
        assert!(refused.contains("holds 2 war files"), "{refused}");
        assert!(check(&[("WEB-INF/classes/A.class", true)], true).is_err());
        assert_eq!(contents_of(&wrapped).wrapper, Some(PathBuf::from("shop")));
    }
}
