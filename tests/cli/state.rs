//! `waypost state`: what a backup is, what becomes of one that can't be finished, what a restore brings back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::support::{Site, TWO_HOSTS};

#[test]
fn the_audit_log_is_pruned_by_age_and_number_and_says_so_itself() {
    let site = Site::new(TWO_HOSTS);
    for name in ["one", "two", "three"] {
        site.expect(0, &["token", "create", "--name", name, "--role", "viewer"]);
    }
    // By default nothing that is not more than a year old.
    let nothing = site.document(0, &["audit", "prune"]);
    let told = (&nothing["kind"], &nothing["entries"], &nothing["left"], &nothing["number"]);
    assert_eq!(told, (&"audit-pruned".into(), &0.into(), &3.into(), &serde_json::Value::Null), "{nothing}");
    let some = site.document(0, &["audit", "prune", "--keep", "2", "--reason", "the disk is full"]);
    assert_eq!((&some["entries"], &some["left"]), (&1.into(), &3.into()), "{some}");
    let audit = site.document(0, &["audit"]);
    let told: Vec<_> = audit["entries"].as_array().expect("entries").iter().map(|entry| &entry["what"]).collect();
    assert_eq!(told, ["audit prune", "token create", "token create"]);
    let entry = &audit["entries"][0];
    assert_eq!((&entry["number"], &entry["reason"]), (&some["number"], &"the disk is full".into()), "{entry}");
    assert!(entry["details"].as_str().is_some_and(|text| text.contains(r#""entries":1"#)), "{entry}");
    let all = site.expect(0, &["audit", "prune", "--older-than", "0m"]);
    assert!(all.out.starts_with("3 entries of the audit log are forgotten: those before "), "{}", all.out);
    assert!(all.out.trim_end().ends_with("; 1 are left"), "{}", all.out);
    for wrong in [&["audit", "prune", "--older-than", "soon"][..], &["audit", "--limit", "1", "prune"]] {
        site.expect(2, wrong);
    }
}

#[test]
fn a_state_is_backed_up_pruned_and_restored() {
    let site = Site::new(TWO_HOSTS);
    assert!(site.expect(1, &["state", "backup", "early.db"]).err.contains("there is no state yet"));
    // On the clock by which tasks grow old; virtual time runs ahead of it.
    site.expect(0, &["--pace", "real", "migrate", "g1", "--to", "b"]);
    site.expect(3, &["migrate", "pinned", "--to", "b"]);
    let made = site.document(0, &["state", "backup", "b.db"]);
    assert_eq!(
        (&made["kind"], &made["tasks"], &made["unfinished"]),
        (&"backup".into(), &2.into(), &0.into()),
        "{made}"
    );
    let file = fs::metadata(site.path("b.db")).expect("the backup");
    assert_eq!((file.permissions().mode() & 0o777, made["bytes"].as_u64()), (0o600, Some(file.len())));
    let again = site.expect(1, &["state", "backup", "b.db"]);
    assert!(again.err.contains("is there already"), "{}", again.err);
    let before = site.tasks();
    let id = before[0]["id"].as_str().expect("an id").to_owned();
    let record = site.document(0, &["task", &id]);

    assert_eq!(site.document(0, &["state", "prune", "--older-than", "1h"])["tasks"], 0);
    let pruned = site.document(0, &["state", "prune", "--older-than", "0m"]);
    assert_eq!((&pruned["tasks"], &pruned["kept"]), (&2.into(), &0.into()), "{pruned}");
    assert!(pruned["facts"].as_u64() > Some(0), "{pruned}");
    assert_eq!(site.tasks(), [] as [serde_json::Value; 0]);

    let restored = site.document(0, &["state", "restore", "b.db"]);
    assert_eq!((&restored["tasks"], &restored["unfinished"]), (&2.into(), &0.into()), "{restored}");
    assert_eq!((&restored["queued"], &restored["policies"]), (&0.into(), &0.into()), "{restored}");
    assert!(restored["replaced"].as_str().is_some_and(|folder| folder.ends_with("replaced-1")), "{restored}");
    assert_eq!(site.tasks(), before);
    assert_eq!(site.document(0, &["task", &id]), record, "down to the last record");
    let said = site.expect(0, &["state", "restore", "b.db"]);
    assert!(
        said.out.contains("2 tasks, 0 of them not over, and 0 uploaded or changed policies, are on record"),
        "{}",
        said.out
    );
    assert!(said.err.contains("replaced-2"), "{}", said.err);
    // Other folders than the simulated one were never touched.
    assert_eq!(fs::read_dir(site.path("state")).expect("the state").count(), 1);
}

#[test]
fn a_backup_for_which_there_is_no_room_leaves_nothing() {
    let site = Site::new(TWO_HOSTS);
    site.expect(0, &["migrate", "g1", "--to", "b"]);
    let size = site.document(0, &["state", "backup", "whole.db"])["bytes"].as_u64().expect("a size");
    // Half of what is needed, in bash's units of a KiB; the signal that would end the process is turned away.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", size / 2048);
    let plain = site.command(&["state", "backup", "half.db"]);
    let mut limited = Command::new("bash");
    limited.args(["-c", &script, "bash"]).arg(plain.get_program()).args(plain.get_args());
    limited.current_dir(site.path("")).env("HOME", site.path(""));
    let output = limited.output().expect("bash runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("half.db") && err.contains("can't be written"), "{err}");
    let left: Vec<String> = fs::read_dir(site.path(""))
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("half"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_age_needs_its_unit() {
    let site = Site::new(TWO_HOSTS);
    for age in ["90", "", "d", "-1d", "1.5h", "99999999999999999999w"] {
        let err = site.expect(2, &["state", "prune", &format!("--older-than={age}")]).err;
        assert!(err.contains("a number with its unit") || err.contains("a value is required"), "{age}: {err}");
    }
    let err = site.expect(2, &["state", "prune"]).err;
    assert!(err.contains("--older-than"), "{err}");
}
