//! What software a service needs in the image of its VMs, and which package brings it.

use std::fs;
use std::path::Path;

use protocol::ApiError;

/// Where programs are.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// One thing that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Its names, the preferred one first: programs, or whole paths in which one part may be `*`.
    pub programs: &'static [&'static str],
    /// The package of Debian that brings it.
    pub package: &'static str,
}

impl Need {
    /// Where it is on this machine.
    ///
    /// # Errors
    /// When it is not there.
    pub fn find(&self) -> Result<String, ApiError> {
        let found = self.programs.iter().find_map(|name| match name.starts_with('/') {
            true => first_match(name),
            false => DIRECTORIES
                .iter()
                .map(|directory| format!("{directory}/{name}"))
                .find(|path| Path::new(path).is_file()),
        });
        found.ok_or_else(|| {
            let name = self.programs.first().copied().unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or(name);
            ApiError::conflict(format!("there is no {name} in the image of this VM"))
                .hint(format!("use an image with Debian's package {}", self.package))
        })
    }
}

/// The first path that has any name where the pattern has `*`.
fn first_match(pattern: &str) -> Option<String> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return Path::new(pattern).exists().then(|| pattern.to_owned());
    };
    let names = fs::read_dir(before).ok()?.flatten().map(|entry| entry.path().join(after));
    names.filter(|path| path.exists()).find_map(|path| path.to_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_names_its_package() {
        let shell = Need { programs: &["no-such-shell", "sh"], package: "dash" };
        assert!(shell.find().unwrap().ends_with("/sh"));
        let missing = Need { programs: &["/usr/*/no-such.so"], package: "php-none" };
        let refusal = missing.find().unwrap_err();
        assert_eq!(refusal.message, "there is no no-such.so in the image of this VM");
        assert!(refusal.hint.unwrap().ends_with("php-none"));
        let pattern = Need { programs: &["/usr/*/env"], package: "coreutils" };
        assert_eq!(pattern.find().unwrap(), "/usr/bin/env");
    }
}
