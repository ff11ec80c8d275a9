//! Forms with files that are small enough to be held in memory.

use axum::body::Bytes;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;

use crate::failure::{Failure, Problem};
use crate::pages::Fields;

/// What a browser sent with `multipart/form-data`.
#[derive(Debug, Default)]
pub(crate) struct FilledForm {
    /// The fields that are text.
    pub(crate) fields: Fields,
    /// The files that were chosen.
    pub(crate) files: Vec<ChosenFile>,
}

/// A file in such a form.
#[derive(Debug)]
pub(crate) struct ChosenFile {
    /// The field that it was chosen in.
    pub(crate) field: String,
    /// Its name on the user's machine.
    pub(crate) name: String,
    pub(crate) content: Bytes,
}

impl FilledForm {
    /// Reads a form to its end.
    pub(crate) async fn read(mut form: Multipart) -> Result<Self, Failure> {
        let mut filled = Self::default();
        while let Some(part) = form.next_field().await.map_err(unreadable)? {
            let field = part.name().unwrap_or_default().to_owned();
            match part.file_name().map(str::to_owned) {
                Some(name) => {
                    let content = part.bytes().await.map_err(unreadable)?;
                    // A browser sends a nameless file where none was chosen.
                    if !name.is_empty() {
                        filled.files.push(ChosenFile { field, name, content });
                    }
                }
                None => {
                    let text = part.text().await.map_err(unreadable)?;
                    filled.fields.insert(field, text);
                }
            }
        }
        Ok(filled)
    }

    /// The file that was chosen in a field.
    pub(crate) fn file(&self, field: &str) -> Option<&ChosenFile> {
        self.files.iter().find(|file| file.field == field)
    }
}

/// What is said of a form that cannot be read.
pub(crate) fn unreadable(error: MultipartError) -> Failure {
    tracing::debug!(%error, "failed to read an upload");
    Problem::new(error.status(), "The upload did not arrive whole, so nothing was kept.")
        .hint("Try again; if it is large, the command `cps` takes more.")
        .into()
}
