//! Writes the XML of answers: elements with text, elements with elements, and EC2's lists.

use std::fmt::{self, Display, Write};

use time::OffsetDateTime;

use crate::stamp::Stamp;

/// The content of an answer, as it grows.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// The content that says no more than that a request was carried out.
    pub(crate) fn done() -> Self {
        let mut xml = Self::default();
        xml.text("return", true);
        xml
    }

    /// An element that holds a value.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) {
        self.open(name);
        // Writing to a String cannot fail.
        let _ = write!(Escaped(&mut self.0), "{value}");
        self.close(name);
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element that is only there when it has a value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An element that holds elements.
    pub(crate) fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// A list as EC2 writes it: one `item` each.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.within(name, |xml| {
            for item in items {
                xml.within("item", |xml| each(xml, item));
            }
        });
    }

    /// Everything that another has written.
    pub(crate) fn append(&mut self, other: Self) {
        if self.0.is_empty() {
            *self = other;
        } else {
            self.0.push_str(&other.0);
        }
    }

    /// A whole document: the element around everything, with its namespace.
    pub(crate) fn document(&self, root: &str, namespace: &str) -> String {
        let content = &self.0;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">\
             {content}</{root}>"
        )
    }

    /// What was written, without anything around it.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Takes text and writes what means it in XML.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all texts are as they mean, and answers are long.
        if !text.bytes().any(may_need_care) {
            self.0.push_str(text);
            return Ok(());
        }
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#13;"),
                // No document may hold these, not even escaped.
                '\0'..'\t' | '\u{b}' | '\u{c}' | '\u{e}'..' ' | '\u{fffe}' | '\u{ffff}' => {
                    self.0.push('\u{fffd}');
                }
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Whether a byte may be of a character that stands for itself in no document.
fn may_need_care(byte: u8) -> bool {
    // The last is where the encoding of U+FFFE and U+FFFF begins, and of others.
    matches!(byte, b'&' | b'<' | b'>' | b'"' | 0..b'\t' | 0xb..b' ' | 0xef)
}

/// A time as EC2 writes it: `2026-11-21T07:00:28.000Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Millis(pub(crate) OffsetDateTime);

impl Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Stamp::new(self.0).millis())?;
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_answer_is_written_as_ec2_writes_it() {
        let mut xml = Xml::default();
        xml.list("tagSet", [("a", "<&>")], |xml, (key, value)| {
            xml.text("key", key);
            xml.text("value", value);
        });
        xml.optional("gone", None::<&str>);
        assert_eq!(
            xml.document("R", "urn:x/"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"urn:x/\"><tagSet><item>\
             <key>a</key><value>&lt;&amp;&gt;</value></item></tagSet></R>"
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        let mut xml = Xml::default();
        xml.text("t", "a\u{0}\u{1b}b\tc\r\n");
        xml.text("t", "\u{fffe}\u{fffd}");
        assert_eq!(xml.into_text(), "<t>a\u{fffd}\u{fffd}b\tc&#13;\n</t><t>\u{fffd}\u{fffd}</t>");
    }

    #[test]
    fn times_have_milliseconds() {
        let time = datetime!(2026-11-21 07:00:28.042 UTC);
        assert_eq!(Millis(time).to_string(), "2026-11-21T07:00:28.042Z");
    }
}
