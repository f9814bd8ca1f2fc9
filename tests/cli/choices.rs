//! What a request comes to before anything is touched: choices that are refused, dropped, or nobody's.

use serde_json::Value;

use super::support::{Site, TWO_HOSTS};

fn codes(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().expect("findings").iter().filter_map(|found| found["code"].as_str()).collect()
}

#[test]
fn a_check_shows_what_no_plan_can_be_made_of() {
    let site = Site::new(TWO_HOSTS);
    let zlib = ["check", "g1", "--to", "b", "--parallel", "2", "--compress", "zlib"];
    let text = site.expect(3, &zlib).out;
    assert!(text.contains("to b: refused by 1 blocker"), "{text}");
    assert!(text.contains("compression method zlib needs libvirt 9.4.0, and a has 9.0.0"), "{text}");
    let verdict = site.document(3, &zlib)["verdicts"][0].clone();
    assert!(codes(&verdict).contains(&"libvirt-too-old"), "{verdict}");
    assert!(verdict["plan_error"].as_str().is_some_and(|error| error.contains("needs libvirt 9.4.0")), "{verdict}");

    // Taken by libvirt 9.0, which both have, and refused by the next that one of them gets.
    let xbzrle = ["check", "g1", "--to", "b", "--parallel", "2", "--compress", "xbzrle"];
    site.expect(0, &xbzrle);
    let newer = Site::new(&TWO_HOSTS.replacen("name = \"b\"", "name = \"b\"\nlibvirt_version = \"9.4.0\"", 1));
    let text = newer.expect(3, &xbzrle).out;
    let said = "compression method xbzrle with parallel connections is refused from libvirt 9.4.0 on, and b has 9.4.0";
    assert!(text.contains(said) && text.contains("libvirt-too-new"), "{text}");

    let disk = ["check", "g1", "--to", "b", "--copy-storage", "full", "--migrate-disks", "vdz"];
    assert!(site.expect(3, &disk).out.contains("the domain has no disk vdz"));
    // A choice that no host need be asked about is usage here as well.
    let bounds = site.expect(2, &["check", "g1", "--to", "b", "--bandwidth", "0"]);
    assert!(bounds.err.contains("bandwidth (MiB/s) is 0, which is outside"), "{}", bounds.err);
    let both = site.expect(2, &["check", "g1", "--to", "b", "--tunnelled", "--parallel", "2"]);
    assert!(both.err.contains("--tunnelled and --parallel exclude each other"), "{}", both.err);
}

#[test]
fn a_hibernation_is_refused_before_anything_and_says_what_to_do_instead() {
    let site = Site::new(TWO_HOSTS);
    for command in [&["check"][..], &["migrate"][..], &["migrate", "--dry-run"][..]] {
        let said = site.expect(2, &[command, &["g1", "--to", "b", "--hibernate"]].concat()).err;
        assert!(said.contains("both hosts could start the guest"), "{said}");
        assert!(said.contains("`virsh managedsave DOMAIN`"), "{said}");
    }
    assert!(site.tasks().is_empty());
}

#[test]
fn a_dry_run_and_a_migration_are_refused_in_the_words_of_the_check() {
    let site = Site::new(TWO_HOSTS);
    let zlib = ["migrate", "g1", "--to", "b", "--parallel", "2", "--compress", "zlib"];
    let dry = site.expect(3, &[&zlib[..], &["--dry-run"]].concat()).out;
    assert!(dry.contains("needs libvirt 9.4.0") && !dry.contains("around it"), "{dry}");
    let document = site.document(3, &[&zlib[..], &["--dry-run"]].concat());
    assert_eq!((&document["plan"], document["choices"].as_array().map(Vec::len)), (&Value::Null, Some(0)));
    assert!(document["plan_error"].is_string(), "{document}");
    assert!(site.tasks().is_empty());
    let ran = site.expect(3, &zlib);
    assert!(ran.out.contains("refused by 1 blocker") && ran.out.contains("needs libvirt 9.4.0"), "{}", ran.out);
}

#[test]
fn what_a_precheck_says_already_is_not_said_again() {
    let site = Site::new(TWO_HOSTS);
    let verdict = site.document(3, &["check", "off", "--to", "b", "--live"])["verdicts"][0].clone();
    assert_eq!(codes(&verdict).iter().filter(|code| **code == "not-running").count(), 1, "{verdict}");
    // Where that precheck is not obeyed, the host itself refuses.
    let site = Site::with(TWO_HOSTS, "[plugin.precheck-state]\nmode = \"advise\"\n");
    let verdict = site.document(3, &["check", "off", "--to", "b", "--live"])["verdicts"][0].clone();
    let found = verdict["findings"].as_array().expect("findings");
    let by = |plugin: &str| found.iter().any(|f| f["code"] == "not-running" && f["plugin"] == plugin);
    assert!(by("precheck-state") && by("waypost"), "{verdict}");
}

#[test]
fn a_dry_run_says_of_every_choice_where_it_comes_from() {
    let site = Site::with(TWO_HOSTS, "[engine]\nmax_attempts = 5\n[plugins]\nconvergence = \"convergence-nova\"\n");
    let plain = site.expect(0, &["migrate", "g1", "--to", "b", "--dry-run"]).out;
    for choice in [
        "peer to peer: the source's libvirt connects to ",
        "it stays running (default)",
        "take no migration network of the configuration (default)",
        "send the memory where libvirt on the destination says (default)",
        "listen on every address of the destination (default)",
        "no bandwidth limit (default)",
        "the hypervisor does not encrypt it (default)",
        "over one connection (default)",
        "not compressed (default)",
        "the hypervisor does not slow the guest down (default)",
        "the switch to post-copy is not allowed (default)",
        "disk vda: not copied, the destination uses ",
        "1 attempt, and up to 5 in all if recovery-conservative tries again (default)",
        "asked while it runs: convergence-nova, mode enforce (as the configuration has it)",
        "asked after a failure: recovery-conservative, mode enforce (default)",
        "priority normal among those that wait (default)",
        "at most 2 leave a and 2 enter b at once (default)",
    ] {
        assert!(plain.contains(choice), "{choice}:\n{plain}");
    }
    // Nobody has said, or seen, what the network carries.
    assert!(plain.contains("convergence unknown: no bandwidth is known; it converges over any network"), "{plain}");
    let words = [
        "migrate",
        "g1",
        "--to",
        "b",
        "--direct",
        "--bandwidth",
        "50",
        "--postcopy",
        "--postcopy-bandwidth",
        "60",
        "--auto-converge",
        "--auto-converge-initial",
        "30",
        "--compress",
        "mt",
        "--compress-mt-level",
        "3",
        "--compress",
        "xbzrle",
        "--compress-xbzrle-cache",
        "67108864",
        "--no-tls",
        "--priority",
        "high",
        "--attempts",
        "2",
        "--dry-run",
    ];
    let asked = site.expect(0, &words).out;
    for choice in [
        "direct: this program drives both libvirt daemons, there ",
        "compress it: mt (level 3, threads default, decompressing threads default), xbzrle (cache 64.0 MiB)\n",
        "first by 30 %, then by the hypervisor's default more each time\n",
        "the switch to post-copy is allowed, then at most 60 MiB/s\n",
        "the hypervisor does not encrypt it\n",
        "1 attempt, and up to 2 in all if recovery-conservative tries again\n",
        "priority high among those that wait\n",
    ] {
        assert!(asked.contains(choice), "{choice}:\n{asked}");
    }
    let document = site.document(0, &words);
    let of = |name: &str| {
        let found = document["choices"].as_array().expect("choices").iter().find(|choice| choice["choice"] == name);
        found.unwrap_or_else(|| panic!("no choice {name}: {document}"))["from"].clone()
    };
    for (name, from) in [
        ("transport", "asked"),
        ("bandwidth", "asked"),
        ("parallel", "default"),
        ("attempts", "asked"),
        ("convergence-policy", "configuration"),
        ("recovery-policy", "default"),
        ("slots", "default"),
        ("disk", "default"),
        ("move", "facts"),
    ] {
        assert_eq!(of(name), from, "{name}");
    }
    assert!(site.tasks().is_empty());
}

#[test]
fn what_is_for_memory_is_said_to_have_no_effect_on_a_domain_that_is_shut_off() {
    let site = Site::new(TWO_HOSTS);
    let words = [
        "migrate",
        "off",
        "--to",
        "b",
        "--bandwidth",
        "5",
        "--parallel",
        "2",
        "--auto-converge",
        "--migrate-uri",
        "tcp://b",
    ];
    let dry = site.expect(0, &[&words[..], &["--dry-run"]].concat()).out;
    for option in ["bandwidth", "parallel", "auto-converge", "migrate-uri"] {
        assert!(dry.contains(&format!("note: {option} has no effect: the domain is shut off")), "{option}:\n{dry}");
    }
    assert!(!dry.contains("5 MiB/s"), "a plan claims nothing that isn't done: {dry}");
    site.expect(0, &words);
    let id = site.tasks()[0]["id"].as_str().expect("an id").to_owned();
    assert!(site.expect(0, &["task", &id]).out.contains("note: parallel has no effect"), "it is on record");
}

#[test]
fn what_would_not_hold_for_a_domain_that_is_shut_off_is_refused() {
    let site = Site::new(TWO_HOSTS);
    for (option, why) in [
        ("--postcopy", "postcopy can't be had: the domain is shut off, and there is no memory that could follow it"),
        ("--paused", "paused can't be had: the domain is shut off, and it arrives shut off, not paused"),
    ] {
        let text = site.expect(3, &["migrate", "off", "--to", "b", option]).out;
        assert!(text.contains(why) && text.contains("start it, or leave the option out"), "{text}");
        let beside = site.expect(2, &["check", "off", "--to", "b", "--offline", "--postcopy"]).err;
        assert!(beside.contains("--offline and --postcopy exclude each other"), "{beside}");
    }
}

#[test]
fn the_attempts_of_one_request_are_bounded_by_the_configuration_and_on_record() {
    let site = Site::with(TWO_HOSTS, "[engine]\nmax_attempts = 2\n");
    for dry in [&[][..], &["--dry-run"]] {
        let err = site.expect(2, &[&["migrate", "g1", "--to", "b", "--attempts", "3"], dry].concat()).err;
        assert!(err.contains("attempts is 3, and 2 is the most that the configuration allows"), "{err}");
    }
    assert!(site.expect(2, &["migrate", "g1", "--to", "b", "--attempts", "0"]).err.contains("attempts is 0"));
    site.expect(0, &["migrate", "g1", "--to", "b", "--attempts", "1"]);
    let id = site.tasks()[0]["id"].as_str().expect("an id").to_owned();
    let task = site.document(0, &["task", &id]);
    assert_eq!(task["journal"][0]["details"]["options"]["attempts"], 1, "{}", task["journal"][0]);
}
