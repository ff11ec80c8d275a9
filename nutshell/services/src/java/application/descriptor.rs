//! The deployment descriptor: `WEB-INF/web.xml`, or the `web-fragment.xml` of a library. Text only.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What a descriptor says of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// The paths that something else than a file is for, as they are written: `/shop/*`.
    pub(super) patterns: Vec<String>,
    /// Whether it says all: annotations do not count then, nor do libraries.
    pub(super) complete: bool,
}

/// The elements whose `url-pattern` is meant: what runs, what runs first, what is protected, and what
/// is a page of JSP by another name.
const ABOUT_PATHS: [&[u8]; 4] =
    [b"servlet-mapping", b"filter-mapping", b"web-resource-collection", b"jsp-property-group"];

/// Reads a descriptor.
///
/// # Errors
/// Says what is wrong with its XML, in a few words.
pub(super) fn read(text: &[u8]) -> Result<Descriptor, String> {
    let text = String::from_utf8_lossy(text);
    let mut reader = Reader::from_str(&text);
    let mut found = Descriptor::default();
    // The names of the elements around.
    let mut open: Vec<Vec<u8>> = Vec::new();
    let mut pattern: Option<String> = None;
    let mut is_empty = true;
    loop {
        let event = reader.read_event().map_err(|error| {
            let line = 1 + text
                .bytes()
                .take(place(reader.error_position()))
                .filter(|b| *b == b'\n')
                .count();
            format!("{error} (line {line})")
        })?;
        match event {
            Event::Start(element) => {
                let name = element.local_name().as_ref().to_vec();
                if open.is_empty() {
                    is_empty = false;
                    found.complete = is_complete(&element)?;
                }
                let about = open.last().is_some_and(|parent| ABOUT_PATHS.contains(&&parent[..]));
                if about && name == b"url-pattern" {
                    pattern = Some(String::new());
                }
                open.push(name);
            }
            Event::Empty(element) if open.is_empty() => {
                is_empty = false;
                found.complete = is_complete(&element)?;
            }
            Event::Text(text) => {
                if let Some(pattern) = &mut pattern {
                    pattern.push_str(&text.decode().map_err(|error| error.to_string())?);
                }
            }
            Event::CData(text) => {
                if let Some(pattern) = &mut pattern {
                    pattern.push_str(&text.decode().map_err(|error| error.to_string())?);
                }
            }
            Event::GeneralRef(name) => {
                if let Some(pattern) = &mut pattern {
                    pattern.push_str(&meaning(&name)?);
                }
            }
            Event::End(_) => {
                open.pop();
                if let Some(pattern) = pattern.take() {
                    found.patterns.push(pattern.trim().to_owned());
                }
            }
            Event::Eof if is_empty => return Err("there is nothing in it".to_owned()),
            Event::Eof if !open.is_empty() => return Err("it breaks off".to_owned()),
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn place(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Whether a descriptor that begins with this element says all.
fn is_complete(root: &quick_xml::events::BytesStart<'_>) -> Result<bool, String> {
    if !matches!(root.local_name().as_ref(), b"web-app" | b"web-fragment") {
        return Err("it does not begin with web-app".to_owned());
    }
    let attribute =
        root.try_get_attribute("metadata-complete").map_err(|error| error.to_string())?;
    Ok(attribute.is_some_and(|attribute| &*attribute.value == b"true"))
}

/// What stands for a character: `&amp;`, `&#47;`.
fn meaning(name: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = name.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let name = name.decode().map_err(|error| error.to_string())?;
    let meaning = quick_xml::escape::resolve_predefined_entity(&name);
    meaning.map(str::to_owned).ok_or_else(|| format!("`&{name};` is not known"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_paths_of_servlets_filters_protected_places_and_pages_are_found() {
        let text = r#"<?xml version="1.0"?>
            <!DOCTYPE web-app SYSTEM "http://java.sun.com/dtd/web-app_2_3.dtd">
            <j:web-app xmlns:j="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
              <j:servlet><j:servlet-name>a</j:servlet-name></j:servlet>
              <servlet-mapping><servlet-name>a</servlet-name>
                <url-pattern> /a/* </url-pattern><url-pattern><![CDATA[*.do]]></url-pattern>
              </servlet-mapping>
              <filter-mapping><url-pattern>/&#97;&amp;b</url-pattern></filter-mapping>
              <security-constraint><web-resource-collection>
                <url-pattern>/admin/*</url-pattern></web-resource-collection></security-constraint>
              <jsp-config><jsp-property-group><url-pattern>*.page</url-pattern>
              </jsp-property-group></jsp-config>
              <!-- <servlet-mapping><url-pattern>/no</url-pattern></servlet-mapping> -->
              <context-param><url-pattern>/neither</url-pattern></context-param>
            </j:web-app>"#;
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(found.patterns, ["/a/*", "*.do", "/a&b", "/admin/*", "*.page"]);
        assert!(!found.complete);
        assert!(read(br#"<web-app metadata-complete="true"/>"#).unwrap().complete);
        assert_eq!(read(b"<web-fragment></web-fragment>").unwrap(), Descriptor::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("", "nothing in it"),
            ("<web-app>\n<servlet></web-app>", "line 2"),
            ("<web-app><servlet>", "breaks off"),
            ("<beans></beans>", "does not begin with web-app"),
            ("<beans/>", "does not begin with web-app"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "(<[a-z/!?&;\\-\\[]{0,9}>?|[a-z&;/* ]{0,5}){0,20}") {
            let _ = read(text.as_bytes());
            let _ = read(format!("<web-app>{text}</web-app>").as_bytes());
        }
    }
}
