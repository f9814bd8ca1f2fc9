//! Two real processes and one folder: who may drive, and what a killed process leaves.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use uuid::Uuid;
use waypost_core::ids::{DomainKey, HostName, Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::ports::Store as _;
use waypost_core::request::{MigrationRequest, Options};
use waypost_store::SqliteStore;

struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    fn start(folder: &Path, task: TaskId, what: &str) -> Self {
        let tests = std::env::current_exe().expect("the test's own path");
        let target = tests.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
        let mut child = Command::new(target.join("examples/drive"))
            .args([folder.as_os_str(), task.to_string().as_ref(), what.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test -p waypost-store` builds the example too");
        let says = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, says }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).expect("readable");
        line.trim_end().to_owned()
    }

    /// As `kill -9` does, and waits until the process is gone.
    fn kill(mut self) -> BufReader<ChildStdout> {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it is our child");
        self.says
    }
}

/// A folder with one task that nobody drives.
fn folder() -> (tempfile::TempDir, SqliteStore, TaskId) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&dir.path().join("state")).expect("a new store");
    let task = TaskId(Uuid::from_u128(1));
    let request = MigrationRequest {
        domain: DomainKey::Name("g1".into()),
        source: None,
        destination: HostName::new("b"),
        options: Options::default(),
        requester: "test".into(),
    };
    drop(store.create(task, Moment(0), &Record::Accepted { request }).expect("a new task"));
    (dir, store, task)
}

#[test]
fn a_second_process_gets_the_lock_when_the_first_is_killed() {
    let (dir, store, task) = folder();
    let state = dir.path().join("state");
    let mut first = Process::start(&state, task, "hold");
    assert_eq!(first.line(), "held");
    assert_eq!(Process::start(&state, task, "hold").line(), "refused");
    assert!(store.lock(task).expect("the task exists").is_none());
    // Who doesn't drive may still watch, and ask.
    store.request_cancel(task, "anna").expect("writable while another process drives");
    first.kill();
    let mut second = Process::start(&state, task, "hold");
    assert_eq!(second.line(), "held");
    drop(second.child.stdin.take());
    assert!(second.child.wait().expect("it ends").success());
    assert!(store.lock(task).expect("the task exists").is_some());
}

#[test]
fn a_killed_process_leaves_every_record_that_it_was_told_is_safe() {
    let (dir, store, task) = folder();
    let mut writer = Process::start(&dir.path().join("state"), task, "append");
    assert_eq!(writer.line(), "held");
    for number in 0..30 {
        assert_eq!(writer.line(), number.to_string());
    }
    let told = 30 + writer.kill().lines().count();
    let journal = store.journal(task).expect("whole");
    // The one more: written, and killed before it could say so.
    assert!((told..=told + 1).contains(&(journal.len() - 1)), "{told} told, {} kept", journal.len() - 1);
    for (number, (at, record)) in journal.iter().skip(1).enumerate() {
        assert_eq!(*at, Moment(number as u64));
        assert_eq!(*record, Record::CancelRequested { requester: number.to_string() });
    }
}
