//! The tables of the page on recovery against the functions that they describe: every situation of a kind that the tables
//! have a word for, in every plan that makes a difference. And what the page says of the tests that reach each row between real
//! hosts, against the tables and those tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use uuid::Uuid;
use waypost::core::facts::DomainState;
use waypost::core::phase::{Event, Phase, next};
use waypost::core::plan::{Before, DestinationFate, End, Plan, RunState, SourceFate, TransferMode};
use waypost::core::situation::{DiskErrors, Observed, Side, Situation, permitted};
use waypost::core::stream::Stream;

use super::page;

const SOURCE: Uuid = Uuid::from_u128(1);
const DESTINATION: Uuid = Uuid::from_u128(2);

/// The cells of the rows under a heading.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, after) = page.split_once(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let table: Vec<&str> =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).collect();
    assert!(table.len() > 2, "{heading} has no table");
    let cells =
        |line: &&str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<String>>();
    // Below its head and the line under that.
    table[2..].iter().map(cells).collect()
}

#[test]
fn the_table_of_phases_is_what_the_program_does() {
    let rows = rows(&page::text("recovery.md"), "Phases");
    let phases: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(phases, Phase::ALL.iter().map(|phase| phase.as_str()).collect::<Vec<_>>());
    for (row, phase) in rows.iter().zip(Phase::ALL) {
        let may = next(*phase, Event::ActionIntended).is_ok();
        assert_eq!(row[1], if may { "yes" } else { "no" }, "{phase}");
    }
}

/// Whether the word of a table fits what a host shows.
fn fits(word: &str, side: &Side) -> bool {
    let seen = match side {
        Side::Unknown(_) => return matches!(word, "any" | "unknown"),
        Side::Absent { .. } => return matches!(word, "any" | "absent" | "off"),
        Side::Present(seen) => seen,
    };
    let (state, reason) = (seen.state, seen.reason.as_str());
    let off = state == DomainState::ShutOff;
    let whole = !reason.starts_with("post-copy");
    let paused = state == DomainState::Paused && whole;
    let never_ran = matches!(reason, "migration" | "starting-up");
    match word {
        "any" => true,
        "unknown" | "absent" => false,
        "has a job" => seen.job,
        "runs" => state == DomainState::Running && whole,
        "paused" => paused,
        "paused, never ran" => paused && never_ran,
        "off" | "shut off" => off,
        "migrated away" => off && reason == "migrated",
        "crashed" => off && matches!(reason, "crashed" | "failed"),
        "untold" => off && reason == "unknown",
        "in order" => off && matches!(reason, "shutdown" | "saved" | "destroyed"),
        "changing" => state == DomainState::Shutdown,
        "flows" => reason == "post-copy",
        "broken" => reason == "post-copy-failed",
        other => panic!("the tables have a word {other:?} that this test doesn't know"),
    }
}

/// Whether the condition of a row holds.
fn holds(condition: &str, plan: &Plan, now: &Situation) -> bool {
    let there = match &now.destination {
        Side::Present(seen) => Some(seen),
        _ => None,
    };
    let reason = there.map_or("", |seen| seen.reason.as_str());
    let ours = plan.destination_before == Before::Absent && there.is_some_and(|seen| seen.persistent);
    let to_be_paused = plan.finally == RunState::Paused;
    match condition {
        "" => true,
        "it was to be defined there" => plan.destination_fate == DestinationFate::Define,
        "it was booted there" => reason == "booted",
        "the definition is this migration's" => ours,
        "it ran before" => plan.initially == RunState::Running,
        "it was paused before" => plan.initially == RunState::Paused,
        "it is to be paused" => to_be_paused,
        "it is to be paused, and no definition is kept" => {
            to_be_paused && plan.source_fate != SourceFate::KeepWithoutAutostart
        }
        "the definition is this migration's, or the source's was to go" => {
            ours || plan.source_fate == SourceFate::Undefine
        }
        "the guest shut down, by this migration's definition, and it was no post-copy" => {
            ours && reason == "shutdown" && !plan.stream.post_copy
        }
        "it was not destroyed" => reason != "destroyed",
        other => panic!("the tables have a condition {other:?} that this test doesn't know"),
    }
}

/// One of each kind that the tables have a word for.
fn sides(own: Uuid) -> Vec<Side> {
    use DomainState::{Paused, Running, ShutOff, Shutdown};
    let kinds = [
        (Running, "booted"),
        (Running, "migrated"),
        (Paused, "user"),
        (Paused, "migration"),
        (Paused, "starting-up"),
        (Paused, "post-copy"),
        (Running, "post-copy-failed"),
        (ShutOff, "migrated"),
        (ShutOff, "crashed"),
        (ShutOff, "failed"),
        (ShutOff, "unknown"),
        (ShutOff, "shutdown"),
        (ShutOff, "saved"),
        (ShutOff, "destroyed"),
        (Shutdown, "user"),
    ];
    let mut sides = vec![Side::Unknown("timeout".into()), Side::Absent { host: Some(own) }];
    for (state, reason) in kinds {
        for (persistent, job) in [(true, false), (false, false), (true, true)] {
            let (host, name, reason) = (Some(own), "g1".to_owned(), reason.to_owned());
            sides.push(Side::Present(Observed {
                host,
                name,
                state,
                reason,
                persistent,
                autostart: false,
                job,
                disk_errors: DiskErrors::default(),
            }));
        }
    }
    sides
}

fn plan(mode: TransferMode) -> Plan {
    let blank = waypost::core::testing::plan();
    Plan {
        source: End { uuid: Some(SOURCE), ..blank.source },
        destination: End { uuid: Some(DESTINATION), ..blank.destination },
        mode,
        ..blank
    }
}

/// Every plan that the tables tell apart.
fn plans(mode: TransferMode) -> Vec<Plan> {
    let mut plans = Vec::new();
    for &initially in RunState::ALL {
        for &finally in RunState::ALL {
            for &source_fate in SourceFate::ALL {
                for &destination_fate in DestinationFate::ALL {
                    for &destination_before in Before::ALL {
                        for post_copy in [false, true] {
                            let stream = Stream { post_copy, ..Stream::default() };
                            plans.push(Plan {
                                initially,
                                finally,
                                source_fate,
                                destination_fate,
                                destination_before,
                                stream,
                                ..plan(mode)
                            });
                        }
                    }
                }
            }
        }
    }
    plans
}

#[test]
fn the_tables_of_what_is_permitted_are_what_the_program_does() {
    let page = page::text("recovery.md");
    for (mode, heading) in [(TransferMode::Live, "Live"), (TransferMode::Offline, "Offline")] {
        let table: Vec<Vec<String>> =
            ["Half a guest", "Any", heading].iter().flat_map(|heading| rows(&page, heading)).collect();
        let fit = |column: usize, row: &[String], side: &Side| row[column].split(" / ").any(|word| fits(word, side));
        let (mut used, plans) = (vec![false; table.len()], plans(mode));
        for source in sides(SOURCE) {
            for destination in sides(DESTINATION) {
                let now = Situation { source: source.clone(), destination };
                let both = |row: &[String]| fit(0, row, &now.source) && fit(1, row, &now.destination);
                let fitting: Vec<usize> = (0..table.len()).filter(|row| both(&table[*row])).collect();
                for plan in &plans {
                    let row = fitting.iter().copied().find(|row| holds(&table[*row][2], plan, &now));
                    let row = row.unwrap_or_else(|| panic!("no row of {heading}: {now:?}"));
                    used[row] = true;
                    let told: Vec<&str> = table[row][3].split(", ").collect();
                    let done = permitted(plan, &now);
                    let done: Vec<&str> = done.iter().map(|action| action.as_str()).collect();
                    assert_eq!(told, done, "{heading}: {:?}\n{now:?}\n{plan:?}", table[row]);
                }
            }
        }
        let idle: Vec<_> = table.iter().zip(&used).filter(|(_, used)| !**used).collect();
        assert!(idle.is_empty(), "rows of {heading} that nothing fits: {idle:?}");
    }
}

/// A row's name: its cells but for what it permits.
fn key(row: &[String]) -> String {
    let said = row[..3].iter().filter(|cell| !cell.is_empty()).map(String::as_str);
    said.collect::<Vec<_>>().join(" | ")
}

/// What stands between backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The rows that a bench says it looks at: each literal of its source with two cells or more, up to what it adds of its own.
fn looked_at(source: &str, test: &str) -> BTreeSet<String> {
    let (_, body) = source.split_once(&format!("\nfn {test}(")).unwrap_or_else(|| panic!("no test {test}"));
    let (body, _) = body.split_once("\n}\n").expect("the end of the test");
    let literals = body.split('"').skip(1).step_by(2).filter(|literal| literal.contains(" | "));
    literals.map(|literal| literal.split_once(": ").map_or(literal, |(row, _)| row).to_owned()).collect()
}

#[test]
fn every_row_of_the_tables_is_reached_for_real_or_says_why_it_cannot_be() {
    let page = page::text("recovery.md");
    let drill = page::text("drill.md");
    let benches: BTreeMap<String, BTreeSet<String>> = rows(&page, "The benches")
        .iter()
        .map(|row| {
            let (file, test) = named(&row[1])[0].split_once("::").expect("a file and a test");
            let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a source");
            (named(&row[0])[0].to_owned(), looked_at(&source, test))
        })
        .collect();
    let mut credited: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for heading in ["Half a guest", "Any", "Live", "Offline"] {
        let (table, list) = (rows(&page, heading), rows(&page, &format!("{heading}, for real")));
        let keys = |rows: &[Vec<String>]| rows.iter().map(|row| key(row)).collect::<Vec<_>>();
        assert_eq!(keys(&table), keys(&list), "the rows of {heading}, and those that the list has a line for");
        for row in &list {
            let told = &row[3];
            if told.strip_prefix("none: ").is_some_and(|why| why.split(' ').count() > 5) {
                continue;
            }
            let mut reached = 0;
            for name in named(told) {
                if benches.contains_key(name) {
                    credited.entry(name.to_owned()).or_default().insert(key(row));
                } else if let Some((_, fault)) = name.split_once(": ") {
                    assert!(drill.contains(&format!("\n| {fault} |")), "the drill has no row {name:?}: {row:?}");
                } else if !name.contains(".rs::") {
                    // An action that was done.
                    let is_one = table.iter().flat_map(|row| row[3].split(", ")).any(|action| action == name);
                    assert!(is_one, "{name:?} is no action of {heading}: {row:?}");
                    continue;
                }
                reached += 1;
            }
            assert!(reached > 0, "{heading}: nothing reaches {row:?}, and no reason is given");
        }
    }
    assert_eq!(credited, benches, "what the lists say of the benches, and the rows that these look at");
}
