//! `waypost top` over the tasks of a service, as it is run: the screen has its own tests beside its code.

use serde_json::Value;

use super::support::Program;
use super::support::command::{self, SLOW};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn one_frame_shows_what_runs_waits_and_ended_without_asking_the_service() {
    let mut fleet = SLOW.to_owned();
    for n in 2..=3 {
        fleet.push_str(&format!("[[domain]]\nname = \"g{n}\"\nhost = \"a\"\nmemory_mib = 4096\n"));
    }
    fleet.push_str("[[domain]]\nname = \"off\"\nhost = \"a\"\nstate = \"shut-off\"\n");
    let site = command::Site::new(&fleet);
    let empty = site.expect(0, &["top"]);
    assert!(empty.out.ends_with("\n\nno migration runs or waits\n"), "{}", empty.out);

    let program = Program::start(&site);
    let over = program.migrate("off", "b");
    program.until(&over, |status| status["phase"] == "ended");
    let ids: Vec<String> = (1..=3).map(|n| program.migrate(&format!("g{n}"), "b")).collect();
    for id in &ids[..2] {
        program.until(id, |status| status["permille"].as_u64().unwrap() > 0);
    }
    program.until(&ids[2], |status| status["status"] == "queued");

    // The hosts' load says it, too: all places out of the one and into the other are taken.
    let taken = |host: &Value, way: &str| (host[way]["used"].as_u64().unwrap(), host[way]["limit"].as_u64().unwrap());
    let hosts = program.get("/hosts");
    let [a, b] = [&hosts["hosts"][0], &hosts["hosts"][1]];
    assert_eq!((taken(a, "outgoing"), taken(a, "incoming")), ((2, 2), (0, 2)), "{hosts}");
    assert_eq!((taken(b, "outgoing"), taken(b, "incoming")), ((0, 2), (2, 2)), "{hosts}");
    assert_eq!((&a["vcpus"], &program.get("/hosts/a")["outgoing"]), (&3.into(), &a["outgoing"]), "{hosts}");

    let frame = site.expect(0, &["top", "--once"]).out;
    let lines: Vec<&str> = frame.lines().collect();
    assert!(
        lines[0].starts_with("waypost top  ") && lines[0].ends_with("  2 running, 1 waiting, 1 finished"),
        "{frame}"
    );
    assert_eq!(
        (words(lines[3]), words(lines[4])),
        (vec!["a", "2", "0", "1", "0"], vec!["b", "0", "2", "0", "1"]),
        "{frame}"
    );
    assert!(lines[6].starts_with("RUNNING "), "{frame}");
    let running = words(lines[7]);
    assert_eq!(running[..5], ["g1", "a", ">", "b", "pre-copy"], "{frame}");
    assert!(running[5].starts_with(['█', '░']) && running[6].ends_with('%') && lines[7].contains("iB/s"), "{frame}");
    assert!(lines[8].starts_with("g2 ") && lines[10].starts_with("WAITING "), "{frame}");
    assert!(lines[11].starts_with("g3 ") && lines[11].ends_with("the migration of g3 waits for its turn"), "{frame}");
    assert_eq!(words(lines[14])[..5], ["off", "a", ">", "b", "completed"], "{frame}");
    assert!(frame.lines().all(|line| line.chars().count() <= 120 && !line.contains('\u{1b}')), "{frame}");

    let document = site.document(0, &["top"]);
    assert_eq!(document["kind"], "top");
    let of = |key: &str| -> Vec<String> {
        document[key].as_array().unwrap().iter().map(|task| task["task"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((of("running"), of("waiting"), of("finished")), (ids[..2].to_vec(), ids[2..].to_vec(), vec![over]));
    let first = &document["running"][0];
    assert!(first["sample"]["remaining_bytes"].as_u64().unwrap() > 0, "{first}");
    assert_eq!(
        (&first["phase"], &first["outcome"], &first["attempt"]),
        (&"performing".into(), &Value::Null, &1.into())
    );
    program.end("TERM");
    // The store is all that it takes.
    assert_eq!(site.document(0, &["top"])["running"].as_array().unwrap().len(), 2);
}
