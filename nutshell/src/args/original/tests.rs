//! Every line of the original clients: what it reaches, or what it is told.

use clap::CommandFactory;

use super::super::{
    CpsCommand, CpsProgram, CpsclientCommand, Invocation, NutshellCommand, parse,
    with_both_spellings,
};
use super::*;

/// Lines of `cps-tools` (its groups are programs, too), and the command that each of them is here.
const TOOLS: &[(&str, &str)] = &[
    (
        "cps-user create_free ann --email a@example.org",
        "cps user create-free ann --email a@example.org",
    ),
    ("cps-user create ann --fname Ann --lname Lee", "cps user create ann --fname Ann --lname Lee"),
    ("cps-user list --credit", "cps user list --credit"),
    ("cps-user add_credit ann -5", "cps user add-credit ann -5"),
    ("cps-user get_certificate", "cps user login"),
    ("cps-user get_config", "cps user info"),
    ("cps-user get_credit", "cps user get-credit"),
    ("cps-tools cloud list", "cps cloud list"),
    ("cps-tools --username ann --conf_file ~/c.conf cloud list", "cps cloud list"),
    ("cps-cloud list_resources", "cps cloud list-resources"),
    ("cps-director version", "cps director version"),
    ("cps-application create shop", "cps application create shop"),
    ("cps-application list", "cps application list"),
    ("cps-application rename 1 store", "cps application rename 1 store"),
    ("cps-application delete shop", "cps application delete shop"),
    ("cps-application start 1 -c amsterdam", "cps application start 1 --cloud amsterdam"),
    ("cps-application stop 1", "cps application stop 1"),
    ("cps-application manifest shop.json -c ams", "cps application manifest shop.json -c ams"),
    ("cps-application get_log 1", "cps application get-log 1"),
    ("cps-application get_info 1", "cps application get-info 1"),
    ("cps-service get_types", "cps service get-types"),
    ("cps-service add generic 1", "cps service add generic 1"),
    ("cps-generic add shop", "cps generic add shop"),
    ("cps-service remove 1 2", "cps service delete 1/2"),
    ("cps-service list -a 1", "cps service list --application 1"),
    ("cps-service rename 1 2 workers", "cps service rename 1/2 workers"),
    ("cps-service start 1 2 -c ams", "cps service start 1/2 -c ams"),
    ("cps-generic start shop workers", "cps generic start shop/workers"),
    ("cps-service stop 1 2", "cps service stop 1/2"),
    ("cps-service get_state 1 2", "cps service get-state 1/2"),
    ("cps-service get_log 1 2", "cps service get-log 1/2"),
    ("cps-service get_script 1 2", "cps service get-script 1/2"),
    ("cps-service set_script 1 2 up.sh", "cps service set-script 1/2 up.sh"),
    ("cps-service get_history 1 2", "cps service get-history 1/2"),
    ("cps-service list_agent_logs 1 2 3", "cps service list-agent-logs 1/2 3"),
    ("cps-service get_agent_log 1 2 3 -f a.log", "cps service get-agent-log 1/2 3 --file a.log"),
    ("cps-generic add_nodes 1 2 --count 3 -c a", "cps generic add-nodes 1/2 --count 3 -c a"),
    ("cps-service add_nodes 1 2 --web 1 --backend=3", "cps service add-nodes 1/2 web=1 backend=3"),
    ("cps-service remove_nodes --osd 1 1 2", "cps service remove-nodes 1/2 osd=1"),
    ("cps service add_nodes 2 --node 1", "cps service add-nodes 2 node=1"),
    ("cps-service add_nodes shop workers", "cps service add-nodes shop/workers"),
    ("cps-service remove_nodes 1 2 --count 1", "cps service remove-nodes 1/2 --count 1"),
    ("cps-service list_nodes 1 2", "cps service list-nodes 1/2"),
    ("cps-generic upload_code 1 2 a.zip", "cps generic upload-code 1/2 a.zip"),
    ("cps-generic list_codes 1 2", "cps generic list-uploads 1/2"),
    ("cps-generic download_code 1 2", "cps generic download-code 1/2"),
    ("cps-generic download_code 1 2 -v code-abc", "cps generic download-code 1/2 code-abc"),
    ("cps-generic enable_code 1 2 code-abc", "cps generic enable-code 1/2 code-abc"),
    ("cps-generic delete_code 1 2 code-abc", "cps generic delete-code 1/2 code-abc"),
    ("cps-generic upload_key 1 2 id.pub", "cps generic upload-key 1/2 id.pub"),
    ("cps-generic list_keys shop workers", "cps generic list-keys shop/workers"),
    ("cps-generic create_volume 1 2 data 1024 3", "cps generic create-volume 1/2 data 1024 3"),
    ("cps-generic list_volumes 1 2", "cps generic list-volumes 1/2"),
    ("cps-generic delete_volume 1 2 data", "cps generic delete-volume 1/2 data"),
    ("cps-generic run 1 2 -p fast", "cps generic run 1/2 -p fast"),
    ("cps-generic interrupt 1 2 -p fast", "cps generic interrupt 1/2 -p fast"),
    ("cps-generic cleanup 1 2 -p fast", "cps generic cleanup 1/2 -p fast"),
    ("cps-generic get_script_status 1 2", "cps generic get-script-status 1/2"),
    ("cps-helloworld get_helloworld 1 2", "cps helloworld get-helloworld 1/2"),
    ("cps-java add_nodes 1 2 --backend 1 --web 1", "cps java add-nodes 1/2 backend=1 web=1"),
    ("cps-java enable_code 1 2 code-abc", "cps java enable-code 1/2 code-abc"),
    ("cps-java list_codes 1 2", "cps java list-uploads 1/2"),
    ("cps-java upload_code 1 2 a.war", "cps java upload-code 1/2 a.war"),
    ("cps-php debug 1 2 on", "cps php debug 1/2 on"),
    ("cps-php get_php_config 1 2", "cps php get-php-config 1/2"),
    ("cps-php add_nodes 1 2 --backend 1 --web 1", "cps php add-nodes 1/2 backend=1 web=1"),
    ("cps-php upload_code 1 2 a.zip", "cps php upload-code 1/2 a.zip"),
    // The guide names the service alone.
    ("cps-tools service start 1", "cps service start 1"),
    ("cps-tools generic list_nodes 1", "cps generic list-nodes 1"),
    ("cps-tools service delete 1", "cps service delete 1"),
    ("cps-generic add_nodes 1 2", "cps generic add-nodes 1 2"),
    ("cps-generic run 1 2", "cps generic run 1 2"),
    ("cps-generic download_code 1 code-abc", "cps generic download-code 1 code-abc"),
];

/// Lines of `cpsclient.py`.
const CLIENT: &[&str] = &[
    "usage",
    "usage generic",
    "help",
    "credentials",
    "version",
    "available",
    "clouds",
    "listapp",
    "createapp shop",
    "renameapp 1 store",
    "deleteapp 1",
    "manifest shop.json",
    "download_manifest 1",
    "list",
    "list 1",
    "create generic",
    "create generic 1 amsterdam",
    "start 1",
    "start 1 amsterdam",
    "stop 1",
    "terminate 1",
    "info 1",
    "logs 1",
    "rename 1 workers",
    "list_nodes 1",
    "startup_script 1 up.sh",
    "add_nodes 1 2",
    "remove_nodes 1 1",
    "upload_code 1 a.zip",
    "list_uploads 1",
    "download_code 1 code-abc",
    "delete_code 1 code-abc",
    "enable_code 1 code-abc",
    "upload_key 1 id.pub",
    "list_keys 1",
    "create_volume 1 data 1024 3",
    "list_volumes 1",
    "delete_volume 1 data",
    "run 1",
    "interrupt 1",
    "cleanup 1",
    "get_script_status 1",
    "get_agent_log 1 3 agent.log",
];

/// Lines that are for types of service that are not in this version, and for which.
const OF_ABSENT_TYPES: &[(&str, &str)] = &[
    ("cps-mysql set_password 1 2 -p x", "mysql"),
    ("cps-xtreemfs add_xfs_volume 1 2 data", "xtreemfs"),
    ("cps-flink list", "flink"),
    ("cps-tools taskfarm list", "taskfarm"),
    ("cps-tools htc list", "htc"),
    ("cps-tools scalaris list", "scalaris"),
    ("cps-tools selenium list", "selenium"),
    ("cpsclient.py set_password 1", "mysql"),
    ("cpsclient.py add_glb_nodes 1 1", "mysql"),
    ("cpsclient.py remove_glb_nodes 1 1", "mysql"),
    ("cpsclient.py sqldump 1", "mysql"),
    ("cpsclient.py load_dump 1 dump.sql", "mysql"),
    ("cpsclient.py get_client_cert 1 pass true a.p12", "xtreemfs"),
    ("cpsclient.py get_user_cert 1 u g pass true a.p12", "xtreemfs"),
    ("cpsclient.py list_policies 1 osd_sel", "xtreemfs"),
    ("cpsclient.py set_policy 1 osd_sel data x", "xtreemfs"),
    ("cpsclient.py toggle_persistent 1", "xtreemfs"),
    ("cpsclient.py set_osd_size 1 1024", "xtreemfs"),
    ("cpsclient.py create_job 1 a.bot", "htc"),
    ("cpsclient.py create_worker 1 small 2", "htc"),
    ("cpsclient.py throughput 1", "htc"),
    ("cpsclient.py submit 1 1", "htc"),
    ("cpsclient.py set_mode 1 DEMO", "taskfarm"),
    ("cpsclient.py upload_bot 1 a.bot loc", "taskfarm"),
    ("cpsclient.py select_schedule 1 2", "taskfarm"),
];

fn parsed(line: &str) -> Result<Invocation, String> {
    let parsed = parse(line.split_whitespace().map(Into::into));
    parsed.map(|(_, invocation)| invocation).map_err(|error| error.to_string())
}

fn command(line: &str) -> CpsCommand {
    match parsed(line) {
        Ok(Invocation::Cps(cps)) => cps.command,
        Ok(Invocation::Nutshell(NutshellCommand::Cps(cps))) => cps.command,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn every_line_of_the_tools_reaches_its_command() {
    for (line, ours) in TOOLS {
        assert_eq!(format!("{:?}", command(line)), format!("{:?}", command(ours)), "{line}");
    }
}

#[test]
fn every_line_of_the_older_client_is_understood() {
    for line in CLIENT {
        let reached = parsed(&format!("cpsclient.py {line}"));
        assert!(matches!(reached, Ok(Invocation::Cpsclient(_, Some(_)))), "{line}: {reached:?}");
    }
    // It never named the application: nothing is taken for one.
    let Ok(Invocation::Cpsclient(_, Some(CpsclientCommand::Start { service, cloud }))) =
        parsed("cpsclient.py start 1 amsterdam")
    else {
        panic!("not understood")
    };
    assert_eq!(
        (service.service.to_string(), cloud.as_deref()),
        ("1".to_owned(), Some("amsterdam"))
    );
}

#[test]
fn what_is_for_types_that_are_not_there_says_so() {
    for (line, kind) in OF_ABSENT_TYPES {
        let told = parsed(line).unwrap_err();
        assert!(told.contains(&format!("{kind} services")), "{line}: {told}");
        assert!(told.contains("not in this version"), "{line}: {told}");
    }
}

#[test]
fn no_command_of_ours_is_called_absent() {
    for program in [CpsProgram::command(), super::super::CpsclientProgram::command()] {
        for command in with_both_spellings(program).get_subcommands() {
            assert_eq!(absent_type(command.get_name()), None, "{}", command.get_name());
        }
    }
}

#[test]
fn options_may_stand_between_the_words() {
    for line in [
        "cps-service --format json start 1 2",
        "cps-service start --format json 1 2",
        "cps-service start 1 --format=json 2",
        "cps-tools -d service start 1 2",
        "cps-tools --debug service start -c amsterdam 1 2",
        "nutshell cps service start 1 2 -v",
    ] {
        let text = format!("{:?}", command(line));
        assert!(text.contains("Of(Id(ApplicationId(1)), Id(ServiceId(2)))"), "{line}: {text}");
    }
}
