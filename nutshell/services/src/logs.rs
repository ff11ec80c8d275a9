//! The end of a log, without reading all of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No answer holds more of a log than this.
const MOST: u64 = 1 << 20;
const BLOCK: u64 = 16 << 10;

/// The last `lines` lines of a file, all of them when `None`, but never more than a mebibyte.
/// A file that does not exist (yet) is an empty log.
///
/// # Errors
/// When the file cannot be read.
pub fn tail(path: &Path, lines: Option<usize>) -> io::Result<String> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        opened => opened?,
    };
    let length = file.seek(SeekFrom::End(0))?;
    let floor = length.saturating_sub(MOST);
    let mut end = Vec::new();
    let mut start = length;
    // From the end, until there are enough lines: a further newline shows where the first begins.
    while start > floor && lines.is_none_or(|lines| newlines(&end) <= lines) {
        let block = (start - floor).min(BLOCK);
        start -= block;
        file.seek(SeekFrom::Start(start))?;
        let mut read = Vec::new();
        Read::by_ref(&mut file).take(block).read_to_end(&mut read)?;
        read.append(&mut end);
        end = read;
    }
    Ok(String::from_utf8_lossy(last(&end, lines)).into_owned())
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

fn last(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else { return text };
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if lines == 0 {
        return &[];
    }
    let begin = body.iter().rposition({
        let mut left = lines;
        move |byte| {
            left -= usize::from(*byte == b'\n');
            left == 0
        }
    });
    begin.map_or(text, |newline| &text[newline + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found_whatever_the_file_ends_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(tail(&path, Some(3)).unwrap(), "");
        for (content, lines, expected) in [
            ("", Some(2), ""),
            ("a\nb\nc\n", Some(2), "b\nc\n"),
            ("a\nb\nc", Some(2), "b\nc"),
            ("a\nb\n", Some(9), "a\nb\n"),
            ("a\nb\n", None, "a\nb\n"),
            ("a\nb\n", Some(0), ""),
            ("a\n\n\n", Some(2), "\n\n"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(tail(&path, lines).unwrap(), expected, "{content:?} {lines:?}");
        }
    }

    #[test]
    fn a_long_log_is_read_from_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let text: String = (0..300_000).map(|line| format!("line {line}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(tail(&path, Some(2)).unwrap(), "line 299998\nline 299999\n");
        assert_eq!(tail(&path, Some(5000)).unwrap().lines().count(), 5000);
        assert_eq!(tail(&path, None).unwrap().len() as u64, MOST);
    }
}
