//! `waypost serve` as it is run: its socket, who may have it, what signals do, and other processes beside it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use waypost::service::Limits;
use waypost::service::socket::Socket;

use super::support::command::{self, SLOW, TWO_HOSTS};
use super::support::{Program, Site};

#[test]
fn it_serves_whoever_may_have_its_socket_and_notes_who_asks() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    let mode = fs::metadata(&program.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(program.get("/system/version")["name"], "waypost");
    assert_eq!(program.get("/system/ready")["ok"], true);
    let plugins = program.get("/plugins");
    assert!(plugins["plugins"].as_array().unwrap().iter().any(|plugin| plugin["name"] == "precheck-cpu"), "{plugins}");
    let id = program.migrate("g1", "b");
    let ended = program.until(&id, |status| status["phase"] == "ended");
    assert_eq!(ended["status"], "completed", "{ended}");
    // Each time is there once it has come, in the order of things.
    let times: Vec<&str> = ["created_at", "started_at", "ended_at"].map(|key| ended[key].as_str().unwrap()).into();
    assert!(times.is_sorted(), "{ended}");
    let refused = program.migrate("pinned", "b");
    let refused = program.until(&refused, |status| status["phase"] == "ended");
    assert!(refused["started_at"].is_null() && refused["ended_at"].is_string(), "{refused}");
    let whoami = std::process::Command::new("id").arg("-un").output().unwrap();
    assert_eq!(ended["requested_by"], String::from_utf8(whoami.stdout).unwrap().trim());
    // The same documents as the command's.
    let mut by_command = site.document(0, &["task", &id]);
    by_command.as_object_mut().unwrap().retain(|key, _| key != "api" && key != "kind");
    assert_eq!(program.get(&format!("/tasks/{id}/records")), by_command);
    // Through a forwarded port a page of any name could be led here, and the connection would prove it.
    for (host, expected) in [("localhost:8080", "200"), ("[::1]:8080", "200"), ("evil.example:8080", "403")] {
        let mut stream = UnixStream::connect(&program.socket).unwrap();
        write!(stream, "GET /api/v1/hosts HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{host}: {answer}");
    }
    let (status, dry_run) = program.ask("POST", "/dry-runs", &json!({"domain": "g2", "to": "b"}));
    assert_eq!(status, 404, "{dry_run}");
    let (_, dry_run) = program.ask("POST", "/dry-runs", &json!({"domain": "off", "to": "b"}));
    let printed = site.document(0, &["migrate", "off", "--to", "b", "--dry-run"]);
    assert_eq!(dry_run["choices"], printed["choices"]);
    let socket = program.socket.clone();
    let ran = program.end("TERM");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!socket.exists());
}

#[test]
fn each_cell_of_the_readiness_says_what_was_found_by_whom_and_what_to_do() {
    let site = command::Site::new(
        r#"
        host = [{ name = "a" }, { name = "b" }, { name = "arm", architecture = "aarch64" }]
        domain = [{ name = "g1", host = "a" }]
        "#,
    );
    let program = Program::start(&site);
    let readiness = program.get("/readiness");
    let row = &readiness["rows"][0];
    assert_eq!((&row["domain"]["name"], &row["domain"]["host"]), (&"g1".into(), &"a".into()), "{readiness}");
    let cell = |to: &str| row["verdicts"].as_array().unwrap().iter().find(|cell| cell["destination"] == to).unwrap();
    assert_eq!(cell("b")["decision"], "allowed", "{readiness}");
    let refused = cell("arm");
    assert_eq!(refused["decision"], "refused", "{readiness}");
    let found = refused["findings"].as_array().unwrap().iter().find(|found| found["code"] == "architecture-differs");
    let expected = json!({
        "code": "architecture-differs",
        "severity": "blocker",
        "weight": "blocker",
        "message": "arm is a aarch64 host, the domain runs on x86_64.",
        "evidence": [
            {"name": "domain", "value": "x86_64"},
            {"name": "source", "value": "x86_64"},
            {"name": "destination", "value": "aarch64"},
        ],
        "remedy": "Choose a destination of architecture x86_64.",
        "plugin": "precheck-architecture",
        "mode": "enforce",
    });
    assert_eq!(found, Some(&expected), "{readiness}");
    // The same words as those of a check.
    let (_, check) = program.ask("POST", "/checks", &json!({"domain": "g1", "to": ["arm"]}));
    assert_eq!(check["verdicts"][0]["findings"], refused["findings"]);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_proxy_under_its_own_name_is_answered_where_the_site_lists_it() {
    let site = command::Site::with(TWO_HOSTS, "[service]\nnames = ['dash.example']\n");
    let program = Program::start(&site);
    let ask = |method: &str, host: &str, more: &str| {
        let mut stream = UnixStream::connect(&program.socket).unwrap();
        let end = "Connection: close\r\nContent-Length: 0\r\n\r\n";
        write!(stream, "{method} /api/v1/hosts HTTP/1.1\r\nHost: {host}\r\n{more}{end}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for (host, expected) in [
        ("dash.example", "200"),
        ("DASH.example:8443", "200"),
        ("localhost", "200"),
        ("x.dash.example", "403"),
        ("dash.example.evil", "403"),
        ("dash.example.", "403"),
        ("dash.example:x", "403"),
        ("evil.example", "403"),
    ] {
        assert_eq!(ask("GET", host, ""), expected, "{host}");
    }
    // A change by a page of that name, and by one of another that has its browser ask under it.
    assert_eq!(ask("POST", "dash.example", "Origin: https://dash.example\r\n"), "405");
    assert_eq!(ask("POST", "dash.example", "Origin: https://evil.example\r\n"), "403");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_second_server_is_refused_and_a_killed_one_is_replaced() {
    let site = command::Site::new(TWO_HOSTS);
    let first = Program::start(&site);
    let second = site.expect(1, &["serve", "--socket", "waypost.sock"]);
    assert!(second.err.contains("another server listens on "), "{}", second.err);
    assert_eq!(first.get("/system/health")["ok"], true, "the first one is as it was");
    let socket = first.socket.clone();
    first.end("KILL");
    assert!(socket.exists(), "nobody was there to remove it");
    let third = Program::start(&site);
    assert_eq!(third.get("/system/health")["ok"], true);
    assert_eq!(third.end("INT").code, 0);
}

#[test]
fn a_signal_leaves_the_transfer_and_the_next_start_brings_it_to_its_end() {
    let site = command::Site::new(SLOW);
    let program = Program::start(&site);
    let id = program.migrate("g1", "b");
    let mut seen = Vec::new();
    program.until(&id, |status| {
        seen.push(status["progress"].as_f64().unwrap());
        status["progress"].as_f64().unwrap() > 0.0
    });
    let mut listening = program.listen(0);
    let mut heard: Vec<u64> = Vec::new();
    while heard.len() < 3 {
        heard.extend(listening.record().unwrap().id);
    }
    let ran = program.end("TERM");
    assert_eq!(ran.code, 0, "{}", ran.err);
    while let Some(record) = listening.record() {
        heard.extend(record.id);
    }
    assert_eq!(site.tasks()[0]["outcome"], Value::Null, "the task is not over");

    let program = Program::start(&site);
    // Simulated hosts live and die with a process: the new one finds hosts without a transfer, and says so.
    let ended = program.until(&id, |status| {
        seen.push(status["progress"].as_f64().unwrap());
        status["phase"] == "ended"
    });
    assert_eq!(ended["status"], "rolled-back", "{ended}");
    assert!(ended["message"].as_str().unwrap().contains("g1 is running on a"), "{ended}");
    assert!(seen.is_sorted(), "{seen:?}");
    let mut listening = program.listen(*heard.last().unwrap());
    while heard.last() != ended["sequence"].as_u64().as_ref() {
        heard.extend(listening.record().unwrap().id);
    }
    let all: Vec<u64> = (1..=ended["sequence"].as_u64().unwrap()).collect();
    assert_eq!(heard, all);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn what_the_command_does_beside_it_is_heard() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    let mut listening = program.listen(0);
    site.expect(0, &["migrate", "g1", "--to", "b"]);
    let id = site.tasks()[0]["id"].as_str().unwrap().to_owned();
    let mut heard = Vec::new();
    loop {
        let record = listening.record().unwrap();
        heard.extend(record.id);
        if record.ends(&id) {
            break;
        }
    }
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    assert_eq!(program.get(&format!("/tasks/{id}"))["status"], "completed");
    // A client that listens is no reason to stay.
    assert_eq!(program.end("TERM").code, 0);
    assert!(listening.record().is_none());
}

#[test]
fn a_start_can_be_tried_without_starting() {
    let site = command::Site::new(TWO_HOSTS);
    let fine = site.document(0, &["serve", "--socket", "run/waypost.sock", "--check"]);
    assert_eq!((&fine["problems"], &fine["notes"]), (&json!([]), &json!([])), "{fine}");
    assert!(!site.path("run").exists(), "nothing is made");
    site.write("a-file", "mine");
    let wrong = site.document(1, &["serve", "--socket", "a-file", "--check"]);
    assert!(wrong["problems"][0].as_str().unwrap().contains("is no socket"), "{wrong}");
    let program = Program::start(&site);
    let there = site.document(0, &["serve", "--socket", "waypost.sock", "--check"]);
    assert!(there["notes"][0].as_str().unwrap().contains("a server listens on "), "{there}");
    assert_eq!(program.end("TERM").code, 0);
    let site = command::Site::with(TWO_HOSTS, "[plugins]\nrecovery = 'nobody'\n");
    let wrong = site.document(1, &["serve", "--socket", "waypost.sock", "--check"]);
    assert!(wrong["problems"][0].as_str().unwrap().contains("nobody"), "{wrong}");
}

#[test]
fn a_client_that_never_ends_its_request_is_let_go() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("waypost.sock");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = {
        let path = path.clone();
        runtime.spawn(async move {
            let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
            let site = Site::new(TWO_HOSTS).with_limits(limits.clone());
            let service = site.service();
            let socket = Socket::bind(&path).unwrap();
            socket.serve(&service, &limits, async { drop(stopped.await) }).await;
            service.drain(Duration::from_secs(1)).await;
        })
    };
    let mut stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    stream.write_all(b"GET /api/v1/system/version HTTP/1.1\r\nHost: loc").unwrap();
    // Read to the end of the connection, which only the other side can end.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap();
}
