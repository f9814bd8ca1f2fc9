//! The manual pages: one for each command, and nothing in them that groff stumbles over.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use super::support::{Site, TWO_HOSTS};

/// The commands below one, as its help lists them.
fn below(site: &Site, words: &[&str]) -> Vec<String> {
    let help = site.expect(0, &[words, &["--help"]].concat()).out;
    let Some((_, listed)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A description that is wrapped goes on further to the right.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()));
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_page_and_every_page_a_command() {
    let site = Site::new(TWO_HOSTS);
    let mut expected = BTreeSet::from(["waypost.1".to_owned()]);
    for command in below(&site, &[]) {
        expected.insert(format!("waypost-{command}.1"));
        expected.extend(below(&site, &[&command]).iter().map(|deeper| format!("waypost-{command}-{deeper}.1")));
    }
    assert!(expected.len() > 20, "{expected:?}");
    site.expect(0, &["man", "--dir", "pages/man1"]);
    let made = fs::read_dir(site.path("pages/man1")).expect("the pages").flatten();
    let made: BTreeSet<String> = made.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(made, expected);
    let page = fs::read_to_string(site.path("pages/man1/waypost-migrate.1")).expect("a page");
    assert!(page.contains(".SH SYNOPSIS") && page.contains("bandwidth") && page.contains("Waypost"), "{page}");
    // groff is on every machine that has man; one that has neither shows no pages.
    if Command::new("groff").arg("--version").output().is_err() {
        // Past the test's own output, which nobody sees of one that passes.
        writeln!(std::io::stderr(), "not proven here: that groff takes the manual pages as they are (no groff)")
            .expect("standard error takes it");
        return;
    }
    for name in made {
        let page = site.path("pages/man1").join(&name);
        let ran = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output().expect("groff runs");
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{name}");
    }
}
