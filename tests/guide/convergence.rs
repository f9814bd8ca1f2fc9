//! The page of the shipped convergence policies: what completes each of oVirt's schedules is what the program takes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use waypost::Config;

use super::page;

/// One of oVirt's policies, as far as its schedule is not all of it.
struct Beside {
    schedule: &'static str,
    /// Migrations that leave a host, or enter it, at once.
    at_once: u32,
    compression: &'static [&'static str],
    parallel: Option<u32>,
    zero_copy: bool,
    post_copy: bool,
}

/// From ovirt-engine's `MigrationPolicies`; `legacy` takes compression from the cluster or the domain.
const OVIRT: [Beside; 5] = [
    Beside { compression: &["xbzrle"], ..Beside::of("legacy", 2) },
    Beside::of("minimal-downtime", 2),
    Beside { compression: &["xbzrle"], ..Beside::of("suspend-workload", 1) },
    Beside { post_copy: true, ..Beside::of("post-copy", 2) },
    Beside { parallel: Some(2), zero_copy: true, ..Beside::of("very-large-vms", 1) },
];

/// The longest downtime of any of them, ms: their last step's.
const LONGEST_MS: u64 = 5000;

impl Beside {
    const fn of(schedule: &'static str, at_once: u32) -> Self {
        Self { schedule, at_once, compression: &[], parallel: None, zero_copy: false, post_copy: false }
    }
}

const FLEET: &str = "host = [{ name = 'a' }, { name = 'b' }]\ndomain = [{ name = 'g1', host = 'a' }]\n";

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The plan of a migration with these options, in a folder with a fleet and a configuration.
fn planned(folder: &Path, options: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("WAYPOST") || text.starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", folder);
    command.args(["--json", "--sim", "fleet.toml", "migrate", "g1", "--to", "b", "--dry-run"]);
    let output = command.args(options.split_whitespace()).output().expect("waypost runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{options}\n{out}\n{err}");
    let document: Value = serde_json::from_str(&out).expect("one document");
    document["plan"].clone()
}

#[test]
fn what_completes_each_schedule_of_ovirt_is_taken_as_the_page_says() {
    let page = page::text("convergence.md");
    let (_, rows) = page.split_once("| `schedule` | the request says | the configuration says |\n").expect("the table");
    let rows: Vec<Vec<&str>> = rows
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), OVIRT.len());
    let folder = tempfile::Builder::new().prefix("waypost-guide-").tempdir().expect("a folder");
    fs::write(folder.path().join("fleet.toml"), FLEET).expect("the fleet is written");
    for (row, beside) in rows.iter().zip(&OVIRT) {
        let schedule = beside.schedule;
        assert_eq!(quoted(row[1]), [schedule]);
        let text = format!(
            "state_dir = 'state'\ncache_dir = 'cache'\n{}\n[plugins]\nconvergence = 'convergence-ovirt'\n\
             [plugin.convergence-ovirt]\nsettings = {{ schedule = '{schedule}' }}\n",
            quoted(row[3]).join("\n")
        );
        let path = folder.path().join("waypost.toml");
        let config = Config::parse(&text, &path).unwrap_or_else(|error| panic!("{schedule}: {error}\n{text}"));
        let slots = &config.engine.slots;
        assert_eq!((slots.outgoing_per_host, slots.incoming_per_host), (beside.at_once, beside.at_once), "{schedule}");
        assert!(config.engine.most_downtime_ms >= LONGEST_MS, "{schedule}: its last step would become less");
        fs::write(&path, &text).expect("the configuration is written");
        let stream = planned(folder.path(), &quoted(row[2]).join(" "))["stream"].clone();
        assert_eq!(stream["compression"], json!(beside.compression), "{schedule}");
        assert_eq!(stream["parallel_connections"], json!(beside.parallel), "{schedule}");
        assert_eq!(stream["zero_copy"], json!(beside.zero_copy), "{schedule}");
        assert_eq!(stream["post_copy"], json!(beside.post_copy), "{schedule}");
    }
}
