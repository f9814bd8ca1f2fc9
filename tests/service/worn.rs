//! Who wears the service down, or writes where only the service writes: slowly, at great length, or with signs that end a line.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use waypost::service::{Access, Limits};

use super::support::command;
use super::support::{Authority, Back, Kept, OnPort, Program};

/// Sends bytes one by one, each soon after the one before, until the other side has had enough; answers what came back.
fn drip(service: &OnPort, beginning: &str, byte: u8) -> Option<Back> {
    let mut stream = service.client().connect();
    stream.write_all(beginning.as_bytes()).unwrap();
    stream.flush().unwrap();
    stream.sock.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend(&piece[..read]),
            // Nothing yet: one more byte, which is what makes it slow and not silent.
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                // Whoever has closed the connection may have said something before, which is read next.
                let _ = stream.write_all(&[byte]).and_then(|()| stream.flush());
            }
            Err(_) => break,
        }
    }
    Back::of(&answer)
}

#[test]
fn a_head_that_comes_byte_by_byte_is_let_go_at_its_time() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    // Each byte comes long before the head's time is over, and none of them begins it anew.
    let ended = drip(&service, "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b'x').expect("a word");
    assert_eq!((ended.status, ended.header("connection")), (408, Some("close")), "{ended:?}");
    assert_eq!(service.client().get("/session", &service.admin()).status, 200, "and everybody else is served");
}

#[test]
fn who_says_nothing_is_let_go_without_a_word() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    let client = service.client();
    assert!(Kept::open(&client).closed(), "before its first request");
    let mut kept = Kept::open(&client);
    let admin = format!("Authorization: Bearer {}", service.admin());
    assert_eq!(kept.get("/session", &[&admin]).status, 200);
    assert!(kept.closed(), "a 408 would be taken for the answer to the next request");
}

#[test]
fn a_body_that_comes_byte_by_byte_is_too_slow_at_the_requests_time() {
    let limits = Limits { request_time: Duration::from_secs(1), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    let admin = service.admin();
    // One route that is noted before it is done, one that changes nothing, and one that takes a place before its body is read.
    for (method, path) in [("POST", "/api/v1/tasks"), ("POST", "/api/v1/checks"), ("PUT", "/api/v1/plugins/mine")] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\
             Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
        );
        drip(&service, &head, b' ').expect("an answer").problem(504, "too-slow");
    }
    let audit = service.client().get("/audit", &admin).json(200);
    assert_eq!(audit["entries"], json!([]), "what was never asked in full was never noted");
}

/// Sends a head over the socket, where one read may take more of it than over TLS; answers what came back until it was closed.
fn head_over_the_socket(program: &Program, head: &str) -> Back {
    let mut stream = UnixStream::connect(&program.socket).unwrap();
    // Who is refused before the last byte was read may find the connection broken behind the answer.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Back::of(&answer).expect("an answer")
}

#[test]
fn a_head_may_have_so_many_lines_and_bytes_and_not_one_more() {
    let site = command::Site::new(command::TWO_HOSTS);
    let program = Program::start(&site);
    let begun = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let path = "/api/v1/system/version";
    let lines = |more: usize| {
        let more: String = (0..more).map(|n| format!("X-{n}: a\r\n")).collect();
        format!("{}{more}\r\n", begun(path))
    };
    let bytes = |whole: usize| {
        let head = format!("{}X-Large: ", begun(path));
        format!("{head}{}\r\n\r\n", "x".repeat(whole - head.len() - 4))
    };
    let long = |more: usize| format!("{}\r\n", begun(&format!("/api/v1/{}", "x".repeat(more))));
    for (what, head, status) in [
        ("100 lines", lines(98), 200),
        ("101 lines", lines(99), 431),
        ("64 KiB", bytes(64 << 10), 200),
        ("64 KiB and a byte", bytes((64 << 10) + 1), 431),
        ("64 KiB and many more", bytes(100 << 10), 431),
        ("a path as long as a head may be", long((64 << 10) - 100), 404),
        ("a path that is longer", long(64 << 10), 431),
    ] {
        let back = head_over_the_socket(&program, &head);
        assert_eq!(back.status, status, "{what}: {}", back.head);
        // What is refused before there is a request is no problem in JSON.
        assert_eq!(back.body.is_empty(), status == 431, "{what}: {back:?}");
    }
    assert_eq!(program.end("TERM").code, 0);
}

/// What would be a header of an answer, a line of the log, or a colour on a terminal.
const FORGED: [&str; 4] = ["x\r\nSet-Cookie: forged=1", "x\nERROR forged", "x\rERROR forged", "x\u{1b}[31mforged"];

/// What whoever owns a guest writes into its definition is a text here, whatever an XML parser would make of it.
#[test]
fn a_guest_whose_definition_is_a_bomb_is_told_as_it_is_and_judged() {
    let mut laughs = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a0 'ha'>".to_owned();
    for level in 1..30 {
        laughs.push_str(&format!("<!ENTITY a{level} '&a{};&a{};'>", level - 1, level - 1));
    }
    laughs.push_str("]><x:laughs xmlns:x='https://evil.example/'>&a29;</x:laughs>");
    let bomb = format!(
        "\n[[domain]]\nname = \"bomb\"\nhost = \"a\"\n[domain.metadata]\n\"https://evil.example/\" = \"\"\"{laughs}\"\"\"\n"
    );
    let site = command::Site::new(&format!("{}{bomb}", command::TWO_HOSTS));
    let program = Program::start(&site);
    let (back, _) = ask(&program, "GET", "/api/v1/hosts/a/domains/bomb/facts", &[], &Value::Null);
    assert_eq!(back.status, 200, "{back:?}");
    assert!(
        back.body.contains("&a29;") && back.body.len() < 64 << 10,
        "a billion of them would be gibibytes: {back:?}"
    );
    let (back, _) = ask(&program, "POST", "/api/v1/checks", &[], &json!({"domain": "bomb", "to": ["b"]}));
    let report = back.json(200);
    assert_eq!(report["verdicts"][0]["decision"], "allowed", "{report}");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn no_name_becomes_a_header_or_a_line_of_the_log() {
    let site = command::Site::with(command::TWO_HOSTS, "[service.kimchi]\nenabled = true\n");
    let mut command = site.command(&["serve", "--socket", super::support::SOCKET]);
    command.env("WAYPOST_LOG", "debug");
    let program = Program::of(command, site.path(super::support::SOCKET));
    let mut tasks = Vec::new();
    for forged in FORGED {
        let bodies = [
            // A name is only looked for once the task runs, which says that there is none.
            ("/api/v1/tasks", json!({"domain": forged, "to": "b"}), 202),
            ("/api/v1/tasks", json!({"domain": "g1", "from": "a", "to": forged}), 422),
            ("/api/v1/tasks", json!({"domain": "off", "to": "b", "options": {"destination_name": forged}}), 202),
            ("/api/v1/checks", json!({"domain": forged, "to": [forged]}), 404),
            ("/vms/g2/migrate", json!({"remote_host": forged, "user": forged}), 400),
        ];
        for (path, body, status) in bodies {
            let (back, head) = ask(&program, "POST", path, &[], &body);
            assert!(!head.contains("forged"), "{path}: {head}");
            assert_eq!(back.status, status, "{path}: {back:?}");
            if back.status == 202 {
                tasks.push(back.json(202)["id"].as_str().unwrap().to_owned());
            }
        }
        let escaped: String = forged.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for (path, status) in [
            (format!("/api/v1/tasks/{escaped}"), 404),
            (format!("/api/v1/hosts/{escaped}/domains"), 404),
            (format!("/vms/{escaped}/migrate"), 405),
            (format!("/{escaped}"), 404),
            (format!("/api/v1/tasks?domain={escaped}"), 200),
        ] {
            let (back, head) = ask(&program, "GET", &path, &[], &Value::Null);
            assert!(!head.contains("forged"), "{path}: {back:?}");
            assert_eq!(back.status, status, "{path}: {back:?}");
        }
    }
    // A header that holds such a sign is none.
    for header in ["Waypost-Reason: x\rERROR forged", "Idempotency-Key: x\rERROR forged", "User-Agent: x\0forged"] {
        let (back, _) = ask(&program, "GET", "/api/v1/hosts", &[header], &Value::Null);
        assert_eq!(back.status, 400, "{header:?}: {back:?}");
    }
    // Their drivers write into the log, too.
    for task in &tasks {
        program.until(task, |status| status["phase"] == "ended");
    }
    let ran = program.end("TERM");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.lines().count() > 10, "it tells what it does: {}", ran.err);
    for line in ran.err.lines() {
        assert!(!line.starts_with("ERROR forged") && !line.starts_with("Set-Cookie"), "{line:?}");
        assert!(!line.contains(['\r', '\u{1b}']), "{line:?}");
    }
}

/// One request over the socket; answers it, and its head as it was.
fn ask(program: &Program, method: &str, path: &str, headers: &[&str], body: &Value) -> (Back, String) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let mut stream = UnixStream::connect(&program.socket).unwrap();
    write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let back = Back::of(&answer).expect("an answer");
    let head = back.head.clone();
    (back, head)
}
