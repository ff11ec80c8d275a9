//! The recipes of the services' image have what the services say they need, and the installer agrees.

use std::path::{Path, PathBuf};
use std::process::Command;

use fake_cloud::image::Recipe;
use integration::{Stack, http};

fn provisioning() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../provisioning")
}

fn recipe(file: &str) -> Recipe {
    Recipe::read(&provisioning().join(file)).unwrap()
}

#[test]
fn the_image_has_what_every_service_needs() {
    let recipe = recipe("services.toml");
    for service_type in services::service_types() {
        for need in services::needs(&service_type.name) {
            assert!(
                recipe.packages.iter().any(|package| package == need.package),
                "{} needs {}: add it to provisioning/services.toml",
                service_type.name,
                need.package
            );
        }
    }
}

#[test]
fn the_image_for_virtual_machines_has_the_same_and_what_boots_them() {
    let (services, disk) = (recipe("services.toml"), recipe("services-disk.toml"));
    let (less, more): (Vec<_>, Vec<_>) =
        disk.packages.iter().partition(|package| services.packages.contains(package));
    assert_eq!(less.len(), services.packages.len(), "copy the packages of services.toml");
    assert!(more.iter().any(|package| package.starts_with("linux-image-")), "{more:?}");
    assert_eq!((services.files, services.commands), (disk.files, disk.commands));
}

#[test]
fn the_installer_installs_the_packages_of_the_image() {
    let printed = Command::new(provisioning().join("install")).arg("--print").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.split_whitespace().collect::<Vec<_>>(), recipe("services.toml").packages);
}

#[test]
fn the_scripts_are_clean() {
    let is_script = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.starts_with("#!/bin/sh") || text.starts_with("# shellcheck shell=")
    };
    let mut scripts = all_files(&provisioning());
    scripts.retain(is_script);
    assert!(scripts.len() > 15, "{scripts:?}");
    // The scripts say where what they read is, from the root of the project.
    let root = provisioning().join("..");
    let checked = Command::new("shellcheck").arg("-x").args(&scripts).current_dir(root).output();
    let checked = checked.expect("shellcheck, of the package of that name");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// `integration/services-image` builds the image and runs this.
#[test]
#[ignore = "needs an image that takes minutes to build"]
fn services_are_hosted_in_the_image() {
    let images = std::env::var_os("SERVICES_IMAGES").expect("SERVICES_IMAGES names the store");
    let stack = Stack::prepared();
    let cache = stack.directory().join(".cache/fake-cloud");
    std::fs::create_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(images, cache.join("images")).unwrap();
    let _ = stack.nutshell(&["up", "--detach", "--image", "services"]).ok();
    for (service, service_type) in [("1", "php"), ("2", "java")] {
        let _ = stack.cps(&["service", "create", service_type]).ok();
        let _ = stack.cps(&["service", "start", service]).ok();
        let [address] = stack.addresses(service_type, service)[..] else { panic!("one proxy") };
        assert!(http::get(address, "/").unwrap().contains("It works"), "{service_type}");
        let nodes = stack.cps(&[service_type, "list-nodes", service]).ok();
        let node = nodes.split_whitespace().nth(2).unwrap();
        // What this machine's own system has not.
        let own = ["shell", service, node, "--", "ls", "/usr/local/sbin/nutshell-quiet"];
        let _ = stack.cps(&own).ok();
    }
}

fn all_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}
