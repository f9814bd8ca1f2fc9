//! The operator's guide, and the pages for some of its subjects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use waypost::Config;

use super::folder::Folder;
use super::page::{self, What};

/// The guide itself, and its subjects that have pages of their own.
const PAGES: [&str; 5] = ["operator-guide.md", "try-it.md", "networks.md", "transfer-options.md", "settings.md"];

/// All that an operator is told of commands and options.
fn guide() -> String {
    PAGES.map(page::text).join("\n")
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_waypost")).arg("--help").output().expect("waypost runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A fleet with every key, a fault, a lab of real hosts; and the guide itself, which asks about the same fleet.
#[test]
fn what_can_be_run_works() {
    let mut folder = Folder::new();
    folder.follow(&page::blocks(&page::text("try-it.md")));
    folder.follow(&page::blocks(&page::text("operator-guide.md")));
}

/// Certificates that are made from nothing, and taken by real hosts.
#[test]
fn what_can_be_run_on_the_pages_of_a_subject_works() {
    for name in ["networks.md", "transfer-options.md", "settings.md"] {
        Folder::new().follow(&page::blocks(&page::text(name)));
    }
}

#[test]
fn the_examples_of_configurations_are_valid() {
    let mut seen = 0;
    for name in PAGES.into_iter().chain(["convergence.md", "recovery.md", "service.md"]) {
        for block in page::blocks(&page::text(name)) {
            if block.what == (What::Example { language: "toml".to_owned() }) {
                let parsed = Config::parse(&block.text, Path::new("/etc/waypost/waypost.toml"));
                parsed.unwrap_or_else(|error| panic!("{name}, line {}: {error}", block.line));
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

/// Keys of the sample with their values: `plugin.NAME.mode`, `limits.open_s`, ...
fn sample() -> BTreeMap<String, toml::Value> {
    let sample = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("waypost.toml.sample"))
        .expect("the sample can be read");
    // A line that begins with `#` and no space is a setting that is commented out.
    let set: Vec<&str> = sample
        .lines()
        .map(|line| line.strip_prefix('#').filter(|setting| !setting.starts_with([' ', '#'])).unwrap_or(line))
        .collect();
    let table: toml::Table = set.join("\n").parse().expect("the sample is TOML");
    let mut found = BTreeMap::new();
    flatten("", &toml::Value::Table(table), &mut found);
    found
}

fn flatten(path: &str, value: &toml::Value, found: &mut BTreeMap<String, toml::Value>) {
    match value {
        // A policy's own settings are its own.
        toml::Value::Table(table) if path != "plugin.NAME.settings" => {
            for (key, value) in table {
                let key = if ["plugin", "host.networks"].contains(&path) { "NAME" } else { key };
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                flatten(&path, value, found);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            items.iter().for_each(|item| flatten(path, item, found));
        }
        value => {
            found.insert(path.to_owned(), value.clone());
        }
    }
}

/// Rows of the tables of settings: key and default. A key that is there twice would hide one of its rows.
fn rows(page: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let key = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        Some((key.to_owned(), cells.get(3)?.trim_matches('`').to_owned()))
    };
    let mut rows = BTreeMap::new();
    for (key, default) in page.lines().filter_map(row) {
        assert!(rows.insert(key.clone(), default).is_none(), "{key} has two rows");
    }
    rows
}

#[test]
fn the_tables_of_settings_are_those_of_the_sample() {
    let (rows, sample) = (rows(&page::text("settings.md")), sample());
    let listed: Vec<&String> = rows.keys().collect();
    let known: Vec<&String> = sample.keys().collect();
    assert_eq!(listed, known);
    // Where the sample shows an example because there is no default, the guide says so in words.
    let shows_default = |key: &str| {
        ["limits.", "engine.", "migrations.", "plugin.NAME.limits.", "service.limits."]
            .iter()
            .any(|part| key.starts_with(part))
    };
    let mut compared = 0;
    for (key, value) in sample.iter().filter(|(key, _)| shows_default(key)) {
        assert_eq!(rows[key], value.to_string(), "{key}");
        compared += 1;
    }
    assert!(compared > 10);
    for key in ["plugins.shipped", "plugin.NAME.mode", "plugin.NAME.presence", "plugin.NAME.grants", "migration_ports"]
    {
        assert_eq!(rows[key], sample[key].to_string(), "{key}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let (guide, help) = (page::text("operator-guide.md"), help());
    let (_, codes) = help.split_once("Exit status:\n").expect("the help lists them");
    let codes: Vec<(&str, &str)> = codes.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(codes.len(), 7);
    for (code, meaning) in codes {
        assert!(guide.contains(&format!("| {code} | {meaning} |")), "exit code {code}: {meaning}");
    }
}

#[test]
fn every_command_is_in_the_guide() {
    let (guide, help) = (page::text("operator-guide.md"), help());
    let (_, commands) = help.split_once("Commands:\n").expect("the help lists them");
    let names = commands.lines().take_while(|line| !line.is_empty());
    let names: Vec<&str> = names
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(guide.contains(&format!("| `waypost {name}")), "{name} is not in the table of commands");
    }
}

#[test]
fn every_option_of_a_migration_is_in_the_guide() {
    let guide = guide();
    let output = Command::new(env!("CARGO_BIN_EXE_waypost")).args(["migrate", "--help"]).output().expect("the command");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let options: BTreeSet<&str> =
        help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2).collect();
    assert!(options.len() > 40, "{options:?}");
    for option in options.iter().map(|option| option.trim_end_matches([',', '.', ';', ')'])) {
        assert!(guide.contains(option), "{option} is not in the guide");
    }
}

/// Which option stands for what of libvirt's is in the guide, so nothing of libvirt's may be missing there.
#[test]
fn every_flag_and_parameter_of_libvirt_is_in_the_guide() {
    let guide = page::text("transfer-options.md");
    let names = include_str!("../../host/libvirt/src/transfer/order/tests/libvirt-9.0.txt");
    let mut compared = 0;
    for line in names.lines() {
        let name = line.split(' ').nth(1).expect("a name");
        // `compression.mt.threads` is told as `.threads`.
        let short = name.rsplit_once('.').map_or(name, |(_, last)| last);
        let told =
            guide.contains(&format!("`{name}`")) || (name.contains('.') && guide.contains(&format!("`.{short}`")));
        assert!(told, "{line} is not in the guide");
        compared += 1;
    }
    assert!(compared > 40);
}
