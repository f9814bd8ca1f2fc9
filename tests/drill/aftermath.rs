//! Plays one row and judges what is left.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rows::{Expected, Row, Stage, Way};
use crate::site::Site;

/// How long a task may take from its fault to its end: a link is cut for a minute, libvirt notices after half of one, and the
/// guest's two sides are looked at with patience.
const LONGEST: Duration = Duration::from_secs(300);

/// Plays the row. Answers how long it took from the fault to the end of the task.
pub fn drill(row: &Row) -> Result<Duration, String> {
    let site = Site::with(2, "\n[engine]\nstall_s = 10\n");
    site.busy_guest("g1");
    let mut controller = start(&site, row);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    if row.stage == Stage::PostCopy {
        site.waypost(&["steer", &task, "--postcopy"]).expect_code(0);
        site.until("the guest runs on the destination", |site| site.state("kvm2", "g1").as_deref() == Some("running"));
    }
    let struck = Instant::now();
    let process = controller.id();
    // A trouble lasts for a time of its own, and the truth may come before it is over.
    let (ended, took) = std::thread::scope(|scope| {
        scope.spawn(|| {
            row.fault.strike(&site, process);
            if row.expected == Expected::Either {
                // What survives the trouble may now come to its end.
                site.lab.host("kvm1").and_then(|host| host.virsh(&["migrate-setmaxdowntime", "g1", "20000"])).ok();
            }
        });
        let ended = end_of(&site, &task, &mut controller, struck);
        (ended, struck.elapsed())
    });
    let ended = ended?;
    judge(&site, row, &task, &ended).map_err(|why| {
        let record = site.waypost(&["task", &task]).out;
        format!("{why}\n{record}")
    })?;
    Ok(took)
}

fn start(site: &Site, row: &Row) -> Child {
    let kvm2 = site.lab.host("kvm2").expect("kvm2");
    let (uri, listen) = (format!("tcp://{}", kvm2.migration_ip()), kvm2.migration_ip());
    let mut arguments = vec!["migrate", "g1", "--to", "kvm2", "--bandwidth", "40"];
    arguments.extend(["--migrate-uri", &uri, "--listen-address", &listen]);
    if row.way == Way::Direct {
        arguments.push("--direct");
    }
    if row.stage == Stage::PostCopy {
        arguments.push("--postcopy");
    }
    site.start(&arguments)
}

/// Waits for the controller's end; where it died, another one brings the task to its end.
fn end_of(site: &Site, task: &str, controller: &mut Child, struck: Instant) -> Result<Value, String> {
    while controller.try_wait().map_err(|e| e.to_string())?.is_none() {
        if struck.elapsed() > LONGEST {
            // The process goes with the test; its task stays to be seen.
            controller.kill().ok();
            return Err(format!("no end after {} s", LONGEST.as_secs()));
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let mut ended = site.waypost(&["task", task, "--json"]).expect_code(0).json();
    if ended["outcome"].is_null() {
        site.waypost(&["watch", task]);
        ended = site.waypost(&["task", task, "--json"]).expect_code(0).json();
    }
    if ended["outcome"].is_null() { Err("the task did not come to an end".to_owned()) } else { Ok(ended) }
}

fn judge(site: &Site, row: &Row, task: &str, ended: &Value) -> Result<(), String> {
    let outcome = ended["outcome"]["kind"].as_str().unwrap_or_default().to_owned();
    let is = |at: &str, state: Option<&str>| -> Result<(), String> {
        // A daemon that was restarted may still be cleaning up.
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let seen = site.state(at, "g1");
            if seen.as_deref() == state {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(format!("the task says {outcome}, and g1 on {at} is {seen:?} instead of {state:?}"));
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    };
    let (arrived, stayed) = (outcome == "completed", outcome == "rolled-back");
    match row.expected {
        Expected::Source if !stayed => return Err(format!("{outcome} instead of rolled-back")),
        Expected::Destination if !arrived => return Err(format!("{outcome} instead of completed")),
        Expected::Either if !arrived && !stayed => return Err(outcome),
        Expected::Lost if outcome != "lost" => return Err(format!("{outcome} instead of lost")),
        _ => {}
    }
    if row.expected == Expected::Lost {
        is("kvm1", Some("shut off"))?;
        is("kvm2", None)?;
        strays(site, &[])?;
        for host in site.lab.hosts() {
            host.forget_serial("g1").map_err(|e| e.to_string())?;
        }
        site.virsh("kvm1", &["start", "g1"]);
    } else {
        let (here, there) = if arrived { ("kvm2", "kvm1") } else { ("kvm1", "kvm2") };
        is(here, Some("running"))?;
        is(there, None)?;
        strays(site, &[here])?;
    }
    site.assert_one_counting_guest("g1");
    // Nothing stands in the way of the next one, wherever the guest is now.
    let to = if site.state("kvm1", "g1").as_deref() == Some("running") { "kvm2" } else { "kvm1" };
    let again = site.waypost(&["migrate", "g1", "--to", to, "--max-downtime", "20000"]);
    if again.code != 0 {
        return Err(format!("after task {task} the next migration failed:\n{}{}", again.out, again.err));
    }
    site.assert_one_counting_guest("g1");
    Ok(())
}

/// No hypervisor process may be left but the guest's own.
fn strays(site: &Site, expected: &[&str]) -> Result<(), String> {
    for host in site.lab.hosts() {
        let processes = host.run(&["pgrep", "-c", "qemu-system"]).map_err(|e| e.to_string())?;
        let count: usize = String::from_utf8_lossy(&processes.stdout).trim().parse().unwrap_or(0);
        let right = usize::from(expected.contains(&host.name()));
        if count != right {
            return Err(format!("{count} hypervisor processes on {} instead of {right}", host.name()));
        }
    }
    Ok(())
}
