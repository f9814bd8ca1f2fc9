//! The drill: something breaks in the middle of a real migration, or stands in its way, and afterwards the guest must be one,
//! whole and where the task says it is, nothing may be left behind, and the next migration must work. [`rows`] says what goes
//! wrong, [`fault`] and [`obstacle`] bring it about and mend it, [`scene`] is what it happens to, [`aftermath`] judges by the
//! [`traces`] on both hosts, a [`person`] helps where nothing else does, and [`peer`] shows what virsh does in the same trouble.
//!
//! `make test` runs the rows that are marked quick, `make drill` all of them, and each once more with virsh; it prints how long
//! each took from the fault to the truth. `WAYPOST_DRILL=TEXT` runs the rows whose name holds the text.

mod aftermath;
mod fault;
#[path = "../lab/hanging.rs"]
mod hanging;
mod obstacle;
mod peer;
mod person;
mod rows;
mod scene;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "the drill needs a part of what the other lab tests share")]
mod site;
mod traces;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aftermath::Truth;
use peer::Peer;
use rows::Row;

/// Rows that run at the same time: mostly they wait.
const SIDE_BY_SIDE: usize = 3;

/// What is known of a row: how it came out, and what virsh did.
type Played = (Result<Truth, String>, Option<Result<Peer, String>>);

#[test]
fn whatever_breaks_the_guest_is_one_and_the_task_tells_the_truth() {
    let wanted = std::env::var("WAYPOST_DRILL").unwrap_or_else(|_| "quick".to_owned());
    let compared = wanted != "quick" && std::env::var_os("WAYPOST_DRILL_ALONE").is_none();
    let chosen = |row: &Row| match wanted.as_str() {
        "all" => true,
        "quick" => row.quick,
        part => row.name().contains(part),
    };
    let rows: Vec<Row> = rows::all().into_iter().filter(chosen).collect();
    assert!(!rows.is_empty(), "no row is called {wanted:?}; there are: {:#?}", names());
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(rows.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = rows.get(at) else { break };
                    let truth = caught(|| aftermath::drill(row));
                    match &truth {
                        Ok(truth) => println!("{}", line(row, truth, None)),
                        Err(why) => println!("{:<76} FAILED\n{why}", row.name()),
                    }
                    let peer = (compared && peer::has_counterpart(row)).then(|| caught(|| peer::play(row)));
                    told.lock().unwrap_or_else(|e| e.into_inner()).push((at, (truth, peer)));
                }
            });
        }
    });
    let mut told: Vec<(usize, Played)> = told.into_inner().unwrap_or_else(|e| e.into_inner());
    told.sort_by_key(|(at, _)| *at);
    if compared {
        println!("\n| row | waypost | virsh migrate |\n|---|---|---|");
        for (at, (truth, peer)) in &told {
            if let Ok(truth) = truth {
                println!("{}", line(&rows[*at], truth, Some(peer)));
            }
        }
    }
    let failed: Vec<_> =
        told.iter().filter_map(|(at, (truth, _))| Some((rows[*at].name(), truth.as_ref().err()?))).collect();
    // What went wrong comes last, where a reader of a long log looks first.
    assert!(
        failed.is_empty(),
        "{} of {} rows failed:\n{}",
        failed.len(),
        told.len(),
        failed.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("\n")
    );
}

/// A line of the log, or with what virsh did one of the table.
fn line(row: &Row, truth: &Truth, peer: Option<&Option<Result<Peer, String>>>) -> String {
    let took = format!("{:.1} s", truth.took.as_secs_f64());
    match peer {
        None => format!("{:<76} {took:>8} {}", row.name(), truth.outcome),
        Some(peer) => {
            let peer = match peer {
                None => "-".to_owned(),
                Some(Ok(peer)) => peer.to_string(),
                Some(Err(why)) => format!("not measured: {}", why.lines().next().unwrap_or_default()),
            };
            format!("| {} | {took}, {} | {peer} |", row.name(), truth.outcome)
        }
    }
}

fn caught<T>(play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| Err(said(&*panic)))
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names = names();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// The recorded run has a line for every row, whose outcome is one that the row permits, and says of what is not played why.
#[test]
fn every_row_stands_in_the_recorded_run_as_it_may_end_and_every_omission_has_its_reason() {
    let recorded = include_str!("../../docs/drill.md");
    for row in rows::all() {
        let name = row.name();
        let (part, what) = name.split_once(": ").expect("a name has two parts");
        let section = recorded.split("\n## ").find(|section| section.to_lowercase().starts_with(&format!("{part}\n")));
        let section = section.unwrap_or_else(|| panic!("docs/drill.md has no part {part:?}"));
        let line = section.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")));
        let line = line.unwrap_or_else(|| panic!("docs/drill.md has no line for {name}"));
        let told = line.split_once(" | ").map(|(ours, _)| ours).and_then(|ours| ours.split_once(" s, "));
        let (took, outcome) = told.unwrap_or_else(|| panic!("docs/drill.md does not say how {name} came out: {line}"));
        assert!(took.parse::<f64>().is_ok(), "docs/drill.md does not say how long {name} took: {line}");
        assert!(row.expected.fits(outcome), "{name} must end as {:?}, and was {outcome:?}", row.expected);
    }
    for (what, why) in rows::LEFT_OUT {
        assert!(
            recorded.contains(&format!("\n| {what} | {why} |")),
            "docs/drill.md does not say why {what} is left out"
        );
    }
}

fn names() -> Vec<String> {
    rows::all().iter().map(Row::name).collect()
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panicked".to_owned())
}
