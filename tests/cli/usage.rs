//! What is said when the command line or the configuration is wrong, and what goes to whom.

use super::support::{Site, TWO_HOSTS};

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    let site = Site::new(TWO_HOSTS);
    for words in [
        &["migrate", "g1"][..],
        &["migrate", "g1", "--to", "b", "--live", "--offline"],
        &["migrate", "g1", "--to", "b", "--transient"],
        &["migrate", "g1", "--to", "b", "--dry-run", "--detach"],
        &["migrate", "g1", "--to", "b", "--bandwidth", "many"],
        &["check", "g1", "--to", "b", "--all"],
        &["watch", "no-uuid"],
        &["nonsense"],
        &[],
    ] {
        assert_eq!(site.run(words).code, 2, "{words:?}");
    }
}

#[test]
fn a_program_is_told_in_json_what_is_wrong_with_its_command_line() {
    let site = Site::new(TWO_HOSTS);
    let wrong = |words: &[&str]| {
        let ran = site.expect(2, words);
        let documents = ran.documents();
        let [document] = &documents[..] else { panic!("one document: {documents:?}") };
        assert_eq!((&document["kind"], &document["exit_code"]), (&"error".into(), &2.into()), "{document}");
        assert_eq!(ran.err, "", "nothing for people");
        (document["message"].as_str().expect("a message").to_owned(), document["because"].clone())
    };
    let (message, because) = wrong(&["--json", "migrate", "g1"]);
    assert!(message.contains("required arguments were not provided"), "{message}");
    assert_eq!(because, serde_json::json!(["--to <HOST>"]));
    let (message, _) = wrong(&["migrate", "g1", "--to", "b", "--bandwidth", "many", "--json"]);
    assert!(message.contains("invalid value 'many' for '--bandwidth <MIB_S>'"), "{message}");
    let (message, because) = wrong(&["--json", "migrte"]);
    assert!(message.contains("'migrte'") && because.to_string().contains("'migrate'"), "{message} {because}");
    assert!(wrong(&["--json"]).0.contains("requires a subcommand"));
    assert!(wrong(&["--json", "lab"]).0.starts_with("no command is given"));
    // After two dashes it is a word of somebody else's.
    assert_eq!(site.expect(2, &["migrate", "--", "--json"]).out, "");
    assert!(site.expect(0, &["--json", "--help"]).out.contains("Usage: waypost"));
}

#[test]
fn a_slip_in_a_value_is_told_with_what_it_should_be() {
    let site = Site::new(TWO_HOSTS);
    for (words, said) in [
        (&["migrate", "g1", "--to", "b", "--bandwidth", "5M"][..], "a whole number of MiB/s without the unit, as 5"),
        (&["migrate", "g1", "--to", "b", "--max-downtime", "1s"], "a whole number of ms without the unit, as 300"),
        (&["watch", "0192"], "it is no whole task id, which is a UUID; `waypost tasks` lists them"),
        (&["check", "g1", "--migrate-uri", "10.0.0.1"], "it begins with tcp://, rdma:// or unix://"),
    ] {
        let err = site.expect(2, words).err;
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn what_a_host_or_a_folder_is_wrong_about_is_told_with_what_to_do() {
    let site = Site::new(&format!("{TWO_HOSTS}\n[[host]]\nname = \"down\"\nreachable = false\n"));
    let hosts = site.expect(1, &["hosts"]).err;
    assert!(hosts.contains("down: read the facts of the host on down: "), "{hosts}");
    assert!(hosts.contains("remedy: see that libvirt runs on down and that the uri of host down"), "{hosts}");
    let named = site.expect(1, &["check", "nobody", "--from", "a", "--to", "b"]).err;
    assert!(named.contains("read the facts of the domain on a") && named.contains("remedy: "), "{named}");
    let network = site.expect(3, &["check", "g1", "--to", "b", "--network", "mig"]).out;
    assert!(network.contains("\"mig\", which the configuration does not declare; it declares: none"), "{network}");
    let disk = site.expect(3, &["check", "g1", "--to", "b", "--copy-storage", "full", "--migrate-disks", "vdz"]).out;
    assert!(disk.contains("`virsh domblklist DOMAIN` on its host lists the targets"), "{disk}");

    let site = Site::with(TWO_HOSTS, "[plugins]\nshipped = false\nfolders = [\"nowhere\"]\n");
    let listed = site.expect(0, &["plugin", "list"]).err;
    assert!(listed.contains("nowhere: there is no such folder"), "{listed}");

    let site = Site::new(TWO_HOSTS);
    site.write("state", "a file where the folder should be");
    let state = site.expect(1, &["tasks"]).err;
    assert!(
        state.contains("prepare the state folder") && state.contains("`state_dir` of the configuration"),
        "{state}"
    );
}

#[test]
fn a_request_that_makes_no_sense_is_usage_and_says_what_to_do() {
    let site = Site::new(TWO_HOSTS);
    let same = site.expect(2, &["migrate", "g1", "--from", "b", "--to", "b"]);
    assert!(same.err.contains("source and destination are the same host, b: name another destination"), "{}", same.err);
    let bounds = site.expect(2, &["migrate", "g1", "--to", "b", "--max-downtime", "0", "--dry-run"]);
    assert!(bounds.err.contains("max-downtime (ms) is 0, which is outside 1 to 2000000"), "{}", bounds.err);
    let uri = site.document(2, &["migrate", "g1", "--to", "b", "--migrate-uri", "http://x"]);
    assert_eq!((&uri["kind"], &uri["exit_code"]), (&"error".into(), &2.into()));
    assert_eq!(site.tasks(), [] as [serde_json::Value; 0], "nothing became a task");
}

#[test]
fn a_refusal_names_options_as_they_are_typed() {
    let site = Site::new(TWO_HOSTS);
    let refused = site.expect(2, &["migrate", "g1", "--to", "b", "--tunnelled", "--network", "mig"]);
    assert!(refused.err.contains("--tunnelled and --network exclude each other: "), "{}", refused.err);
    let refused = site.document(2, &["check", "g1", "--to", "b", "--zerocopy"]);
    let message = refused["message"].as_str().expect("a message");
    assert!(message.ends_with("--zerocopy needs --parallel: add --parallel"), "{message}");
}

#[test]
fn the_help_of_a_command_keeps_apart_what_every_command_has() {
    let site = Site::new(TWO_HOSTS);
    let help = site.expect(0, &["migrate", "--help"]).out;
    let heading = "Options of every command:";
    let mut under = "";
    let mut of_every = Vec::new();
    for line in help.lines() {
        if !line.starts_with(' ') && line.ends_with(':') {
            under = line;
        }
        let option = line.trim_start().split(' ').next().filter(|word| word.starts_with("--"));
        of_every.extend(option.filter(|_| under == heading));
    }
    assert_eq!(of_every, ["--config", "--sim", "--pace", "--service", "--token-file", "--ca-file", "--json"], "{help}");
    assert!(help.contains("1 to 31536000 s"), "{help}");
}

#[test]
fn a_policy_that_is_configured_and_not_there_is_told_wherever_it_would_count() {
    let site =
        Site::with(TWO_HOSTS, "[plugin.precheck-stat]\nmode = \"advise\"\n[plugin.gone]\npresence = \"never\"\n");
    let said = "[plugin.precheck-stat] is configured, and no plugin folder holds precheck-stat.wasm: what it says has no \
                effect; did you mean \"precheck-state\"?";
    for words in [&["check", "g1", "--to", "b"][..], &["migrate", "g1", "--to", "b", "--dry-run"]] {
        let err = site.expect(0, words).err;
        assert_eq!(err.matches(&format!("warning: {said}")).count(), 1, "{err}");
        assert!(!err.contains("plugin.gone"), "it is to be away: {err}");
    }
    assert!(site.expect(0, &["plugin", "list"]).out.contains("precheck-stat: it is configured"));
    let serving = site.document(0, &["serve", "--socket", "waypost.sock", "--check"]);
    assert_eq!((&serving["problems"], &serving["notes"]), (&serde_json::json!([]), &serde_json::json!([said])));
}

#[test]
fn commands_that_only_do_something_print_what_they_did_for_programs() {
    let site = Site::new(TWO_HOSTS);
    let made = site.document(0, &["plugin", "new", "mine", "--hook", "recovery"]);
    assert_eq!(
        (&made["kind"], &made["name"], &made["hook"]),
        (&"plugin-folder".into(), &"mine".into(), &"recovery".into())
    );
    let files = made["files"].as_array().expect("files");
    assert!(
        files.len() >= 4 && files.iter().all(|file| site.path("mine").join(file.as_str().expect("a path")).is_file())
    );
    let gone = site.document(0, &["lab", "down", "--dir", "no-lab"]);
    assert_eq!((&gone["kind"], &gone["was_there"]), (&"lab-gone".into(), &false.into()));
}

#[test]
fn what_does_not_exist_is_an_error_that_says_what_does() {
    let site = Site::new(TWO_HOSTS);
    let domain = site.expect(1, &["check", "nobody", "--to", "b"]).err;
    assert!(domain.contains("no host has a domain nobody; asked: a, b"), "{domain}");
    assert!(domain.contains("remedy: `waypost domains`"), "{domain}");
    let host = site.expect(1, &["migrate", "g1", "--to", "c"]).err;
    assert!(host.contains("there is no host c in the configuration; it has: a, b"), "{host}");
    // Nothing is known of such a guest, so nothing is said of its safety.
    site.expect(1, &["migrate", "nobody", "--to", "b"]);
    let task = site.expect(1, &["watch", "00000000-0000-7000-8000-000000000000"]).err;
    assert!(task.contains("`waypost tasks` lists them"), "{task}");
}

#[test]
fn an_unknown_key_of_the_configuration_is_named_with_its_line() {
    let site = Site::with(TWO_HOSTS, "[enigne]\npatience_s = 1\n");
    let err = site.expect(1, &["hosts"]).err;
    assert!(err.contains("waypost.toml:3:2: unknown field `enigne`, expected one of "), "{err}");
    assert_eq!(err.matches("unknown field").count(), 1, "each cause is told once: {err}");
}

#[test]
fn without_a_configuration_the_search_order_is_told() {
    let site = Site::new(TWO_HOSTS);
    std::fs::remove_file(site.path("waypost.toml")).expect("removed");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_waypost"));
    let output = command.arg("hosts").current_dir(site.path("")).env("HOME", site.path("")).output().expect("runs");
    if !std::path::Path::new("/etc/waypost/waypost.toml").exists() {
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(err.contains("./waypost.toml, ~/.config/waypost/waypost.toml, /etc/waypost/waypost.toml"), "{err}");
    }
    let named = site.expect(1, &["--config", "elsewhere.toml", "hosts"]).err;
    assert!(named.contains("elsewhere.toml can't be read") && named.contains("because: "), "{named}");
}

#[test]
fn a_wrong_fleet_is_told_with_its_file() {
    let site = Site::new("[[host]]\nname = \"a\"\ncolour = \"red\"\n");
    let err = site.expect(1, &["hosts"]).err;
    assert!(err.contains("fleet.toml") && err.contains("colour"), "{err}");
    let site = Site::new(&format!("{TWO_HOSTS}\n[[fault]]\nat = 'begin'\nwhat = 'error'\n"));
    let err = site.expect(1, &["hosts"]).err;
    assert!(err.contains("fault 1: `kind` is missing; it is one of: "), "{err}");
}

#[test]
fn help_lists_every_exit_status() {
    let site = Site::new(TWO_HOSTS);
    let help = site.expect(0, &["--help"]).out;
    for status in ["0  done", "1  error", "2  usage", "3  refused", "4  failed", "5  stuck", "6  cancelled"] {
        assert!(help.contains(status), "{help}");
    }
    assert!(!help.contains("__drive"), "{help}");
}

#[test]
fn completions_know_the_commands() {
    let site = Site::new(TWO_HOSTS);
    for shell in ["bash", "zsh", "fish"] {
        let script = site.expect(0, &["completions", shell]).out;
        for word in ["migrate", "recover", "max-downtime"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
}
