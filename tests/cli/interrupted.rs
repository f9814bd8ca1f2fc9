//! What becomes of a migration when people, signals and readers come in between. In real time, because people do.

use std::process::Stdio;

use serde_json::Value;

use super::support::{SLOW, Site, TWO_HOSTS};

fn id_of(line: &str) -> String {
    line.trim().rsplit(' ').next().expect("an id").to_owned()
}

#[test]
fn one_interrupt_cancels_and_says_where_the_guest_runs() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    running.wait_for_note("moving: ");
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, 6, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("cancelling; a second interrupt leaves the transfer running"), "{}", ran.err);
    assert!(ran.out.contains("cancelled: g1 is running on a"), "{}", ran.out);
}

#[test]
fn a_second_interrupt_leaves_and_says_how_to_come_back() {
    // libvirt does not answer the abort: there is nothing to wait for that a person could not wait for elsewhere.
    let hang = "[[fault]]\nat = 'abort-job'\nwhat = 'hang'\n".repeat(100);
    let site = Site::new(&format!("{SLOW}\n{hang}"));
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    running.signal("INT");
    running.wait_for_note("a second interrupt leaves");
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains(&format!("a transfer that runs goes on: waypost watch {id}")), "{}", ran.err);
    assert_eq!(site.tasks()[0]["outcome"], Value::Null);
}

#[test]
fn another_process_can_watch_and_cancel() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    let mut watching = site.start(&["--pace", "real", "watch", &id]);
    watching.wait_for_note("moving");
    let cancel = site.expect(0, &["--pace", "real", "cancel", &id]);
    assert!(cancel.out.contains("cancelled: g1 is running on a"), "{}", cancel.out);
    assert_eq!(watching.end().code, 6);
    assert_eq!(running.end().code, 6);
}

#[test]
fn who_merely_watches_leaves_with_one_interrupt() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    let mut watching = site.start(&["--pace", "real", "watch", &id]);
    watching.wait_for_note("moving");
    watching.signal("INT");
    let left = watching.end();
    assert_eq!(left.code, 1);
    assert!(left.err.contains(&format!("left; the task goes on: waypost watch {id}")), "{}", left.err);
    assert_eq!(site.tasks()[0]["outcome"], Value::Null);
    running.signal("INT");
    assert_eq!(running.end().code, 6);
}

#[test]
fn a_task_whose_driver_was_killed_is_found_and_brought_to_its_end() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    running.signal("KILL");
    assert_eq!(running.end().code, -1);

    let listed = site.expect(0, &["recover"]).out;
    assert!(listed.contains(&format!("nobody: waypost recover {id}")), "{listed}");
    // Simulated hosts live and die with a process: whoever takes the task over finds hosts without a transfer.
    let ran = site.expect(4, &["recover", &id]);
    for part in [
        "permitted: accept-source",
        "watched from outside from here on",
        "chose accept-source",
        "rolled-back: g1 is running on a",
    ] {
        assert!(ran.out.contains(part), "{part}:\n{}", ran.out);
    }
    assert!(site.expect(0, &["recover"]).out.contains("no task is unfinished"));
}

/// What both hosts show is shown, and what that permits: of a task that another process drives, of one that nobody drives, and of
/// one that is over. None of them is another task afterwards.
#[test]
fn a_look_leaves_a_task_to_whoever_drives_it_or_to_nobody() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    let look = ["recover", id.as_str(), "--look"];
    let driven = site.expect(0, &look).out;
    for part in ["on a (source): running", "on b (destination): ", "permitted: ", "so: "] {
        assert!(driven.contains(part), "{part}:\n{driven}");
    }
    assert_eq!(site.tasks()[0]["driven_by"], "process", "nothing was taken from who drives it");
    running.signal("KILL");
    assert_eq!(running.end().code, -1);

    let on_record = || {
        let task = &site.tasks()[0];
        let state = ["phase", "outcome", "driven_by"].map(|name| task[name].clone());
        (state, site.document(0, &["task", &id])["journal"].clone())
    };
    let before = on_record();
    assert_eq!(before.0, [Value::from("performing"), Value::Null, Value::from("nobody")]);
    assert!(before.1.as_array().is_some_and(|journal| !journal.is_empty()), "{before:?}");
    let open = site.expect(0, &look).out;
    assert!(open.contains("permitted: accept-source") && !open.contains("is over"), "{open}");
    let document = site.document(0, &look);
    assert_eq!((&document["kind"], &document["permitted"][0]), (&"look".into(), &"accept-source".into()), "{document}");
    assert_eq!(on_record(), before);
    assert!(site.expect(0, &["recover"]).out.contains(&format!("nobody: waypost recover {id}")));

    // Of one that is over there is nothing else to be had in any case.
    site.expect(4, &["recover", &id]);
    let ended = on_record();
    assert_eq!(site.expect(0, &look).out, site.expect(0, &["recover", &id]).out);
    assert_eq!(on_record(), ended);
}

#[test]
fn a_look_is_of_one_task_and_does_nothing() {
    let site = Site::new(TWO_HOSTS);
    let id = "01981f3e-6a2b-7c10-9d53-2f6f0b7f4c11";
    let of_none = site.expect(2, &["recover", "--look"]).err;
    assert!(of_none.contains("required") && of_none.contains("ID"), "{of_none}");
    let both = site.expect(2, &["recover", id, "--look", "--do", "hand-over"]).err;
    assert!(both.contains("--look") && both.contains("cannot be used with"), "{both}");
    assert!(site.expect(1, &["recover", id, "--look"]).err.contains(&format!("task {id}: there is no such task")));
}

#[test]
fn cancelling_a_task_that_nobody_drives_takes_it_over() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    running.signal("KILL");
    running.end();
    let ran = site.expect(0, &["cancel", &id]);
    assert!(ran.out.contains("cancelled: g1 is running on a"), "{}", ran.out);
}

#[test]
fn a_task_that_waits_for_a_slot_is_listed_as_waiting() {
    let site = Site::with(
        &format!("{SLOW}[[domain]]\nname = \"g2\"\nhost = \"a\"\n"),
        "[migrations]\noutgoing_per_host = 1\n",
    );
    let mut first = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    first.wait_for_note("moving: ");
    let mut second = site.start(&["--pace", "real", "migrate", "g2", "--to", "b"]);
    second.wait_for_note("waiting for a slot: 1st");
    let tasks = site.tasks();
    assert_eq!((&tasks[0]["place"], &tasks[0]["phase"]), (&1.into(), &"accepted".into()), "{tasks:?}");
    assert_eq!((&tasks[1]["place"], &tasks[1]["phase"]), (&Value::Null, &"performing".into()));
    for command in ["tasks", "recover"] {
        let listed = site.expect(0, &[command]).out;
        assert!(listed.contains("waiting (place 1)") && listed.contains("performing"), "{command}: {listed}");
    }
    let id = tasks[0]["id"].as_str().expect("an id");
    let nothing = site.expect(1, &["recover", id, "--look"]).err;
    assert!(nothing.contains(&format!("task {id} has no plan yet, so there is nothing to look at")), "{nothing}");
    second.signal("INT");
    assert_eq!(second.end().code, 6);
    assert!(!site.expect(0, &["tasks"]).out.contains("waiting"), "what is over waits for nothing");
    first.signal("INT");
    assert_eq!(first.end().code, 6);
}

#[test]
fn a_wish_of_a_program_is_answered_with_a_document() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    let steered = site.document(0, &["--pace", "real", "steer", &id, "--bandwidth", "7", "--suspend"]);
    assert_eq!((&steered["kind"], &steered["task"]), (&"steered".into(), &id.as_str().into()));
    let asked = serde_json::json!([{"action": "set-bandwidth", "value": 7}, {"action": "suspend", "value": null}]);
    assert_eq!(steered["asked"], asked);
    running.signal("INT");
    assert_eq!(running.end().code, 6);
}

#[test]
fn a_domain_has_one_task_at_a_time() {
    let site = Site::new(SLOW);
    let mut running = site.start(&["--pace", "real", "migrate", "g1", "--to", "b"]);
    let id = id_of(&running.wait_for_note("task "));
    running.wait_for_note("moving: ");
    let second = site.expect(3, &["migrate", "g1", "--to", "b"]);
    assert!(second.out.contains(&format!("task {id} is migrating this domain already")), "{}", second.out);
    running.signal("INT");
    assert_eq!(running.end().code, 6);
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_migration() {
    let site = Site::new(TWO_HOSTS);
    let mut child = site
        .command(&["migrate", "g1", "--to", "b"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("waypost starts");
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(site.tasks()[0]["outcome"], "completed");
}
