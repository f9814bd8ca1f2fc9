//! `make bench`: the figures that Waypost promises, each measured beside its peer in the same run, because absolute
//! times say little about a machine that others use too. Arguments name the parts to run, none runs all; after `modes`
//! words pick the modes whose names contain them. What one policy costs is measured by the `cost` benchmark of
//! host/policy. A missed promise is said and makes the exit code 1.
//!
//! It is built as the tests are: nearly all of the time is libvirt's, and an optimised build of the sandbox would cost
//! whoever runs this a quarter of an hour. What is installed is faster, so nothing here flatters it.

#[path = "../plots/courses.rs"]
#[allow(dead_code, reason = "shared with the plots, which use more of it")]
mod courses;
mod endless;
mod faults;
mod fleet;
mod many;
mod modes;
mod predictions;
#[path = "../plots/record.rs"]
mod record;
#[path = "../plots/recording.rs"]
#[allow(dead_code, reason = "shared with the plots, which use more of it")]
mod recording;
mod sampling;
mod shuttle;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod site;
mod statistics;

use std::process::ExitCode;
use std::time::Instant;

/// One promise and what was measured.
struct Figure {
    what: String,
    measured: String,
    promise: &'static str,
    kept: bool,
}

type Part = (&'static str, fn(&[String]) -> Vec<Figure>);

const PARTS: &[Part] = &[
    ("fleet", |_| fleet::measure()),
    ("modes", modes::measure),
    ("many", |_| many::measure()),
    ("endless", |_| endless::measure()),
    ("predictions", |_| predictions::measure()),
    ("sampling", |_| vec![sampling::measure()]),
    ("faults", |_| faults::measure()),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_part = |word: &String| PARTS.iter().any(|(name, _)| name == word);
    let (parts, only): (Vec<String>, Vec<String>) = words.into_iter().partition(is_part);
    let mut figures = Vec::new();
    for (name, measure) in PARTS {
        if parts.is_empty() || parts.iter().any(|part| part == name) {
            let began = Instant::now();
            figures.extend(measure(&only));
            println!("part {name}: {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    println!();
    for Figure { what, measured, promise, kept } in &figures {
        println!("{} {what}\n     {measured}\n     promised: {promise}", if *kept { "ok  " } else { "MISS" });
    }
    if figures.iter().all(|f| f.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
