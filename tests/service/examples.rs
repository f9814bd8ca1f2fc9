//! The examples, used as whoever tries them uses them. Cargo builds them with the tests.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::Program;
use super::support::command::{self, TWO_HOSTS};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A built example; its policies and their cache are those of the build.
fn example(name: &str) -> Command {
    command::shipped();
    let program = Path::new(env!("CARGO_BIN_EXE_waypost")).with_file_name("examples").join(name);
    assert!(program.exists(), "{} is not there: `cargo test` builds the examples too", program.display());
    Command::new(program)
}

#[test]
fn the_thirty_lines_move_a_domain() {
    let output = example("embed").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("web to b: allowed"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("completed: "), "{said}");
    // It follows: the moving is told of before its end.
    assert!(said.lines().any(|line| line.contains("%  performing ")), "{said}");
    let text = fs::read_to_string(folder("embed.rs")).unwrap();
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(lines <= 30, "embed.rs has {lines} lines");
}

/// A program that runs until its test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Site {
    address: String,
    _running: Running,
}

impl Site {
    /// The status, the head and the body of what is answered; `user` is what comes after `Basic`.
    fn ask(&self, method: &str, path: &str, user: &str, more: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let who = if user.is_empty() { String::new() } else { format!("Authorization: Basic {user}\r\n") };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{who}{more}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }
}

/// anna:example, ben:example and anna:wrong, as a browser sends them.
const ANNA: &str = "YW5uYTpleGFtcGxl";
const BEN: &str = "YmVuOmV4YW1wbGU=";
const WRONG: &str = "YW5uYTp3cm9uZw==";

#[test]
fn a_program_with_users_of_its_own_has_waypost_under_a_path() {
    let mut child = example("axum_dashboard").env("PORT", "0").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let site = Site { address, _running: Running(child) };

    // Nothing is open to whoever is not known here, neither its own pages nor Waypost's.
    for path in ["/", "/waypost/", "/waypost/api/v1/hosts", "/machines/busy"] {
        for user in ["", WRONG] {
            let (status, head, _) = site.ask("GET", path, user, "", "");
            assert_eq!(status, 401, "{path}");
            assert!(head.contains("www-authenticate: basic"), "{head}");
        }
    }
    let (status, _, page) = site.ask("GET", "/", BEN, "", "");
    assert!(status == 200 && page.contains("<waypost-hosts>") && page.contains("/waypost/waypost.js"), "{page}");
    let (status, head, _) = site.ask("GET", "/waypost/waypost.js", BEN, "", "");
    assert!(status == 200 && head.contains("text/javascript"), "{head}");
    let (status, _, dashboard) = site.ask("GET", "/waypost/", BEN, "", "");
    // What it loads is below the path as well.
    assert!(status == 200 && !dashboard.contains("=\"/"), "{dashboard}");

    let new = r#"{"domain": "mail", "to": "kvm1"}"#;
    let tasks = "/waypost/api/v1/tasks";
    // Who may only look is told so by Waypost, which judges by the role; a check changes nothing, and is answered.
    for (user, name, role) in [(ANNA, "anna", "operator"), (BEN, "ben", "viewer")] {
        let (_, _, body) = site.ask("GET", "/waypost/api/v1/session", user, "", "");
        let session: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&session["name"], &session["role"]), (&name.into(), &role.into()), "{session}");
    }
    for (method, path) in
        [("POST", tasks), ("GET", "/waypost/api/v1/audit"), ("POST", "/waypost/api/v1/plugins/precheck-cpu/disable")]
    {
        let (status, _, body) = site.ask(method, path, BEN, "", new);
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &problem["code"]), (403, &"role-missing".into()), "{path}: {body}");
    }
    let (status, _, body) = site.ask("POST", "/waypost/api/v1/checks", BEN, "", r#"{"domain": "mail"}"#);
    assert!(status == 200 && body.contains(r#""decision":"allowed""#), "{body}");
    let from_elsewhere = site.ask("POST", tasks, ANNA, "Sec-Fetch-Site: cross-site\r\n", new);
    assert!(from_elsewhere.0 == 403 && from_elsewhere.2.contains("other-origin"), "{from_elsewhere:?}");
    let (status, head, body) = site.ask("POST", tasks, ANNA, "", new);
    assert_eq!(status, 202, "{body}");
    let mut task: Value = serde_json::from_str(&body).unwrap();
    let path = format!("{tasks}/{}", task["id"].as_str().unwrap());
    assert!(head.contains(&format!("location: {path}")), "{head}");
    while task["phase"] != "ended" {
        let (_, _, body) = site.ask("GET", &format!("{path}?since={}&wait=30", task["sequence"]), BEN, "", "");
        task = serde_json::from_str(&body).unwrap();
    }
    assert_eq!((&task["status"], &task["requested_by"]), (&"completed".into(), &"anna".into()), "{task}");
    let (_, _, busy) = site.ask("GET", "/machines/busy", BEN, "", "");
    assert!(busy.contains("migrations are driven right now, ben"), "{busy}");
}

#[test]
fn the_static_page_has_two_elements_and_one_script() {
    let page = fs::read_to_string(folder("static-page/index.html")).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    let module =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("host/service/web/dist/waypost.js")).unwrap();
    let mut elements = Vec::new();
    for begin in page.split("<waypost-").skip(1) {
        let name = format!("waypost-{}", begin.split([' ', '>']).next().unwrap());
        assert!(module.contains(&format!("define(`{name}`")), "the module does not define {name}");
        elements.push(name);
    }
    assert_eq!(elements, ["waypost-hosts", "waypost-migrations"]);
}

fn drain(program: &Program, words: &[&str]) -> (i32, String) {
    let output = Command::new("python3")
        .arg(folder("python/drain.py"))
        .args(words)
        .arg("--socket")
        .arg(&program.socket)
        .output()
        .expect("python3 runs");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout) + &text(output.stderr))
}

#[test]
fn the_script_empties_a_host_and_says_what_it_leaves() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    // One domain may not move, because of its device.
    let (code, said) = drain(&program, &["a"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("g1 is running on b") && said.contains("pinned: not to b: "), "{said}");
    let (code, said) = drain(&program, &["b", "--to", "a"]);
    assert!(code == 0 && said.contains("g1 is running on a"), "{said}");
    let (code, said) = drain(&program, &["nowhere"]);
    assert!(code == 1 && said.contains("nowhere"), "{said}");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn the_package_for_cockpit_is_whole() {
    let read = |name: &str| fs::read_to_string(folder("cockpit").join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert!(manifest["menu"]["index"]["label"].is_string(), "{manifest}");
    let policy = manifest["content-security-policy"].as_str().unwrap();
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let page = read("index.html");
    // Cockpit's own policy lets nothing inline run.
    assert!(
        !page.contains("style=")
            && page.matches("<script").count()
                == page.matches("<script src=").count() + page.matches("<script type=\"module\" src=").count()
    );
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("host/service/web/dist");
    let names = [page.as_str(), &read("page.js")].concat();
    for name in ["dashboard.css", "page.js", "channel.js", "waypost.js"] {
        assert!(names.contains(name), "{name} is not used");
        assert!(folder("cockpit").join(name).exists() || web.join(name).exists(), "{name} is not there");
    }
    let configured =
        waypost::Config::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("host/packaging/waypost.toml")).unwrap();
    assert!(read("page.js").contains(&format!("\"{}\"", configured.socket.display())), "the socket of the package");
    // Cockpit would name the socket's path, which has a dot in it, and is refused for that.
    assert!(read("page.js").contains("Host: \"localhost\""), "the name under which the service is asked");
    // Where there is no node there is nobody who could play the channel; the pages' own tests need one too.
    if Command::new("node").arg("--version").output().is_err() {
        // Past the test's own output, which nobody sees of one that passes.
        writeln!(
            std::io::stderr(),
            "not proven here: that the channel of the page for Cockpit does as it should (no node)"
        )
        .expect("standard error takes it");
        return;
    }
    let output =
        Command::new("node").arg("--test").arg(folder("cockpit/channel.test.mjs")).output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
