//! `--conf_file`: the configuration file of the original client.
//!
//! ```text
//! [cps-tools]
//! director_url = https://director.example.org:5555
//! username = me
//! password = …
//! ```

use std::path::Path;

use crate::args::ConnectionOptions;
use crate::commands::cps::CpsError;

/// The options, with what the file says where nothing else was said.
pub(crate) fn completed(
    mut options: ConnectionOptions,
    file: &Path,
) -> Result<ConnectionOptions, CpsError> {
    let text = std::fs::read_to_string(file).map_err(CpsError::file("read", file))?;
    let ours = text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[cps-tools]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    for (key, value) in ours.filter_map(setting) {
        let option = match key {
            "director_url" => &mut options.director_url,
            "username" => &mut options.username,
            "password" => &mut options.password,
            "ca_certificate" => {
                options.ca_certificate.get_or_insert_with(|| value.into());
                continue;
            }
            // As there: others are passed over.
            _ => continue,
        };
        option.get_or_insert_with(|| value.to_owned());
    }
    Ok(options)
}

/// `key = value` or `key: value`, unless the line is a remark.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', ':']).filter(|_| !line.starts_with(['#', ';']))?;
    Some((key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_was_not_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[other]\nusername = eve\n[cps-tools]\n# username = eve\n\
                    director_url = https://d:5555\nusername: me\ndebug = false\n\
                    [more]\npassword = x\n";
        std::fs::write(&file, text).unwrap();
        let none = ConnectionOptions::default();
        let options = completed(none.clone(), file.path()).unwrap();
        assert_eq!(options.director_url.as_deref(), Some("https://d:5555"));
        assert_eq!((options.username.as_deref(), options.password), (Some("me"), None));
        let said = ConnectionOptions { username: Some("you".to_owned()), ..none.clone() };
        assert_eq!(completed(said, file.path()).unwrap().username.as_deref(), Some("you"));
        assert!(completed(none, Path::new("/nonexistent/cps.conf")).is_err());
    }
}
