//! Lines as the original clients were given them, where the grammar alone would not understand.
//!
//! `cps-service start 1 2` names the application before the service, the guide's `cps service
//! start 2` does not. Both are meant as they were written: an application in front becomes part of
//! the service's name, `1/2`. `--backend 2` is `backend=2`.

use std::ffi::OsString;
use std::ops::Range;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command, Error};
use protocol::CodeVersionId;

/// What the original has for types of service that are not in this version: groups of `cps-tools`,
/// then commands of `cpsclient`.
const ABSENT: [(&str, &[&str]); 8] = [
    ("flink", &[]),
    ("hadoop", &[]),
    (
        "htc",
        &[
            "add",
            "configuration",
            "create-job",
            "create-worker",
            "hosts",
            "remove-worker",
            "sample",
            "select",
            "stat",
            "submit",
            "throughput",
            "upload-file",
        ],
    ),
    (
        "mysql",
        &["add-glb-nodes", "dump", "load-dump", "remove-glb-nodes", "set-password", "sqldump"],
    ),
    ("scalaris", &[]),
    ("selenium", &[]),
    ("taskfarm", &["select-schedule", "set-mode", "upload-bot"]),
    (
        "xtreemfs",
        &[
            "get-client-cert",
            "get-user-cert",
            "list-policies",
            "set-osd-size",
            "set-policy",
            "toggle-persistent",
        ],
    ),
];

/// The type of service that a word of the original is for, when that type is not in this version.
fn absent_type(word: &str) -> Option<&'static str> {
    let word = word.replace('_', "-");
    let of = |(name, commands): &(&'static str, &[&str])| {
        (*name == word || commands.contains(&word.as_str())).then_some(*name)
    };
    ABSENT.iter().find_map(of)
}

/// Says of what is not there what it was for.
pub(super) fn explain(error: Error, command: &mut Command) -> Error {
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => return error,
    };
    match absent_type(&word) {
        None => error,
        Some(kind) => {
            let message = match kind == word {
                true => format!("{kind} services are not in this version"),
                false => format!("`{word}` is for {kind} services, which are not in this version"),
            };
            command.error(ErrorKind::InvalidSubcommand, message)
        }
    }
}

/// The line, with an application that stands before a service as part of the service's name, nodes
/// of a role as `role=count`, and `-d` before the group as `--debug`.
pub(super) fn arranged(program: &Command, mut line: Vec<OsString>) -> Vec<OsString> {
    let read = Words::read(program, &line);
    for index in read.debug {
        line[index] = "--debug".into();
    }
    let mut moved: Vec<usize> = read.roles.iter().flat_map(|role| role.place.clone()).collect();
    let Some(leaf) = read.leaf else { return line };
    let takes_service =
        leaf.get_positionals().next().is_some_and(|first| first.get_id() == "service");
    let texts: Vec<&str> =
        read.positionals.iter().map(|index| line[*index].to_str().unwrap_or_default()).collect();
    let counted = !read.roles.is_empty() || read.options.iter().any(|option| option == "count");
    if takes_service && has_application(leaf, &texts, &read.options, counted) {
        let service = format!("{}/{}", texts[0], texts[1]);
        let (first, second) = (read.positionals[0], read.positionals[1]);
        line[second] = service.into();
        moved.push(first);
    }
    let mut place = 0..;
    line.retain(|_| place.next().is_some_and(|index| !moved.contains(&index)));
    line.extend(read.roles.into_iter().map(|role| role.word.into()));
    line
}

/// Whether the first of the words names an application, and the second the service.
fn has_application(leaf: &Command, words: &[&str], options: &[String], counted: bool) -> bool {
    let [_, second, ..] = words else { return false };
    match leaf.get_name() {
        // A count, or ROLE=COUNT, is no service.
        "add-nodes" | "remove-nodes" => {
            counted || !(second.contains('=') || second.starts_with(|c: char| c.is_ascii_digit()))
        }
        "download-code" => second.parse::<CodeVersionId>().is_err(),
        // Parameters as one word: then none of the others is a parameter.
        "run" | "interrupt" | "cleanup" => {
            options.iter().any(|option| option == "line") && words.len() == 2
        }
        _ => words.len() == leaf.get_positionals().count() + 1,
    }
}

/// What the words of a line are.
#[derive(Default)]
struct Words<'a> {
    /// The command they end at.
    leaf: Option<&'a Command>,
    /// Where the command's own words are that are no options.
    positionals: Vec<usize>,
    /// The ids of the options.
    options: Vec<String>,
    /// Where `-d` stands before any group.
    debug: Vec<usize>,
    /// How many nodes of which role.
    roles: Vec<RoleCount>,
}

/// `--backend 2` or `--backend=2`, where no option of that name is known.
struct RoleCount {
    /// Which words of the line it is.
    place: Range<usize>,
    /// The same as our own word.
    word: String,
}

impl RoleCount {
    fn read(leaf: &Command, line: &[OsString], index: usize) -> Option<Self> {
        let of_nodes = matches!(leaf.get_name(), "add-nodes" | "remove-nodes");
        let option = line[index].to_str()?.strip_prefix("--").filter(|_| of_nodes)?;
        let (role, count, end) = match option.split_once('=') {
            Some((role, count)) => (role, count, index + 1),
            None => (option, line.get(index + 1)?.to_str()?, index + 2),
        };
        count.parse::<u32>().ok()?;
        Some(Self { place: index..end, word: format!("{role}={count}") })
    }
}

impl<'a> Words<'a> {
    fn read(program: &'a Command, line: &[OsString]) -> Self {
        let mut words = Self::default();
        let mut path = vec![program];
        let mut index = 0;
        while let Some(word) = line.get(index).map(|word| word.to_str().unwrap_or_default()) {
            let current = path[path.len() - 1];
            let here = index;
            index += 1;
            if word == "--" {
                break;
            } else if let Some((id, takes_value)) = option(&path, word) {
                words.options.push(id);
                index += usize::from(takes_value);
            } else if word == "-d" && path.len() == 1 {
                words.debug.push(here);
            } else if let Some(role) = RoleCount::read(current, line, here) {
                index = role.place.end;
                words.roles.push(role);
            } else if word.starts_with('-') && word.len() > 1 {
                // Not known: the grammar says so.
            } else if current.has_subcommands() {
                match current.find_subcommand(word) {
                    Some(command) => path.push(command),
                    None => return words,
                }
            } else {
                words.positionals.push(here);
            }
        }
        words.leaf = path.pop().filter(|leaf| !leaf.has_subcommands());
        words
    }
}

/// The option that a word is, and whether the next word is its value.
fn option(path: &[&Command], word: &str) -> Option<(String, bool)> {
    let arguments = || path.iter().rev().flat_map(|command| command.get_arguments());
    let (found, has_value) = match word.strip_prefix("--") {
        Some(long) => {
            let (name, value) = match long.split_once('=') {
                Some((name, _)) => (name, true),
                None => (long, false),
            };
            let named = |argument: &&clap::Arg| {
                argument.get_long() == Some(name)
                    || argument.get_all_aliases().is_some_and(|all| all.contains(&name))
            };
            (arguments().find(named)?, value)
        }
        None => {
            let mut letters = word.strip_prefix('-')?.chars();
            let letter = letters.next()?;
            let value = letters.next().is_some();
            (arguments().find(|argument| argument.get_short() == Some(letter))?, value)
        }
    };
    let takes_value = matches!(found.get_action(), ArgAction::Set | ArgAction::Append);
    Some((found.get_id().to_string(), takes_value && !has_value))
}

#[cfg(test)]
mod tests;
