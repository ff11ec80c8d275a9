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
    /// Whether the service cannot do without; some applications may.
    pub essential: bool,
}

impl Need {
    /// Where it is on this machine.
    ///
    /// # Errors
    /// When it is not there.
    pub fn find(&self) -> Result<String, ApiError> {
        self.find_below(Path::new("/")).ok_or_else(|| {
            let name = self.name();
            ApiError::conflict(format!("there is no {name} in the image of this VM"))
                .hint(format!("use an image with Debian's package {}", self.package))
        })
    }

    /// Whether a system has it whose files begin at `root`.
    #[must_use]
    pub fn is_in(&self, root: &Path) -> bool {
        self.find_below(root).is_some()
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let name = self.programs.first().copied().unwrap_or_default();
        name.rsplit('/').next().unwrap_or(name)
    }

    fn find_below(&self, root: &Path) -> Option<String> {
        self.programs.iter().find_map(|name| match name.starts_with('/') {
            true => first_match(root, name),
            false => DIRECTORIES.iter().find_map(|it| first_match(root, &format!("{it}/{name}"))),
        })
    }
}

/// Refuses to make VMs for a service from an image that lacks what it needs; its files begin at `root`.
pub(crate) fn check(service_type: &str, needs: &[Need], root: &Path) -> Result<(), ApiError> {
    let missing: Vec<&Need> =
        needs.iter().filter(|need| need.essential && !need.is_in(root)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ");
    let packages = missing.iter().map(|need| need.package).collect::<Vec<_>>().join(" ");
    Err(ApiError::conflict(format!(
        "the image of the VMs lacks what {service_type} needs: {names}"
    ))
    .hint(format!("Debian's packages {packages} bring it; `nutshell doctor` says how")))
}

/// The first path below `root` that has any name where the pattern has `*`.
fn first_match(root: &Path, pattern: &str) -> Option<String> {
    // A link may lead to a place that is right in that system only.
    let is_there = |path: &Path| path.is_symlink() || path.exists();
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let Some((before, after)) = pattern.split_once("/*/") else {
        return is_there(&below(pattern)).then(|| pattern.to_owned());
    };
    let names = fs::read_dir(below(before)).ok()?.flatten();
    names
        .filter(|name| is_there(&name.path().join(after)))
        .find_map(|name| Some(format!("{before}/{}/{after}", name.file_name().to_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern() -> Need {
        Need { programs: &["/usr/*/env"], package: "coreutils", essential: true }
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_names_its_package() {
        let shell = Need { programs: &["no-such-shell", "sh"], package: "dash", essential: true };
        assert!(shell.find().unwrap().ends_with("/sh"));
        let missing =
            Need { programs: &["/usr/*/no-such.so"], package: "php-none", essential: false };
        let refusal = missing.find().unwrap_err();
        assert_eq!(refusal.message, "there is no no-such.so in the image of this VM");
        assert!(refusal.hint.unwrap().ends_with("php-none"));
        let root = tempfile::tempdir().unwrap();
        let refusal = check("php", &[shell, pattern()], root.path()).unwrap_err();
        assert_eq!(
            refusal.message,
            "the image of the VMs lacks what php needs: no-such-shell, env"
        );
        assert!(refusal.hint.unwrap().starts_with("Debian's packages dash coreutils bring it"));
        fs::create_dir_all(root.path().join("usr/bin")).unwrap();
        std::os::unix::fs::symlink("/nowhere/else", root.path().join("usr/bin/sh")).unwrap();
        fs::write(root.path().join("usr/bin/env"), "").unwrap();
        let needs = [shell, pattern(), missing];
        assert_eq!(check("php", &needs, root.path()), Ok(()), "it can do without the last");
        assert_eq!(pattern().find().unwrap(), "/usr/bin/env");
    }
}
