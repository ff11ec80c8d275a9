//! How a proxy leads to Tomcat. Text only.

use std::collections::BTreeSet;
use std::path::Path;

use crate::web::nginx::{KEPT, Programs};

/// `code` is the version itself, not what leads to it: the backends of another are others.
///
/// Files go to web nodes. To Tomcat goes what the application says, pages of JSP, what has no file
/// (which Tomcat may know better), directories (whose page is the application's to choose), and what
/// nobody may have (which Tomcat refuses).
pub(super) fn programs(code: &Path, patterns: &BTreeSet<String>) -> Programs {
    let mut before = String::from(
        "  map $uri $is_program {\n    default 0;\n    \"~/$\" 1;\n    \"~\\.jspx?$\" 1;\n    \
         \"~*^/(WEB|META)-INF(/|$)\" 1;\n",
    );
    let expressions: BTreeSet<String> =
        patterns.iter().filter_map(|pattern| expression(pattern)).collect();
    for expression in expressions {
        before.push_str(&format!("    \"~{expression}\" 1;\n"));
    }
    before.push_str("  }\n");
    Programs { root: code.to_owned(), before, kept: KEPT, locations: LOCATIONS.to_owned() }
}

const LOCATIONS: &str = "    location / {
      set $to webs;
      if (!-f $document_root$uri) { set $to backends; }
      if ($is_program) { set $to backends; }
      proxy_pass http://$to;
      proxy_read_timeout 300s;
    }
";

/// The regular expression for the paths that a pattern means (Servlet specification, 12.2).
fn expression(pattern: &str) -> Option<String> {
    Some(match pattern {
        // All that nobody else is for, files too.
        "/" | "/*" => "^/".to_owned(),
        _ => match (pattern.strip_prefix("*."), pattern.strip_suffix("/*")) {
            (Some(extension), _) => format!(r"\.{}$", literal(extension)),
            (None, Some(directory)) if directory.starts_with('/') => {
                format!("^{}(/|$)", literal(directory))
            }
            _ if pattern.starts_with('/') => format!("^{}$", literal(pattern)),
            // The root alone, which is a directory, or nothing that means anything.
            _ => return None,
        },
    })
}

/// An expression for just this text, whatever it means to nginx or to expressions.
fn literal(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'-' => {
            char::from(byte).to_string()
        }
        _ => format!("\\x{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::nginx::tests::{expect_taken, places, with_programs};

    #[test]
    fn patterns_become_expressions() {
        let cases = [
            ("/", Some("^/")),
            ("/*", Some("^/")),
            ("", None),
            ("shop", None),
            ("/shop", Some("^/shop$")),
            ("/shop/*", Some("^/shop(/|$)")),
            ("*.do", Some(r"\.do$")),
            ("/a.b\"$", Some(r"^/a\x2eb\x22\x24$")),
        ];
        for (pattern, expected) in cases {
            assert_eq!(expression(pattern).as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn nginx_takes_it_whatever_the_patterns_are() {
        let directory = tempfile::tempdir().unwrap();
        let patterns = ["/a b;{}\\\"'#$\n/*", "*.ä", "/x", "/"].map(str::to_owned).into();
        let programs = programs(directory.path(), &patterns);
        let text = with_programs(places(directory.path()), &programs);
        assert_eq!(text.matches("keepalive 32;").count(), 2);
        expect_taken(directory.path(), &text);
    }
}
