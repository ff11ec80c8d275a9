//! What an element of an answer can hold. Long answers hold a hundred thousand values, so the usual
//! ones are written without the machinery of formats.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;

use super::Millis;
use crate::ec2::ids::Id;
use crate::model::address::Block;

/// What an element can hold.
pub(crate) trait Value {
    /// Writes what stands for it in XML.
    fn write(&self, xml: &mut String);
}

impl<T: Value + ?Sized> Value for &T {
    fn write(&self, xml: &mut String) {
        (**self).write(xml);
    }
}

/// What there may be none of: then the element is empty.
impl<T: Value> Value for Option<T> {
    fn write(&self, xml: &mut String) {
        if let Some(value) = self {
            value.write(xml);
        }
    }
}

impl Value for str {
    fn write(&self, xml: &mut String) {
        escape(self, xml);
    }
}

impl Value for String {
    fn write(&self, xml: &mut String) {
        escape(self, xml);
    }
}

impl Value for Cow<'_, str> {
    fn write(&self, xml: &mut String) {
        escape(self, xml);
    }
}

impl Value for bool {
    fn write(&self, xml: &mut String) {
        xml.push_str(if *self { "true" } else { "false" });
    }
}

impl Value for Ipv4Addr {
    fn write(&self, xml: &mut String) {
        for (index, octet) in self.octets().into_iter().enumerate() {
            if index > 0 {
                xml.push('.');
            }
            for (least, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
                if octet >= least {
                    xml.push(char::from(b'0' + digit));
                }
            }
        }
    }
}

/// Makes values of types whose text needs no care.
macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Value for $type {
            fn write(&self, xml: &mut String) {
                // Writing to a String cannot fail.
                let _ = write!(xml, "{self}");
            }
        }
    )* };
}

plain!(u8, u16, u32, u64, usize, i32, i64, Block, Id, Millis);

/// A text that is still to be put together.
impl Value for fmt::Arguments<'_> {
    fn write(&self, xml: &mut String) {
        struct Escaped<'a>(&'a mut String);

        impl fmt::Write for Escaped<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                escape(text, self.0);
                Ok(())
            }
        }
        // Writing to a String cannot fail.
        let _ = Escaped(xml).write_fmt(*self);
    }
}

/// Whether a byte may be of a character that stands for itself in no document.
const NEEDS_CARE: [bool; 256] = {
    let mut needs_care = [false; 256];
    let mut byte = 0;
    while byte < b' ' {
        needs_care[byte as usize] = !matches!(byte, b'\t' | b'\n');
        byte += 1;
    }
    // The last is where the encoding of U+FFFE and U+FFFF begins, and of others.
    let special = [b'&', b'<', b'>', b'"', 0xef];
    let mut index = 0;
    while index < special.len() {
        needs_care[special[index] as usize] = true;
        index += 1;
    }
    needs_care
};

/// Writes what means a text in XML.
fn escape(text: &str, xml: &mut String) {
    // Nearly all texts are as they mean.
    if !text.bytes().any(|byte| NEEDS_CARE[usize::from(byte)]) {
        xml.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#13;"),
            // No document may hold these, not even escaped.
            '\0'..'\t' | '\u{b}' | '\u{c}' | '\u{e}'..' ' | '\u{fffe}' | '\u{ffff}' => {
                xml.push('\u{fffd}');
            }
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: impl Value) -> String {
        let mut xml = String::new();
        value.write(&mut xml);
        xml
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(written("a\u{0}\u{1b}b\tc\r\n"), "a\u{fffd}\u{fffd}b\tc&#13;\n");
        assert_eq!(written("\u{fffe}\u{fffd}"), "\u{fffd}\u{fffd}");
        assert_eq!(written(format_args!("{}<{}>", 1, '&')), "1&lt;&amp;&gt;");
    }

    #[test]
    fn addresses_are_written_as_always() {
        for address in [[0, 9, 10, 99], [100, 101, 110, 255]].map(Ipv4Addr::from) {
            assert_eq!(written(address), address.to_string());
        }
    }
}
