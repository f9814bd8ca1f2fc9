//! A guest that never arrives under `virsh migrate --live` alone, and how it ends under each convergence policy. The
//! transfers are those of the plots in docs/convergence.md.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Figure;
use crate::courses::{ARRIVES, BANDWIDTH, COURSES, Course, STAYS, endless};
use crate::record::record;

/// How long virsh is given: its guest is no nearer to its end after an hour.
const VIRSH_S: u64 = 60;

pub fn measure() -> Vec<Figure> {
    let mut figures = vec![virsh_alone()];
    for course in COURSES.iter().filter(|course| course.obeyed) {
        let recording = record(course);
        let head = &recording.head;
        let done: Vec<String> = recording
            .steered
            .iter()
            .map(|done| match done.value {
                Some(value) => format!("{} {value} at {:.1} s", done.action, done.at_ms as f64 / 1000.0),
                None => format!("{} at {:.1} s", done.action, done.at_ms as f64 / 1000.0),
            })
            .collect();
        let downtime = head.downtime_ms.map(|ms| format!(", downtime {ms} ms")).unwrap_or_default();
        let measured = format!("{} after {:.1} s{downtime}; {}", head.outcome, head.seconds, done.join(", "));
        println!("  {}: {measured}", course.title);
        // The steps of two of oVirt's schedules are too small for this guest, unless a pass has luck; giving up is an end, too:
        // the guest is where it was. An abort by the clock is none.
        let in_time = head.seconds < course.timeout_s as f64;
        let gave_up = in_time && recording.steered.iter().any(|done| done.action == "abort");
        let may_give_up = course.end == STAYS;
        figures.push(Figure {
            what: format!("a guest that never arrives, under {}", course.title),
            measured,
            promise: if may_give_up {
                "it ends: the policy gives up, or the guest arrives"
            } else {
                "it ends: the guest arrives"
            },
            kept: head.outcome == ARRIVES || (may_give_up && head.outcome == STAYS && gave_up),
        });
    }
    figures
}

fn virsh_alone() -> Figure {
    let nobody: &Course = COURSES.iter().find(|course| !course.obeyed).expect("a course without a policy");
    let site = endless(nobody);
    let (from, to) = (site.lab.host("kvm1").expect("a host"), site.lab.host("kvm2").expect("a host"));
    let limit = BANDWIDTH.to_string();
    let mut child = Command::new("virsh")
        .args(["-q", "-c", &from.uri_unix(), "migrate", "--live", "--p2p", "--persistent", "--undefinesource"])
        .args(["--bandwidth", &limit, "endless", &to.uri_peer()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("virsh runs");
    let until = Instant::now() + Duration::from_secs(VIRSH_S);
    let mut ended = None;
    while ended.is_none() && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(200));
        ended = child.try_wait().expect("virsh can be waited for");
    }
    let state = site.virsh("kvm1", &["domjobinfo", "endless"]);
    let figure = |name: &str| {
        let line = state.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let measured = format!("not over after {VIRSH_S} s: {}, {}", figure("Iteration:"), figure("Memory remaining:"));
    if ended.is_none() {
        site.virsh("kvm1", &["domjobabort", "endless"]);
    }
    child.wait().expect("virsh ends");
    site.assert_one_counting_guest("endless");
    println!("  virsh migrate --live alone: {measured}");
    Figure {
        what: "a guest that never arrives, under `virsh migrate --live` alone".to_owned(),
        measured,
        promise: "none: it shows that the guest is such a one",
        kept: ended.is_none(),
    }
}
