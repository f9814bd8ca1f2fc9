//! `waypost lab`: up, used through the configuration that it writes, and down without a trace. The one test here with
//! real hosts; what they do is tested elsewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::shipped;

/// A lab that goes down with the test, however it ends.
struct AtEnd(PathBuf);

impl Drop for AtEnd {
    fn drop(&mut self) {
        waypost(&["lab", "down", "--dir", &self.0.to_string_lossy()]);
    }
}

fn waypost(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waypost")).args(words).env("NO_COLOR", "1").output().expect("waypost runs")
}

/// What it printed.
fn said(words: &[&str]) -> String {
    let output = waypost(words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "waypost {}:\n{}{}", words.join(" "), text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_lab_is_brought_up_used_and_taken_down() {
    shipped();
    let folder = tempfile::Builder::new().prefix("wl-").tempdir().expect("a folder");
    let lab = AtEnd(folder.path().join("lab"));
    let dir = lab.0.to_str().expect("UTF-8");

    let up = said(&["lab", "up", "--dir", dir]);
    assert!(up.lines().any(|line| line.starts_with("kvm2  on ")), "{up}");
    said(&["lab", "guest", "--dir", dir, "g1"]);
    assert!(said(&["lab", "status", "--dir", dir]).contains("g1 running"));
    assert_eq!(said(&["lab", "run", "--dir", dir, "kvm2", "hostname"]).trim(), "kvm2");

    let config = format!("{dir}/waypost.toml");
    let hosts = said(&["--config", &config, "hosts"]);
    assert!(hosts.lines().any(|line| line.starts_with("kvm1 ") && line.contains("1 of 1 active")), "{hosts}");
    let moved = said(&["--config", &config, "migrate", "g1", "--to", "kvm2"]);
    assert!(moved.contains("completed: g1 is running on kvm2"), "{moved}");
    let counter = said(&["lab", "counter", "--dir", dir, "g1"]);
    assert!(counter.contains(" on kvm1, ") && counter.trim_end().ends_with(" on kvm2"), "{counter}");

    let document = |words: &[&str]| -> serde_json::Value {
        serde_json::from_str(&said(&[&["--json", "lab"], words].concat())).expect("one document")
    };
    let counter = document(&["counter", "--dir", dir, "g1"]);
    assert_eq!((&counter["kind"], &counter["stays"][1]["host"]), (&"lab-counter".into(), &"kvm2".into()), "{counter}");
    let run = document(&["run", "--dir", dir, "kvm2", "hostname"]);
    assert_eq!((&run["output"], &run["status"]), (&"kvm2\n".into(), &0.into()), "{run}");
    let guest = document(&["guest", "--dir", dir, "g2", "--off"]);
    assert_eq!((&guest["state"], &guest["host"]), (&"defined".into(), &"kvm1".into()), "{guest}");

    assert!(said(&["lab", "down", "--dir", dir]).contains("nothing of it is left"));
    assert!(!Path::new(dir).exists());
    assert!(said(&["lab", "down", "--dir", dir]).contains("there is no lab"));
    let status = waypost(&["lab", "status", "--dir", dir]);
    assert_eq!(status.status.code(), Some(1));
}
