//! A host whose libvirt lets nobody in without a password, and a client of Kimchi's that gives one. The service runs in the
//! network in which the hosts' addresses exist; its socket is a file.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use waypost_lab::TcpAuth;

use crate::site::Site;

const USER: &str = "carla";
const PASSWORD: &str = "correct-horse-battery-staple";

#[test]
fn a_password_given_once_opens_a_host_and_is_found_nowhere_afterwards() {
    let site = site();
    site.guest("g1");
    let service = Service::start(&site);

    let (status, answer) = service.ask("POST", MIGRATE, &json!({"remote_host": "kvm2"}));
    assert_eq!(status, 500, "{answer}");
    assert!(
        reason(&answer).starts_with("KCHVM0056E: ") && reason(&answer).contains("wants name and password"),
        "{answer}"
    );
    let (status, answer) = service.ask("POST", MIGRATE, &login("a-guess-at-the-password"));
    assert_eq!(status, 400, "{answer}");
    assert!(
        reason(&answer).starts_with("KCHVM0068E: ") && reason(&answer).contains("authentication failed"),
        "{answer}"
    );
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));

    let (status, task) = service.ask("POST", MIGRATE, &login(PASSWORD));
    assert_eq!(status, 202, "{task}");
    assert!(task["message"].as_str().unwrap().contains("user and password opened the connection to kvm2"), "{task}");
    let id = task["id"].as_str().expect("an id");
    let ended = service.end(id);
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
    let (_, records) = service.ask("GET", &format!("/api/v1/tasks/{id}/records"), &Value::Null);
    assert_eq!(records["journal"][0]["details"]["options"]["transport"], "direct", "{records}");
    // What was opened is closed with its task.
    site.until("the connection to kvm2 is closed", |_| !service.is_connected("kvm2"));
    let (status, answer) = service.ask("POST", MIGRATE, &json!({"remote_host": "kvm1"}));
    assert_eq!(status, 404, "kvm2 can't be asked whether it has g1: {answer}");
    let told = [service.ask("GET", "/api/v1/audit", &Value::Null).1, service.ask("GET", "/tasks", &Value::Null).1];
    assert!(told[1].to_string().contains(id), "{told:?}");
    service.stop();

    let written = below(site.config().parent().expect("the folder"), site.lab.dir());
    assert!(written.iter().any(|file| holds(file, id)), "this would find it: {written:?}");
    for file in &written {
        for secret in [PASSWORD, "a-guess-at-the-password"] {
            assert!(!holds(file, secret), "{secret} is in {}", file.display());
        }
    }
    for host in site.lab.hosts() {
        assert!(!host.libvirtd_log().contains(PASSWORD), "{}", host.name());
    }
    let told = told.iter().chain([&task, &ended, &records, &answer]).map(Value::to_string).collect::<String>();
    assert!(!told.contains(PASSWORD) && !told.contains("a-guess"), "{told}");
}

#[test]
fn a_connection_that_is_lost_is_missed_until_the_password_is_given_again() {
    let site = site();
    site.busy_guest("g1");
    let service = Service::start(&site);
    let (status, task) = service.ask("POST", MIGRATE, &login(PASSWORD));
    assert_eq!(status, 202, "{task}");
    let id = task["id"].as_str().expect("an id");
    site.until_copying("kvm1", "g1");
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    kvm2.kill_libvirtd().expect("its daemon dies");
    site.until("the connection to kvm2 is missed", |_| !service.is_connected("kvm2"));
    kvm2.start_libvirtd().expect("its daemon is back");
    let (status, answer) = service.ask("POST", MIGRATE, &login("a-guess-at-the-password"));
    assert!(status == 400 && reason(&answer).starts_with("KCHVM0068E: "), "{answer}");
    assert!(!service.is_connected("kvm2"), "nothing opens it by itself");

    // With a request that can't become a task of its own, however soon the first one ends.
    let (status, answer) = service.ask("POST", "/vms/nobody/migrate", &login(PASSWORD));
    assert!(status == 404 && reason(&answer).contains("opened the connection to kvm2"), "{answer}");
    let ended = service.end(id);
    assert_eq!(ended["status"], "rolled-back", "{ended}");
    assert_eq!((site.state("kvm1", "g1").as_deref(), site.state("kvm2", "g1")), (Some("running"), None));
    site.assert_one_counting_guest("g1");
    service.stop();
}

const MIGRATE: &str = "/plugins/kimchi/vms/g1/migrate";

fn login(password: &str) -> Value {
    json!({"remote_host": "kvm2", "user": USER, "password": password})
}

/// Two hosts, of which kvm2 can only be asked with a password.
fn site() -> Site {
    let digest = TcpAuth::DigestMd5 { user: USER.to_owned(), password: PASSWORD.to_owned() };
    let site = Site::in_lab(|spec| spec.tcp_auth = digest, "");
    // kvm1's own daemon has none for kvm2: peer to peer nothing could move.
    for host in site.lab.hosts() {
        let forgot = host.run(&["rm", "/etc/libvirt/auth.conf"]).expect("the host has power");
        assert!(forgot.status.success(), "{forgot:?}");
    }
    configure(&site);
    site
}

fn reason(answer: &Value) -> &str {
    answer["reason"].as_str().unwrap_or_default()
}

/// kvm1 by its socket, kvm2 by the port that wants a password, of which the configuration says nothing.
fn configure(site: &Site) {
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let general = text.split("\n[[host]]").next().expect("what comes before the hosts");
    let hosts = site.lab.hosts().into_iter().map(|host| {
        let uri = if host.index() == 1 { host.uri_unix() } else { host.uri_peer() };
        format!("\n[[host]]\nname = {:?}\nuri = {uri:?}\npeer_uri = {:?}\n", host.name(), host.uri_peer())
    });
    let kimchi = "\n[service.kimchi]\nenabled = true\nmigration_max_bandwidth = 0\n";
    let text = format!("{general}{}{kimchi}", hosts.collect::<String>());
    fs::write(site.config(), text).expect("the configuration is written");
}

/// The service, killed if the test ends first.
struct Service {
    program: Child,
    socket: PathBuf,
}

impl Service {
    fn start(site: &Site) -> Self {
        let socket = site.config().with_file_name("waypost.sock");
        let log = File::create(site.config().with_file_name("service.log")).expect("a file for the log");
        let mut command = site.lab.controller_command(env!("CARGO_BIN_EXE_waypost")).expect("the lab is up");
        command.arg("--config").arg(site.config()).args(["--json", "serve", "--socket"]).arg(&socket);
        command.env("WAYPOST_LOG", "trace").env_remove("LIBVIRT_AUTH_FILE");
        let mut program = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the service starts");
        let mut listening = String::new();
        let stdout = program.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut listening).expect("what it says");
        assert!(listening.contains("serving"), "{listening}");
        Self { program, socket }
    }

    fn text(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = UnixStream::connect(&self.socket).expect("the socket");
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let kind = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all((head + &kind).as_bytes()).expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.text(method, path, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Whether the service has a connection to a host.
    fn is_connected(&self, host: &str) -> bool {
        let (_, metrics) = self.text("GET", "/metrics", &Value::Null);
        let of = |value: u8| format!("waypost_host_connected{{host=\"{host}\"}} {value}");
        let connected = metrics.contains(&of(1));
        assert!(connected || metrics.contains(&of(0)), "{metrics}");
        connected
    }

    /// Waits for the end of a task.
    fn end(&self, id: &str) -> Value {
        let mut path = format!("/api/v1/tasks/{id}");
        loop {
            let (_, now) = self.ask("GET", &path, &Value::Null);
            if now["phase"] == "ended" {
                return now;
            }
            path = format!("/api/v1/tasks/{id}?since={}&wait=30", now["sequence"]);
        }
    }

    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.program.id().to_string()).status().expect("kill runs").success());
        self.program.wait().expect("it ends");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Every file below a folder, but for the lab: its hosts have the password to hold others against it.
fn below(folder: &Path, lab: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match fs::symlink_metadata(&path).expect("what it is").file_type() {
            _ if path == lab => {}
            kind if kind.is_dir() => found.extend(below(&path, lab)),
            kind if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).expect("a file that can be read");
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
