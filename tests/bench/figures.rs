//! `make bench`: the figures that Waypost promises, each measured beside its peer in the same run, because absolute
//! times say little about a machine that others use too. Arguments name the parts to run, none runs all; after `modes`
//! words pick the modes whose names contain them. What one policy costs is measured by the `cost` benchmark of
//! host/policy. A missed promise is said and makes the exit code 1.

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
mod service;
mod shuttle;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod site;
mod statistics;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    ("service", |_| service::measure()),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_part = |word: &String| PARTS.iter().any(|(name, _)| name == word);
    let (parts, only): (Vec<String>, Vec<String>) = words.into_iter().partition(is_part);
    let mut figures = Vec::new();
    for (name, measure) in PARTS {
        if parts.is_empty() || parts.iter().any(|part| part == name) {
            let began = Instant::now();
            let measured = unbroken(name, || measure(&only));
            measured.iter().for_each(|figure| println!("{figure}"));
            println!("part {name}: {:.0} s\n", began.elapsed().as_secs_f64());
            figures.extend(measured);
        }
    }
    let (kept, missed): (Vec<_>, Vec<_>) = figures.iter().partition(|figure| figure.kept);
    println!("{} promises kept, {} missed", kept.len(), missed.len());
    missed.iter().for_each(|figure| println!("{figure}"));
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was measured; or, where measuring itself broke off, that as a promise that was missed, so that whatever comes
/// after it is measured all the same.
fn unbroken(what: &str, measure: impl FnOnce() -> Vec<Figure>) -> Vec<Figure> {
    catch_unwind(AssertUnwindSafe(measure)).unwrap_or_else(|broke| {
        let text = broke.downcast_ref::<String>().map(String::as_str).or(broke.downcast_ref::<&str>().copied());
        vec![Figure {
            what: format!("{what}: measuring it"),
            measured: format!("broke off: {}", text.unwrap_or("without a word")),
            promise: "to come to an end",
            kept: false,
        }]
    })
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, promise, kept } = self;
        write!(f, "{} {what}\n     {measured}\n     promised: {promise}", if *kept { "ok  " } else { "MISS" })
    }
}
