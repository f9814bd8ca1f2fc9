//! `waypost top` over the tasks of a service, as it is run: the screen has its own tests beside its code.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::Program;
use super::support::command::{self, SLOW, TWO_HOSTS};

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
        program.until(id, |status| status["progress"].as_f64().unwrap() > 0.0);
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

/// That command in a terminal of its own, ended by that; answers all that came out of the terminal and the exit status. What comes
/// after the program are the words of the shell that began it.
fn in_a_terminal(
    site: &command::Site,
    plain: &Command,
    end: impl FnOnce(&str, &mut dyn std::io::Write),
) -> (String, i32) {
    let words = std::iter::once(plain.get_program()).chain(plain.get_args()).map(|word| word.to_str().unwrap());
    let command = words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let script = format!(
        "stty rows 24 cols 80; before=$(stty -g); sh -c 'echo $$ >pid; exec \"$@\"' sh {command}; code=$?; \
         test \"$(stty -g)\" = \"$before\" && echo as it was; exit $code"
    );
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--flush", "--return", "--command", &script, "/dev/null"]).current_dir(site.path(""));
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = terminal.spawn().expect("script, of util-linux");
    let (mut keys, mut screen) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    // The last line of the first frame.
    while !String::from_utf8_lossy(&seen).contains("q quit") {
        let read = screen.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..read]);
    }
    end(std::fs::read_to_string(site.path("pid")).unwrap().trim(), &mut keys);
    screen.read_to_end(&mut seen).unwrap();
    let code = terminal.wait().unwrap().code().expect("a status");
    (String::from_utf8_lossy(&seen).into_owned(), code)
}

#[test]
fn the_terminal_is_given_back_however_the_screen_ends() {
    const TAKEN: &str = "\u{1b}[?1049h";
    const GIVEN: &str = "\u{1b}[?1049l";
    const CURSOR: &str = "\u{1b}[?25h";
    let site = command::Site::new(TWO_HOSTS);
    let top = site.command(&["top"]);
    let kill = |signal: &'static str| {
        move |pid: &str, _: &mut dyn std::io::Write| {
            assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
        }
    };
    let ends = [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)]
        .map(|(signal, code)| (signal, code, in_a_terminal(&site, &top, kill(signal))));
    let quit = in_a_terminal(&site, &top, |_, keys| keys.write_all(b"q").unwrap());
    for (how, code, (seen, status)) in ends.into_iter().chain([("q", 0, quit)]) {
        assert_eq!(status, code, "{how}: {seen}");
        let (before, after) =
            seen.rsplit_once(GIVEN).unwrap_or_else(|| panic!("{how}: it is not given back: {seen:?}"));
        assert!(before.contains(TAKEN), "{how}: {seen:?}");
        assert!(after.contains(CURSOR) && after.contains("as it was"), "{how}: {after:?}");
        assert!(!after.contains("waypost top"), "{how}: something was drawn after it: {after:?}");
    }
}

/// Over the records of this machine, and over a service that is named: the key asks, the answer to its question does.
#[test]
fn what_is_selected_is_cancelled_once_that_is_confirmed() {
    let site = command::Site::new(SLOW);
    let program = Program::start(&site);
    let service = format!("unix:{}", program.socket.display());
    for (how, top) in [("alone", site.command(&["top"])), ("of a service", site.asking(&service, &["top"]))] {
        let id = program.migrate("g1", "b");
        program.until(&id, |status| status["progress"].as_f64().unwrap() > 0.0);
        let (seen, status) = in_a_terminal(&site, &top, |_, keys| {
            keys.write_all(b"cy").unwrap();
            let over = program.until(&id, |status| status["phase"] == "ended");
            assert_eq!(over["status"], "cancelled", "{how}: {over}");
            keys.write_all(b"q").unwrap();
        });
        assert_eq!(status, 0, "{how}: {seen}");
        let told = program.get(&format!("/tasks/{id}/records"));
        let asked = told["journal"].as_array().unwrap().iter().filter(|entry| entry["record"] == "cancel-requested");
        assert_eq!(asked.count(), 1, "{how}: {told}");
    }
}
