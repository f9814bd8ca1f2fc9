//! Two who would move one domain: two controllers with a store of their own each, and a person with virsh. What keeps them
//! apart is libvirt's own job; the notice on the domain says who it is.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::site::{Ran, Site};

/// Another controller of the same hosts, which knows nothing of the first.
struct Other {
    config: PathBuf,
}

impl Other {
    fn of(site: &Site) -> Self {
        let text = fs::read_to_string(site.config()).expect("the configuration");
        let own = site.config().with_file_name("state");
        let other = site.config().with_file_name("other-state");
        let text = text.replace(&format!("{:?}", own), &format!("{:?}", other));
        let config = site.config().with_file_name("other.toml");
        fs::write(&config, text).expect("the other configuration");
        Self { config }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.arg("--config").arg(&self.config).args(arguments).env("NO_COLOR", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn waypost(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("the command runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

const NOTICE: [&str; 4] = ["metadata", "g1", "--uri", "urn:waypost:task:1"];

#[test]
fn whoever_comes_second_is_refused_and_told_who_was_first() {
    // No policy may bring the first to its end meanwhile.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    let other = Other::of(&site);
    site.busy_guest("g1");
    let first = site.start(&["migrate", "g1", "--to", "kvm2", "--bandwidth", "20", "--json"]);
    site.until_copying("kvm1", "g1");
    let task = site.only_task();
    let notice = site.virsh("kvm1", &NOTICE);
    assert!(notice.contains(&task) && notice.contains("/state\""), "{notice}");

    let refused = other.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("being migrated already"), "{}", refused.out);
    assert!(refused.out.contains(&task), "who moves it is not named:\n{}", refused.out);
    // A person with virsh reads the same, and is refused by libvirt.
    let peer = site.lab.host("kvm2").expect("kvm2").uri_peer();
    let virsh = site.lab.host("kvm1").and_then(|host| host.virsh(&["migrate", "--live", "--p2p", "g1", &peer]));
    let said = virsh.expect_err("one job at a time").to_string();
    assert!(said.contains("another migration job is already running"), "{said}");

    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let ended = first.wait_with_output().expect("the first ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    // What it left there says nothing of it any more.
    assert!(site.lab.host("kvm2").and_then(|host| host.virsh(&NOTICE)).is_err(), "the notice is still there");
    other.waypost(&["migrate", "g1", "--to", "kvm1", "--max-downtime", "20000"]).expect_code(0);
    assert!(site.lab.host("kvm1").and_then(|host| host.virsh(&NOTICE)).is_err(), "the notice is still there");
    site.assert_one_counting_guest("g1");
}

/// Both begin in the same moment, and to different hosts: neither saw the other when it asked the rules.
#[test]
fn of_two_controllers_at_once_one_moves_the_domain_and_the_other_says_so() {
    // What fits into this limit is less than the guest writes, and no policy may raise it: the transfer goes on until somebody does.
    let site = Site::with(3, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    let other = Other::of(&site);
    site.busy_guest("g1");
    let limits = ["--bandwidth", "20", "--max-downtime", "1000", "--json"];
    let one = site.command(&[&["migrate", "g1", "--to", "kvm2"][..], &limits].concat());
    let two = other.command(&[&["migrate", "g1", "--to", "kvm3"][..], &limits].concat());
    let mut running: Vec<_> = [one, two]
        .into_iter()
        .map(|mut command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts"))
        .collect();
    site.until("one of them has ended", |_| running.iter_mut().any(|child| matches!(child.try_wait(), Ok(Some(_)))));
    // So it is the slower one, which had set a limit, too, and must not take it back from the transfer that runs.
    site.until_copying("kvm1", "g1");
    let limit = site.virsh("kvm1", &["migrate-getmaxdowntime", "g1"]);
    assert_eq!(limit.trim(), "1000", "the limit of the transfer that runs");
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let ended: Vec<_> = running.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect();
    let told: Vec<Value> =
        ended.iter().map(|output| serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)).collect();
    let kinds: Vec<_> = told.iter().map(|task| task["outcome"]["kind"].as_str().unwrap_or_default()).collect();
    let moved = kinds.iter().position(|kind| *kind == "completed").unwrap_or_else(|| panic!("{told:#?}"));
    let loser = &told[1 - moved];
    assert!(matches!(kinds[1 - moved], "refused" | "rolled-back"), "{loser:#}");
    let why = loser.to_string();
    let theirs = other.waypost(&["tasks", "--json"]).expect_code(0).json();
    let winner =
        if moved == 0 { site.only_task() } else { theirs["tasks"][0]["id"].as_str().expect("an id").to_owned() };
    // Where both wrote their notice in the same moment it names nobody, and libvirt's own words are what there is.
    let told_why = why.contains(&winner) || why.contains("another migration job is already running");
    assert!(told_why, "who was faster, {winner}, is not named: {loser:#}");

    let (here, elsewhere) = if moved == 0 { ("kvm2", "kvm3") } else { ("kvm3", "kvm2") };
    assert_eq!(site.state(here, "g1").as_deref(), Some("running"), "{told:#?}");
    assert_eq!((site.state("kvm1", "g1"), site.state(elsewhere, "g1")), (None, None), "{told:#?}");
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_person_with_virsh_beside_us_is_no_harm() {
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let peer = site.lab.host("kvm2").expect("kvm2").uri_peer();
    // A migration that Waypost did not begin is none that it takes part in.
    let uri = site.lab.host("kvm1").expect("kvm1").uri_unix();
    let mut theirs = Command::new("virsh")
        .args(["-q", "-c", &uri, "migrate", "--live", "--p2p", "--persistent", "--undefinesource"])
        .args(["--bandwidth", "20", "g1", &peer])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("virsh runs");
    site.until_copying("kvm1", "g1");
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(3);
    assert!(refused.out.contains("being migrated already") && refused.out.contains("no Waypost"), "{}", refused.out);
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    assert!(theirs.wait().expect("virsh ends").success());
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");

    // And while Waypost moves it nobody changes it under its hands: while memory is copied the job sees to that, direct as well
    // as peer to peer. That libvirt is asked to hold a direct one between its phases, too, makes no difference here, and a
    // moment between two of its calls can't be hit: of that flag `host/libvirt/src/transfer/order.rs` tests that it is sent.
    let child = site.start(&["migrate", "g1", "--to", "kvm1", "--bandwidth", "20", "--direct"]);
    site.until_copying("kvm2", "g1");
    let refused = site.lab.host("kvm2").and_then(|host| host.virsh(&["undefine", "g1"]));
    assert!(refused.is_err(), "a domain that is being moved keeps its definition");
    site.virsh("kvm2", &["migrate-setmaxdowntime", "g1", "20000"]);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((site.state("kvm2", "g1"), site.state("kvm1", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
}
