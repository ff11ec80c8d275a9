//! Builds an image with mmdebstrap, which makes root file systems of Debian's packages as root or
//! as an ordinary user.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::store::Unfinished;
use super::{Error, Manifest, Recipe, Store, sources};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Build although nothing has changed: with the newest packages.
    pub rebuild: bool,
    /// Where packages come from, instead of what the recipe or this machine says.
    pub mirror: Option<String>,
}

/// What a build has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image.
    pub image: Manifest,
    /// It was there already.
    pub cached: bool,
}

/// The steps of a build, as [`build`] tells of them, and how mmdebstrap's words for them begin.
pub const STEPS: [(&str, &str); 7] = [
    ("asking for the packages there are", "running apt-get update"),
    ("downloading packages", "downloading packages"),
    ("extracting the first packages", "extracting archives"),
    ("installing the essential packages", "installing essential"),
    ("installing the other packages", "installing remaining"),
    ("cleaning up", "cleaning"),
    ("keeping the tree", "creating tarball"),
];

/// Builds the image of a recipe, unless it is there and nothing has changed. `progress` is told
/// what is being done, a line each.
pub fn build(
    store: &Store,
    recipe: &Recipe,
    options: &BuildOptions,
    mut progress: impl FnMut(&str) + Send,
) -> Result<Built, Error> {
    let suite = sources::suite(recipe);
    let key = recipe.key(&suite);
    let _claim = store.claim(&recipe.name)?;
    if !options.rebuild
        && let Ok(image) = store.get(&recipe.name)
        && image.recipe.as_ref() == Some(&key)
        && store.root(&image).is_dir()
    {
        return Ok(Built { image, cached: true });
    }
    let scratch = store.scratch()?;
    let mut command = command(recipe, &suite, options, &scratch)?;
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoMmdebstrap,
        _ => Error::step("start mmdebstrap")(error),
    })?;
    let (archive, messages) = (child.stdout.take(), child.stderr.take());
    let (imported, complaint) = std::thread::scope(|scope| {
        let listener = scope.spawn(move || messages.map(|it| listen(it, &mut progress)));
        let archive = End { archive, child: &mut child };
        let imported = store.import(&recipe.name, archive, Some(key));
        (imported, listener.join().ok().flatten().unwrap_or_default())
    });
    match imported {
        Ok(image) => Ok(Built { image, cached: false }),
        // As `unshare` says it.
        Err(_) if child.wait().is_ok_and(|status| status.code() == Some(127)) => {
            Err(Error::NoMmdebstrap)
        }
        // It says better what went wrong than the end of its archive does.
        Err(_) if !complaint.is_empty() => Err(Error::Mmdebstrap { reason: complaint }),
        Err(error) => Err(error),
    }
}

/// The archive as it comes; its end is one only if whoever wrote it succeeded.
struct End<'a> {
    archive: Option<std::process::ChildStdout>,
    child: &'a mut Child,
}

impl Read for End<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.archive.as_mut().map_or(Ok(0), |archive| archive.read(buffer))?;
        if length == 0 && !buffer.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("mmdebstrap ended with {status}")));
            }
        }
        Ok(length)
    }
}

impl Drop for End<'_> {
    /// When nobody reads any more, it ends and removes what it has made.
    fn drop(&mut self) {
        drop(self.archive.take());
        let _ = self.child.wait();
    }
}

fn command(
    recipe: &Recipe,
    suite: &str,
    options: &BuildOptions,
    scratch: &Unfinished,
) -> Result<Command, Error> {
    let mut command = mmdebstrap(scratch);
    command
        .args(["--format=tar", &format!("--variant={}", recipe.variant)])
        .arg(format!("--components={}", recipe.components.join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io"]);
    for way in sources::ways() {
        command.arg(format!("--aptopt={way}"));
    }
    for package in &recipe.packages {
        command.arg(format!("--include={package}"));
    }
    for pattern in &recipe.exclude {
        command.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    if !recipe.exclude.is_empty() {
        command.arg("--dpkgopt=path-include=/usr/share/doc/*/copyright");
    }
    for hook in hooks(recipe, scratch.path())? {
        command.arg(format!("--customize-hook={hook}"));
    }
    // The proxies are those of this machine.
    command.arg("--customize-hook=rm -f \"$1/etc/apt/apt.conf.d/99mmdebstrap\"");
    command
        .args([suite, "-"])
        .args(sources::lines(recipe, suite, options.mirror.as_deref()))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// The program, which leaves nothing when it is killed. An ordinary user's has its own mounts anyway,
/// and works where that user's other identities may.
fn mmdebstrap(scratch: &Unfinished) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new("mmdebstrap");
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "mmdebstrap"]);
    command.env("TMPDIR", scratch.path());
    command
}

/// What is to be done in the new system, each for a shell outside of it.
fn hooks(recipe: &Recipe, scratch: &Path) -> Result<Vec<String>, Error> {
    let mut hooks = vec![];
    for (index, (path, file)) in recipe.files.iter().enumerate() {
        let here = scratch.join(index.to_string());
        fs::write(&here, &file.content).map_err(Error::step("write a file of the recipe"))?;
        let path = Path::new("/").join(path);
        let there = quote(&path.to_string_lossy());
        let above = quote(&path.parent().unwrap_or(Path::new("/")).to_string_lossy());
        hooks.push(format!("chroot \"$1\" mkdir -p {above}"));
        hooks.push(format!("upload {} {there}", quote(&here.to_string_lossy())));
        hooks.push(format!("chroot \"$1\" chmod {:o} {there}", file.mode));
    }
    for command in &recipe.commands {
        hooks.push(format!("chroot \"$1\" sh -ec {}", quote(command)));
    }
    Ok(hooks)
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Tells what is being done; returns what went wrong, or nothing.
fn listen(messages: impl Read, progress: &mut impl FnMut(&str)) -> String {
    let mut said = vec![];
    // What is not text is nothing that we look for.
    for line in BufReader::new(messages).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        match line.strip_prefix("I: ") {
            Some(doing) => {
                let step = STEPS.iter().find(|(_, begins)| doing.starts_with(begins));
                step.into_iter().for_each(|(step, _)| progress(step));
            }
            None if line.is_empty() => {}
            None => said.push(line),
        }
    }
    complaint(&said)
}

/// The line that says most: the first error, and what hints at its cause.
fn complaint(said: &[String]) -> String {
    let starts = |line: &&String, with: &[&str]| with.iter().any(|start| line.starts_with(start));
    let error = said.iter().find(|line| {
        starts(line, &["E: ", "Err:", "dpkg: error", "newuidmap", "mmdebstrap: "])
            || line.contains("No space left on device")
    });
    let Some(error) = error else { return String::new() };
    let mut text = error.trim_start_matches("E: ").to_owned();
    let after = said.iter().skip_while(|line| *line != error).nth(1);
    if let Some(cause) = after.filter(|_| error.starts_with("Err:")) {
        text = format!("{text}: {cause}");
    }
    if said.iter().any(|line| line.contains("uidmap") || line.contains("/etc/subuid")) {
        text.push_str(
            "; an ordinary user needs the package uidmap and a line in /etc/subuid and /etc/subgid",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_most_is_found() {
        let said = |text: &str| complaint(&text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(said("W: something\ndone"), "");
        let missing = "E: Unable to locate package nginxx\nE: apt-get install failed";
        assert_eq!(said(missing), "Unable to locate package nginxx");
        let unreachable = "Err:1 http://m.example sid InRelease\n  Could not resolve 'm.example'\n\
                           E: Failed to fetch";
        assert!(said(unreachable).ends_with("InRelease:   Could not resolve 'm.example'"));
    }

    #[test]
    fn what_is_done_and_what_went_wrong_are_told_apart() {
        let mut done = vec![];
        let messages =
            "I: running apt-get update...\nE: no\nI: using /tmp/x as tempdir\nI: cleaning\n";
        let wrong = listen(messages.as_bytes(), &mut |line: &str| done.push(line.to_owned()));
        assert_eq!((wrong.as_str(), done.len()), ("no", 2));
    }

    #[test]
    fn words_reach_the_shell_as_they_are() {
        let word = "it's $HOME `x`";
        let output =
            Command::new("sh").args(["-c", &format!("printf %s {}", quote(word))]).output();
        assert_eq!(output.unwrap().stdout, word.as_bytes());
    }
}
