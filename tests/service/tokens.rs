//! Tokens from the command, and the port of the real program: what a person does to let a client in, and to shut it out.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::support::command::{self, TWO_HOSTS};
use super::support::{Authority, Back, Network, SOCKET};

fn configured(authority: &Authority) -> String {
    let (certificate, key) = authority.sign("server", "server", &["localhost"]);
    format!("[service]\nlisten = '127.0.0.1:0'\n[service.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

#[test]
fn a_token_is_made_used_and_taken_back_while_the_service_runs() {
    let authority = Authority::new();
    let site = command::Site::with(TWO_HOSTS, &configured(&authority));
    let mut running = site.start(&["serve", "--socket", SOCKET]);
    let line = running.wait_for_note("listening on https://");
    let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
    let client = Network { address, roots: authority.roots(), certificate: None };

    let words = ["token", "create", "--name", "dashboard", "--role", "operator", "--domain", "g*", "--expires", "90d"];
    let made = site.expect(0, &[&words[..], &["--reason", "the new dashboard"]].concat());
    let token = made.out.trim().to_owned();
    assert!(token.starts_with("wp_") && token.lines().count() == 1, "{}", made.out);
    assert!(made.err.contains("shown this once"), "{}", made.err);
    let me = client.get("/session", &token).json(200);
    assert_eq!((&me["name"], &me["domains"]), (&json!("dashboard"), &json!(["g*"])));
    let listed = site.document(0, &["token", "list"]);
    let row = &listed["tokens"][0];
    assert_eq!((&row["state"], &row["role"], &row["name"]), (&json!("good"), &json!("operator"), &json!("dashboard")));
    let id = row["id"].as_str().unwrap();
    let secret = token.splitn(3, '_').nth(2).unwrap();
    let listing = site.expect(0, &["token", "list"]);
    assert!(listing.out.contains(id) && !listing.out.contains(secret), "{}", listing.out);
    // Nowhere on the disk is the secret, or the token.
    for entry in fs::read_dir(site.path("state/simulated")).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{:?}", entry.path());
        }
    }
    let new = json!({"domain": "g1", "to": "b"});
    client.post("/tasks", &token, &new).json(202);
    client.post("/tasks", &token, &json!({"domain": "off", "to": "b"})).problem(403, "out-of-scope");

    site.expect(0, &["token", "revoke", id, "--reason", "it was in a log"]);
    client.get("/session", &token).problem(401, "bad-token");
    let twice = site.expect(1, &["token", "revoke", id]);
    assert!(twice.err.contains("was taken back already"), "{}", twice.err);
    let nothing = site.expect(1, &["token", "revoke", "0123456789abcdef"]);
    assert!(nothing.err.contains("there is no token 0123456789abcdef"), "{}", nothing.err);
    assert_eq!(site.document(0, &["token", "list"])["tokens"][0]["state"], "revoked");

    let audit = site.document(0, &["audit"]);
    let entries = audit["entries"].as_array().unwrap();
    let of = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let told: Vec<_> = entries.iter().map(|entry| (of(entry, "what"), of(entry, "outcome"))).collect();
    let expected = [
        ("token revoke", "done"),
        ("POST /api/v1/tasks", "out-of-scope"),
        ("POST /api/v1/tasks", "done"),
        ("token create", "done"),
    ];
    assert_eq!(told, expected.map(|(what, outcome)| (what.to_owned(), outcome.to_owned())));
    assert_eq!(
        (&entries[0]["reason"], &entries[3]["reason"]),
        (&json!("it was in a log"), &json!("the new dashboard"))
    );
    assert_eq!((&entries[1]["who"], &entries[1]["from"]), (&json!("dashboard"), &json!("127.0.0.1")));
    assert!(!audit.to_string().contains(secret));
    let few = site.document(0, &["audit", "--limit", "1"]);
    assert_eq!((few["entries"].as_array().unwrap().len(), &few["next"]), (1, &entries[0]["number"]));
    assert_eq!(site.document(0, &["audit", "--who", "dashboard"])["entries"].as_array().unwrap().len(), 2);

    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains(secret) && !ran.out.contains(secret));
}

#[test]
fn whoever_guesses_elsewhere_shuts_nobody_out() {
    let authority = Authority::new();
    let site = command::Site::with(TWO_HOSTS, &configured(&authority));
    let mut running = site.start(&["serve", "--socket", SOCKET]);
    let line = running.wait_for_note("listening on https://");
    let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
    let client = Network { address, roots: authority.roots(), certificate: None };
    let token = |name: &str| {
        let made = site.expect(0, &["token", "create", "--name", name, "--role", "viewer"]);
        made.out.trim().to_owned()
    };
    let (token, other) = (token("dashboard"), token("other"));
    // The right id, and the secret of another: it takes a hash to see that.
    let (id, secret) = (token.split('_').nth(1).unwrap(), other.splitn(3, '_').nth(2).unwrap());
    let guess = format!("wp_{id}_{secret}");
    for _ in 0..10 {
        client.get("/session", &guess).problem(401, "bad-token");
    }
    client.get("/session", &guess).problem(429, "locked-out");
    client.get("/session", &token).problem(429, "locked-out");
    // Nobody has seen this token yet, and it is good from everywhere else.
    let mut stream = UnixStream::connect(site.path(SOCKET)).unwrap();
    let request = "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    write!(stream, "{request}Authorization: Bearer {token}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(Back::of(&answer).unwrap().json(200)["name"], "dashboard");

    running.signal("TERM");
    let ran = running.end();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told: Vec<&str> = ran.err.lines().filter(|line| line.contains("none from there is looked at")).collect();
    assert!(told.len() == 1 && told[0].contains("127.0.0.1"), "{}", ran.err);
}

#[test]
fn a_port_without_tls_is_refused_before_anything_begins() {
    let site = command::Site::with(TWO_HOSTS, "[service]\nlisten = '127.0.0.1:0'\n");
    for words in [&["serve", "--check"][..], &["serve"]] {
        let refused = site.expect(1, words);
        assert!(refused.err.contains("service.listen: there is no port without TLS"), "{}", refused.err);
    }
    let authority = Authority::new();
    let site = command::Site::with(TWO_HOSTS, &configured(&authority));
    let fine = site.document(0, &["serve", "--socket", SOCKET, "--check"]);
    assert_eq!((&fine["problems"], &fine["address"]), (&json!([]), &json!("127.0.0.1:0")), "{fine}");
    let key = authority.path("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let open = site.document(1, &["serve", "--socket", SOCKET, "--check"]);
    assert!(open["problems"][0].as_str().unwrap().contains("others can read or change the key"), "{open}");
    let started = site.expect(1, &["serve", "--socket", SOCKET]);
    assert!(started.err.contains("chmod 600"), "{}", started.err);
    assert!(!site.path(SOCKET).exists(), "it leaves nothing behind");
}

#[test]
fn what_makes_no_sense_of_a_token_is_said() {
    let site = command::Site::new(TWO_HOSTS);
    let create = |more: &[&str]| -> (i32, String) {
        let ran = site.run(&[&["token", "create"], more].concat());
        (ran.code, ran.err)
    };
    for (words, code, said) in [
        (&["--name", "a", "--role", "boss"][..], 2, "no such role; there are: viewer, operator, policy-admin, admin"),
        (&["--name", "a b", "--role", "viewer"], 1, "\"a b\" is no name for a token"),
        (&["--name", "a", "--role", "viewer", "--expires", "90"], 2, "as 30m"),
        (&["--name", "a", "--role", "viewer", "--expires", "0d"], 2, "as 90d"),
        (&["--name", "a"], 2, "--role"),
    ] {
        let (ended, err) = create(words);
        assert!(ended == code && err.contains(said), "{words:?}: {ended} {err}");
    }
    assert_eq!(site.document(0, &["token", "list"])["tokens"], json!([]));
    assert_eq!(site.document(0, &["audit"])["next"], Value::Null);
}

#[test]
fn the_socket_says_who_is_there_and_a_token_over_it_says_more() {
    let site = command::Site::new(TWO_HOSTS);
    let program = super::support::Program::start(&site);
    let me = program.get("/session");
    assert_eq!(me["role"], "admin", "the user that the service runs as: {me}");
    assert_eq!(program.get("/audit")["entries"], json!([]));
    assert_eq!(program.end("TERM").code, 0);
}
