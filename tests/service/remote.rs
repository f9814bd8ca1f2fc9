//! Clients of the service: the command over TLS with a token, what each is told who can't have it, and the library's own promises
//! towards a server that misbehaves.

use std::fs::{Permissions, set_permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use waypost::TaskId;
use waypost::core::access::{Role, Scope};
use waypost::service::client::{Client, ClientError, Credentials, Event};
use waypost::service::{Access, Limits};

use super::support::command::{Ran, Site, TWO_HOSTS};
use super::support::{Authority, OnPort};

/// A folder with what a client needs for that service.
struct Desk {
    site: Site,
    address: String,
    ca_file: PathBuf,
}

impl Desk {
    fn of(service: &OnPort) -> Self {
        let address = format!("https://localhost:{}", service.address.port());
        Self { site: Site::new(TWO_HOSTS), address, ca_file: service.authority.path("ca.pem") }
    }

    fn token(&self, text: &str) {
        self.site.write("token", text);
        set_permissions(self.site.path("token"), Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.site.asking(&self.address, words);
        command.env("WAYPOST_CA_FILE", &self.ca_file);
        Ran::of(command.output().unwrap())
    }

    fn refused(&self, words: &[&str], said: &[&str]) {
        let ran = self.run(words);
        assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
        said.iter().for_each(|said| assert!(ran.err.contains(said), "{said}:\n{}", ran.err));
    }
}

#[test]
fn the_command_asks_over_tls_with_a_token_from_a_file() {
    let service = OnPort::start();
    let desk = Desk::of(&service);
    let (_, operator) = service.token("olga", Role::Operator, Scope::default(), None);
    desk.token(&operator);
    let with_token = |words: &[&str]| desk.run(&[&["--token-file", "token"], words].concat());
    let hosts = with_token(&["hosts"]);
    assert_eq!(hosts.code, 0, "{}", hosts.err);
    assert!(hosts.out.starts_with("HOST ") && hosts.out.lines().count() == 3, "{}", hosts.out);
    let moved = with_token(&["migrate", "g1", "--to", "b"]);
    assert_eq!(moved.code, 0, "{}", moved.err);
    assert!(moved.out.contains("completed: g1 is running on b"), "{}", moved.out);
    let listed = with_token(&["--json", "tasks"]).documents().remove(0);
    let id = listed["tasks"][0]["id"].as_str().unwrap().to_owned();
    assert!(with_token(&["task", &id]).out.contains("asked for by olga"));

    // The same from a configuration, whose files are relative to it.
    let client =
        format!("[client]\nservice = {:?}\ntoken_file = \"token\"\nca_file = {:?}\n", desk.address, desk.ca_file);
    desk.site.write("client.toml", &client);
    let configured = Ran::of(desk.site.bare(&["--config", "client.toml", "hosts"]).output().unwrap());
    assert_eq!((configured.code, &configured.out), (0, &with_token(&["hosts"]).out), "{}", configured.err);
    // What it has to show to its own service it shows to no other.
    desk.refused(&["--config", "client.toml", "hosts"], &["nothing says who asks", "show a token: --token-file"]);
}

#[test]
fn who_may_not_is_told_what_to_do() {
    let service = OnPort::start();
    let mut desk = Desk::of(&service);
    desk.refused(&["hosts"], &["nothing says who asks", "remedy: show a token: --token-file FILE"]);
    let (_, viewer) = service.token("vera", Role::Viewer, Scope::default(), None);
    desk.token(&format!("{}A", &viewer[..viewer.len() - 2]));
    let told = ["remedy: have a new one made: `waypost token create` on the service's machine"];
    desk.refused(&["--token-file", "token", "hosts"], &told);
    desk.token(&viewer);
    let may = ["remedy: ask whoever administers the service for a token that may"];
    desk.refused(&["--token-file", "token", "migrate", "g1", "--to", "b"], &may);
    desk.refused(&["--token-file", "token", "audit"], &may);
    set_permissions(desk.site.path("token"), Permissions::from_mode(0o644)).unwrap();
    desk.refused(&["--token-file", "token", "hosts"], &["can't use the token file token", "others can read it"]);

    desk.ca_file = Authority::new().path("ca.pem");
    desk.refused(&["hosts"], &["can't use the authorities"]);
    let other = Authority::new();
    desk.ca_file = other.path("ca.pem");
    desk.refused(&["hosts"], &["can't be trusted: no authority that is trusted here", "--ca-file"]);
}

#[test]
fn a_certificate_for_another_name_is_not_believed() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("other", "other", &["other.example"]);
    let service = OnPort::with(authority, Limits::default(), Access::default(), |listen| {
        waypost::service::port::Listen { certificate, key, ..listen }
    });
    let desk = Desk::of(&service);
    let told = ["can't be trusted: its certificate is for another name", "by a name that stands in its certificate"];
    desk.refused(&["hosts"], &told);
}

#[test]
fn who_has_no_certificate_that_is_taken_is_told_so_and_not_that_the_connection_was_lost() {
    let authority = Authority::new();
    let list = authority.take_back(&[7], 2090);
    let required = |listen: waypost::service::port::Listen| waypost::service::port::Listen {
        client_ca: Some(listen.certificate.with_file_name("ca.pem")),
        client_crl: Some(list),
        clients: waypost::service::port::ClientCertificates::Required,
        ..listen
    };
    let service = OnPort::with(authority, Limits::default(), Access::default(), required);
    let desk = Desk::of(&service);
    let (_, token) = service.token("vera", Role::Viewer, Scope::default(), None);
    desk.token(&token);
    let none =
        ["does not let this client in: it asks for a client certificate, and none was shown", "client.certificate"];
    desk.refused(&["--token-file", "token", "hosts"], &none);
    let showing = |(certificate, key): (PathBuf, PathBuf)| {
        let files = format!("token_file = \"token\"\ncertificate = {certificate:?}\nkey = {key:?}\n");
        let written = format!("[client]\nservice = {:?}\nca_file = {:?}\n{files}", desk.address, desk.ca_file);
        desk.site.write("client.toml", &written);
        Ran::of(desk.site.bare(&["--config", "client.toml", "hosts"]).output().unwrap())
    };
    let with = |number: u64, until: i32| {
        service.authority.sign_with(&format!("vera-{number}-{until}"), "vera", &[], move |params| {
            params.serial_number = Some(number.into());
            params.not_after = rcgen::date_time_ymd(until, 1, 1);
        })
    };
    let stranger = Authority::new();
    let good = showing(with(8, 2090));
    assert_eq!(good.code, 0, "{}", good.err);
    for (files, said) in [
        (with(7, 2090), "does not let this client in: the client certificate was taken back by its authority"),
        (with(8, 2021), "does not let this client in: the client certificate has expired"),
        (stranger.sign("vera", "vera", &[]), "does not let this client in: "),
    ] {
        let refused = showing(files);
        assert_eq!(refused.code, 1, "{}", refused.err);
        assert!(refused.err.contains(said) && refused.err.contains("remedy: "), "{said}: {}", refused.err);
        assert!(!refused.err.contains("was lost"), "{}", refused.err);
    }
}

/// A server that answers each request with what a function makes of its head, and closes the connection where that ends without a
/// length. It tells of every connection, by an empty text, and of every request.
fn server(path: &Path, answer: impl Fn(&str) -> String + Send + 'static) -> Receiver<String> {
    let listener = UnixListener::bind(path).unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = tell.send(String::new());
            while let Some(head) = head(&mut stream) {
                let answer = answer(&head);
                let _ = tell.send(head);
                if stream.write_all(answer.as_bytes()).is_err() || !answer.contains("content-length") {
                    break;
                }
            }
        }
    });
    told
}

/// The head of the next request; none at the end.
fn head(stream: &mut UnixStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

fn answered(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn problem(status: u16, code: &str) -> String {
    let problem = json!({
        "type": format!("urn:waypost:problem:{code}"), "title": "t", "status": status, "detail": "it is so", "code": code,
        "phase": null, "cause": "the cause", "remedy": null, "task": null,
    });
    answered(&format!("{status} Problem"), "application/problem+json", &problem.to_string())
}

/// The same answer, which says when to come again.
fn later(seconds: u32, answer: &str) -> String {
    answer.replacen("\r\n", &format!("\r\nretry-after: {seconds}\r\n"), 1)
}

/// A record as an event.
fn record(sequence: u64) -> String {
    let entry = json!({"at": "2026-01-01T00:00:00.000Z", "record": "prepared", "details": {}});
    let event = json!({"sequence": sequence, "task": "t", "number": sequence, "attempt": 1, "phase": "prepared",
        "outcome": null, "entry": entry});
    format!("id: {sequence}\nevent: record\ndata: {event}\n\n")
}

fn task() -> TaskId {
    "01981f3e-6a2b-7c10-9d53-2f6f0b7f4c11".parse().unwrap()
}

fn told_by(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let site = Site::new(TWO_HOSTS);
    let _told = server(&site.path("s"), answer);
    let ran = Ran::of(site.asking(&format!("unix:{}", site.path("s").display()), &["hosts"]).output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    ran.err
}

#[test]
fn a_server_of_another_version_or_none_at_all_is_told_apart() {
    let version = |api: &'static str| {
        move |head: &str| match head.contains("/system/version") {
            true => {
                let version = json!({"name": "waypost", "version": "9.0.0", "api": api});
                answered("200 OK", "application/json", &version.to_string())
            }
            false => problem(404, "no-such-route"),
        }
    };
    let newer = told_by(version("v2"));
    assert!(newer.contains("(Waypost 9.0.0) speaks version v2 of the API, and this program v1"), "{newer}");
    let lacking = told_by(version("v1"));
    assert!(lacking.contains("does not know GET /api/v1/hosts: it is older"), "{lacking}");
    let stranger = told_by(|_| answered("200 OK", "text/html", "<html>"));
    assert!(stranger.contains("makes no sense as a Waypost service"), "{stranger}");
    // An hour is nothing that a command waits for.
    let stopping = told_by(|_| later(3600, &problem(503, "draining")));
    assert!(stopping.contains("it is so\n  because: the cause\n  remedy: it is being stopped"), "{stopping}");
    let silent = told_by(|_| String::new());
    assert!(silent.contains("was lost: ") && silent.contains("`waypost tasks` tells"), "{silent}");
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn client(path: &Path) -> Client {
    Client::new(format!("unix:{}", path.display()).parse().unwrap(), &Credentials::default()).unwrap()
}

#[test]
fn a_connection_is_kept_and_one_that_was_closed_meanwhile_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let told = server(&path, |head| {
        let body = json!({"name": "waypost", "version": "1", "api": "v1"}).to_string();
        let answer = answered("200 OK", "application/json", &body);
        // One that does not say how long it is ends with its connection.
        if head.contains("session") { format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}") } else { answer }
    });
    in_runtime(async {
        let client = client(&path);
        assert_eq!(client.version().await.unwrap().version, "1");
        assert_eq!(client.version().await.unwrap().version, "1");
        assert!(client.whoami().await.is_err(), "that is no caller");
        assert_eq!(client.version().await.unwrap().version, "1");
    });
    let heard: Vec<String> = told.try_iter().collect();
    let connections = heard.iter().filter(|head| head.is_empty()).count();
    assert_eq!(connections, 2, "{heard:?}");
    assert!(heard[1].contains("host: waypost\r\n") && !heard[1].contains("authorization"), "{}", heard[1]);
}

#[test]
fn a_stream_goes_on_after_the_last_record_until_patience_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let told = server(&path, move |head| {
        let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        match (head.contains("last-event-id: 1\r\n"), head.contains("last-event-id: 2\r\n")) {
            // Cut in the middle of the next one.
            (false, false) => format!("{begin}{}id: 2\nevent: rec", record(1)),
            (true, _) => format!("{begin}: still here\n\n{}", record(2)),
            _ => problem(503, "draining"),
        }
    });
    in_runtime(async {
        let mut events = client(&path).events_of(task(), None).with_patience(Duration::from_millis(600));
        let mut seen = Vec::new();
        let error = loop {
            match events.next().await {
                Ok(Event::Record(record)) => seen.push(format!("record {}", record.sequence)),
                Ok(Event::Interrupted(_)) => seen.push("interrupted".into()),
                Ok(Event::Resumed) => seen.push("resumed".into()),
                Ok(Event::Progress(progress)) => panic!("{progress:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(seen, ["record 1", "interrupted", "resumed", "record 2", "interrupted"]);
        assert!(matches!(&error, ClientError::Problem { problem, .. } if problem.code == "draining"), "{error}");
        assert_eq!(events.after(), Some(2));
    });
    let tries = told.try_iter().filter(|head| head.contains("last-event-id: 2")).count();
    assert!(tries >= 1, "{tries}");
}

#[test]
fn a_stream_that_is_cut_before_its_first_record_goes_on_where_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _told = server(&path, |head| {
        let begin =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: waypost\nid: 7\n\n";
        format!("{begin}{}", if head.contains("last-event-id: 7\r\n") { record(8) } else { String::new() })
    });
    in_runtime(async {
        let mut events = client(&path).events(None);
        let first = events.next().await;
        assert!(matches!(first, Ok(Event::Interrupted(_))), "{first:?}");
        assert_eq!(events.after(), Some(7));
        assert_eq!(events.next().await.unwrap(), Event::Resumed);
        let next = events.next().await;
        assert!(matches!(&next, Ok(Event::Record(record)) if record.sequence == 8), "{next:?}");
    });
}

#[test]
fn what_is_asked_too_often_is_asked_again_where_that_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let versions = AtomicU32::new(0);
    let told = server(&path, move |head| {
        if head.contains("/hosts ") {
            return later(3600, &problem(429, "too-often"));
        }
        if head.starts_with("POST ") {
            return later(0, &problem(429, "too-often"));
        }
        if head.contains("/session ") {
            return later(0, &problem(429, "locked-out"));
        }
        match versions.fetch_add(1, Ordering::Relaxed) {
            0 => later(0, &problem(429, "too-often")),
            1 => later(0, &answered("503 Service Unavailable", "text/html", "<html>")),
            _ => {
                let version = json!({"name": "waypost", "version": "1", "api": "v1"});
                answered("200 OK", "application/json", &version.to_string())
            }
        }
    });
    in_runtime(async {
        let client = client(&path);
        assert_eq!(client.version().await.unwrap().version, "1");
        // Longer than it has patience for.
        let error = client.hosts().await.unwrap_err();
        assert!(error.may_pass() && error.code() == Some("too-often"), "{error}");
        // Twice is something else than once.
        assert!(client.retry(task()).await.unwrap_err().may_pass());
        // It would only last longer.
        assert!(!client.whoami().await.unwrap_err().may_pass());
    });
    let heard: Vec<String> = told.try_iter().collect();
    let count = |what: &str| heard.iter().filter(|head| head.contains(what)).count();
    assert_eq!((count("/version "), count("/hosts "), count("/retry "), count("/session ")), (3, 1, 1, 1), "{heard:?}");
}

#[test]
fn a_stream_that_falls_silent_is_noticed_however_often_its_listener_looks_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _told = server(&path, |head| {
        // More is promised than comes, so the connection stays as it is.
        let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n";
        format!("{begin}{}", record(if head.contains("last-event-id: 1\r\n") { 2 } else { 1 }))
    });
    in_runtime(async {
        let mut events = client(&path).events_of(task(), None);
        assert!(matches!(events.next().await.unwrap(), Event::Record(record) if record.sequence == 1));
        tokio::time::pause();
        let mut looks = 0;
        let event = loop {
            match timeout(Duration::from_secs(1), events.next()).await {
                Ok(event) => break event.unwrap(),
                Err(_) => looks += 1,
            }
            assert!(looks < 100, "it is silent, and nobody notices");
        };
        assert!(matches!(event, Event::Interrupted(_)), "{event:?}");
        tokio::time::resume();
        let mut seen = Vec::new();
        for _ in 0..2000 {
            if let Ok(event) = timeout(Duration::from_millis(5), events.next()).await {
                seen.push(event.unwrap());
            }
            if seen.len() == 2 {
                break;
            }
        }
        assert!(matches!(&seen[..], [Event::Resumed, Event::Record(record)] if record.sequence == 2), "{seen:?}");
    });
}

#[test]
fn a_stream_waits_for_a_service_that_is_just_being_started_and_for_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    in_runtime(async {
        let mut events = client(&path).events_of(task(), None);
        assert!(matches!(events.next().await.unwrap(), Event::Interrupted(_)));
        let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";
        let _told = server(&path, move |_| format!("{begin}{}", record(1)));
        assert_eq!(events.next().await.unwrap(), Event::Resumed);
        assert!(matches!(events.next().await.unwrap(), Event::Record(record) if record.sequence == 1));

        let other = dir.path().join("other");
        let _told = server(&other, |_| answered("200 OK", "text/html", "<html>"));
        let error = client(&other).events_of(task(), None).next().await.unwrap_err();
        assert!(error.to_string().contains("text/html, which is no stream of events"), "{error}");
    });
}
