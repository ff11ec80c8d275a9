//! Manifests: deploying and downloading whole applications, and those that are kept for everybody.

use askama::Template;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use protocol::ApplicationId;
use protocol::api::manifest::{MANIFEST_LIMIT, inline_files};
use protocol::api::{InlineFile, ReadyManifest};
use serde::Serialize;
use serde_json::Value;

use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::form::FilledForm;
use crate::session::Session;
use crate::view::{Frame, page};

/// The largest form with a manifest that is taken, in bytes.
pub(crate) const UPLOAD_LIMIT: usize = MANIFEST_LIMIT as usize + (1 << 20);

#[derive(Template)]
#[template(path = "manifests.html")]
struct ManifestsPage {
    frame: Frame,
    error: Option<Problem>,
    ready: Vec<ReadyManifest>,
    clouds: Vec<String>,
    entered: Fields,
}

impl ManifestsPage {
    fn entered(&self, field: &str) -> &str {
        self.entered.get(field).map_or("", String::as_str)
    }
}

pub(crate) async fn show(session: Session) -> Result<Response, Failure> {
    render(&session, None, Fields::new()).await
}

async fn render(
    session: &Session,
    error: Option<Problem>,
    entered: Fields,
) -> Result<Response, Failure> {
    let (frame, ready, clouds) = tokio::try_join!(
        session.frame(),
        async { Ok(session.director.manifest_list().await?) },
        async { Ok(session.director.cloud_list().await?) },
    )?;
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &ManifestsPage { frame, error, ready, clouds, entered }))
}

/// Deploys a manifest, or keeps it for everybody: the button says which.
pub(crate) async fn deploy(session: Session, form: Multipart) -> Result<Response, Failure> {
    // So much is held for nobody whom the director does not know.
    session.director.user_view().await?;
    let form = match FilledForm::read(form).await {
        Ok(form) => form,
        Err(failure) => return refused(&session, failure, Fields::new()).await,
    };
    match act(&session, &form).await {
        Ok(to) => Ok(Redirect::to(&to).into_response()),
        Err(failure) => refused(&session, failure, form.fields).await,
    }
}

async fn refused(
    session: &Session,
    failure: Failure,
    entered: Fields,
) -> Result<Response, Failure> {
    match failure {
        Failure::Problem(problem) => render(session, Some(problem), entered).await,
        logged_out @ Failure::LoggedOut => Err(logged_out),
    }
}

/// Does what the form says, and gives the page that shows it.
async fn act(session: &Session, form: &FilledForm) -> Result<String, Failure> {
    let director = &session.director;
    let manifest = match filled(&form.fields, "ready") {
        Some(name) => find(session, &name).await?.manifest,
        None => manifest(form)?,
    };
    if form.fields.contains_key("keep") {
        let name = filled(&form.fields, "name")
            .ok_or_else(|| Problem::invalid("Enter the name that everybody is to find it by."))?;
        director.manifest_register(&name, &manifest).await?;
        return Ok("/manifests".to_owned());
    }
    let cloud = filled(&form.fields, "cloud");
    let deployment = director.manifest_deploy(&manifest, cloud.as_deref()).await?;
    Ok(format!("/deployments/{}", deployment.id))
}

async fn find(session: &Session, name: &str) -> Result<ReadyManifest, Failure> {
    let all = session.director.manifest_list().await?;
    let found = all.into_iter().find(|ready| ready.name == name);
    found.ok_or_else(|| {
        let message = format!("There is no manifest \u{201c}{name}\u{201d} any more.");
        Problem::new(StatusCode::NOT_FOUND, message).into()
    })
}

/// The manifest that was chosen or pasted, with the files that came beside it.
fn manifest(form: &FilledForm) -> Result<Value, Problem> {
    let chosen = form.file("file").map(|file| &*file.content);
    let pasted = form.fields.get("text").map(|text| text.trim()).filter(|text| !text.is_empty());
    let text = chosen
        .or_else(|| pasted.map(str::as_bytes))
        .ok_or_else(|| Problem::invalid("Choose the file of a manifest, or paste one."))?;
    let mut manifest = serde_json::from_slice(text)
        .map_err(|error| Problem::invalid(format!("The manifest is no JSON: {error}.")))?;
    let read = |path: &str| {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let mut beside = form.files.iter().filter(|file| file.field == "beside");
        match beside.find(|file| file.name == name) {
            Some(file) => {
                Ok(Some(InlineFile { name: name.to_owned(), content: file.content.to_vec() }))
            }
            None => Err(Problem::invalid(format!("The manifest names the file {path}."))
                .hint("Choose it as one of the files beside the manifest.")),
        }
    };
    inline_files(&mut manifest, read)?;
    Ok(manifest)
}

/// One that is kept for everybody, as a file.
pub(crate) async fn ready(
    session: Session,
    Named(name): Named<String>,
) -> Result<Response, Failure> {
    let ready = find(&session, &name).await?;
    Ok(document(&ready.name, &ready.manifest))
}

pub(crate) async fn unregister(
    session: Session,
    Named(name): Named<String>,
) -> Result<Response, Failure> {
    match session.director.manifest_unregister(&name).await {
        Ok(()) => Ok(Redirect::to("/manifests").into_response()),
        Err(error) => refused(&session, error.into(), Fields::new()).await,
    }
}

/// An application as a file that restores to the same.
pub(crate) async fn download(
    session: Session,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Failure> {
    let manifest = session.director.application_manifest(id).await?;
    let name = manifest.application.clone().unwrap_or_else(|| format!("application-{id}"));
    Ok(document(&name, &manifest))
}

fn document(name: &str, manifest: &impl Serialize) -> Response {
    let text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    let disposition = format!("attachment; filename=\"{}.json\"", plain(name));
    ([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, disposition)], text)
        .into_response()
}

/// A name that is no trouble in a header or as a file's.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::ChosenFile;

    fn form(text: &str, files: &[(&str, &str, &'static str)]) -> FilledForm {
        let file = |(field, name, content): &(&str, &str, &'static str)| ChosenFile {
            field: (*field).to_owned(),
            name: (*name).to_owned(),
            content: (*content).into(),
        };
        FilledForm {
            fields: [("text".to_owned(), text.to_owned())].into(),
            files: files.iter().map(file).collect(),
        }
    }

    #[test]
    fn a_manifest_is_pasted_or_chosen() {
        let pasted = manifest(&form(" {\"Services\": []}\r\n", &[])).unwrap();
        assert_eq!(pasted, serde_json::json!({ "Services": [] }));
        let chosen = form("", &[("file", "shop.json", "{\"Services\": [1]}")]);
        assert_eq!(manifest(&chosen).unwrap(), serde_json::json!({ "Services": [1] }));
        assert!(manifest(&form("", &[])).is_err());
        let problem = manifest(&form("{", &[])).unwrap_err();
        assert!(problem.message.contains("line 1 column 1"), "{}", problem.message);
    }

    #[test]
    fn files_beside_it_become_part_of_it() {
        let text = r#"{"Services": [{"Archive": "./app.tar.gz"}]}"#;
        let beside = [("beside", "app.tar.gz", "the code")];
        let whole = manifest(&form(text, &beside)).unwrap();
        let url = whole["Services"][0]["Archive"].as_str().unwrap().to_owned();
        let file = InlineFile::from_url(&url, "").unwrap();
        assert_eq!((file.name.as_str(), &*file.content), ("app.tar.gz", &b"the code"[..]));
        let problem = manifest(&form(text, &[])).unwrap_err();
        assert_eq!(problem.message, "The manifest names the file ./app.tar.gz.");
    }

    #[test]
    fn a_file_name_has_no_surprises() {
        assert_eq!(plain("My \"shop\"/2"), "My--shop--2");
    }
}
