//! Tells what is wrong with an appliance, before somebody's VirtualBox does in fewer words.

mod hardware;
mod problem;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use self::problem::Problem;

use crate::ova::{self, Packed};
use crate::ovf::{Descriptor, DiskEntry, STREAM_OPTIMIZED};
use crate::{Error, manifest, vmdk};

/// No descriptor or manifest comes near.
const LONGEST_TEXT: u64 = 4 << 20;

/// All that is wrong with an OVA; nothing, if it is as it should be.
///
/// # Errors
/// When the file cannot be read at all.
pub fn check(path: &Path) -> Result<Vec<Problem>, Error> {
    let mut archive = File::open(path).map_err(Error::file("open", path))?;
    let listed = match ova::list(&mut archive) {
        Ok(listed) => listed,
        Err(error) => return Ok(vec![Problem::NotAnArchive(error.to_string())]),
    };
    let mut check = Check { archive, listed, problems: vec![] };
    check.all().map_err(Error::file("read", path))?;
    Ok(check.problems)
}

struct Check {
    archive: File,
    listed: Vec<Packed>,
    problems: Vec<Problem>,
}

impl Check {
    fn all(&mut self) -> io::Result<()> {
        self.names();
        self.manifest()?;
        let Some(descriptor) = self.descriptor()? else { return Ok(()) };
        self.files(&descriptor);
        for disk in descriptor.disks() {
            self.disk(&descriptor, disk)?;
        }
        self.problems.extend(hardware::problems(&descriptor));
        Ok(())
    }

    fn names(&mut self) {
        let mut seen = BTreeSet::new();
        for file in &self.listed {
            if !file.plain {
                self.problems.push(Problem::NotPlain(file.name.clone()));
            }
            if file.name.contains(['/', '\\']) || file.name == ".." {
                self.problems.push(Problem::Place(file.name.clone()));
            }
            if !seen.insert(&file.name) {
                self.problems.push(Problem::Twice(file.name.clone()));
            }
        }
        match self.listed.first() {
            None => self.problems.push(Problem::Empty),
            Some(first) if !is(first, ".ovf") => {
                self.problems.push(Problem::DescriptorNotFirst(first.name.clone()));
            }
            Some(_) => {}
        }
        let descriptors = self.listed.iter().filter(|it| is(it, ".ovf")).count();
        if descriptors > 1 {
            self.problems.push(Problem::Descriptors(descriptors));
        }
    }

    fn manifest(&mut self) -> io::Result<()> {
        let Some(text) = self.text(".mf")? else {
            self.problems.push(Problem::NoManifest);
            return Ok(());
        };
        let digests = match manifest::read(&text) {
            Ok(digests) => digests,
            Err(line) => {
                self.problems.push(Problem::ManifestLine(line.to_owned()));
                return Ok(());
            }
        };
        for name in digests.keys() {
            if !self.listed.iter().any(|it| it.name == *name) {
                self.problems.push(Problem::DigestOfNothing((*name).to_owned()));
            }
        }
        for file in self.listed.iter().filter(|it| !is(it, ".mf") && !is(it, ".cert")) {
            let name = file.name.clone();
            let problem = match digests.get(name.as_str()) {
                None => Problem::NotDigested(name),
                Some((algorithm, _)) if *algorithm != "SHA256" => {
                    Problem::Algorithm { name, algorithm: (*algorithm).to_owned() }
                }
                Some((_, told)) => {
                    let is = manifest::digest(file.content(&mut self.archive)?)?;
                    if is.eq_ignore_ascii_case(told) {
                        continue;
                    }
                    Problem::Changed(name)
                }
            };
            self.problems.push(problem);
        }
        Ok(())
    }

    fn descriptor(&mut self) -> io::Result<Option<Descriptor>> {
        let Some(text) = self.text(".ovf")? else { return Ok(None) };
        let descriptor = match Descriptor::read(&text) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string);
                self.problems.push(Problem::Descriptor(reason.unwrap_or_default()));
                return Ok(None);
            }
        };
        let version = descriptor.version.as_deref();
        // Version 1.0 did not ask for the attribute.
        if let Some(other) = version.filter(|it| !["1.0", "1.0.0", "2.0", "2.0.0"].contains(it)) {
            self.problems.push(Problem::Version(other.to_owned()));
        }
        Ok(Some(descriptor))
    }

    fn files(&mut self, descriptor: &Descriptor) {
        for file in descriptor.files() {
            let problem = match self.listed.iter().find(|it| it.name == file.href) {
                None => Problem::FileMissing(file.href.clone()),
                Some(there) => match file.size {
                    Some(told) if told != there.length => {
                        Problem::FileSize { name: file.href.clone(), told, is: there.length }
                    }
                    _ => continue,
                },
            };
            self.problems.push(problem);
        }
        for file in &self.listed {
            let is_known = [".ovf", ".mf", ".cert"].iter().any(|ending| is(file, ending))
                || descriptor.files().iter().any(|it| it.href == file.name);
            if !is_known {
                self.problems.push(Problem::Unreferenced(file.name.clone()));
            }
        }
    }

    fn disk(&mut self, descriptor: &Descriptor, disk: &DiskEntry) -> io::Result<()> {
        let name = disk.id.clone();
        let format = disk.format.clone().unwrap_or_default();
        if format != STREAM_OPTIMIZED {
            self.problems.push(Problem::DiskFormat { name: name.clone(), format });
        }
        let file = descriptor.files().iter().find(|it| Some(&it.id) == disk.file.as_ref());
        let Some(file) = file else {
            self.problems.push(Problem::DiskWithoutFile(name));
            return Ok(());
        };
        // That it is missing is said already.
        let Some(packed) = self.listed.iter().find(|it| it.name == file.href).cloned() else {
            return Ok(());
        };
        let unusable = |reason| Problem::Disk { name: file.href.clone(), reason };
        match vmdk::Header::read(packed.content(&mut self.archive)?) {
            Err(reason) => self.problems.push(unusable(reason)),
            Ok(header) => {
                if !header.stream_optimised {
                    let reason = "it is not stream-optimised".to_owned();
                    self.problems.push(unusable(reason));
                }
                let told = hardware::capacity_bytes(disk);
                if told != Some(header.capacity_bytes) {
                    let told = disk.capacity.clone().unwrap_or_else(|| "none".to_owned());
                    let is = header.capacity_bytes;
                    self.problems.push(Problem::Capacity { name, told, is });
                }
            }
        }
        Ok(())
    }

    /// The text of the first file whose name ends so.
    fn text(&mut self, ending: &str) -> io::Result<Option<String>> {
        let Some(file) = self.listed.iter().find(|it| is(it, ending)) else { return Ok(None) };
        let mut bytes = vec![];
        file.content(&mut self.archive)?.take(LONGEST_TEXT).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn is(file: &Packed, ending: &str) -> bool {
    file.name.ends_with(ending)
}
