//! `check` and `migrate --dry-run`: what the rules say, and nothing touched.

use super::support::{Site, TWO_HOSTS};

#[test]
fn an_open_destination_is_done() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(0, &["check", "g1", "--to", "b"]);
    assert!(ran.out.starts_with("g1 is running on a\nto b: allowed"), "{}", ran.out);
}

#[test]
fn the_notes_of_a_plan_are_told_to_people_too() {
    let site = Site::new(TWO_HOSTS);
    let out = site.expect(0, &["check", "g1", "--to", "b"]).out;
    let check = site.document(0, &["check", "g1", "--to", "b"]);
    let notes = check["verdicts"][0]["plan"]["notes"].as_array().expect("notes");
    assert!(!notes.is_empty(), "{check:#}");
    for note in notes {
        let line = format!("to b: note: {}", note.as_str().expect("words"));
        assert!(out.lines().any(|told| told == line), "{line}:\n{out}");
    }
}

#[test]
fn what_is_found_of_a_way_has_the_address_the_port_and_the_answer() {
    let fleet = TWO_HOSTS.replacen("name = \"a\"", "name = \"a\"\nways = { b = \"no-way\" }", 1);
    let site = Site::new(&fleet);
    let out = site.expect(3, &["check", "g1", "--to", "b"]).out;
    assert!(out.contains("a does not reach b where the daemons' connection would go"), "{out}");
    assert!(out.contains("way to b port 16514: no-way"), "{out}");
}

#[test]
fn a_blocker_refuses_with_evidence_and_remedy() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(3, &["check", "pinned", "--to", "b"]);
    assert!(ran.out.contains("to b: refused by 1 blocker"), "{}", ran.out);
    let blocker = ran.out.lines().position(|line| line.trim_start().starts_with("blocker")).expect("a blocker");
    let after: Vec<_> = ran.out.lines().skip(blocker + 1).take(2).collect();
    assert!(after[0].contains("0000:03:00.0"), "{}", ran.out);
    assert!(after[1].trim_start().starts_with("remedy: "), "{}", ran.out);
}

#[test]
fn all_destinations_make_a_table() {
    let fleet = format!("{TWO_HOSTS}\n[[host]]\nname = \"arm\"\narchitecture = \"aarch64\"\n");
    let site = Site::new(&fleet);
    let ran = site.expect(0, &["check", "g1", "--all"]);
    let row = |name: &str| ran.out.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("b ").contains("allowed"), "{}", ran.out);
    assert!(row("arm ").contains("refused by"), "{}", ran.out);
    let check = site.document(0, &["check", "g1"]);
    assert_eq!(check["verdicts"][0]["decision"], "allowed");
    assert_eq!(check["verdicts"][0]["plan"]["mode"], "live");
    assert_eq!(check["verdicts"][1]["decision"], "refused");
    assert_eq!(check["verdicts"][1]["plan"], serde_json::Value::Null);
    let codes: Vec<_> =
        check["verdicts"][1]["findings"].as_array().expect("findings").iter().map(|f| f["code"].clone()).collect();
    assert!(codes.contains(&"architecture-differs".into()), "{codes:?}");
    assert!(!check["decisions"].as_array().expect("decisions").is_empty());
}

#[test]
fn a_dry_run_tells_every_choice_and_touches_nothing() {
    let site = Site::new(TWO_HOSTS);
    let words =
        ["migrate", "g1", "--to", "b", "--name", "g2", "--bandwidth", "50", "--keep-source", "--paused", "--dry-run"];
    let ran = site.expect(0, &words);
    for choice in [
        "move g1 from a to b, live, with its memory",
        "name it g2 on b",
        "leave it paused there",
        "define it on b",
        "keep its definition on a, without autostart",
        "at most 50 MiB/s",
        "abort if it takes longer than 6 h 0 min",
        "nothing was touched",
    ] {
        assert!(ran.out.contains(choice), "{choice}:\n{}", ran.out);
    }
    assert_eq!(site.document(0, &words)["plan"]["bandwidth_mib_s"], 50);
    assert!(site.expect(3, &["migrate", "pinned", "--to", "b", "--dry-run"]).out.contains("refused by"));
    assert!(site.tasks().is_empty());
}

#[test]
fn without_any_policy_nothing_is_allowed() {
    let site = Site::with(TWO_HOSTS, "[plugins]\nshipped = false\n");
    let check = site.document(3, &["check", "g1", "--to", "b"]);
    assert_eq!(check["verdicts"][0]["findings"][0]["code"], "no-precheck-loaded");
}

#[test]
fn an_advising_policy_warns_and_a_shadow_is_not_shown() {
    let site = Site::with(TWO_HOSTS, "[plugin.precheck-passthrough]\nmode = \"advise\"\n");
    assert!(site.expect(0, &["check", "pinned", "--to", "b"]).out.contains("allowed with 1 warning"));
    let site = Site::with(TWO_HOSTS, "[plugin.precheck-passthrough]\nmode = \"shadow\"\n");
    assert!(!site.expect(0, &["check", "pinned", "--to", "b"]).out.contains("0000:03:00.0"));
    let check = site.document(0, &["check", "pinned", "--to", "b"]);
    let shadow = check["verdicts"][0]["findings"].as_array().expect("findings").iter().find(|f| f["mode"] == "shadow");
    assert_eq!(shadow.expect("programs are told")["severity"], "blocker");
}
