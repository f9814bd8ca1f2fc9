//! The log: whoever reads it knows of each line that was written while a task was driven which task that was, and of a service
//! what became of each.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use super::support::{SLOW, Site, TWO_HOSTS};

/// Calls that fail, and whose failure is worth a line and nothing more.
const FAULTS: &str = r#"
[[fault]]
at = "events"
what = "error"
kind = "other"
[[fault]]
at = "put-notice"
what = "error"
kind = "other"
[[fault]]
at = "activity"
what = "error"
kind = "other"
"#;

/// Lines of the log among what went to standard error.
fn logged(err: &str) -> Vec<String> {
    let is_logged = |line: &&str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&first)
    };
    err.lines().filter(is_logged).map(str::to_owned).collect()
}

#[test]
fn every_line_about_a_task_names_it_whatever_is_filtered() {
    for (filter, expected) in [("", 1), ("waypost_engine=info", 3), ("waypost_engine=debug,waypost::policy=debug", 3)] {
        let site = Site::new(&format!("{TWO_HOSTS}{FAULTS}"));
        let mut command = site.command(&["--json", "migrate", "g1", "--to", "b", "--bandwidth", "1"]);
        if !filter.is_empty() {
            command.env("WAYPOST_LOG", filter);
        }
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{err}");
        let task = site.tasks()[0]["id"].as_str().unwrap().to_owned();
        let lines = logged(&err);
        assert!(lines.len() >= expected, "{filter:?}: {err}");
        for line in &lines {
            assert!(line.contains(&format!("task{{id={task}}}")), "{filter:?}: {line}");
        }
        assert!(lines.iter().any(|line| line.contains("no events of the source")), "{err}");
    }
}

/// A service whose standard error is a pipe of ours, as the journal's would be one of systemd's. It is killed if the test ends first.
struct Served {
    child: Child,
    lines: BufReader<PipeReader>,
    /// What was read so far.
    said: Vec<String>,
}

impl Served {
    /// What it is told of its standard error is the pipe's device, and the pipe's inode or another one.
    fn start(site: &Site, inode: impl FnOnce(u64) -> u64) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let pipe = File::from(OwnedFd::from(writer.try_clone().expect("its end"))).metadata().expect("what it is");
        let mut command = site.command(&["serve", "--socket", "waypost.sock"]);
        command.env("JOURNAL_STREAM", format!("{}:{}", pipe.dev(), inode(pipe.ino())));
        let child = command.stdout(Stdio::null()).stderr(writer).spawn().expect("waypost runs");
        // The command holds the pipe, which would never end.
        drop(command);
        let mut served = Self { child, lines: BufReader::new(reader), said: Vec::new() };
        served.until("listening on ");
        served
    }

    /// The first line with that text, which may have been read before.
    fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(line) = self.said.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).expect("a line") > 0,
                "it ended without saying {text:?}: {:?}",
                self.said
            );
            self.said.push(line.trim_end_matches('\n').to_owned());
        }
    }

    /// Ends it; answers all that it said.
    fn end(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill runs").success());
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.lines.by_ref().lines().map(Result::unwrap));
        assert!(self.child.wait().expect("it ends").success());
        said
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn migrate(site: &Site, more: &[&str]) {
    let at = format!("unix:{}", site.path("waypost.sock").display());
    let output = site.asking(&at, &[&["migrate", "g1", "--to", "b"], more].concat()).output().expect("waypost runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_clean_run_of_a_service_has_a_line_for_each_tasks_beginning_and_end() {
    for (of_the_journal, priority) in [(true, "<6>"), (false, "")] {
        let site = Site::new(TWO_HOSTS);
        let served = Served::start(&site, |inode| if of_the_journal { inode } else { inode + 1 });
        migrate(&site, &[]);
        let said = served.end();
        let task = &site.tasks()[0];
        let me = Command::new("id").arg("-un").output().unwrap().stdout;
        let (id, by) = (task["id"].as_str().unwrap(), String::from_utf8(me).unwrap().trim().to_owned());
        let told: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix(&format!("{priority} INFO "))).collect();
        assert_eq!(told.len(), 2, "{said:?}");
        assert!(told[0].starts_with(&format!("a task is accepted task={id} requester={by:?} domain=")), "{said:?}");
        let ended = format!("a task ended task={id} outcome=completed summary=\"g1 is running on b");
        assert!(told[1].starts_with(&ended), "{said:?}");
        // A note for people is none of the log's lines, and has no priority.
        assert!(said.iter().any(|line| line.starts_with("stopping; ")), "{said:?}");
    }
}

#[test]
fn a_task_that_is_left_and_one_that_is_taken_over_have_a_line() {
    let site = Site::new(SLOW);
    let served = Served::start(&site, |inode| inode);
    migrate(&site, &["--detach"]);
    let said = served.end();
    let id = site.tasks()[0]["id"].as_str().unwrap().to_owned();
    assert!(said.iter().any(|line| line.starts_with(&format!("<6> INFO a task is left; it goes on where it is adopted task={id}"))), "{said:?}");
    let mut next = Served::start(&site, |inode| inode);
    let line = next.until("nobody drove this task");
    assert!(line.starts_with("<6> INFO ") && line.contains(&format!("task={id}")), "{line}");
}
