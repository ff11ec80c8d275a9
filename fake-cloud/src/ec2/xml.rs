//! Writes the XML of answers: elements with text, elements with elements, and EC2's lists.

mod value;

use std::fmt;

use time::OffsetDateTime;

use crate::stamp::Stamp;

pub(crate) use value::Value;

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

    /// The beginning of an answer of which the length is roughly known: long ones should not grow
    /// step by step.
    pub(crate) fn sized(length: usize) -> Self {
        Self(String::with_capacity(length))
    }

    /// An element that holds a value.
    pub(crate) fn text(&mut self, name: &str, value: impl Value) {
        self.open(name);
        value.write(&mut self.0);
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
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Value>) {
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
        self.0.push_str(&other.0);
    }

    /// A whole document: the element around everything, with its namespace, and what comes in it
    /// before this.
    pub(crate) fn document(mut self, root: &str, namespace: &str, first: &Self) -> String {
        let first = &first.0;
        let head = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">{first}"
        );
        // This may be long, and is not copied to another place.
        self.0.insert_str(0, &head);
        self.close(root);
        self.0
    }

    /// What was written, without anything around it.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// A time as EC2 writes it: `2026-11-21T07:00:28.000Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Millis(pub(crate) OffsetDateTime);

impl fmt::Display for Millis {
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
        let mut first = Xml::default();
        first.text("id", 1);
        assert_eq!(
            xml.document("R", "urn:x/", &first),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"urn:x/\"><id>1</id><tagSet>\
             <item><key>a</key><value>&lt;&amp;&gt;</value></item></tagSet></R>"
        );
    }

    #[test]
    fn times_have_milliseconds() {
        let time = datetime!(2026-11-21 07:00:28.042 UTC);
        assert_eq!(Millis(time).to_string(), "2026-11-21T07:00:28.042Z");
    }
}
