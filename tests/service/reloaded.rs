//! Another configuration for a service that runs.

use serde_json::Value;

use super::support::Program;
use super::support::command::{self, TWO_HOSTS};

fn mode(program: &Program, plugin: &str) -> Value {
    let plugins = program.get("/plugins");
    let plugin = plugins["plugins"].as_array().unwrap().iter().find(|listed| listed["name"] == plugin);
    plugin.expect("it is listed")["mode"].clone()
}

fn head(site: &command::Site) -> String {
    std::fs::read_to_string(site.path("waypost.toml")).unwrap()
}

#[test]
fn what_can_change_is_in_force_for_the_next_decision() {
    let site = command::Site::new(TWO_HOSTS);
    let head = head(&site);
    let mut program = Program::start(&site);
    let refused = |program: &Program| {
        let (_, check) = program.ask("POST", "/checks", &serde_json::json!({"domain": "pinned", "to": ["b"]}));
        check["verdicts"][0]["decision"].clone()
    };
    assert_eq!((mode(&program, "precheck-passthrough"), refused(&program)), ("enforce".into(), "refused".into()));
    assert_eq!(program.get("/queue")["outgoing_per_host"], 2);
    let changed = "[plugin.precheck-passthrough]\nmode = 'shadow'\n[migrations]\noutgoing_per_host = 7\n\
                   [engine]\nmax_attempts = 5\n[service]\nsocket = 'elsewhere.sock'\n";
    site.write("waypost.toml", &format!("{head}{changed}"));
    program.running.signal("HUP");
    let left = program.running.wait_for_note("takes a new start");
    assert!(left.contains("service.socket"), "{left}");
    let taken = program.running.wait_for_note("the configuration was read again");
    for what in ["what is said of policies", "how many may move at once", "settings of the engine"] {
        assert!(taken.contains(what), "{taken}");
    }
    assert_eq!(mode(&program, "precheck-passthrough"), "shadow");
    assert_ne!(refused(&program), "refused");
    assert_eq!(program.get("/queue")["outgoing_per_host"], 7);
    program.running.signal("HUP");
    program.running.wait_for_note("nothing is different");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn one_that_can_not_be_used_changes_nothing_and_says_why() {
    let site = command::Site::new(TWO_HOSTS);
    let head = head(&site);
    let mut program = Program::start(&site);
    for (wrong, why) in [
        ("[enigne]\n", "unknown field `enigne`"),
        ("[migrations]\noutgoing_per_host = 0\n", "0 would never let a migration begin"),
        ("[plugins]\nrecovery = 'nobody'\n", "nobody"),
        ("[plugin.nobody]\npresence = 'required'\n", "policy nobody could not be asked any more"),
        ("[plugin.precheck-capacity.settings]\nno_such_setting = 1\n", "policy precheck-capacity could not be asked"),
    ] {
        site.write(
            "waypost.toml",
            &format!("{head}[migrations]\nincoming_per_host = 9\n{wrong}")
                .replace("[migrations]\nincoming_per_host = 9\n[migrations]", "[migrations]\nincoming_per_host = 9"),
        );
        program.running.signal("HUP");
        let told = program.running.wait_for_note("stays in force");
        let said = if told.contains(why) { told } else { program.running.wait_for_note(why) };
        assert!(said.contains(why), "{said}");
        assert_eq!(program.get("/queue")["incoming_per_host"], 2, "{wrong}");
        assert_eq!(program.get("/system/ready")["ok"], true, "{wrong}");
    }
    // What was wrong is mended, and the service with it.
    site.write("waypost.toml", &format!("{head}[migrations]\nincoming_per_host = 9\n"));
    program.running.signal("HUP");
    program.running.wait_for_note("in force now: how many may move at once");
    assert_eq!(program.get("/queue")["incoming_per_host"], 9);
    assert_eq!(program.end("TERM").code, 0);
}
