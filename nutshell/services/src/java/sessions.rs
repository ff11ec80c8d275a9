//! What keeps Tomcat's sessions in Redis: a class of ours, compiled for the very Tomcat that is there
//! by the compiler that it has for JSP.

use std::fs;
use std::path::{Path, PathBuf};

use protocol::files::{self, Access};

use super::COMPILER;
use crate::ServiceError;
use crate::code::random_name;
use crate::web::node::{check, remove_all};

const SOURCE: &str = include_str!("SessionStore.java");

/// The directory of the compiled class, below `directory`. It is made the first time, whole.
pub(super) async fn classes(
    java: &str,
    tomcat: &Path,
    directory: &Path,
) -> Result<PathBuf, ServiceError> {
    let made = directory.join("session-store");
    let source = "SessionStore.java";
    if fs::read_to_string(made.join(source)).is_ok_and(|made_of| made_of == SOURCE) {
        return Ok(made);
    }
    let compiler = COMPILER.find()?;
    let scratch = directory.join(format!("session-store.{}", random_name(12)));
    fs::create_dir_all(&scratch).map_err(ServiceError::file(&scratch))?;
    let path = scratch.join(source);
    files::write(&path, SOURCE.as_bytes(), Access::Public).map_err(ServiceError::file(&path))?;
    let class_path = libraries(tomcat)?;
    let (path, into) = (path.display().to_string(), scratch.display().to_string());
    // One short run: what makes long ones fast would take longer than it.
    let command = [
        java,
        "-XX:TieredStopAtLevel=1",
        "-cp",
        &compiler,
        "org.eclipse.jdt.internal.compiler.batch.Main",
        "-11",
        "-proc:none",
        "-nowarn",
        "-cp",
        &class_path,
        "-d",
        &into,
        &path,
    ];
    let finished = match check(&command).await {
        Ok(()) => replace(&scratch, &made),
        Err(error) => Err(error),
    };
    if finished.is_err() {
        let _ = fs::remove_dir_all(&scratch);
    }
    finished.map(|()| made)
}

fn replace(scratch: &Path, made: &Path) -> Result<(), ServiceError> {
    remove_all(made)?;
    fs::rename(scratch, made).map_err(ServiceError::file(made))
}

/// Tomcat's own classes, as a class path.
fn libraries(tomcat: &Path) -> Result<String, ServiceError> {
    let mut found = vec![tomcat.join("bin/tomcat-juli.jar").display().to_string()];
    let directory = tomcat.join("lib");
    for entry in fs::read_dir(&directory).map_err(ServiceError::file(&directory))?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "jar") {
            found.push(entry.path().display().to_string());
        }
    }
    Ok(found.join(":"))
}
