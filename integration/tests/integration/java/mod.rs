//! The Java service, with real Tomcat, nginx and Redis, while visitors ask all the time.

mod loss;

use std::net::SocketAddrV4;
use std::process::Command;

use integration::archive::zip;
use integration::developer::Developer;
use integration::load::Connection::{Kept, New};
use integration::load::Load;
use integration::stack::Output;
use integration::{Stack, http};

use crate::visitor::Visitor;

/// Servlets: two say the version that they are of, one that its annotation names and one that
/// `web.xml` does; one counts in a session; one cannot start.
const SERVLETS: [(&str, &str, &str); 4] = [
    ("Noted", "@WebServlet(\"/noted\")", WORD),
    ("Named", "", WORD),
    (
        "Count",
        "@WebServlet(urlPatterns = {\"/none\", \"/count\"})",
        "protected void doGet(HttpServletRequest q, HttpServletResponse r) throws IOException {
            HttpSession session = q.getSession();
            Integer before = (Integer) session.getAttribute(\"n\");
            session.setAttribute(\"n\", before == null ? 1 : before + 1);
            r.getWriter().print(session.getAttribute(\"n\"));
        }",
    ),
    (
        "Broken",
        "@WebServlet(value = \"/broken\", loadOnStartup = 1)",
        "public void init() { throw new IllegalStateException(\"there is no database\"); }",
    ),
];
const WORD: &str = "protected void doGet(HttpServletRequest q, HttpServletResponse r)
        throws IOException {
    byte[] word = getServletContext().getResourceAsStream(\"/WEB-INF/word\").readAllBytes();
    r.getWriter().print(getClass().getName() + \" \" + new String(word));
}";
const DESCRIPTOR: &str = r#"<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>n</servlet-name><servlet-class>Named</servlet-class></servlet>
  <servlet-mapping><servlet-name>n</servlet-name><url-pattern>/named/*</url-pattern></servlet-mapping>
</web-app>"#;

/// A Java service and what is deployed in it.
struct World {
    stack: Stack,
    /// The compiled servlets, in the order above.
    classes: Vec<Vec<u8>>,
}

impl World {
    /// A service at work with the application `one`, and its address.
    fn start() -> (Self, SocketAddrV4) {
        let stack = Stack::up();
        let _ = stack.cps(&["login"]).ok();
        let _ = stack.cps(&["service", "create", "java"]).ok();
        let _ = stack.cps(&["service", "start", "1"]).ok();
        let classes = compile(&stack);
        let world = Self { stack, classes };
        let [address] = world.stack.addresses("java", "1")[..] else { panic!("one proxy") };
        assert!(http::get(address, "/").unwrap().contains("It works"));
        world.activate("one.war", &world.war("one", &[]));
        (world, address)
    }

    fn cps(&self, line: &str) -> Output {
        let words: Vec<&str> = ["java"].into_iter().chain(line.split(' ')).collect();
        self.stack.cps(&words)
    }

    /// An application that says this word everywhere, with more files.
    fn war(&self, word: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
        let page = format!("<%= \"page {word}\" %>");
        let mut files: Vec<(&str, &[u8])> = vec![
            ("WEB-INF/web.xml", DESCRIPTOR.as_bytes()),
            ("WEB-INF/word", word.as_bytes()),
            ("index.jsp", page.as_bytes()),
            ("a.css", word.as_bytes()),
            ("WEB-INF/classes/Noted.class", &self.classes[0]),
            ("WEB-INF/classes/Named.class", &self.classes[1]),
            ("WEB-INF/classes/Count.class", &self.classes[2]),
        ];
        files.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        files.extend(more);
        zip(&files)
    }

    fn upload(&self, name: &str, content: &[u8]) -> String {
        let path = self.stack.file(name, content);
        self.stack.upload_code("java", "1", &path)
    }

    fn activate(&self, name: &str, content: &[u8]) {
        self.stack.activate_code("java", "1", &self.stack.file(name, content));
    }
}

/// Compiles the servlets, by the compiler that Tomcat has for JSP.
fn compile(stack: &Stack) -> Vec<Vec<u8>> {
    let directory = stack.directory().join("servlets");
    std::fs::create_dir(&directory).unwrap();
    let mut compiler = Command::new("java");
    compiler
        .args(["-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/eclipse-jdt-core.jar"])
        .args(["org.eclipse.jdt.internal.compiler.batch.Main", "-11", "-proc:none", "-nowarn"])
        .args(["-cp", "/usr/share/tomcat10/lib/servlet-api.jar", "-d"])
        .arg(&directory);
    for (name, annotation, body) in SERVLETS {
        let path = directory.join(format!("{name}.java"));
        let text = format!(
            "import jakarta.servlet.annotation.WebServlet;\nimport jakarta.servlet.http.*;\n\
             import java.io.IOException;\n{annotation}\npublic class {name} extends HttpServlet \
             {{ {body} }}\n"
        );
        std::fs::write(&path, text).unwrap();
        compiler.arg(path);
    }
    let compiled = compiler.output().expect("the packages default-jre-headless, tomcat10-common");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let class = |(name, ..): (&str, &str, &str)| {
        std::fs::read(directory.join(format!("{name}.class"))).unwrap()
    };
    SERVLETS.map(class).into()
}

#[test]
fn no_request_and_no_session_is_lost_while_everything_changes() {
    let (world, address) = World::start();
    let get = |path: &str| http::get(address, path).unwrap();
    assert_eq!(get("/noted"), "Noted one");
    assert_eq!(get("/named/anything"), "Named one");
    assert_eq!(get("/"), "page one");
    assert_eq!(get("/index.jsp;jsessionid=0"), "page one");
    assert_eq!(get("/a.css"), "one");
    for hidden in ["/WEB-INF/word", "/WEB-INF;x/word", "/none-such", "/.nutshell/health"] {
        let error = http::get(address, hidden).unwrap_err().to_string();
        assert!(error.contains("404"), "{hidden}: {error}");
    }
    let mut visitor = Visitor::new("/count");
    let mut count = |address| visitor.count(address);
    assert_eq!([1, 2].map(|_| count(address)), [1, 2]);

    let servlets = Load::start(address, "/noted", &[Kept, Kept, New]);
    let files = Load::start(address, "/a.css", &[Kept, New]);
    let _ = world.cps("add-nodes 1 2 1 1").ok();
    let proxies = world.stack.addresses("java", "1");
    assert_eq!((proxies.len(), proxies[0]), (2, address));
    assert_eq!([3, 4, 5, 6].map(|_| count(address)), [3, 4, 5, 6], "by both backends");
    assert_eq!(count(proxies[1]), 7);

    world.activate("two.war", &world.war("two", &[]));
    for proxy in proxies {
        for (path, answer) in [("/noted", "Noted two"), ("/", "page two"), ("/a.css", "two")] {
            assert_eq!(http::get(proxy, path).unwrap(), answer);
        }
    }
    assert_eq!(count(address), 8);
    let _ = world.cps("remove-nodes 1 2 1 1").ok();
    assert_eq!(count(address), 9);

    for (answers, word) in [(servlets.end(), "Noted "), (files.end(), "")] {
        assert!(answers.failed.is_empty(), "{answers:?}");
        let possible = ["one", "two"].map(|version| format!("{word}{version}"));
        assert!(answers.good.keys().all(|body| possible.contains(body)), "{answers:?}");
        assert_eq!(answers.good.len(), 2, "{answers:?}");
    }
}

#[tokio::test]
async fn what_cannot_run_is_refused_and_the_version_at_work_stays() {
    let (world, address) = World::start();
    let refused = |name: &str, war: &[u8], why: &str| {
        let version = world.upload(name, war);
        let refused = world.cps(&format!("enable-code 1 {version}")).failed();
        assert!(refused.contains(why), "{refused}");
        assert_eq!(http::get(address, "/noted").unwrap(), "Noted one");
        assert_eq!(http::get(address, "/a.css").unwrap(), "one");
    };
    let broken: (&str, &[u8]) = ("WEB-INF/classes/Broken.class", &world.classes[3]);
    refused("broken.war", &world.war("bad", &[broken]), "there is no database");
    let torn: (&str, &[u8]) = ("WEB-INF/web.xml", b"<web-app><servlet>");
    refused("torn.war", &world.war("bad", &[torn]), "WEB-INF/web.xml cannot be read");
    let nodes = world.cps("list-nodes 1").ok();
    let node = nodes.split_whitespace().nth(2).unwrap();
    let log = world.cps(&format!("get-agent-log 1 {node} -f tomcat.log")).ok();
    assert!(log.contains("IllegalStateException: there is no database"), "{log}");
    let status = world.cps("get-daemon-status 1").ok();
    assert_eq!(status.matches("tomcat-").count(), 1, "{status}");

    // What is no archive, and what is one but no application.
    let cut = &world.war("bad", &[])[..200];
    let path = world.stack.file("cut.war", cut);
    assert!(world.cps(&format!("upload-code 1 {path}")).failed().contains("damaged"));
    let path = world.stack.file("source.zip", &zip(&[("pom.xml", b""), ("src/A.java", b"")]));
    let uploaded = world.cps(&format!("upload-code 1 {path}"));
    assert!(uploaded.stderr.contains("compiled first"), "{uploaded:?}");

    // A war in a repository.
    let developer = Developer::new(&world.stack.directory().join("developer"));
    let key = world.stack.file("key.pub", &developer.public_key().await.unwrap());
    let told = world.cps(&format!("upload-key 1 {key}")).stderr;
    let repository = told.split_once("git clone ").expect("where to push").1.trim();
    let war = world.war("pushed", &[]);
    let version = developer.push("code", repository, ("shop.war", &war)).await.unwrap();
    let _ = world.cps(&format!("enable-code 1 {version}")).ok();
    assert_eq!(http::get(address, "/noted").unwrap(), "Noted pushed");
    assert!(http::get(address, "/shop.war").is_err());

    // What Java may keep is a part of the VM's memory, not of the machine's: 35 % of 2 GiB.
    let java = world.stack.cps(&["shell", "1", node, "--", "pgrep", "-a", "java"]).ok();
    assert!(java.contains(" -Xmx716m "), "{java}");
}
