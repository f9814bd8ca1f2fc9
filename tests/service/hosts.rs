//! Hosts and networks that come and go under a service that runs, and those that a task keeps.

use serde_json::{Value, json};
use waypost::core::facts::StorageProof;
use waypost::core::ids::Moment;
use waypost::core::ports::KeptProof;
use waypost::{Config, HostName, Pace, Waypost};

use super::support::command::{self, SLOW, Site, TWO_HOSTS};
use super::support::{Program, in_virtual_time};

/// A fleet with one more host.
fn with(fleet: &str, name: &str) -> String {
    format!("[[host]]\nname = \"{name}\"\n{fleet}")
}

fn names(program: &Program) -> Vec<String> {
    let hosts = program.get("/hosts")["hosts"].as_array().expect("hosts").clone();
    let mut names: Vec<String> = hosts.iter().map(|host| host["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

/// Another fleet and configuration, taken.
fn takes(site: &Site, program: &mut Program, fleet: &str, config: &str) -> String {
    site.write("fleet.toml", fleet);
    site.write("waypost.toml", config);
    program.running.signal("HUP");
    program.running.wait_for_note("the configuration was read again")
}

/// The same, refused; what is said of it.
fn refuses(site: &Site, program: &mut Program, fleet: &str, config: &str) -> String {
    site.write("fleet.toml", fleet);
    site.write("waypost.toml", config);
    program.running.signal("HUP");
    program.running.wait_for_note("stays in force")
}

fn head(site: &Site) -> String {
    std::fs::read_to_string(site.path("waypost.toml")).expect("the configuration")
}

fn end(program: &Program, id: &str) -> Value {
    program.until(id, |status| status["phase"] == "ended")["status"].clone()
}

fn cancel(program: &Program, id: &str) {
    assert_eq!(program.ask("POST", &format!("/tasks/{id}/cancel"), &Value::Null).0, 202);
    assert_eq!(end(program, id), "cancelled");
}

#[test]
fn a_host_that_was_added_is_there_for_everybody_and_one_that_was_removed_for_nobody() {
    let site = Site::with(TWO_HOSTS, "[service.kimchi]\nenabled = true\n");
    let (before, fleet) = (head(&site), with(TWO_HOSTS, "c"));
    let mut program = Program::start(&site);
    let watched = |program: &Program| {
        program
            .text("/metrics", "text/plain")
            .lines()
            .any(|line| line.starts_with("waypost_host_") && line.contains("host=\"c\""))
    };
    let destinations = |program: &Program| {
        let rows = program.get("/readiness")["rows"].as_array().expect("rows").clone();
        let of_g1 = rows.iter().find(|row| row["domain"]["name"] == "g1").expect("g1").clone();
        let verdicts = of_g1["verdicts"].as_array().expect("verdicts").clone();
        verdicts.iter().map(|verdict| verdict["destination"].as_str().expect("a host").to_owned()).collect::<Vec<_>>()
    };
    let by_address = |program: &Program| {
        let head = "POST /plugins/kimchi/vms/g1/migrate HTTP/1.1\r\nContent-Type: application/json\r\n";
        program.ask_raw(head, br#"{"remote_host": "10.0.0.3"}"#)
    };
    let to_c = json!({"domain": "g1", "to": "c"});
    assert!(program.ask("POST", "/tasks", &to_c).0 >= 400, "there is no such host");
    assert_eq!(by_address(&program).0, 400, "nor is it known by its address");
    assert!(!watched(&program) && !destinations(&program).contains(&"c".to_owned()));

    let entry = "[[host]]\nname = \"c\"\nuri = \"test:///c\"\naddresses = [\"10.0.0.3\"]\n";
    let told = takes(&site, &mut program, &fleet, &format!("{before}{entry}"));
    assert!(told.contains("in force now: the hosts"), "{told}");
    assert_eq!(names(&program), ["a", "b", "c"]);
    assert!(watched(&program) && destinations(&program).contains(&"c".to_owned()));
    let (status, task) = by_address(&program);
    assert_eq!(status, 202, "{task}");
    assert_eq!(end(&program, task["id"].as_str().expect("an id")), "completed");
    let domains = program.get("/hosts/c/domains");
    assert_eq!(domains["domains"][0]["name"], "g1", "{domains}");

    // A task that is over needs no host.
    let told = takes(&site, &mut program, TWO_HOSTS, &before);
    assert!(told.contains("in force now: the hosts"), "{told}");
    assert_eq!(names(&program), ["a", "b"]);
    assert_eq!(program.ask("GET", "/hosts/c", &Value::Null).0, 404);
    assert!(!watched(&program));
    let told = takes(&site, &mut program, TWO_HOSTS, &before);
    assert!(told.contains("nothing is different"), "{told}");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_host_that_a_task_names_stays_and_with_it_all_that_was_in_force() {
    let guest = "[[domain]]\nname = \"g2\"\nhost = \"a\"\nmemory_mib = 4096\n";
    let without_b = SLOW.replace("name = \"b\"", "name = \"c\"").replace("\"b\"]", "\"c\"]") + guest;
    let without_c = SLOW.to_owned() + guest;
    let site = Site::with(&with(&without_c, "c"), "[migrations]\noutgoing_per_host = 1\n");
    let before = head(&site);
    let after = before.replace("outgoing_per_host = 1", "outgoing_per_host = 7");
    let mut program = Program::start(&site);
    let moves = program.migrate("g1", "b");
    program.until(&moves, |status| status["phase"] == "performing");
    // It waits for the place of the other one.
    let waits = program.migrate("g2", "c");

    let why = refuses(&site, &mut program, &without_b, &after);
    assert!(why.contains(&format!("b by task {moves} of g1 (performing)")), "{why}");
    let why = refuses(&site, &mut program, &without_c, &after);
    assert!(why.contains(&format!("c by task {waits} of g2 (accepted)")), "{why}");
    assert!(!why.contains(&format!("b by task {moves}")), "b would stay: {why}");
    assert_eq!(names(&program), ["a", "b", "c"]);
    assert_eq!(program.get("/queue")["outgoing_per_host"], 1, "nothing of it was taken");

    // One that no task names goes, and the transfer between the others goes on.
    cancel(&program, &waits);
    takes(&site, &mut program, &without_c, &before);
    assert_eq!(names(&program), ["a", "b"]);
    assert_eq!(program.get(&format!("/tasks/{moves}"))["phase"], "performing");
    cancel(&program, &moves);
    takes(&site, &mut program, &without_b, &after);
    assert_eq!(names(&program), ["a", "c"]);
    assert_eq!(program.get("/queue")["outgoing_per_host"], 7);
    assert_eq!(program.end("TERM").code, 0);
}

/// Networks with their roles, each host's places on them, and a limit by which is seen whether anything was taken.
fn declared(networks: &[(&str, &str)], default: &str, limit: u32) -> String {
    let mut text = format!("[migrations]\noutgoing_per_host = {limit}\n[networks]\ndefault = \"{default}\"\n");
    for (name, roles) in networks {
        text.push_str(&format!("[[network]]\nname = \"{name}\"\nroles = [{roles}]\n"));
    }
    for (host, last) in [("a", 1), ("b", 2)] {
        let place = |(at, (name, _)): (usize, &(&str, &str))| format!("{name} = \"10.{at}.0.{last}\"");
        let places: Vec<String> = networks.iter().enumerate().map(place).collect();
        text.push_str(&format!("[[host]]\nname = \"{host}\"\nuri = \"test:///{host}\"\n"));
        text.push_str(&format!("networks = {{ {} }}\n", places.join(", ")));
    }
    text
}

#[test]
fn a_network_that_a_task_holds_keeps_its_role_and_with_it_all_that_was_in_force() {
    let (both, memory, disks) = ("\"migration\", \"disk-copy\"", "\"migration\"", "\"disk-copy\"");
    let site = Site::with(SLOW, "");
    let head = head(&site);
    let config = |text: String| format!("{head}{text}");
    site.write("waypost.toml", &config(declared(&[("mig", both), ("spare", memory)], "mig", 1)));
    let mut program = Program::start(&site);
    let id = program.migrate("g1", "b");
    program.until(&id, |status| status["phase"] == "performing");
    assert_eq!(program.get(&format!("/tasks/{id}/records"))["plan"]["network"], "mig");

    let role_gone = config(declared(&[("mig", disks), ("spare", memory)], "spare", 7));
    let network_gone = config(declared(&[("spare", memory)], "spare", 7));
    for other in [&role_gone, &network_gone] {
        let why = refuses(&site, &mut program, SLOW, other);
        assert!(why.contains(&format!("mig with the role migration by task {id} of g1 (performing)")), "{why}");
        assert!(why.contains("waypost recover"), "{why}");
        assert_eq!(program.get("/queue")["outgoing_per_host"], 1, "nothing of it was taken");
    }

    // What the task does not hold goes: it copies no disks, and nothing stands in for its network.
    let told = takes(&site, &mut program, SLOW, &config(declared(&[("mig", memory)], "mig", 2)));
    assert!(told.contains("networks, clusters and rules"), "{told}");
    assert_eq!(program.get("/queue")["outgoing_per_host"], 2);
    assert_eq!(program.get(&format!("/tasks/{id}"))["phase"], "performing");
    cancel(&program, &id);
    takes(&site, &mut program, SLOW, &network_gone);
    assert_eq!(program.get("/queue")["outgoing_per_host"], 7);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_service_that_starts_without_what_a_task_holds_of_a_network_says_so() {
    let (memory, disks) = ("\"migration\"", "\"disk-copy\"");
    let site = Site::with(SLOW, "");
    let head = head(&site);
    let config = |text: String| format!("{head}{text}");
    site.write("waypost.toml", &config(declared(&[("mig", memory), ("spare", memory)], "mig", 1)));
    let program = Program::start(&site);
    let id = program.migrate("g1", "b");
    program.until(&id, |status| status["phase"] == "performing");
    assert_eq!(program.end("TERM").code, 0);

    site.write("waypost.toml", &config(declared(&[("mig", disks), ("spare", memory)], "spare", 1)));
    let mut program = Program::start(&site);
    // Tasks are taken over while it begins to listen: it may have been said before that.
    let lacks = "the configuration lacks network ";
    let said = program.running.said.lines().find(|line| line.contains(lacks)).map(str::to_owned);
    let said = said.unwrap_or_else(|| program.running.wait_for_note(lacks));
    assert!(said.contains(&format!("{lacks}mig with the role migration")) && said.contains(&id), "{said}");
    assert_eq!(program.get(&format!("/tasks/{id}/records"))["plan"]["network"], "mig");
}

#[test]
fn a_task_that_is_stuck_keeps_its_hosts_until_a_person_has_ended_it() {
    let fault = "[[fault]]\nat = 'perform'\nwhat = 'hypervisor-dies'\nwho = 'destination'\n";
    let fleet = with(TWO_HOSTS, "c");
    let site = Site::without_recovery(&format!("{fleet}{fault}"));
    let config = head(&site);
    let mut program = Program::start(&site);
    let id = program.migrate("g1", "b");
    assert_eq!(end(&program, &id), "stuck");
    let without_b = fleet.replace("name = \"b\"", "name = \"d\"");
    let why = refuses(&site, &mut program, &without_b, &config);
    assert!(why.contains(&format!("b by task {id} of g1 (stuck)")) && why.contains("waypost recover"), "{why}");
    assert_eq!(names(&program), ["a", "b", "c"]);

    let accepted = program.ask("POST", &format!("/tasks/{id}/actions"), &json!({"action": "accept-source"}));
    assert_eq!(accepted.0, 202, "{}", accepted.1);
    program.until(&id, |status| status["status"] == "rolled-back");
    takes(&site, &mut program, &without_b, &config);
    assert_eq!(names(&program), ["a", "c", "d"]);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_file_of_hosts_that_can_not_be_used_changes_nothing() {
    let site = Site::new(TWO_HOSTS);
    let config = head(&site);
    let mut program = Program::start(&site);
    let why = refuses(&site, &mut program, &TWO_HOSTS.replace("host = \"a\"", "host = \"z\""), &config);
    assert!(why.contains("fleet.toml") && why.contains("there is no host"), "{why}");
    assert_eq!(names(&program), ["a", "b"]);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn what_was_proven_of_the_storage_of_a_host_that_went_holds_no_longer() {
    in_virtual_time(async {
        let fleet = with(TWO_HOSTS, "c");
        let site = Site::new(&fleet);
        let written = Config::read(&site.path("waypost.toml")).unwrap();
        let config = Config { plugin_folders: vec![command::shipped()], ..written };
        let waypost = Waypost::builder().config(config.clone());
        let waypost = waypost.simulated(site.path("fleet.toml"), Pace::Virtual).open().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(HostName::new);
        let proof = StorageProof { source_pool: "shared".into(), destination_pool: "shared".into(), shared: true };
        let pairs = [(&a, &b), (&b, &c), (&a, &c)];
        for (source, destination) in pairs {
            let (source, destination) = (source.clone(), destination.clone());
            let kept = KeptProof { source, destination, proof: proof.clone(), at: waypost.now() };
            waypost.store().put_proof(&kept).unwrap();
        }
        site.write("fleet.toml", &fleet.replace("name = \"b\"", "name = \"d\""));
        let reloaded = waypost.reload(&config).unwrap();
        assert_eq!((reloaded.taken.len(), reloaded.left.len()), (1, 0), "{reloaded:?}");
        let holds = pairs.map(|(source, destination)| {
            let kept = waypost.store().proofs(source, destination).unwrap();
            kept.iter().any(|kept| kept.at != Moment(0))
        });
        assert_eq!(holds, [false, false, true]);
    });
}
