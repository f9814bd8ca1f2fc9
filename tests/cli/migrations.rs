//! `migrate` to each of its ends, and what is on record afterwards.

use serde_json::Value;

use super::support::{SLOW, Site, TWO_HOSTS, documents};

#[test]
fn a_guest_moves_and_the_figures_are_told() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(0, &["migrate", "g1", "--to", "b"]);
    assert!(ran.out.contains("completed: g1 is running on b"), "{}", ran.out);
    let figures = ran.out.lines().find(|line| line.contains("total time")).expect("final figures");
    assert!(figures.contains("downtime") && figures.contains("sent"), "{figures}");
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains(['\r', '\u{1b}']), "plain output holds no control characters: {text:?}");
    }
}

#[test]
fn progress_comes_once_a_second_and_never_runs_backwards() {
    let site = Site::new(SLOW);
    let ran = site.expect(0, &["migrate", "g1", "--to", "b"]);
    let percents: Vec<u32> = ran
        .err
        .lines()
        .filter_map(|line| line.trim_start().split_once("%  moving: "))
        .map(|(percent, _)| percent.parse().expect("a number"))
        .collect();
    // 4 GiB at 10 MiB/s take some 410 s of simulated time.
    assert!((300..600).contains(&percents.len()), "{} lines", percents.len());
    assert!(percents.is_sorted());
    let line = ran.err.lines().find(|line| line.contains(" 50%  moving: ")).expect("half way");
    for part in ["GiB of 4.0 GiB", "MiB/s", "dirties", "downtime about", "left"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn programs_get_one_result_and_follow_the_course_beside_it() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(0, &["--json", "migrate", "g1", "--to", "b"]);
    let ended = ran.documents();
    let [ended] = &ended[..] else { panic!("one result: {ended:?}") };
    assert_eq!((&ended["kind"], &ended["outcome"]["kind"]), (&"ended".into(), &"completed".into()));
    assert_eq!(ended["figures"]["stage"], "final");
    assert!(ended["figures"]["downtime_ms"].is_u64(), "{ended}");
    let course = documents(&ran.err);
    let kinds: Vec<&str> = course.iter().filter_map(|d| d["kind"].as_str()).collect();
    assert_eq!(kinds[0], "accepted");
    assert!(kinds.len() > 2 && kinds[1..].iter().all(|kind| *kind == "progress"), "{kinds:?}");
    assert_eq!(course[0]["task"], ended["task"]);
}

#[test]
fn a_task_stays_on_record() {
    let site = Site::new(TWO_HOSTS);
    site.expect(0, &["migrate", "g1", "--to", "b"]);
    let tasks = site.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!((&tasks[0]["outcome"], &tasks[0]["progress"]), (&"completed".into(), &100.into()));
    // What is over can be looked at, and nothing is offered that no task would do any more.
    let looked = site.expect(0, &["recover", tasks[0]["id"].as_str().expect("an id")]).out;
    assert!(looked.contains("permitted: nothing: the task is over"), "{looked}");
    assert!(site.expect(0, &["tasks"]).out.contains("completed"));
    assert_eq!(site.expect(0, &["tasks", "--unfinished"]).out.lines().count(), 1);

    let id = tasks[0]["id"].as_str().expect("an id");
    let text = site.expect(0, &["task", id]).out;
    for part in [
        "journal (UTC)",
        "about to start the transfer",
        "the transfer is over: moved",
        "decisions",
        "plan",
        "completed: ",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let task = site.document(0, &["task", id]);
    let journal: Vec<&str> =
        task["journal"].as_array().expect("a journal").iter().filter_map(|e| e["record"].as_str()).collect();
    assert_eq!(journal[..3], ["accepted", "judged", "planned"]);
    assert_eq!(journal.last(), Some(&"ended"));
    assert!(task["decisions"][0]["facts_read"].is_array());
    // It is over: to watch it tells the end at once, to cancel it is refused.
    assert!(site.expect(0, &["watch", id]).out.contains("completed: "));
    assert!(site.expect(1, &["cancel", id]).err.contains("the task is over"));
}

#[test]
fn a_shut_off_domain_moves_as_a_definition() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(0, &["migrate", "off", "--to", "b", "--offline"]);
    assert!(ran.out.contains("completed: off is shut-off on b"), "{}", ran.out);
    site.expect(3, &["migrate", "off", "--to", "b", "--live"]);
}

#[test]
fn a_refused_migration_tells_all_findings_and_touches_nothing() {
    let site = Site::new(TWO_HOSTS);
    let ran = site.expect(3, &["migrate", "pinned", "--to", "b"]);
    assert!(ran.out.contains("blocker") && ran.out.contains("remedy: "), "{}", ran.out);
    assert!(ran.out.contains("refused by 1 blocker") && ran.out.contains("nothing was touched"), "{}", ran.out);
    let ended = site.document(3, &["migrate", "pinned", "--to", "b"]);
    assert_eq!(ended["verdict"]["decision"], "refused");
}

#[test]
fn a_transfer_that_takes_too_long_leaves_the_guest_on_its_source() {
    let site = Site::new(SLOW);
    let ran = site.expect(4, &["migrate", "g1", "--to", "b", "--timeout", "20"]);
    assert!(ran.out.contains("rolled-back: g1 is running on a"), "{}", ran.out);
    assert!(ran.err.contains("the time limit of 20 s is over; aborting"), "{}", ran.err);
    let id = site.tasks()[0]["id"].as_str().expect("an id").to_owned();
    let text = site.expect(0, &["task", &id]).out;
    assert!(text.contains("timed-out") && text.contains("chose accept-source"), "{text}");
}

/// A fleet in which this goes wrong.
fn with_fault(fault: &str) -> Site {
    Site::new(&format!("{SLOW}\n[[fault]]\n{fault}\n"))
}

#[test]
fn a_destination_that_dies_in_mid_copy_costs_nothing() {
    let site = with_fault("at = 'perform'\nwhat = 'hypervisor-dies'\nwho = 'destination'");
    let ran = site.expect(4, &["migrate", "g1", "--to", "b"]);
    assert!(ran.out.contains("rolled-back: g1 is running on a"), "{}", ran.out);
    assert!(ran.out.contains("cause: "), "{}", ran.out);
}

#[test]
fn a_source_that_dies_in_mid_copy_is_told_as_it_is() {
    let site = with_fault("at = 'perform'\nwhat = 'hypervisor-dies'\nwho = 'source'");
    let ran = site.expect(5, &["migrate", "g1", "--to", "b"]);
    assert!(ran.out.starts_with("lost: ") || ran.out.contains("\nlost: "), "{}", ran.out);
    assert!(ran.out.contains("remedy: "), "{}", ran.out);
}

#[test]
fn a_destination_that_goes_dark_for_good_is_a_matter_for_a_person() {
    let site = with_fault("at = 'finish'\nwhat = 'unreachable'\nwho = 'destination'");
    let ran = site.expect(5, &["migrate", "g1", "--to", "b"]);
    assert!(ran.out.contains("unknown on b"), "{}", ran.out);
}

#[test]
fn without_a_recovery_policy_a_failure_is_stuck_and_can_be_looked_at_again() {
    let site = Site::without_recovery(SLOW);
    let ran = site.expect(5, &["migrate", "g1", "--to", "b", "--timeout", "20"]);
    assert!(ran.out.contains("stuck: "), "{}", ran.out);
    assert!(ran.out.contains("remedy: look at g1 on a and on b"), "{}", ran.out);
    let id = site.tasks()[0]["id"].as_str().expect("an id").to_owned();
    let look = site.expect(0, &["recover", &id]).out;
    assert!(
        look.contains("on a (source): running") && look.contains("permitted: accept-source, try-again, hand-over"),
        "{look}"
    );
    let document = site.document(0, &["recover", &id]);
    assert_eq!(document["kind"], "look");
    assert_eq!(document["destination"]["domain"], "absent");
    assert_eq!(document["permitted"], Value::from(vec!["accept-source", "try-again", "hand-over"]));
    assert_eq!(document["networks"], Value::from(Vec::<String>::new()));
    let wrong = site.expect(2, &["recover", &id, "--do", "accept-source", "--network", "mig"]);
    assert!(wrong.err.contains("can't take network mig: only resume-post-copy takes one"), "{}", wrong.err);
}

#[test]
fn a_detached_migration_is_driven_by_another_process() {
    let site = Site::new(SLOW);
    let ran = site.expect(0, &["migrate", "g1", "--to", "b", "--detach"]);
    let id = ran.out.trim().to_owned();
    assert_eq!(ran.out.lines().count(), 1, "only the id, for scripts: {}", ran.out);
    let watched = site.expect(0, &["watch", &id]);
    assert!(watched.out.contains("completed: g1 is running on b"), "{}", watched.out);
    let log = std::fs::read_to_string(site.path("state/log").join(format!("{id}.log"))).expect("a log");
    assert!(log.contains("moving") && log.contains("completed: g1 is running on b"), "{log}");
}
