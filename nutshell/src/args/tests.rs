//! The grammar: every spelling of the guides leads to the same command.

use super::*;
use crate::commands::cps::types::GenericCommand;

fn parsed(line: &str) -> Invocation {
    let words = line.split_whitespace().map(Into::into);
    match parse(words) {
        Ok((_, invocation)) => invocation,
        Err(error) => panic!("{line}: {error}"),
    }
}

fn refused(line: &str) -> String {
    match parse(line.split_whitespace().map(Into::into)) {
        Ok((_, invocation)) => panic!("{line} was understood as {invocation:?}"),
        Err(error) => error.to_string(),
    }
}

/// The command, without what comes from the environment.
fn command(line: &str) -> String {
    match parsed(line) {
        Invocation::Nutshell(NutshellCommand::Cps(cps)) => format!("{:?}", cps.command),
        Invocation::Cps(cps) => format!("{:?}", cps.command),
        Invocation::Nutshell(command) => format!("{command:?}"),
        Invocation::Cpsclient(_, command) => format!("{command:?}"),
    }
}

fn same(lines: &[&str]) {
    for line in lines {
        assert_eq!(command(line), command(lines[0]), "{line}");
    }
}

#[test]
fn the_grammars_are_sound() {
    use clap::CommandFactory;
    with_both_spellings(Nutshell::command()).debug_assert();
    with_both_spellings(CpsProgram::command()).debug_assert();
    with_both_spellings(CpsclientProgram::command()).debug_assert();
}

#[test]
fn accounts_have_the_words_of_the_guides() {
    same(&["cps user get-config", "cps-user get_config", "cps user info"]);
    same(&["cps user get-credit", "cps-tools user get_credit"]);
    same(&["cps user add-credit ada -5", "cps-user add_credit ada -5"]);
    same(&["cps user create-free ada --credit 5", "cps-user create_free ada --credit 5"]);
    same(&["cps user login", "cps-user get_certificate"]);
    let Invocation::Cps(cps) = parsed("cps token revoke nightly") else { panic!("it is cps") };
    assert_eq!(cps.connection.token, None, "what is revoked is not what one comes with");
    same(&["cps token revoke nightly", "cps-token delete nightly"]);
}

#[test]
fn every_name_of_the_client_leads_to_the_same_command() {
    same(&[
        "cps service get-types",
        "cps service get_types",
        "cps-tools service get_types",
        "cps-service get-types",
        "/usr/local/bin/cps-service get_types",
        "nutshell cps service get-types",
    ]);
    same(&[
        "cps generic list-nodes 1",
        "cps-tools generic list_nodes 1",
        "cps-generic list-nodes 1",
        "nutshell cps generic list_nodes 1",
    ]);
    same(&["cps generic create", "cps-tools generic create", "cps-generic create"]);
    same(&["cps application list", "cps-application list"]);
    same(&["cps cloud list", "cps-cloud list", "cps-tools cloud list"]);
}

#[test]
fn older_words_still_mean_the_same() {
    same(&["cps service delete 1", "cps service remove 1", "cps service terminate 1"]);
    same(&[
        "cps generic list-uploads 1",
        "cps generic list-codes 1",
        "cps generic list_uploads 1",
        "cps generic list_code 1",
    ]);
    same(&["cps service get-state 1", "cps service info 1"]);
    same(&["cps user get-config", "cps user info"]);
}

#[test]
fn the_older_client_has_flat_commands() {
    same(&["cpsclient.py list_nodes 1", "cpsclient list-nodes 1"]);
    same(&["cpsclient usage", "cpsclient.py help"]);
    for line in [
        "cpsclient available",
        "cpsclient create generic",
        "cpsclient create generic amsterdam",
        "cpsclient create generic 1 amsterdam",
        "cpsclient start 1",
        "cpsclient stop 1",
        "cpsclient terminate 1",
        "cpsclient list",
        "cpsclient info 1",
        "cpsclient logs 1",
        "cpsclient add_nodes 1 2",
        "cpsclient remove_nodes 1 1",
        "cpsclient upload_code 1 test-code.tar.gz",
        "cpsclient enable_code 1 code-pw1LKs",
        "cpsclient list_uploads 1",
        "cpsclient download_code 1 code-pw1LKs",
        "cpsclient delete_code 1 code-pw1LKs",
        "cpsclient run 1",
        "cpsclient run 1 -x --fast now",
        "cpsclient get_script_status 1",
        "cpsclient get_script_status 1 3",
        "cpsclient usage generic",
        "cpsclient version",
    ] {
        assert!(matches!(parsed(line), Invocation::Cpsclient(_, Some(_))), "{line}");
    }
    assert!(matches!(parsed("cpsclient"), Invocation::Cpsclient(_, None)));
}

#[test]
fn every_command_of_the_platform_is_there() {
    for line in [
        "nutshell up",
        "nutshell up --detach --state /tmp/x",
        "nutshell down",
        "nutshell status --format json",
        "nutshell logs",
        "nutshell logs director -n 20 --follow",
        "nutshell destroy --yes",
        "nutshell doctor",
        "nutshell env",
        "nutshell install --directory /tmp/bin",
        "nutshell completions bash",
        "nutshell man /tmp/man1",
        "nutshell director --config director.toml",
        "nutshell manager --boot /etc/nutshell/boot.json --root /",
        "nutshell agent --boot /etc/nutshell/boot.json --root /",
        "nutshell cps login",
    ] {
        parsed(line);
    }
}

#[test]
fn options_of_the_connection_may_stand_before_and_behind() {
    for line in [
        "cps --director-url https://h:1 --username u --password p service list",
        "cps-service --director_url https://h:1 --username u --password p list",
        "cps service list --director_url https://h:1 --username u --password p",
        "nutshell cps --director-url https://h:1 service list --username u --password p",
    ] {
        let cps = match parsed(line) {
            Invocation::Cps(cps) => cps,
            Invocation::Nutshell(NutshellCommand::Cps(cps)) => *cps,
            other => panic!("{line}: {other:?}"),
        };
        let options = cps.connection;
        assert_eq!(
            (options.director_url.as_deref(), options.username.as_deref()),
            (Some("https://h:1"), Some("u")),
            "{line}"
        );
        assert_eq!(options.password.as_deref(), Some("p"), "{line}");
    }
}

#[test]
fn parameters_of_scripts_are_taken_as_they_are() {
    let words = |line: &str| match parsed(line) {
        Invocation::Cps(Cps {
            command: CpsCommand::Type(TypeCommand::Generic(GenericCommand::Run(arguments))),
            ..
        }) => arguments.words(),
        other => panic!("{other:?}"),
    };
    assert_eq!(words("cps generic run 1"), Vec::<String>::new());
    assert_eq!(
        words("cps generic run 1 8000 --format json -v"),
        ["8000", "--format", "json", "-v"]
    );
    assert_eq!(words("cps generic run -p 8000 1"), ["8000"]);
    assert_eq!(words("cps-generic run 1 -p 8000"), ["8000"]);
}

#[test]
fn numbers_are_ids_and_words_are_names() {
    let service = |line: &str| match parsed(line) {
        Invocation::Cps(Cps {
            command: CpsCommand::Service(ServiceCommand::Common(CommonCommand::Stop(argument))),
            ..
        }) => argument.service,
        other => panic!("{other:?}"),
    };
    assert_eq!(service("cps service stop 1"), ServiceRef::Id(protocol::ServiceId(1)));
    assert_eq!(service("cps service stop shop"), ServiceRef::Name("shop".to_owned()));
}

#[test]
fn mistakes_are_named() {
    assert!(refused("cps service lst").contains("list"));
    assert!(refused("cps generic add-nodes 1 1.5").contains("a number of nodes"));
    assert!(refused("cps generic enable-code 1 ../x").contains("not a code version"));
    assert!(refused("nutshell up --quiet --verbose").contains("cannot be used with"));
    assert!(refused("cps-bakery list").contains("bakery"));
}

#[test]
fn all_completions_name_all_programs() {
    let script = String::from_utf8(completions(clap_complete::Shell::Bash)).unwrap();
    for program in ["nutshell", "cps", "cps-tools", "cpsclient"] {
        assert!(script.contains(program), "{program}");
    }
}
