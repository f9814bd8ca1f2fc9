//! The model checker: every interleaving of what hosts, links, controller and store can do while one domain moves, searched
//! whole for a number of faults, with no bound on the steps between them. What decides is the program's own: the table of
//! permitted actions, what an arrival looks like, the phases, what the past withholds. What is modelled is the rest: the
//! two hosts as they were measured (`hosts`), the breaks (`faults`), and the controller's course around its decisions
//! (`controller`), with a policy that takes each permitted action in turn.
//!
//! Promised of every state: no two copies run, none runs that another has overtaken or whose memory never came whole,
//! nothing ends the only copy or removes the last definition or a disk in use, no record is written that the phases don't allow,
//! and no ended task says what isn't so.
//!
//! Taken for granted, because a clock and not a table sees to it: an order to begin a migration arrives at its host, or
//! is lost, before a controller that watches from outside has seen no job for long enough to call it over; and a
//! definition that travels alone arrives within the patience of whoever waits for it. And where a direct migration switches
//! to post-copy, its client's next call is on the destination before the client can die: the two are a moment apart, and
//! what libvirt does in between was not measured. Nor was what it shows of a guest that was suspended before its switch to
//! post-copy: here the same as of one that ran.
//!
//! Not in it: what another party does with the domain or its hosts, a task that is opened again, what happens before the
//! last look ahead of the commit point, steps of the preparation other than the volume, and a further attempt to another host.
//!
//! `WAYPOST_MODEL_FAULTS` sets the number of faults; `make model` searches with one more than `make test`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod case;
mod controller;
mod explore;
mod faults;
mod hosts;
mod judge;
mod mutants;
mod records;
mod world;

use case::Case;
use explore::explore;
use judge::Judge;

/// Faults where nothing else is said.
const FAULTS: u8 = 2;

/// How many faults strike.
fn faults() -> u8 {
    std::env::var("WAYPOST_MODEL_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(FAULTS)
}

#[test]
fn no_interleaving_of_faults_makes_two_copies_ends_the_only_one_or_lets_a_task_lie() {
    let (cases, faults) = (Case::all(), faults());
    let queue = std::sync::Mutex::new(cases.iter());
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { return };
                    let searched = explore(case, &mut Judge::of(case), faults);
                    found.lock().unwrap().push((case.name, searched));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let mut states = 0;
    for (name, searched) in &found {
        states += searched.states;
        println!(
            "{name:>24}: {:>8} states, {:>8} steps, the farthest {} steps from the start; {} faults; ends: {}",
            searched.states,
            searched.steps,
            searched.depth,
            faults,
            searched.ends.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    println!("{:>24}: {states:>8} states", "in all");
    let wrong: Vec<_> =
        found.iter().filter_map(|(name, searched)| Some((name, searched.violation.as_ref()?))).collect();
    for (name, (violation, trace)) in &wrong {
        println!("\n{name}: {violation:?}\n{}", trace.join("\n"));
    }
    assert!(wrong.is_empty(), "{} of {} cases end in a violation", wrong.len(), found.len());
    // A search that goes nowhere proves nothing.
    assert!(found.iter().all(|(_, searched)| searched.depth > 12), "too shallow");
    assert!(found.iter().any(|(_, searched)| searched.ends.len() == 4), "not every end is reached");
}
