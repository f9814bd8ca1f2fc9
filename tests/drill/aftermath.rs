//! Plays one row and judges what is left.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::Fault;
use crate::person::Person;
use crate::rows::{BY_HAND, Expected, Row, Trouble, WITH_HELP};
use crate::scene::Scene;
use crate::site::Site;
use crate::traces;

/// How long a task may take from its fault to its end: a link is cut for up to two minutes, libvirt notices after half of one, the
/// guest's two sides are looked at with patience, and on a loaded machine the kernel's TCP asks again as rarely as every two
/// minutes, several times, once the link is back.
const LONGEST: Duration = Duration::from_secs(600);

/// How a row came out.
pub struct Truth {
    /// From the fault, or from the start, to the end of the task.
    pub took: Duration,
    /// The task's word for it.
    pub outcome: String,
}

/// Plays the row.
pub fn drill(row: &Row) -> Result<Truth, String> {
    let scene = Scene::set(row);
    let begun = Instant::now();
    let mut controller = scene.migrate(row);
    let mut person = Person::at(row);
    let (mut ended, took) = match &row.trouble {
        Trouble::Beforehand(_) => end_of(&scene, row, &mut controller, begun, &mut person)?,
        Trouble::Midway(stage, fault) => {
            let driver = controller.id();
            let switch = |site: &Site| {
                site.waypost(&["steer", &site.only_task(), "--postcopy"]).expect_code(0);
            };
            let wait = |struck| end_of(&scene, row, &mut controller, struck, &mut person);
            scene.amid(row, (*stage, fault), driver, switch, wait)?
        }
    };
    let task = ended["id"].as_str().unwrap_or_default().to_owned();
    let mut outcome = ended["outcome"]["kind"].as_str().unwrap_or_default().to_owned();
    let with_record = |why: String| {
        let record = scene.site.waypost(&["task", &task]).out;
        format!("{why}\n{record}")
    };
    if row.expected == Expected::WithHelp && outcome == "stuck" {
        both_kept(&scene, row, &ended).map_err(with_record)?;
        if let Some(fault) = row.fault() {
            fault.mend(&scene);
        }
        ended = person.finish(&scene, &task)?;
        outcome.push_str(", then completed");
        outcome.push_str(BY_HAND);
    } else if person.helped() {
        outcome.push_str(WITH_HELP);
    }
    judge(&scene, row, &task, &ended).map_err(with_record)?;
    Ok(Truth { took, outcome })
}

/// A task that calls a person in post-copy: neither half was ended, and it says of each what is there, or that it can't be asked.
fn both_kept(scene: &Scene, row: &Row, ended: &Value) -> Result<(), String> {
    let summary = ended["outcome"]["summary"].as_str().unwrap_or_default();
    let dark = row.fault().and_then(Fault::cuts_off);
    for host in ["kvm1", "kvm2"] {
        let state = scene.site.state(host, "g1").unwrap_or_else(|| "gone".to_owned());
        let said = format!("{} on {host}", state.replace(' ', "-"));
        let unasked = dark == Some(host) && summary.contains(&format!("unknown on {host}"));
        if !summary.contains(&said) && !unasked {
            return Err(format!("it says {summary:?}, and g1 on {host} is {state}"));
        }
        if host == "kvm2" && state != "running" {
            return Err(format!("the half on kvm2 is {state}"));
        }
    }
    let remedy = ended["outcome"]["remedy"].as_str().unwrap_or_default();
    match remedy.contains("waypost recover") {
        true => Ok(()),
        false => Err(format!("nobody is told what to do: {remedy}")),
    }
}

/// Waits for the controller's end; where it left the task open, another one brings it to its end. Answers how long it took.
fn end_of(
    scene: &Scene,
    row: &Row,
    controller: &mut Child,
    struck: Instant,
    person: &mut Person,
) -> Result<(Value, Duration), String> {
    let exit = loop {
        if let Some(exit) = controller.try_wait().map_err(|e| e.to_string())? {
            break exit;
        }
        if struck.elapsed() > LONGEST {
            // The process goes with the test; its task stays to be seen.
            controller.kill().ok();
            let record = scene.site.waypost(&["task", &scene.site.only_task()]).out;
            return Err(format!("no end after {} s\n{record}", LONGEST.as_secs()));
        }
        person.look(scene);
        std::thread::park_timeout(Duration::from_millis(50));
    };
    let open_ended = row.fault().is_some_and(|fault| fault.ends_controller());
    if open_ended && let Some(fault) = row.fault() {
        fault.mend(scene);
    }
    let task = scene.site.only_task();
    let read = || scene.site.waypost(&["task", &task, "--json"]).expect_code(0).json();
    let mut ended = read();
    if ended["outcome"].is_null() {
        if !open_ended {
            let mut said = String::new();
            if let Some(mut pipe) = controller.stderr.take() {
                pipe.read_to_string(&mut said).map_err(|e| e.to_string())?;
            }
            let record = scene.site.waypost(&["task", &task]).out;
            return Err(format!("the controller ended ({exit}) and left its task open; it said:\n{said}\n{record}"));
        }
        scene.site.waypost(&["watch", &task]);
        ended = read();
    }
    if ended["outcome"].is_null() {
        Err("the task did not come to an end".to_owned())
    } else {
        Ok((ended, struck.elapsed()))
    }
}

/// What must be true of the hosts.
#[derive(Clone, Copy)]
struct Wanted {
    /// Where the guest is.
    here: &'static str,
    /// The other host.
    there: &'static str,
    runs: bool,
    /// The other host keeps its image: libvirt never deletes those of disks that were copied.
    image_stays: bool,
    /// What stood in the way is still there.
    obstructed: bool,
    /// It lost its power: libvirt leaves the folders of domains that were cut off with it.
    dark: Option<&'static str>,
}

impl Wanted {
    fn on(here: &'static str) -> Self {
        let there = if here == "kvm1" { "kvm2" } else { "kvm1" };
        Self { here, there, runs: true, image_stays: false, obstructed: false, dark: None }
    }
}

fn judge(scene: &Scene, row: &Row, task: &str, ended: &Value) -> Result<(), String> {
    let site = &scene.site;
    let outcome = ended["outcome"]["kind"].as_str().unwrap_or_default();
    let summary = ended["outcome"]["summary"].as_str().unwrap_or_default();
    let Some((here, runs)) = row.expected.after(outcome) else {
        return Err(format!("{outcome} instead of {:?}", row.expected));
    };
    // Its words, beside what is there now, before anything is mended.
    let words = match (row.expected, runs) {
        (Expected::Refused, _) => "nothing was touched".to_owned(),
        (Expected::HalfLost | Expected::StuckHalfLost | Expected::StuckHalf, _) => "post-copy-failed".to_owned(),
        (Expected::StuckOff, _) => format!("shut-off on {here} (unknown)"),
        (_, false) => "crashed".to_owned(),
        // It runs there, as it turns out once the cable is back.
        (Expected::StuckOnSource, true) if row.fault().and_then(Fault::cuts_off) == Some(here) => {
            format!("unknown on {here}")
        }
        (_, true) => format!("running on {here}"),
    };
    if !summary.contains(&words) {
        return Err(format!("it does not say {words:?}: {summary}"));
    }
    let shown = match (row.expected, row.fault()) {
        _ if runs => vec![(here, "running")],
        // Whichever half was not killed stands still, and nobody has ended it.
        (Expected::HalfLost, Some(Fault::KillQemu("kvm1"))) => vec![(here, "shut off"), ("kvm2", "running")],
        (Expected::HalfLost | Expected::StuckHalfLost | Expected::StuckHalf, _) => vec![(here, "paused")],
        _ => vec![(here, "shut off")],
    };
    for (host, shown) in shown {
        let state = site.state(host, "g1");
        if state.as_deref() != Some(shown) {
            return Err(format!("it says {summary:?}, and g1 on {host} is {state:?}"));
        }
    }
    half_is_left(scene, row, task)?;
    let dark = match row.fault() {
        Some(Fault::PowerLoss { host, .. }) => Some(*host),
        _ => None,
    };
    let wanted = Wanted { runs, image_stays: scene.is_local() && here == "kvm2", dark, ..Wanted::on(here) };
    match &row.trouble {
        Trouble::Midway(_, fault) if fault.ends_controller() => {}
        Trouble::Midway(_, fault) => fault.mend(scene),
        Trouble::Beforehand(obstacle) => {
            settled(scene, Wanted { obstructed: true, ..wanted })?;
            obstacle.remove(scene)?;
        }
    }
    if row.expected == Expected::StuckOnSource {
        site.until("both hosts can be asked", |site| site.waypost(&["hosts"]).code == 0);
        by_hand(scene, task, "accept-source", "rolled-back")?;
    }
    if row.leaves_copy() {
        let told = format!("{summary}; {}", ended["outcome"]["remedy"].as_str().unwrap_or_default());
        if !told.contains(scene.image()) {
            return Err(format!("nobody is told of {}: {told}", scene.image()));
        }
        scene.forget_image(wanted.there);
    }
    settled(scene, wanted)?;
    if !runs {
        for host in site.lab.hosts() {
            host.forget_serial("g1").map_err(|e| e.to_string())?;
        }
        site.virsh("kvm1", &["start", "g1"]);
    }
    scene.same_content(here)?;
    site.assert_one_counting_guest("g1");
    let open = site.waypost(&["tasks", "--unfinished", "--json"]).expect_code(0).json();
    if open["tasks"].as_array().or_else(|| open.as_array()).is_none_or(|open| !open.is_empty()) {
        return Err(format!("a task is open still: {open:#}"));
    }
    next(scene, wanted).map_err(|why| format!("after task {task} {why}"))
}

/// Of a guest in post-copy of which one half is gone for good: what is told of it, and its end.
fn half_is_left(scene: &Scene, row: &Row, task: &str) -> Result<(), String> {
    let half = matches!(row.expected, Expected::HalfLost | Expected::StuckHalfLost | Expected::StuckHalf);
    if !half {
        return Ok(());
    }
    if row.expected == Expected::StuckHalfLost {
        by_hand(scene, task, "declare-lost", "lost")?;
    }
    let ended = scene.site.waypost(&["task", task, "--json"]).expect_code(0).json();
    let remedy = ended["outcome"]["remedy"].as_str().unwrap_or_default();
    let told = match row.expected {
        Expected::StuckHalf => "look at g1 on kvm1 and on kvm2",
        _ => "it is defined on kvm1 and on kvm2",
    };
    if !remedy.contains(told) {
        return Err(format!("nobody is told {told:?}: {remedy}"));
    }
    scene.end_what_is_left();
    Ok(())
}

/// Does what a person would, who was called.
fn by_hand(scene: &Scene, task: &str, action: &str, outcome: &str) -> Result<(), String> {
    let done = scene.site.waypost(&["recover", task, "--do", action]);
    let now = scene.site.waypost(&["task", task, "--json"]).expect_code(0).json();
    match now["outcome"]["kind"] == outcome {
        true => Ok(()),
        false => Err(format!("{action} by hand did not lead to {outcome}:\n{}{}", done.out, done.err)),
    }
}

/// Nothing stands in the way of the next migration, wherever the guest is now; and that leaves nothing behind either.
fn next(scene: &Scene, now: Wanted) -> Result<(), String> {
    let site = &scene.site;
    let mut arguments = vec!["migrate", "g1", "--to", now.there, "--max-downtime", "20000"];
    if scene.is_local() {
        arguments.extend(["--copy-storage", "full"]);
    }
    if now.image_stays {
        // It would be in the way, as somebody's file.
        scene.forget_image(now.there);
    }
    let again = site.waypost(&arguments);
    if again.code != 0 {
        return Err(format!("the next migration failed:\n{}{}", again.out, again.err));
    }
    site.assert_one_counting_guest("g1");
    scene.same_content(now.there)?;
    let wanted = Wanted { image_stays: scene.is_local(), dark: now.dark, ..Wanted::on(now.there) };
    settled(scene, wanted).map_err(|why| format!("the next migration left something: {why}"))
}

/// Waits until both hosts have what they must have, and nothing else: a daemon that was restarted may still be cleaning up.
fn settled(scene: &Scene, wanted: Wanted) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match differences(scene, wanted) {
            Ok(differences) if differences.is_empty() => return Ok(()),
            wrong if Instant::now() >= until => return Err(wrong.unwrap_or_else(|why| why)),
            _ => std::thread::park_timeout(Duration::from_millis(250)),
        }
    }
}

fn differences(scene: &Scene, wanted: Wanted) -> Result<String, String> {
    let state = |host: &str| scene.site.state(host, "g1");
    let mut told = Vec::new();
    let runs = if wanted.runs { "running" } else { "shut off" };
    if state(wanted.here).as_deref() != Some(runs) {
        told.push(format!("g1 on {} is {:?} instead of {runs}", wanted.here, state(wanted.here)));
    }
    if !wanted.obstructed && state(wanted.there).is_some() {
        told.push(format!("g1 on {} is {:?} instead of gone", wanted.there, state(wanted.there)));
    }
    for host in ["kvm1", "kvm2"] {
        let mut found = traces::of(&scene.site, host)?;
        let expected = expected(scene, wanted, host);
        if wanted.dark == Some(host) {
            found.retain(|trace| expected.contains(trace) || !trace.starts_with("file /var/lib/libvirt/qemu/"));
        }
        let difference = traces::difference(&expected, &found);
        if !difference.is_empty() {
            told.push(format!("{host}: {difference}"));
        }
    }
    Ok(told.join("; "))
}

/// What a host must have.
fn expected(scene: &Scene, wanted: Wanted, host: &str) -> BTreeSet<String> {
    let guest = traces::of_the_guest(&scene.before[0]);
    let image = traces::of_its_image(&scene.before[0]);
    let mut expected = match (host, wanted.obstructed) {
        ("kvm1", _) => scene.before[0].difference(&guest).cloned().collect(),
        (_, false) => scene.before[1].clone(),
        (_, true) => scene.obstructed.clone(),
    };
    // What is on the shared store is on both.
    expected.extend(guest.iter().filter(|trace| trace.contains(" in shared")).cloned());
    if host == wanted.here && wanted.runs {
        expected.extend(guest);
    } else if host == wanted.here {
        expected.extend(image);
        expected.insert("definition of g1".to_owned());
    } else if wanted.image_stays {
        expected.extend(image);
    }
    expected
}
