//! Where packages come from: by default from where this machine's own do, so that a local mirror
//! serves.

use std::process::Command;

use super::Recipe;

/// What is built where this machine is no Debian.
const USUAL_SUITE: &str = "trixie";

/// The release of Debian that a recipe is built from.
pub(super) fn suite(recipe: &Recipe) -> String {
    let own = || own_suite(&std::fs::read_to_string("/etc/os-release").ok()?);
    recipe.suite.clone().or_else(own).unwrap_or_else(|| USUAL_SUITE.to_owned())
}

fn own_suite(os_release: &str) -> Option<String> {
    let value = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.strip_prefix('=')?.trim_matches('"'))
    };
    value("VERSION_CODENAME").filter(|_| value("ID") == Some("debian")).map(str::to_owned)
}

/// Lines of a `sources.list`; none where mmdebstrap is to take the release's usual servers.
pub(super) fn lines(recipe: &Recipe, suite: &str, mirror: Option<&str>) -> Vec<String> {
    let components = recipe.components.join(" ");
    if let Some(mirror) = mirror.or(recipe.mirror.as_deref()) {
        return vec![format!("deb {mirror} {suite} {components}")];
    }
    own_sources(&index_targets(), suite, &recipe.components)
}

/// What apt would download here, a line each: address, release, component.
fn index_targets() -> String {
    let asked = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
        .arg("Created-By: Packages")
        .output();
    asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn own_sources(targets: &str, suite: &str, components: &[String]) -> Vec<String> {
    let mut lines = vec![];
    for target in targets.lines() {
        let [address, release, component] = target.split(' ').collect::<Vec<_>>()[..] else {
            continue;
        };
        let wanted = [suite.to_owned(), format!("{suite}-updates"), format!("{suite}-security")];
        if wanted.iter().any(|wanted| wanted == release)
            && components.iter().any(|wanted| wanted == component)
        {
            lines.push(format!("deb {address} {release} {component}"));
        }
    }
    lines.sort();
    lines.dedup();
    // The updates alone are no release.
    let whole = lines.iter().any(|line| line.split(' ').nth(2) == Some(suite));
    if whole { lines } else { vec![] }
}

/// How this machine's apt reaches its servers, as settings for another apt.
pub(super) fn ways() -> Vec<String> {
    let dump = Command::new("apt-config").arg("dump").output();
    let dump = dump.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    ways_in(&dump.unwrap_or_default())
}

fn ways_in(dump: &str) -> Vec<String> {
    let is_way = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let about = ["::proxy", "::cainfo", "::verify-peer", "::verify-host"];
        name.starts_with("acquire::http") && about.iter().any(|about| name.contains(about))
    };
    dump.lines()
        .filter(is_way)
        .filter(|line| !line.ends_with(" \"\";"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
http://mirror.example/debian/ bookworm-backports main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://security.example/debian-security/ bookworm-security main
https://other.example/node_20.x nodistro main
";

    #[test]
    fn the_machines_own_sources_of_the_release_serve() {
        let main = ["main".to_owned()];
        assert_eq!(
            own_sources(TARGETS, "bookworm", &main),
            [
                "deb http://mirror.example/debian/ bookworm main",
                "deb http://security.example/debian-security/ bookworm-security main",
            ]
        );
        assert!(own_sources(TARGETS, "trixie", &main).is_empty());
        let updates_only = "http://mirror.example/debian/ sid-updates main";
        assert!(own_sources(updates_only, "sid", &main).is_empty());
    }

    #[test]
    fn a_named_mirror_is_the_only_one() {
        let recipe = Recipe::find("debian-minimal").unwrap();
        assert_eq!(
            lines(&recipe, "sid", Some("http://m.example")),
            ["deb http://m.example sid main"]
        );
    }

    #[test]
    fn only_a_debian_names_the_release() {
        let debian = "ID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(own_suite(debian).as_deref(), Some("bookworm"));
        assert_eq!(own_suite("ID=ubuntu\nVERSION_CODENAME=noble\n"), None);
    }

    #[test]
    fn proxies_are_taken_over_and_nothing_else() {
        let dump = "Acquire::http::Proxy \"http://p.example:3128\";\nAcquire::http::Timeout \"1\";\n\
                    Acquire::https::Proxy \"\";\nAPT::Architecture \"amd64\";\n";
        assert_eq!(ways_in(dump), ["Acquire::http::Proxy \"http://p.example:3128\";"]);
    }
}
