//! `make bench`: the figures that Waypost promises, each measured beside its peer in the same run, because absolute
//! times say little about a machine that others use too. Arguments name the parts to run, `migrate` or
//! `fleet`; none runs all. What one policy costs is measured by `cargo bench -p waypost-policy`. A missed promise is said and makes the exit code 1.

mod fleet;
mod migrate;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod site;
mod statistics;

use std::process::ExitCode;

/// One promise and what was measured.
struct Figure {
    what: String,
    measured: String,
    promise: &'static str,
    kept: bool,
}

fn main() -> ExitCode {
    let parts: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let mut figures = Vec::new();
    if wanted("fleet") {
        figures.extend(fleet::measure());
    }
    if wanted("migrate") {
        figures.extend(migrate::measure());
    }
    println!();
    for Figure { what, measured, promise, kept } in &figures {
        println!("{} {what}\n     {measured}\n     promised: {promise}", if *kept { "ok  " } else { "MISS" });
    }
    if figures.iter().all(|f| f.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
