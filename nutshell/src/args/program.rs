//! Which program this is, by its name, and what was typed.

use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory, FromArgMatches};
use clap_complete::Shell;

use super::{
    ConnectionOptions, Cps, CpsProgram, CpsclientCommand, CpsclientProgram, Nutshell,
    NutshellCommand, OutputOptions, original, with_both_spellings,
};

/// All names of the executable: the programs, and one for each group of `cps`.
pub(crate) fn programs() -> Vec<String> {
    let cps = CpsProgram::command();
    let groups = cps.get_subcommands().filter(|command| command.has_subcommands());
    let groups = groups.map(|group| format!("cps-{}", group.get_name()));
    let before = ["nutshell", "cps", "cps-tools"].map(str::to_owned).into_iter();
    before.chain(groups).chain(["cpsclient", "cpsclient.py"].map(str::to_owned)).collect()
}

/// What was typed.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// As `nutshell`.
    Nutshell(NutshellCommand),
    /// As `cps` or one of its groups.
    Cps(Cps),
    /// As `cpsclient`; `None` when nothing was typed.
    Cpsclient(ConnectionOptions, Option<CpsclientCommand>),
}

/// One of the grammars, and the words that the program's name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Grammar {
    Nutshell,
    Cps { group: Option<String> },
    Cpsclient,
}

fn grammar(program: &str) -> Grammar {
    let program = program.strip_suffix(".py").unwrap_or(program);
    match program.replace('_', "-").as_str() {
        "cps" | "cps-tools" => Grammar::Cps { group: None },
        "cpsclient" => Grammar::Cpsclient,
        name => match name.strip_prefix("cps-") {
            Some(group) => Grammar::Cps { group: Some(group.to_owned()) },
            None => Grammar::Nutshell,
        },
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// When it is not understood, or asks for help or the version: then the error is the answer.
pub(crate) fn parse(
    line: impl IntoIterator<Item = OsString>,
) -> Result<(OutputOptions, Invocation), clap::Error> {
    let mut line = line.into_iter();
    let program = line.next().unwrap_or_else(|| "nutshell".into());
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    match grammar(&program) {
        Grammar::Nutshell => {
            let Nutshell { output, command } = read(program.into_owned(), None, line)?;
            Ok((output, Invocation::Nutshell(command)))
        }
        Grammar::Cps { group } => {
            let name = if group.is_some() { "cps".to_owned() } else { program.into_owned() };
            let CpsProgram { output, cps } = read(name, group, line)?;
            Ok((output, Invocation::Cps(cps)))
        }
        Grammar::Cpsclient => {
            let CpsclientProgram { output, connection, command } =
                read(program.into_owned(), None, line)?;
            Ok((output, Invocation::Cpsclient(connection, command)))
        }
    }
}

fn read<P: CommandFactory + FromArgMatches>(
    name: String,
    group: Option<String>,
    line: impl Iterator<Item = OsString>,
) -> Result<P, clap::Error> {
    let line = group.map(Into::into).into_iter().chain(line).collect();
    let mut command = with_both_spellings(P::command().bin_name(&name));
    // The older client never named the application of a service.
    let line = match command.get_name() {
        "cpsclient" => line,
        _ => original::arranged(&command, line),
    };
    let line = std::iter::once(OsString::from(name)).chain(line);
    let mut matches = command
        .try_get_matches_from_mut(line)
        .map_err(|error| original::explain(error, &mut command))?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The text of `cpsclient usage`.
#[must_use]
pub(crate) fn cpsclient_help() -> String {
    CpsclientProgram::command().render_help().to_string()
}

/// The completions of all names for a shell.
#[must_use]
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut add = |mut command: Command, name: &str| {
        clap_complete::generate(shell, &mut command, name, &mut script);
        script.push(b'\n');
    };
    add(Nutshell::command(), "nutshell");
    add(CpsProgram::command(), "cps");
    add(CpsProgram::command(), "cps-tools");
    add(CpsclientProgram::command(), "cpsclient");
    script
}

/// Writes the manual pages of all programs and their commands.
///
/// # Errors
/// When the directory cannot be written to.
pub(crate) fn manual_pages(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for program in [Nutshell::command(), CpsProgram::command(), CpsclientProgram::command()] {
        clap_mangen::generate_to(program, directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_a_program() {
        let programs = programs();
        for name in
            ["cps", "cps-user", "cps-service", "cps-generic", "cps-helloworld", "cpsclient.py"]
        {
            assert!(programs.iter().any(|program| program == name), "{name}");
        }
        assert!(!programs.iter().any(|program| program == "cps-login"));
    }

    #[test]
    fn the_name_of_the_program_chooses_the_grammar() {
        let group = |name: &str| Grammar::Cps { group: Some(name.to_owned()) };
        for (program, expected) in [
            ("nutshell", Grammar::Nutshell),
            ("nutshell-0.1", Grammar::Nutshell),
            ("cps", Grammar::Cps { group: None }),
            ("cps-tools", Grammar::Cps { group: None }),
            ("cps_tools", Grammar::Cps { group: None }),
            ("cps-service", group("service")),
            ("cps-generic", group("generic")),
            ("cpsclient", Grammar::Cpsclient),
            ("cpsclient.py", Grammar::Cpsclient),
        ] {
            assert_eq!(grammar(program), expected, "{program}");
        }
    }
}
