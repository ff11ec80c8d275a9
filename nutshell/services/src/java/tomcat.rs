//! The configuration of Tomcat, and how it is started. Text only.

use std::net::SocketAddrV4;
use std::path::Path;

use protocol::CodeVersionId;
use serde::{Deserialize, Serialize};

use crate::web::account::Account;

/// What a backend is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backend {
    /// The code that it runs, as long as it runs.
    pub(crate) code_version: CodeVersionId,
    /// Where the sessions are.
    pub(crate) sessions: SocketAddrV4,
    /// What they are asked with.
    pub(crate) password: String,
}

/// Where Tomcat says whether the application is up. Visitors cannot ask: proxies lead to no path with
/// a name that begins with a dot.
pub(super) const HEALTH: &str = "/.nutshell/health";

/// `conf/server.xml`. It listens when the application is up, or has failed; at the end it closes idle
/// connections and waits for the others as long as a request may take. Only the application's own
/// libraries are looked through: Tomcat's have nothing for it that Tomcat does not know.
pub(super) fn server(listen: SocketAddrV4, backend: &Backend, code: &Path) -> String {
    let Backend { sessions, password, .. } = backend;
    let (address, port) = (listen.ip(), listen.port());
    let (store, store_port) = (sessions.ip(), sessions.port());
    let code = escaped(&code.display().to_string());
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Server port="-1">
  <Listener className="org.apache.catalina.core.JreMemoryLeakPreventionListener"/>
  <Service name="Catalina" gracefulStopAwaitMillis="120000">
    <Connector address="{address}" port="{port}" bindOnInit="false" acceptCount="1024"
               connectionTimeout="20000" keepAliveTimeout="-1" maxKeepAliveRequests="-1"
               URIEncoding="UTF-8"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Valve className="org.apache.catalina.valves.HealthCheckValve" path="{HEALTH}"/>
      <Valve className="org.apache.catalina.valves.RemoteIpValve"/>
      <Host name="localhost" appBase="none" autoDeploy="false" deployOnStartup="false"
            failCtxIfServletStartFails="true">
        <Valve className="org.apache.catalina.valves.ErrorReportValve" showServerInfo="false"
               showReport="false"/>
        <Context path="" docBase="{code}">
          <JarScanner scanClassPath="false"/>
          <Valve className="org.apache.catalina.valves.PersistentValve"/>
          <Manager className="org.apache.catalina.session.PersistentManager" saveOnRestart="true">
            <Store className="nutshell.SessionStore" host="{store}" port="{store_port}"
                   password="{password}"/>
          </Manager>
        </Context>
      </Host>
    </Engine>
  </Service>
</Server>
"#
    )
}

/// `conf/web.xml`: what every application has.
pub(super) fn defaults() -> String {
    let types: String = TYPES
        .iter()
        .map(|(extension, form)| {
            format!(
                "  <mime-mapping><extension>{extension}</extension><mime-type>{form}</mime-type>\
                 </mime-mapping>\n"
            )
        })
        .collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet>
    <servlet-name>default</servlet-name>
    <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class>
    <load-on-startup>1</load-on-startup>
  </servlet>
  <servlet>
    <servlet-name>jsp</servlet-name>
    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
    <init-param><param-name>development</param-name><param-value>false</param-value></init-param>
    <load-on-startup>3</load-on-startup>
  </servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <servlet-mapping>
    <servlet-name>jsp</servlet-name>
    <url-pattern>*.jsp</url-pattern>
    <url-pattern>*.jspx</url-pattern>
  </servlet-mapping>
{types}  <welcome-file-list>
    <welcome-file>index.html</welcome-file>
    <welcome-file>index.htm</welcome-file>
    <welcome-file>index.jsp</welcome-file>
  </welcome-file-list>
</web-app>
"#
    )
}

/// The forms of files that an application may hand out itself, for want of a better list in it.
const TYPES: [(&str, &str); 20] = [
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("mjs", "text/javascript"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// `conf/logging.properties`: all of it to the one log, but for complaints that Java cannot tell its
/// beans of a control group that is not shown in the VM: nobody asks for them.
pub(super) const LOGGING: &str = "\
handlers = java.util.logging.ConsoleHandler
.handlers = java.util.logging.ConsoleHandler
java.util.logging.ConsoleHandler.level = INFO
java.util.logging.ConsoleHandler.formatter = org.apache.juli.OneLineFormatter
org.apache.tomcat.util.modeler.Registry.level = OFF
";

/// How much of a VM's memory is for what the application keeps, in percent: two Tomcats fit beside the
/// other daemons, while one version follows the other.
const HEAP_PERCENT: u64 = 35;

/// What starts Tomcat with its configuration below `base`, in a VM of so much memory.
pub(super) fn command(
    java: String,
    tomcat: &Path,
    base: &Path,
    account: Account,
    memory_mib: Option<u64>,
) -> Vec<String> {
    let mut command = Vec::new();
    if let Account::Other { uid, gid } = account {
        command.extend([
            "/usr/bin/setpriv".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".to_owned(),
        ]);
    }
    let (home, base) = (tomcat.display(), base.display());
    command.push(java);
    match memory_mib {
        Some(memory_mib) => command.push(format!("-Xmx{}m", memory_mib * HEAP_PERCENT / 100)),
        // Of what Java finds.
        None => command.extend(
            ["MaxRAMPercentage", "MinRAMPercentage"].map(|it| format!("-XX:{it}={HEAP_PERCENT}")),
        ),
    }
    command.push("-XX:+ExitOnOutOfMemoryError".to_owned());
    // By these Tomcat finds what an application leaves behind.
    command.extend(
        [
            "java.base/java.lang",
            "java.base/java.io",
            "java.base/java.util",
            "java.base/java.util.concurrent",
            "java.rmi/sun.rmi.transport",
        ]
        .map(|package| format!("--add-opens={package}=ALL-UNNAMED")),
    );
    command.extend([
        format!("-Djava.util.logging.config.file={base}/conf/logging.properties"),
        "-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager".to_owned(),
        format!("-Dcatalina.home={home}"),
        format!("-Dcatalina.base={base}"),
        format!("-Djava.io.tmpdir={base}/temp"),
        "-classpath".to_owned(),
        format!("{home}/bin/bootstrap.jar:{home}/bin/tomcat-juli.jar"),
        "org.apache.catalina.startup.Bootstrap".to_owned(),
        "start".to_owned(),
    ]);
    command
}

/// Why an application did not come up, by what Tomcat said: the first cause of the last failure that
/// has one, for what follows it only says that all is over.
pub(super) fn reason(log: &str) -> Option<&str> {
    let lines: Vec<&str> = log.lines().collect();
    let failures = || (0..lines.len()).rev().filter(|at| lines[*at].contains(" SEVERE "));
    failures().find_map(|at| thrown(&lines[at + 1..])).or_else(|| {
        // `<date> SEVERE [<thread>] <class>.<method> <what happened>`
        let (_, message) = lines[failures().next()?].split_once("] ")?;
        Some(message.split_once(' ').map_or(message, |(_, message)| message))
    })
}

/// The first cause of what these lines say was thrown, if they do.
fn thrown<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let thrown = || {
        let indented = lines.iter().take_while(|line| line.starts_with(char::is_whitespace));
        let told = indented.map(|line| line.trim());
        told.filter(|line| !line.starts_with("at ") && !line.starts_with("... "))
    };
    thrown().filter_map(|line| line.strip_prefix("Caused by: ")).last().or(thrown().next())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(account: Account, memory_mib: Option<u64>) -> Vec<String> {
        command("java".to_owned(), Path::new("/t"), Path::new("/b"), account, memory_mib)
    }

    #[test]
    fn the_configuration_names_the_code_and_the_sessions() {
        let backend = Backend {
            code_version: "code-a".parse().unwrap(),
            sessions: "10.0.0.1:6379".parse().unwrap(),
            password: "secret".to_owned(),
        };
        let text = server("10.0.0.2:9000".parse().unwrap(), &backend, Path::new("/v/a&b"));
        assert!(text.contains(r#"address="10.0.0.2" port="9000""#), "{text}");
        assert!(text.contains(r#"docBase="/v/a&amp;b""#), "{text}");
        assert!(text.contains(r#"host="10.0.0.1" port="6379""#), "{text}");
    }

    #[test]
    fn root_is_put_down_where_there_is_somebody_else() {
        assert_eq!(words(Account::Own, None)[0], "java");
        let other = words(Account::Other { uid: 33, gid: 34 }, None);
        assert_eq!(other[..3], ["/usr/bin/setpriv", "--reuid=33", "--regid=34"]);
    }

    #[test]
    fn the_heap_is_a_part_of_the_vms_memory() {
        assert_eq!(words(Account::Own, Some(2048))[1], "-Xmx716m");
        assert_eq!(words(Account::Own, None)[1], "-XX:MaxRAMPercentage=35");
    }

    #[test]
    fn the_reason_of_a_failure_is_its_first_cause() {
        let log = "22-Nov-2026 SEVERE [main] a.Registry.add Error registering MBean\n\
                   \tjava.lang.NullPointerException\n\t\tat a.b\n\
                   22-Nov-2026 SEVERE [main] a.Context.load Servlet [x] threw load() exception\n\
                   \tjava.lang.RuntimeException: outer\n\t\tat c.d\n\
                   \tCaused by: e.F: inner\n\t\tat g\n\t\t... 14 more\n\
                   22-Nov-2026 SEVERE [main] a.Context.start Context [] startup failed\n";
        assert_eq!(reason(log), Some("e.F: inner"));
        let outer = log.replace("Caused by", "at");
        assert_eq!(reason(&outer), Some("java.lang.RuntimeException: outer"));
        let bare = "22-Nov-2026 SEVERE [main] a.Context.start Context [] startup failed";
        assert_eq!(reason(bare), Some("Context [] startup failed"));
        assert_eq!(reason("all is well"), None);
    }
}
