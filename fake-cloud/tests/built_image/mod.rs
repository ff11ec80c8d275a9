//! An image that `fake-cloud image build` makes of Debian's packages: once, for all tests and all
//! their runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The store with the image. It is built again when it is gone.
pub(crate) fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("built-image")
}

/// Builds the image unless it is there.
pub(crate) fn build() -> Output {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/built_image/recipe.toml");
    let built = image(&["build", recipe.to_str().unwrap()]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    built
}

/// Runs `fake-cloud image` on the store.
pub(crate) fn image(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-cloud"));
    command.arg("image").args(arguments).arg("--images").arg(store()).output().unwrap()
}

/// The root directory of the built image.
pub(crate) fn root() -> PathBuf {
    build();
    let shown = image(&["show", "tested"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    shown["root"].as_str().unwrap().into()
}
