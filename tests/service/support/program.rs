//! The real program on its real socket, and a plain client of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::command::{Ran, Running, Site};
use super::described;
use super::listener::Heard;

pub const SOCKET: &str = "waypost.sock";

/// `waypost serve`, listening.
pub struct Program {
    pub running: Running,
    pub socket: PathBuf,
}

impl Program {
    pub fn start(site: &Site) -> Self {
        Self::of(site.command(&["serve", "--socket", SOCKET]), site.path(SOCKET))
    }

    /// That command, which is to listen there.
    pub fn of(command: Command, socket: PathBuf) -> Self {
        let mut running = Running::of(command);
        running.wait_for_note("listening on ");
        Self { running, socket }
    }

    /// One request and its answer.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = UnixStream::connect(&self.socket).expect("the program listens");
        let length = body.len();
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let whole = format!("/api/v1{path}");
        if let Some(operation) = described::operation(method, whole.split('?').next().unwrap_or(&whole)) {
            operation.permits(status);
        }
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    /// One request whose head begins so, and whose body may be a file; what is answered is JSON.
    pub fn ask_raw(&self, head: &str, body: &[u8]) -> (u16, Value) {
        let mut stream = UnixStream::connect(&self.socket).expect("the program listens");
        let rest = format!("Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), rest.as_bytes(), body].concat()).expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    /// What a route outside of the API answers.
    pub fn text(&self, path: &str, accept: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).expect("the program listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: {accept}\r\n\r\n")
            .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body.to_owned()
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }

    pub fn migrate(&self, domain: &str, to: &str) -> String {
        let (status, body) = self.ask("POST", "/tasks", &serde_json::json!({"domain": domain, "to": to}));
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Waits by long polls until that holds of a task, which must not end before.
    pub fn until(&self, id: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let mut path = format!("/tasks/{id}");
        loop {
            let status = self.get(&path);
            if holds(&status) {
                return status;
            }
            assert_ne!(status["phase"], "ended", "{status}");
            path = format!("/tasks/{id}?since={}&wait=30", status["sequence"]);
        }
    }

    /// Listens to events after one.
    pub fn listen(&self, after: u64) -> Listening {
        let mut stream = UnixStream::connect(&self.socket).expect("the program listens");
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {after}\r\n\r\n")
            .expect("sent");
        Listening { lines: BufReader::new(stream), block: String::new() }
    }

    pub fn end(self, signal: &str) -> Ran {
        self.running.signal(signal);
        self.running.end()
    }
}

/// A stream of events. What frames the pieces on the wire is skipped: no line of an event looks like it.
pub struct Listening {
    lines: BufReader<UnixStream>,
    block: String,
}

impl Listening {
    /// The next record; none at the end of the stream.
    pub fn record(&mut self) -> Option<Heard> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("the stream can be read") == 0 {
                return None;
            }
            if line == "\n" {
                let heard = Heard::parse(&std::mem::take(&mut self.block));
                if let Some(heard) = heard.filter(|heard| heard.kind == "record") {
                    return Some(heard);
                }
            } else if line.ends_with("\r\n") {
                // The head of the answer, or the length of a piece.
            } else {
                self.block.push_str(&line);
            }
        }
    }
}
