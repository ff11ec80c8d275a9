//! What an application says of itself: which paths are its programs', all others being files.
//!
//! It says so in `WEB-INF/web.xml`, by annotations of its classes, and by both in its libraries.
//! What it only says to Tomcat when it runs is not known here: paths without a file lead to Tomcat for that.

mod class_file;
mod descriptor;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use protocol::ApiError;
use zip::ZipArchive;

use self::class_file::Annotation;
use crate::ServiceError;
use crate::code::{archive, random_name};

/// The largest file that is looked into, and how much of a library in all.
const LARGEST_FILE: u64 = 4 << 20;
const LARGEST_LIBRARY: u64 = 512 << 20;

/// Brings code that was unpacked to the form of an application, and looks at it: where all there is to
/// run is one war file, the application is what is in that.
pub(super) fn finish(directory: &Path) -> Result<(), ServiceError> {
    if let Some(war) = only_war(directory).map_err(ServiceError::file(directory))? {
        let name = war.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refused = |error: archive::ArchiveError| match error {
            archive::ArchiveError::File(source) => ServiceError::file(&war)(source),
            other => other.refusal(&name).into(),
        };
        let mut contents = archive::check(&war, archive::Limits::default()).map_err(refused)?;
        contents.wrapper = None;
        let inner = directory.with_file_name(format!(".{}", random_name(12)));
        let unpacked = fs::create_dir(&inner).map_err(ServiceError::file(&inner)).and_then(|()| {
            archive::unpack(&war, &contents, &inner).map_err(refused)?;
            fs::remove_dir_all(directory).map_err(ServiceError::file(directory))?;
            fs::rename(&inner, directory).map_err(ServiceError::file(&inner))
        });
        if let Err(error) = unpacked {
            // What cannot be removed now is removed by the next agent.
            let _ = fs::remove_dir_all(&inner);
            return Err(error);
        }
    }
    patterns(directory).map(|_| ())
}

fn only_war(directory: &Path) -> io::Result<Option<PathBuf>> {
    if directory.join("WEB-INF").exists() {
        return Ok(None);
    }
    let mut wars = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "war") && path.is_file() {
            wars.push(path);
        }
    }
    Ok(if wars.len() == 1 { wars.pop() } else { None })
}

/// The paths of an application that lies in a directory: `/a`, `/a/*`, `*.a`, `/`.
///
/// # Errors
/// When its `web.xml` or its classes are nothing that Tomcat can run.
pub(super) fn patterns(directory: &Path) -> Result<BTreeSet<String>, ServiceError> {
    let own = directory.join("WEB-INF");
    let mut found = BTreeSet::new();
    let path = own.join("web.xml");
    match fs::read(&path) {
        Ok(text) => {
            let descriptor = descriptor::read(&text).map_err(|error| {
                ApiError::invalid(format!("WEB-INF/web.xml cannot be read: {error}"))
            })?;
            found.extend(descriptor.patterns);
            if descriptor.complete {
                return Ok(found);
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(ServiceError::file(&path)(error)),
    }
    classes(&own.join("classes"), &mut found)?;
    for library in entries(&own.join("lib"))? {
        if library.extension().is_some_and(|extension| extension == "jar") {
            in_library(&library, &mut found)?;
        }
    }
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, ServiceError> {
    let listed = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        listed => listed.map_err(ServiceError::file(directory))?,
    };
    let paths = listed.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>();
    paths.map_err(ServiceError::file(directory))
}

/// Looks into all classes below a directory. A link leads to none.
fn classes(directory: &Path, found: &mut BTreeSet<String>) -> Result<(), ServiceError> {
    for path in entries(directory)? {
        let about = fs::symlink_metadata(&path).map_err(ServiceError::file(&path))?;
        if about.is_dir() {
            classes(&path, found)?;
        } else if about.is_file() && path.extension().is_some_and(|extension| extension == "class")
        {
            let mut bytes = Vec::new();
            let read =
                File::open(&path).and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut bytes));
            read.map_err(ServiceError::file(&path))?;
            in_class(&bytes, found)?;
        }
    }
    Ok(())
}

/// Looks into a library. One that is damaged is Tomcat's to complain of.
fn in_library(path: &Path, found: &mut BTreeSet<String>) -> Result<(), ServiceError> {
    let file = File::open(path).map_err(ServiceError::file(path))?;
    let Ok(mut library) = ZipArchive::new(BufReader::new(file)) else { return Ok(()) };
    let mut left = LARGEST_LIBRARY;
    for index in 0..library.len() {
        let Ok(mut entry) = library.by_index(index) else { continue };
        let is_descriptor = entry.name() == "META-INF/web-fragment.xml";
        if !is_descriptor && !entry.name().ends_with(".class") {
            continue;
        }
        let mut bytes = Vec::new();
        if Read::by_ref(&mut entry).take(LARGEST_FILE.min(left)).read_to_end(&mut bytes).is_err() {
            continue;
        }
        left = left.saturating_sub(bytes.len() as u64);
        if is_descriptor {
            found.extend(descriptor::read(&bytes).unwrap_or_default().patterns);
        } else {
            in_class(&bytes, found)?;
        }
    }
    Ok(())
}

/// The descriptors of these begin so.
const ANNOTATIONS: &str = "Ljakarta/servlet/annotation/";
/// The same before they were given away: Tomcat does not know them.
const EARLIER: &str = "Ljavax/servlet/annotation/";

/// Notes the paths of a class. One that is no class is Tomcat's to complain of.
fn in_class(bytes: &[u8], found: &mut BTreeSet<String>) -> Result<(), ServiceError> {
    for Annotation { descriptor, strings } in class_file::annotations(bytes).unwrap_or_default() {
        if matches!(descriptor.strip_prefix(EARLIER), Some("WebServlet;" | "WebFilter;")) {
            return Err(ApiError::invalid(
                "the application is made for Java EE (javax.servlet); Tomcat 10 runs Jakarta EE",
            )
            .hint("convert it: javax2jakarta, of Debian's package tomcat-jakartaee-migration")
            .into());
        }
        if matches!(descriptor.strip_prefix(ANNOTATIONS), Some("WebServlet;" | "WebFilter;")) {
            let paths = ["value", "urlPatterns"].iter().filter_map(|name| strings.get(*name));
            found.extend(paths.flatten().cloned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::class_file::tests::class;
    use super::*;

    fn write(directory: &Path, name: &str, content: &[u8]) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn servlet(path: &str) -> Vec<u8> {
        class("Ljakarta/servlet/annotation/WebServlet;", "value", &[path.to_owned()])
    }

    fn found(directory: &Path) -> Vec<String> {
        patterns(directory).unwrap().into_iter().collect()
    }

    #[test]
    fn paths_are_found_in_the_descriptor_the_classes_and_the_libraries() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        assert!(found(at).is_empty());
        let descriptor = |attribute: &str| {
            format!(
                "<web-app{attribute}><servlet-mapping><url-pattern>/x</url-pattern>\
                 </servlet-mapping></web-app>"
            )
        };
        write(at, "WEB-INF/web.xml", descriptor("").as_bytes());
        write(at, "WEB-INF/classes/shop/A.class", &servlet("/a/*"));
        write(at, "WEB-INF/classes/B.class", b"no class");
        let fragment = b"<web-fragment><filter-mapping><url-pattern>/f</url-pattern>\
            </filter-mapping></web-fragment>";
        let filter = class("Ljakarta/servlet/annotation/WebFilter;", "urlPatterns", &["/g".into()]);
        let library = zip(&[("META-INF/web-fragment.xml", fragment), ("c/C.class", &filter)]);
        write(at, "WEB-INF/lib/c.jar", &library);
        write(at, "WEB-INF/lib/d.jar", b"no library");
        assert_eq!(found(at), ["/a/*", "/f", "/g", "/x"]);
        write(at, "WEB-INF/web.xml", descriptor(" metadata-complete=\"true\"").as_bytes());
        assert_eq!(found(at), ["/x"]);
    }

    #[test]
    fn what_tomcat_cannot_run_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let earlier = class("Ljavax/servlet/annotation/WebServlet;", "value", &["/a".to_owned()]);
        write(directory.path(), "WEB-INF/classes/A.class", &earlier);
        let ServiceError::Refused(refused) = finish(directory.path()).unwrap_err() else {
            panic!()
        };
        assert!(refused.message.contains("javax.servlet"), "{}", refused.message);
        write(directory.path(), "WEB-INF/web.xml", b"<web-app>");
        assert!(finish(directory.path()).is_err());
    }

    #[test]
    fn the_only_war_is_the_application() {
        let parent = tempfile::tempdir().unwrap();
        let at = &parent.path().join("code");
        write(at, "README", b"how to build it");
        write(at, "shop.war", &zip(&[("WEB-INF/classes/A.class", &servlet("/a")), ("b.jsp", b"")]));
        finish(at).unwrap();
        assert_eq!(found(at), ["/a"]);
        assert!(at.join("b.jsp").is_file() && !at.join("README").exists());
        let at = &parent.path().join("broken");
        write(at, "shop.war", b"no archive");
        assert!(finish(at).is_err());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2, "nothing is left");
    }
}
