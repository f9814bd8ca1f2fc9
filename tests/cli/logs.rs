//! The log: whoever reads it knows of each line that was written while a task was driven which task that was.

use super::support::{Site, TWO_HOSTS};

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
