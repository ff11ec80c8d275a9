//! Makes and keeps the root file systems that servers boot from.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_cloud::image::build::{STEPS, build};
use fake_cloud::image::{BuildOptions, Manifest, Recipe, Store};
use indicatif::{ProgressBar, ProgressStyle};
use time::format_description::well_known::Rfc3339;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Builds an image of Debian's packages, unless it is there and its recipe has not changed.
    Build {
        /// `debian`, `debian-minimal`, or a file with a recipe.
        recipe: String,
        /// Another name for the image than the recipe's.
        #[arg(long)]
        name: Option<String>,
        /// Build although nothing has changed, with the newest packages.
        #[arg(long)]
        rebuild: bool,
        /// Where packages come from; else from where this machine's own do.
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Lists the images.
    List {
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Shows an image, as JSON.
    Show {
        /// The image.
        name: String,
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Removes images.
    Remove {
        /// The images.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Removes what earlier builds have left; servers that were made of it can start no more.
    Prune {
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Writes an image as a tar archive.
    Export {
        /// The image.
        name: String,
        /// The file; `-` is standard output.
        file: PathBuf,
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Keeps the root file system in a tar archive, plain or compressed with gzip or zstd, as an
    /// image.
    Import {
        /// The image's name.
        name: String,
        /// The file; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        store: StoreArgument,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgument {
    /// Where the images are.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_IMAGES", default_value_os_t = Store::default_path())]
    images: PathBuf,
}

impl StoreArgument {
    fn open(&self) -> Result<Store, fake_cloud::image::Error> {
        Store::open(&self.images)
    }
}

pub(crate) fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Build { recipe, name, rebuild, mirror, store } => {
            let mut recipe = Recipe::find(&recipe)?;
            recipe.name = name.unwrap_or(recipe.name);
            make(&store.open()?, &recipe, &BuildOptions { rebuild, mirror })
        }
        Command::List { store } => list(&store.open()?.list()?),
        Command::Show { name, store } => {
            let store = store.open()?;
            let image = store.get(&name)?;
            let mut shown = serde_json::to_value(&image)?;
            shown["root"] = store.root(&image).to_string_lossy().into();
            writeln!(io::stdout(), "{shown:#}").map_err(Into::into)
        }
        Command::Remove { names, store } => {
            let store = store.open()?;
            names.iter().try_for_each(|name| store.remove(name)).map_err(Into::into)
        }
        Command::Prune { store } => Ok(store.open()?.prune()?),
        Command::Export { name, file, store } => {
            let store = store.open()?;
            if file == Path::new("-") {
                return Ok(store.export(&name, io::stdout().lock())?);
            }
            // Half an archive must not look like one.
            let unfinished = file.with_added_extension("partial");
            let mut writer = io::BufWriter::new(create(&unfinished)?);
            store.export(&name, &mut writer)?;
            writer.flush()?;
            Ok(std::fs::rename(unfinished, file)?)
        }
        Command::Import { name, file, store } => {
            let store = store.open()?;
            let image = if file == Path::new("-") {
                store.import(&name, io::stdin().lock(), None)?
            } else {
                let opened = File::open(&file)
                    .map_err(|error| format!("failed to open {}: {error}", file.display()))?;
                store.import(&name, opened, None)?
            };
            say(&format!("{}: {}, {}", image.name, image.system, mebibytes(&image)))
        }
    }
}

fn create(file: &Path) -> Result<File, String> {
    File::create(file).map_err(|error| format!("failed to create {}: {error}", file.display()))
}

fn make(store: &Store, recipe: &Recipe, options: &BuildOptions) -> Result<(), Box<dyn Error>> {
    let bar = ProgressBar::new(STEPS.len() as u64);
    let style = "{spinner} {prefix} [{bar:20}] {elapsed} {msg}";
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("=> "));
    bar.set_prefix(recipe.name.clone());
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    let built = build(store, recipe, options, |doing| {
        bar.inc(1);
        bar.set_message(doing.to_owned());
        if bar.is_hidden() {
            // Nobody is left to tell when this fails.
            let _ = writeln!(io::stderr(), "{}: {doing}", recipe.name);
        }
    });
    bar.finish_and_clear();
    let built = built?;
    let how = if built.cached { "unchanged" } else { "built" };
    let (image, seconds) = (&built.image, bar.elapsed().as_secs());
    let system = &image.system;
    say(&format!("{}: {how}, {system}, {}, {seconds} s", image.name, mebibytes(image)))
}

fn list(images: &[Manifest]) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let width = images.iter().map(|image| image.name.len()).max().unwrap_or(0).max(4);
    writeln!(out, "{:width$}  {:>9}  {:20}  SYSTEM", "NAME", "SIZE", "MADE")?;
    for image in images {
        let made = image.made.replace_nanosecond(0)?.format(&Rfc3339)?;
        writeln!(
            out,
            "{:width$}  {:>9}  {made:20}  {}",
            image.name,
            mebibytes(image),
            image.system
        )?;
    }
    Ok(())
}

fn mebibytes(image: &Manifest) -> String {
    format!("{} MiB", image.size >> 20)
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{line}").map_err(Into::into)
}
