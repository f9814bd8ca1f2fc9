//! What watching and steering a running transfer costs: processor time of the command between two moments of a long
//! transfer, its start left out.

use std::fs;
use std::time::{Duration, Instant};

use crate::Figure;
use crate::shuttle::writer;
use crate::site::Site;

const WATCHED: Duration = Duration::from_secs(30);

pub fn measure() -> Figure {
    let site = Site::new(2);
    site.start_guest(&writer("watched", 1024, 960, 4));
    let child = site.start(&["migrate", "watched", "--to", "kvm2", "--bandwidth", "24"]);
    site.until_copying("kvm1", "watched");
    let pid = child.id();
    let (began, before) = (Instant::now(), used(pid));
    // The time itself is what is measured.
    while began.elapsed() < WATCHED {
        std::thread::park_timeout(WATCHED.saturating_sub(began.elapsed()));
    }
    let (after, seconds) = (used(pid), began.elapsed().as_secs_f64());
    assert!(site.virsh("kvm1", &["domjobinfo", "watched"]).contains("Memory processed"), "the transfer was too short");
    let output = child.wait_with_output().expect("the command ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let percent = (after - before).as_secs_f64() / seconds * 100.0;
    println!("  {:.0} ms of processor time in {seconds:.1} s", (after - before).as_secs_f64() * 1000.0);
    Figure {
        what: format!("processor time of `waypost migrate` while its transfer runs, over {seconds:.0} s"),
        measured: format!("{percent:.2} % of a core: readings, convergence policy, journal, progress"),
        promise: "less than 1 %",
        kept: percent < 1.0,
    }
}

/// User and system time of the process, threads that are gone included.
fn used(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    // The kernel tells programs of hundredths of a second on every machine.
    Duration::from_millis(ticks * 10)
}
