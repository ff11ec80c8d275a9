//! The words of a line, for the parameters of a script.

/// A quotation mark has no partner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnclosedQuote;

/// Splits at white space, except between quotation marks; a backslash takes the next character as
/// it is, as in a shell (between single marks it is only itself).
pub(crate) fn split(line: &str) -> Result<Vec<String>, UnclosedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(mark), _) if character == mark => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().push(characters.next().unwrap_or('\\'));
            }
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(UnclosedQuote);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (line, words) in [
            ("", vec![]),
            ("  a  b ", vec!["a", "b"]),
            ("'a b' c", vec!["a b", "c"]),
            ("a\"b c\"d", vec!["ab cd"]),
            ("'' x", vec!["", "x"]),
            (r"a\ b", vec!["a b"]),
            (r#""say \"hi\"""#, vec![r#"say "hi""#]),
            (r"'\n'", vec![r"\n"]),
            ("\"it's\"", vec!["it's"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn an_open_quotation_is_an_error() {
        assert_eq!(split("a 'b"), Err(UnclosedQuote));
        assert_eq!(split("\""), Err(UnclosedQuote));
    }
}
