//! Names that users give.

use super::{Error, Result};

const LONGEST: usize = 100;

/// Checks a name and strips it of the space around it.
pub(crate) fn check(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::Invalid("the name is empty".to_owned()));
    }
    if name.chars().count() > LONGEST {
        return Err(Error::Invalid(format!("the name is longer than {LONGEST} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::Invalid("the name has control characters in it".to_owned()));
    }
    Ok(name)
}

/// `wanted`, or `wanted (2)` and so on, whichever is not taken.
pub(crate) fn free(wanted: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|number| format!("{wanted} ({number})"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lines() {
        assert_eq!(check("  My shop ").unwrap(), "My shop");
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_first_free_name_is_taken() {
        let taken =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(free("New", &[]), "New");
        assert_eq!(free("New", &taken(&["New"])), "New (2)");
        assert_eq!(free("New", &taken(&["New", "New (2)", "New (4)"])), "New (3)");
    }
}
