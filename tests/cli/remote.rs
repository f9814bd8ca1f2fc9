//! The same words to this program and to a service: what each prints, and what it is worth to a shell, must not differ.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use super::support::{Ran, Running, SLOW, Site, TWO_HOSTS};

pub const SOCKET: &str = "waypost.sock";

/// A site with a service over it. A command that works alone there reads the same records, and has simulated hosts of its own
/// that begin alike.
pub struct Both {
    pub site: Site,
    service: Option<Running>,
}

impl Both {
    pub fn new(fleet: &str) -> Self {
        Self::over(Site::new(fleet))
    }

    fn over(site: Site) -> Self {
        let mut both = Self { site, service: None };
        both.serve();
        both
    }

    /// Starts the service, also anew.
    fn serve(&mut self) {
        let mut service = self.site.start(&["serve", "--socket", SOCKET]);
        service.wait_for_note("listening on ");
        self.service = Some(service);
    }

    /// Ends it as systemd does.
    fn stop(&mut self) {
        let service = self.service.take().expect("a service");
        service.signal("TERM");
        assert_eq!(service.end().code, 0);
    }

    fn address(&self) -> String {
        format!("unix:{}", self.site.path(SOCKET).display())
    }

    pub fn through(&self, words: &[&str]) -> Ran {
        Ran::of(self.site.asking(&self.address(), words).output().expect("waypost runs"))
    }

    fn start_through(&self, words: &[&str]) -> Running {
        Running::of(self.site.asking(&self.address(), words))
    }

    /// Runs it both ways and insists on one exit status; answers what each left, alone first.
    fn run(&self, code: i32, words: &[&str]) -> (Ran, Ran) {
        let (alone, through) = (self.site.run(words), self.through(words));
        for (how, ran) in [("alone", &alone), ("through a service", &through)] {
            assert_eq!(ran.code, code, "{how}: waypost {}\n{}\n{}", words.join(" "), ran.out, ran.err);
        }
        (alone, through)
    }

    /// Insists that people read the same, to the byte, and programs the same but for moments and digests.
    fn same(&self, code: i32, words: &[&str]) {
        let (alone, through) = self.run(code, words);
        assert_eq!(alone.out, through.out, "waypost {}", words.join(" "));
        let json: Vec<&str> = [&["--json"], words].concat();
        let (alone, through) = self.run(code, &json);
        assert!(!alone.out.is_empty());
        assert_eq!(shape(&alone.out), shape(&through.out), "waypost {}", json.join(" "));
    }

    /// Insists that whoever makes the mistake is told the same.
    fn same_error(&self, code: i32, words: &[&str], said: &str) {
        let (alone, through) = self.run(code, words);
        assert!(alone.err.contains(said), "{said}:\n{}", alone.err);
        assert_eq!((alone.out, alone.err), (through.out, through.err), "waypost {}", words.join(" "));
    }

    /// A task that is begun and not waited for.
    pub fn detached(&self, words: &[&str]) -> String {
        let ran = self.through(&[words, &["--detach"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.trim().to_owned()
    }
}

/// A text without what no two runs have in common: ids and digests, and every number.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-';
        let hex = rest.find(|c| !is_hex(c)).unwrap_or(rest.len());
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let taken = if hex >= 12 && rest[..hex].contains(|c: char| c.is_ascii_digit()) {
            shape.push('#');
            hex
        } else if digits > 0 {
            shape.push('0');
            digits
        } else {
            shape.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    shape
}

/// A course without what two transfers don't have in common: for people the line of the figures, and the downtime at its end.
fn course(text: &str) -> String {
    let mut course = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  total time ")) {
        let downtime = line.find(" (downtime ").and_then(|from| Some((from, from + line[from..].find(')')? + 1)));
        match downtime {
            Some((from, to)) => course.extend([&line[..from], &line[to..]]),
            None => course.push_str(line),
        }
        course.push('\n');
    }
    course
}

/// A frame of `top` without the moment in its title.
fn timeless(frame: &str) -> String {
    let (title, below) = frame.split_once('\n').expect("a title");
    let parts: Vec<&str> = title.split("  ").collect();
    let [name, _, counts] = parts[..] else { panic!("{title}") };
    format!("{name}  {counts}\n{below}")
}

const MORE: &str =
    "[[domain]]\nname = \"g2\"\nhost = \"a\"\n[[domain]]\nname = \"off2\"\nhost = \"a\"\nstate = \"shut-off\"\n";

#[test]
fn what_is_read_is_the_same() {
    let both = Both::new(TWO_HOSTS);
    both.same(0, &["hosts"]);
    both.same(0, &["domains"]);
    both.same(0, &["domains", "--host", "a"]);
    both.same(0, &["tasks"]);
    both.same(0, &["plugin", "list"]);
    both.same(0, &["recover"]);
    both.same(0, &["check", "g1", "--to", "b"]);
    both.same(0, &["check", "g1", "--all", "--bandwidth", "50"]);
    both.same(3, &["check", "pinned"]);
    let dry_run = ["migrate", "g1", "--to", "b", "--dry-run", "--name", "g9", "--parallel", "2", "--keep-source"];
    both.same(0, &dry_run);
    both.same(3, &["migrate", "pinned", "--to", "b", "--dry-run"]);
}

#[test]
fn mistakes_are_told_in_the_same_words() {
    let both = Both::new(TWO_HOSTS);
    both.same_error(
        1,
        &["domains", "--host", "nowhere"],
        "there is no host nowhere in the configuration; it has: a, b",
    );
    both.same_error(1, &["migrate", "g1", "--to", "nowhere"], "there is no host nowhere");
    both.same_error(1, &["check", "nobody"], "no host has a domain nobody");
    both.same_error(2, &["check", "g1", "--to", "b", "--bandwidth", "0"], "bandwidth (MiB/s) is 0, which is outside");
    both.same_error(2, &["migrate", "g1", "--to", "b", "--zerocopy"], "--zerocopy needs --parallel");
    // What only the site forbids, only the service can say.
    both.same_error(2, &["migrate", "g1", "--to", "b", "--attempts", "99"], "--attempts");
    let unknown = "01981f3e-6a2b-7c10-9d53-2f6f0b7f4c11";
    for command in ["task", "watch", "cancel", "recover"] {
        let (_, through) = both.run(1, &[command, unknown]);
        assert!(through.err.contains(&format!("there is no task {unknown}")), "{command}: {}", through.err);
        assert!(through.err.contains("remedy: `waypost tasks` lists them"), "{command}: {}", through.err);
    }
}

#[test]
fn a_migration_is_told_alike_and_its_records_are_the_same() {
    let both = Both::new(&format!("{TWO_HOSTS}{MORE}"));
    for (code, domain) in [(0, "g1"), (0, "off"), (3, "pinned")] {
        let (alone, through) = both.run(code, &["migrate", domain, "--to", "b"]);
        assert_eq!(course(&alone.out), course(&through.out), "{domain}");
        assert_eq!(through.out.contains("\n  total time "), code == 0, "{}", through.out);
        assert!(through.err.lines().any(|line| line.starts_with("task ")), "{}", through.err);
    }
    for (code, domain) in [(0, "g2"), (0, "off2"), (3, "pinned")] {
        let (alone, through) = both.run(code, &["--json", "migrate", domain, "--to", "b"]);
        assert_eq!(shape(&course(&alone.out)), shape(&course(&through.out)), "{domain}");
        let ended = &through.documents()[0];
        assert_eq!(ended["figures"].is_object(), domain == "g2", "{ended}");
        let kinds: Vec<Value> =
            through.err.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
        assert_eq!(kinds[0]["kind"], "accepted");
        assert!(kinds[1..].iter().all(|document| document["kind"] == "progress"), "{kinds:?}");
    }
    // From here on there is one state, and nothing in it changes.
    both.same(0, &["tasks"]);
    both.same(0, &["audit"]);
    both.same(0, &["tasks", "--unfinished"]);
    let (alone, through) = both.run(0, &["top"]);
    let counts = format!("  0 running, 0 waiting, {} finished\n", both.site.tasks().len());
    assert!(alone.out.contains(&counts), "{counts}\n{}", alone.out);
    assert_eq!(timeless(&alone.out), timeless(&through.out));
    let (alone, through) = both.run(0, &["--json", "top"]);
    let [alone, through] = [alone, through].map(|ran| {
        let mut top = ran.documents().remove(0);
        assert!(top["at"].take().is_string(), "{top}");
        top
    });
    assert_eq!(alone, through);
    for task in both.site.tasks() {
        let id = task["id"].as_str().expect("an id");
        let (alone, through) = both.run(0, &["task", id]);
        assert_eq!(alone.out, through.out);
        let (alone, through) = both.run(0, &["--json", "task", id]);
        assert_eq!(alone.out, through.out);
        let code = if task["outcome"] == "refused" { 3 } else { 0 };
        let (alone, through) = both.run(code, &["watch", id]);
        assert_eq!(alone.out, through.out);
    }
}

#[test]
fn a_running_task_is_followed_steered_and_cancelled() {
    let both = Both::new(SLOW);
    let mut following = both.start_through(&["migrate", "g1", "--to", "b", "--auto-converge"]);
    let id = following.wait_for_note("task ").trim().trim_start_matches("task ").to_owned();
    following.wait_for_note("moving: ");

    let steer = ["--json", "steer", id.as_str(), "--bandwidth", "5", "--max-downtime", "900", "--throttle", "60"];
    let (alone, through) = both.run(0, &steer);
    assert_eq!(alone.out, through.out);
    let (alone, through) = both.run(1, &["steer", id.as_str(), "--postcopy"]);
    assert!(alone.err.contains("begun without post-copy") && through.err.contains("begun without post-copy"));
    // What no transfer may do is no command.
    let (alone, through) = both.run(2, &["steer", id.as_str(), "--throttle", "19"]);
    assert!(alone.err.contains("20..=99") && through.err.contains("20..=99"), "{}", alone.err);
    let listed = both.through(&["tasks", "--unfinished"]).out;
    assert!(listed.contains(&id) && listed.contains("performing"), "{listed}");
    let top = both.through(&["top"]).out;
    assert!(top.contains("1 running, 0 waiting") && top.contains("\nRUNNING ") && top.contains("\ng1 "), "{top}");
    let (alone, through) = both.run(0, &["recover"]);
    assert_eq!(alone.out, through.out);
    assert!(through.out.contains(&id) && through.out.contains("the service"), "{}", through.out);

    // Who looks sees the job of its transfer, and neither follows it nor does anything to it.
    let look = ["recover", id.as_str(), "--look"];
    let looked = both.through(&look);
    assert_eq!(looked.code, 0, "{}", looked.err);
    assert!(looked.out.contains("permitted: wait, abort-job"), "{}", looked.out);
    let documents = both.through(&[&["--json"][..], &look].concat()).documents();
    let [document] = &documents[..] else { panic!("a look and nothing else: {documents:?}") };
    assert_eq!((&document["kind"], &document["task"]), (&"look".into(), &id.as_str().into()), "{document}");
    let listed = both.through(&["tasks", "--unfinished"]).out;
    assert!(listed.contains(&id) && listed.contains("performing"), "{listed}");

    // Who watches leaves, and the task goes on.
    let mut watching = both.start_through(&["watch", id.as_str()]);
    watching.wait_for_note("moving: ");
    watching.signal("INT");
    let left = watching.end();
    assert_eq!(left.code, 1, "{}", left.err);
    assert!(left.err.contains(&format!("left; the task goes on: waypost watch {id}")), "{}", left.err);

    let cancelled = both.through(&["cancel", id.as_str()]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.err);
    assert!(cancelled.err.contains(&format!("asked for task {id} to be cancelled")), "{}", cancelled.err);
    let followed = following.end();
    assert_eq!(followed.code, 6, "{}", followed.err);
    let end = |text: &str| text.lines().find(|line| line.starts_with("cancelled")).map(str::to_owned);
    assert!(end(&followed.out).is_some_and(|line| line.contains("g1 is running on a")), "{}", followed.out);
    assert_eq!(end(&followed.out), end(&cancelled.out));
    let (alone, through) = both.run(0, &["cancel", id.as_str()]);
    assert_eq!((alone.out, alone.err), (through.out, through.err));
    let looked = both.through(&["recover", id.as_str()]);
    assert_eq!(looked.code, 0, "{}", looked.err);
    assert!(
        looked.out.contains("is over: cancelled: ") && looked.out.contains("on a (source): running"),
        "{}",
        looked.out
    );
}

#[test]
fn who_drives_each_task_is_told_alike() {
    let both = Both::new(&format!("{SLOW}{MORE}"));
    let there = both.detached(&["migrate", "g1", "--to", "b"]);
    let mut beside = both.site.start(&["--pace", "real", "migrate", "g2", "--to", "b"]);
    let here = beside.wait_for_note("task ").trim().trim_start_matches("task ").to_owned();
    beside.wait_for_note("moving: ");
    let listed = both.through(&["--json", "recover"]).documents().remove(0);
    let driver = |id: &str| {
        let tasks = listed["tasks"].as_array().expect("tasks");
        tasks.iter().find(|task| task["id"] == id).expect("it is unfinished")["driven_by"].clone()
    };
    assert_eq!((driver(&there), driver(&here)), ("service".into(), "process".into()), "{listed}");
    let (alone, through) = both.run(0, &["recover"]);
    for ran in [&alone, &through] {
        let line = |id: &str| ran.out.lines().find(|line| line.starts_with(id)).expect("a line").trim_end().to_owned();
        assert!(line(&there).ends_with("  the service"), "{}", ran.out);
        assert!(line(&here).ends_with("  another process"), "{}", ran.out);
    }
    assert_eq!(both.through(&["cancel", &there]).code, 0);
}

#[test]
fn a_person_brings_a_stuck_task_to_its_end_through_a_service() {
    let fault = "[[fault]]\nat = 'perform'\nwhat = 'hypervisor-dies'\nwho = 'destination'\n";
    let fleet = format!("{TWO_HOSTS}{MORE}{fault}{fault}occurrence = 2\n");
    let both = Both::over(Site::without_recovery(&fleet));
    let stuck = |domain: &str| {
        let ran = both.through(&["migrate", domain, "--to", "b"]);
        assert_eq!(ran.code, 5, "{}\n{}", ran.out, ran.err);
        let task = both.site.tasks().into_iter().find(|task| task["domain"] == domain).expect("a task");
        task["id"].as_str().expect("an id").to_owned()
    };
    let (first, second) = (stuck("g1"), stuck("g2"));
    let refused = both.through(&["recover", &first, "--do", "destroy-source"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains(&format!("remedy: `waypost recover {first} --look` says what is permitted")),
        "{}",
        refused.err
    );
    let accepted = both.through(&["recover", &first, "--do", "accept-source"]);
    assert_eq!(accepted.code, 4, "{}\n{}", accepted.out, accepted.err);
    assert!(accepted.out.contains("rolled-back: g1 is running on a"), "{}", accepted.out);
    // It is moved after all, and followed to its end.
    let moved = both.through(&["recover", &second, "--do", "try-again"]);
    assert_eq!(moved.code, 0, "{}\n{}", moved.out, moved.err);
    assert!(moved.out.contains("completed: g2 is running on b"), "{}", moved.out);
    for (id, outcome) in [(&first, "rolled-back"), (&second, "completed")] {
        let document = both.site.document(0, &["task", id]);
        assert_eq!(document["outcome"]["kind"], outcome, "{document}");
    }
}

#[test]
fn an_interrupt_cancels_as_it_does_alone_and_detached_nothing_is_followed() {
    let both = Both::new(SLOW);
    let mut following = both.start_through(&["migrate", "g1", "--to", "b"]);
    following.wait_for_note("moving: ");
    following.signal("INT");
    let ran = following.end();
    assert_eq!(ran.code, 6, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("cancelling; a second interrupt leaves the transfer running"), "{}", ran.err);

    let id = both.detached(&["migrate", "g1", "--to", "b"]);
    assert!(both.through(&["tasks", "--unfinished"]).out.contains(&id));
    assert_eq!(both.through(&["cancel", &id]).code, 0);
}

#[test]
fn a_service_that_is_started_anew_is_followed_on() {
    let mut both = Both::new(SLOW);
    let mut following = both.start_through(&["migrate", "g1", "--to", "b"]);
    following.wait_for_note("moving: ");
    both.stop();
    following.wait_for_note("the task goes on, and so does this as soon as it can");
    // Simulated hosts live and die with a process: the new one finds hosts without a transfer, and says so.
    both.serve();
    following.wait_for_note("connected again");
    let ran = following.end();
    assert_eq!(ran.code, 4, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("rolled-back: g1 is running on a"), "{}", ran.out);
}

#[test]
fn a_command_says_where_it_works() {
    let both = Both::new(TWO_HOSTS);
    let at = both.address();
    for words in
        [&["serve", "--check"][..], &["state", "prune", "--older-than", "1d"], &["openapi"], &["plugin", "new", "x"]]
    {
        let ran = both.through(words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.err);
        assert!(
            ran.err.contains(&format!("works on this machine alone, so --service {at} means nothing")),
            "{}",
            ran.err
        );
    }
    let ran = both.through(&["token", "list"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("run it on the service's machine"), "{}", ran.err);
    let ran = Ran::of(both.site.command(&["--service", &at, "hosts"]).output().expect("waypost runs"));
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("a service has hosts of its own"), "{}", ran.err);
    let ran = Ran::of(both.site.asking("http://h", &["hosts"]).output().expect("waypost runs"));
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("use https"), "{}", ran.err);
    let ran = Ran::of(both.site.asking("unix:/nowhere/waypost.sock", &["hosts"]).output().expect("waypost runs"));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("can't connect to the service at unix:/nowhere/waypost.sock"), "{}", ran.err);
    assert!(ran.err.contains("start `waypost serve`"), "{}", ran.err);
}

#[test]
fn the_configuration_and_the_environment_may_name_it() {
    let both = Both::new(TWO_HOSTS);
    let expected = both.through(&["hosts"]).out;
    let hosts = |name: &str, value: &str| {
        let mut command = both.site.bare(&["hosts"]);
        Ran::of(command.env(name, value).output().expect("waypost runs"))
    };
    let by_environment = hosts("WAYPOST_SERVICE", &both.address());
    assert_eq!((by_environment.code, &by_environment.out), (0, &expected), "{}", by_environment.err);
    both.site.write("client.toml", &format!("[client]\nservice = \"{}\"\n", both.address()));
    let by_configuration = hosts("WAYPOST_CONFIG", "client.toml");
    assert_eq!((by_configuration.code, &by_configuration.out), (0, &expected), "{}", by_configuration.err);
    // The word of the command line goes before either; alone, this folder's configuration has no hosts.
    let mut command = both.site.bare(&["hosts", "--service", "here"]);
    let here = Ran::of(command.env("WAYPOST_CONFIG", "client.toml").output().expect("waypost runs"));
    assert_eq!(here.code, 1, "{}", here.out);
    assert!(here.err.contains("configures no host"), "{}", here.err);
    // A command that asks none says so, and one that changes the records here is not taken for one that changes the service's.
    let with = |words: &[&str], value: &OsStr| {
        let mut command = both.site.bare(words);
        Ran::of(command.env("WAYPOST_SERVICE", value).output().expect("waypost runs"))
    };
    let told = with(&["openapi"], OsStr::new("unix:/nowhere"));
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.err.contains("the service of $WAYPOST_SERVICE is not asked"), "{}", told.err);
    let refused = with(&["state", "prune", "--older-than", "1d"], OsStr::new("unix:/nowhere"));
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("$WAYPOST_SERVICE means nothing"), "{}", refused.err);
    let unreadable = with(&["hosts"], OsStr::from_bytes(b"unix:/\xff"));
    assert_eq!(unreadable.code, 2, "{}", unreadable.err);
    assert!(unreadable.err.contains("$WAYPOST_SERVICE is not UTF-8"), "{}", unreadable.err);
    // Simulated hosts are this program's alone, whatever service there is.
    let mut command = both.site.command(&["tasks"]);
    let simulated = Ran::of(command.env("WAYPOST_SERVICE", "unix:/nowhere").output().expect("waypost runs"));
    assert_eq!(simulated.code, 0, "{}", simulated.err);
}
