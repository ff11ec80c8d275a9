//! Recipes: what a root file system is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;

/// Names of the recipes that come with the program.
pub const BUILT_IN: [&str; 2] = ["debian", "debian-minimal"];

/// What an image is made of. As a file:
///
/// ```toml
/// name = "web"
/// suite = "bookworm"              # else the release of the machine it is built on
/// packages = ["nginx", "curl"]
/// commands = ["systemctl enable nginx || true"]
///
/// [files."/etc/motd"]
/// content = "Welcome\n"           # or `from`, a file beside the recipe
/// mode = 0o644
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The image's name.
    pub name: String,
    /// The release of Debian; that of the building machine when not given.
    pub suite: Option<String>,
    /// Which packages come without being named: mmdebstrap's variants.
    #[serde(default = "default_variant")]
    pub variant: String,
    /// The parts of the archive that packages come from.
    #[serde(default = "default_components")]
    pub components: Vec<String>,
    /// Where packages come from; the sources of the building machine when not given.
    pub mirror: Option<String>,
    /// Packages beside those of the variant.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Paths that packages must not bring, as patterns of `dpkg --path-exclude`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Files to write once the packages are there.
    #[serde(default)]
    pub files: BTreeMap<PathBuf, RecipeFile>,
    /// Run with `sh -e` as root in the new system, after all else.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// A file that a recipe writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    /// What is in it.
    #[serde(default)]
    pub content: String,
    /// A file, beside the recipe, with what is in it.
    pub from: Option<PathBuf>,
    /// Its permissions.
    #[serde(default = "default_mode")]
    pub mode: u32,
}

fn default_variant() -> String {
    "minbase".to_owned()
}

fn default_components() -> Vec<String> {
    vec!["main".to_owned()]
}

fn default_mode() -> u32 {
    0o644
}

/// What nobody reads on a server that lives for minutes; the licences stay.
const DOCUMENTS: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"];

/// What a person expects to find on a server beside the essentials.
const USUAL: [&str; 11] = [
    "ca-certificates",
    "curl",
    "iproute2",
    "iputils-ping",
    "less",
    "nano",
    "netbase",
    "openssh-client",
    "procps",
    "python3",
    "xz-utils",
];

impl Recipe {
    /// The recipe of this name that comes with the program, or in this file.
    pub fn find(name: &str) -> Result<Self, Error> {
        match name {
            "debian" => Ok(Self { packages: USUAL.map(str::to_owned).to_vec(), ..minimal(name) }),
            "debian-minimal" => Ok(minimal(name)),
            file if file.contains('/') || Path::new(file).is_file() => Self::read(Path::new(file)),
            _ => Err(Error::UnknownRecipe { name: name.to_owned() }),
        }
    }

    /// The recipe in a file. What it takes from other files is read now.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            |source| Error::RecipeFile { path, source }
        };
        let text = std::fs::read_to_string(path).map_err(unreadable(path))?;
        let mut recipe: Self = toml::from_str(&text)
            .map_err(|source| Error::Recipe { path: path.to_owned(), source: Box::new(source) })?;
        let beside = path.parent().unwrap_or(Path::new(""));
        for file in recipe.files.values_mut() {
            if let Some(from) = file.from.take() {
                let from = beside.join(from);
                file.content = std::fs::read_to_string(&from).map_err(unreadable(&from))?;
            }
        }
        check_name(&recipe.name)?;
        Ok(recipe)
    }

    /// Equal for recipes that make the same image, on machines of one architecture and suite.
    pub fn key(&self, suite: &str) -> String {
        let recipe = Self { suite: Some(suite.to_owned()), ..self.clone() };
        let text = serde_json::to_vec(&(recipe, std::env::consts::ARCH)).unwrap_or_default();
        format!("{:x}", Sha256::digest(text))
    }
}

fn minimal(name: &str) -> Recipe {
    Recipe {
        name: name.to_owned(),
        suite: None,
        variant: default_variant(),
        components: default_components(),
        mirror: None,
        packages: vec![],
        exclude: DOCUMENTS.map(str::to_owned).to_vec(),
        files: BTreeMap::from([(
            // A server of an ordinary user has the user root only.
            PathBuf::from("/etc/apt/apt.conf.d/90-one-user"),
            RecipeFile {
                content: "APT::Sandbox::User \"root\";\n".to_owned(),
                from: None,
                mode: default_mode(),
            },
        )]),
        commands: vec![],
    }
}

/// Names are file names, and names in two APIs.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts_well && name.len() <= 100 && name.bytes().all(fits) {
        Ok(())
    } else {
        Err(Error::Name { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_with_the_files_it_takes() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("motd"), "hello\n").unwrap();
        let path = directory.path().join("web.toml");
        let text = "name = \"web\"\npackages = [\"nginx\"]\n[files.\"/etc/motd\"]\nfrom = \"motd\"";
        std::fs::write(&path, text).unwrap();
        let recipe = Recipe::find(path.to_str().unwrap()).unwrap();
        assert_eq!(recipe.files[Path::new("/etc/motd")].content, "hello\n");
        assert_eq!((recipe.variant.as_str(), recipe.suite.as_deref()), ("minbase", None));

        let before = recipe.key("bookworm");
        assert_eq!(before, Recipe::read(&path).unwrap().key("bookworm"));
        assert_ne!(before, recipe.key("trixie"));
        std::fs::write(directory.path().join("motd"), "changed\n").unwrap();
        assert_ne!(before, Recipe::read(&path).unwrap().key("bookworm"));
    }

    #[test]
    fn what_no_recipe_is_says_so() {
        let error = Recipe::find("ubuntu").unwrap_err().to_string();
        assert!(error.contains("ubuntu") && error.contains("debian-minimal"), "{error}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.toml");
        std::fs::write(&path, "name = \"x\"\npakages = []").unwrap();
        assert!(matches!(Recipe::read(&path), Err(Error::Recipe { .. })));
        std::fs::write(&path, "name = \"../x\"").unwrap();
        assert!(matches!(Recipe::read(&path), Err(Error::Name { .. })));
    }
}
