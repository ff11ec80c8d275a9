//! Times that clients send.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::openstack::errors::Fault;
use crate::openstack::request::Context;

/// A time in the query: with a zone, or in UTC when it names none.
pub(super) fn query(cx: &Context, name: &str) -> Result<Option<OffsetDateTime>, Fault> {
    let parse = |text: &str| {
        parse(text).ok_or_else(|| {
            Fault::bad_request(format!(
                "Invalid input for query parameters {name}. Value: {text}. It must be a time in \
                 ISO 8601 format."
            ))
        })
    };
    cx.query(name).map(parse).transpose()
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    // A plus sign of a zone is read as a blank where a client has not encoded it.
    let text = match text.as_bytes().get(10) {
        Some(b' ') => text.replacen(' ', "T", 1),
        _ => text.to_owned(),
    };
    let text = text.replace(' ', "+");
    let whole_day = text.len() == 10;
    let candidates = [
        text.clone(),
        format!("{text}Z"),
        if whole_day { format!("{text}T00:00:00Z") } else { String::new() },
    ];
    candidates.iter().find_map(|text| OffsetDateTime::parse(text, &Rfc3339).ok())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_ways_in_which_clients_write_times() {
        let expected = Some(datetime!(2026-11-21 07:00:28 UTC));
        for text in [
            "2026-11-21T07:00:28Z",
            "2026-11-21T07:00:28",
            "2026-11-21T07:00:28.000000",
            "2026-11-21 07:00:28.0",
            "2026-11-21T08:00:28+01:00",
            "2026-11-21T08:00:28 01:00",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("2026-11-21"), Some(datetime!(2026-11-21 00:00 UTC)));
        for text in ["", "today", "2026-13-21", "07:00:28"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
