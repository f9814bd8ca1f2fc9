//! What is on record of a body is what was understood of it: a password that somebody sends to the wrong route is nowhere afterwards.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::command::{self, TWO_HOSTS};
use super::support::{Program, SOCKET};

const SECRET: &str = "correct-horse-battery-staple";

/// Insists that no file in there, or further inside, has the secret.
fn is_nowhere_in(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            is_nowhere_in(&entry.path());
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "{:?}", entry.path());
        }
    }
}

#[test]
fn what_is_sent_to_the_wrong_route_is_on_record_nowhere() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    let settings = "/plugins/convergence-adaptive/settings";
    let before = program.get(settings);
    let put = |method: &str, path: &str, body: &str| {
        let head = format!("{method} /api/v1{path} HTTP/1.1\r\nIf-Match: *\r\nContent-Type: application/json\r\n");
        let (status, answer) = program.ask_raw(&head, body.as_bytes());
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let none = "/tasks/01890000-0000-7000-8000-000000000000";
    let with_password = json!({"domain": "g1", "to": "b", "password": SECRET}).to_string();
    let deep = json!({"domain": "g1", "to": "b", "options": {"stream": {"passphrase": SECRET}}}).to_string();
    let alone = json!({"password": SECRET}).to_string();
    let bare = json!(SECRET).to_string();
    let broken = format!("{{\"domain\": \"{SECRET}\"");
    for (method, path, body, status, code) in [
        ("POST", "/tasks".to_owned(), &with_password, 422, "wrong-shape"),
        ("POST", "/tasks".to_owned(), &deep, 422, "wrong-shape"),
        ("POST", "/tasks".to_owned(), &bare, 422, "wrong-shape"),
        ("POST", "/tasks".to_owned(), &broken, 400, "bad-request"),
        ("POST", format!("{none}/steer"), &alone, 422, "wrong-shape"),
        ("POST", format!("{none}/actions"), &alone, 422, "wrong-shape"),
        // One that wants no body.
        ("POST", format!("{none}/cancel"), &alone, 404, "no-such-task"),
        ("POST", "/plugins/nobody/enable".to_owned(), &alone, 404, "no-such-plugin"),
        ("PUT", settings.to_owned(), &alone, 422, "settings-refused"),
        ("PATCH", settings.to_owned(), &alone, 422, "settings-refused"),
        ("PUT", settings.to_owned(), &bare, 422, "wrong-shape"),
        ("PUT", settings.to_owned(), &broken, 400, "bad-request"),
    ] {
        assert_eq!(put(method, &path, body), (status, code.to_owned()), "{method} {path} {body}");
    }
    assert_eq!(program.get(settings), before, "nothing of it is in force");

    let audit = program.get("/audit");
    let entries = audit["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 12, "all of it was asked for: {audit}");
    let details = |entry: &Value| entry["details"].as_str().map(str::to_owned).unwrap_or_default();
    assert_eq!(details(&entries[11]), json!({"bytes": with_password.len()}).to_string());
    // Of settings their names are on record, and a digest of what they say.
    let last: Value = serde_json::from_str(&details(&entries[3])).unwrap();
    assert_eq!((&last["plugin"], &last["asked"]["keys"]), (&json!("convergence-adaptive"), &json!(["password"])));
    assert_eq!(last["asked"]["sha256"].as_str().unwrap().len(), 64, "{last}");
    assert!(!audit.to_string().contains(SECRET), "{audit}");
    let printed = site.expect(0, &["--json", "audit"]);
    assert!(!printed.out.contains(SECRET) && !printed.err.contains(SECRET), "{}", printed.out);
    assert!(printed.out.contains("settings-refused"), "{}", printed.out);
    assert!(site.path(SOCKET).exists(), "it runs, so that what is written beside the database is looked at too");
    is_nowhere_in(&site.path("state"));
    assert_eq!(program.end("TERM").code, 0);
    is_nowhere_in(&site.path("state"));
}
