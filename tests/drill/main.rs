//! The drill: something breaks in the middle of a real migration, and afterwards the guest must be one, whole and where the
//! task says it is, nothing may be left behind, and the next migration must work. [`rows`] says what is broken, [`fault`]
//! breaks and mends it, [`aftermath`] judges.
//!
//! `make test` runs the rows that are marked quick, `make drill` all of them and prints how long each took from the fault to
//! the truth. `WAYPOST_DRILL=TEXT` runs the rows whose name holds the text.

mod aftermath;
mod fault;
mod rows;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "the drill needs a part of what the other lab tests share")]
mod site;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rows::Row;

/// Rows that run at the same time: a lab of two hosts with a busy guest takes about half a core.
const SIDE_BY_SIDE: usize = 2;

#[test]
fn whatever_breaks_the_guest_is_one_and_the_task_tells_the_truth() {
    let wanted = std::env::var("WAYPOST_DRILL").unwrap_or_else(|_| "quick".to_owned());
    let chosen = |row: &Row| match wanted.as_str() {
        "all" => true,
        "quick" => row.quick,
        part => row.name().contains(part),
    };
    let rows: Vec<Row> = rows::all().into_iter().filter(chosen).collect();
    assert!(!rows.is_empty(), "no row is called {wanted:?}; there are: {:#?}", names());
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = catch_unwind(AssertUnwindSafe(|| aftermath::drill(row)));
                    let result = result.unwrap_or_else(|panic| Err(said(&*panic)));
                    match &result {
                        Ok(took) => println!("{:<60} {:>7.1} s", row.name(), took.as_secs_f64()),
                        Err(why) => println!("{:<60} FAILED\n{why}", row.name()),
                    }
                    told.lock().unwrap_or_else(|e| e.into_inner()).push((row.name(), result));
                }
            });
        }
    });
    let told: Vec<(String, Result<Duration, String>)> = told.into_inner().unwrap_or_else(|e| e.into_inner());
    let failed: Vec<_> = told.iter().filter_map(|(name, result)| Some((name, result.as_ref().err()?))).collect();
    // What went wrong comes last, where a reader of a long log looks first.
    assert!(
        failed.is_empty(),
        "{} of {} rows failed:\n{}",
        failed.len(),
        told.len(),
        failed.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names = names();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

fn names() -> Vec<String> {
    rows::all().iter().map(Row::name).collect()
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panicked".to_owned())
}
