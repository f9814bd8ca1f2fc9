//! All shipped prechecks for every domain of a simulated fleet against every other host, on all cores, and how the time
//! grows with the fleet: every domain against every host is quadratic work, so the time of one evaluation must not grow.

use std::fs;
use std::time::Instant;

use waypost::core::request::Options;
use waypost::wiring::Watching;
use waypost::{Config, Fleet, Pace, Waypost, World};

use crate::Figure;

pub fn measure() -> Vec<Figure> {
    let small = fleet(21);
    let large = fleet(41);
    let growth = small.per_second / large.per_second;
    vec![
        Figure {
            what: format!("all shipped prechecks, {} domains x {} destinations", small.domains, small.destinations),
            measured: format!(
                "{:.0} evaluations per second on {} cores ({} evaluations in {:.2} s)",
                small.per_second, small.cores, small.evaluations, small.seconds
            ),
            promise: "to be told",
            kept: small.evaluations > 0,
        },
        Figure {
            what: format!("time of one evaluation, {} x {} over the smaller fleet", large.domains, large.destinations),
            measured: format!(
                "{growth:.2} times ({:.0} evaluations per second, {} in {:.2} s)",
                large.per_second, large.evaluations, large.seconds
            ),
            promise: "about 1: at most 1.3",
            kept: growth <= 1.3,
        },
    ]
}

struct Run {
    domains: usize,
    destinations: usize,
    cores: usize,
    /// One policy asked about one domain and one destination.
    evaluations: usize,
    seconds: f64,
    per_second: f64,
}

/// Ten domains on each host.
fn fleet(hosts: usize) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fleet.toml");
    fs::write(&file, format!("[generate]\nhosts = {hosts}\ndomains_per_host = 10\nseed = 7\n")).expect("written");
    let config =
        Config { state_dir: folder.path().join("state"), cache_dir: folder.path().join("cache"), ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = World::Simulated { fleet: file, pace: Pace::Real };
        let waypost = Waypost::assemble(&config, &world, Watching::Off).expect("waypost over simulated hosts");
        let policies = waypost.policies().list().len();
        assert!(policies >= 14, "only {policies} policies: run `make plugins` first");
        let prechecks = waypost.policies().list().iter().filter(|p| p.name.as_str().starts_with("precheck-")).count();
        let engine = waypost.engine();
        let fleet = engine.fleet().await.expect("the fleet is read");
        let (domains, destinations) = (fleet.domains.len(), hosts - 1);
        // Once to warm the sandboxes' memory, then for the figure.
        engine.readiness_of(Fleet::clone(&fleet), &Options::default(), "bench").await.expect("judged");
        let began = Instant::now();
        let readiness = engine.readiness_of(Fleet::clone(&fleet), &Options::default(), "bench").await.expect("judged");
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(readiness.rows.len(), domains);
        assert!(readiness.rows.iter().all(|row| row.verdicts.len() == destinations), "a verdict on every destination");
        let evaluations = domains * destinations * prechecks;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Run { domains, destinations, cores, evaluations, seconds, per_second: evaluations as f64 / seconds }
    })
}
