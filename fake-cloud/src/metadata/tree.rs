//! What a metadata service shows: a tree of directories and values.

/// A value, or a directory of them.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    /// A line or more of text.
    Text(String),
    /// A document.
    Json(serde_json::Value),
    /// Bytes as they were given.
    Bytes(Vec<u8>),
    /// More entries.
    Directory(Directory),
}

/// Entries under names, in the order of their listing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directory(Vec<(String, Entry)>);

impl Directory {
    /// Adds an entry.
    pub(super) fn add(&mut self, name: impl Into<String>, entry: Entry) {
        self.0.push((name.into(), entry));
    }

    /// Adds a line of text.
    pub(super) fn text(&mut self, name: impl Into<String>, text: impl ToString) {
        self.add(name, Entry::Text(text.to_string()));
    }

    /// Adds a directory.
    pub(super) fn within(&mut self, name: impl Into<String>, fill: impl FnOnce(&mut Self)) {
        let mut directory = Self::default();
        fill(&mut directory);
        self.add(name, Entry::Directory(directory));
    }

    /// The names: those of directories end in a slash. A name may tell more than it is found by,
    /// as in `0=mykey`; such a one stands without the slash.
    pub(super) fn listing(&self) -> String {
        let names = self.0.iter().map(|(name, entry)| match entry {
            Entry::Directory(_) if !name.contains('=') => format!("{name}/"),
            _ => name.clone(),
        });
        names.collect::<Vec<_>>().join("\n")
    }

    /// What is at a path; the directory itself at an empty one.
    pub(super) fn find(self, path: &str) -> Option<Entry> {
        let mut here = Entry::Directory(self);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Entry::Directory(Self(entries)) = here else { return None };
            let found = |name: &str| name.split('=').next() == Some(part);
            here = entries.into_iter().find(|(name, _)| found(name))?.1;
        }
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Directory {
        let mut tree = Directory::default();
        tree.text("b", 1);
        tree.within("a", |a| a.within("0=key", |key| key.text("openssh-key", "ssh-rsa x")));
        tree
    }

    #[test]
    fn a_path_leads_to_an_entry_with_or_without_a_last_slash() {
        let text = |text: &str| Some(Entry::Text(text.to_owned()));
        assert_eq!(tree().find("b"), text("1"));
        assert_eq!(tree().find("a/0/openssh-key/"), text("ssh-rsa x"));
        assert_eq!((tree().find("c"), tree().find("b/c")), (None, None));
    }

    #[test]
    fn a_listing_tells_directories_apart() {
        assert_eq!(tree().listing(), "b\na/");
        let Some(Entry::Directory(a)) = tree().find("a/") else { panic!("a is a directory") };
        assert_eq!(a.listing(), "0=key");
    }
}
