//! The port: who is let in over the network, who is not, and what each is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use waypost::core::access::{Ledger as _, Role, Scope};
use waypost::core::ids::{HostName, Moment};
use waypost::service::access::Client;
use waypost::service::port::{ClientCertificates, Listen, probe};
use waypost::service::{Access, Limits};

use super::support::{Authority, Back, Network, OnPort};

const VERSION: &str = "/system/version";

#[test]
fn a_token_is_worth_what_it_says_until_it_is_not() {
    let service = OnPort::start();
    let client = service.client();
    let none = client.ask("GET", "/api/v1/system/version", &[], "");
    none.problem(401, "no-caller");
    assert_eq!(none.header("www-authenticate"), Some("bearer realm=\"waypost\""));

    let (id, viewer) = service.token("looker", Role::Viewer, Scope::default(), None);
    assert_eq!(client.get(VERSION, &viewer).json(200)["name"], "waypost");
    let me = client.get("/session", &viewer).json(200);
    assert_eq!((&me["name"], &me["role"], &me["permissions"]), (&"looker".into(), &"viewer".into(), &json!(["look"])));

    // Of its last sign not every bit counts; of the one before it does.
    let at = viewer.len() - 2;
    let sign = if &viewer[at..=at] == "A" { "B" } else { "A" };
    let wrong = format!("{}{sign}{}", &viewer[..at], &viewer[at + 1..]);
    let unknown = format!("wp_0123456789abcdef_{}", viewer.rsplit('_').next().unwrap());
    let (_, expired) = service.token("old", Role::Admin, Scope::default(), Some(Moment(2)));
    for worthless in [wrong.as_str(), "wp_", "nonsense", "a.b.c", &unknown, &expired] {
        let back = client.get(VERSION, worthless);
        back.problem(401, "bad-token");
        assert_eq!(back.header("www-authenticate"), Some("bearer realm=\"waypost\", error=\"invalid_token\""));
        assert!(!back.body.contains(worthless), "{back:?}");
    }
    assert!(client.get(VERSION, &expired).body.contains("has expired"));
    let basic = ["Authorization: Basic YW5uYTpwYXNz"];
    client.ask("GET", "/api/v1/system/version", &basic, "").problem(401, "bad-token");
    let twice = format!("Authorization: Bearer {viewer}");
    client.ask("GET", "/api/v1/system/version", &[&twice, &twice], "").problem(400, "bad-request");
    // A token has no place in a URL, where logs and other pages would see it.
    let in_url = format!("/api/v1/system/version?access_token={viewer}&token={viewer}");
    client.ask("GET", &in_url, &[], "").problem(401, "no-caller");

    client.post("/tasks", &viewer, &json!({"domain": "g1", "to": "b"})).problem(403, "role-missing");
    client.get("/audit", &viewer).problem(403, "role-missing");
    let scope = Scope { hosts: vec![HostName::new("a")], domains: vec![] };
    let (_, near) = service.token("near", Role::Operator, scope, None);
    client.get("/hosts/b", &near).problem(403, "out-of-scope");
    let told = client.post("/tasks", &near, &json!({"domain": "g1", "from": "a", "to": "b"}));
    assert!(told.problem(403, "out-of-scope")["detail"].as_str().unwrap().contains("host b"), "{told:?}");

    // It was proven a moment ago, and is remembered: that helps nobody once it is taken back.
    assert!(service.store.revoke_token(&id, Moment(3)).unwrap());
    let revoked = client.get(VERSION, &viewer).problem(401, "bad-token");
    assert!(revoked["detail"].as_str().unwrap().contains("was taken back"), "{revoked}");
}

#[test]
fn who_guesses_is_made_to_wait_and_who_was_proven_is_not() {
    let service = OnPort::start();
    let client = service.client();
    let (proven, late) = (service.admin(), service.admin());
    client.get(VERSION, &proven).json(200);
    for _ in 0..10 {
        client.get(VERSION, "wp_guess").problem(401, "bad-token");
    }
    let locked = client.get(VERSION, "wp_guess");
    locked.problem(429, "locked-out");
    let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    client.get(VERSION, &late).problem(429, "locked-out");
    client.get(VERSION, &proven).json(200);
}

#[test]
fn plain_http_is_told_where_it_is_and_pages_lead_to_the_log_in() {
    let service = OnPort::start();
    let mut plain = TcpStream::connect(service.address).unwrap();
    plain.write_all(b"GET /api/v1/system/version HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    plain.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    Back::of(&answer).unwrap().problem(400, "tls-required");

    let client = service.client();
    let start = client.ask("GET", "/", &[], "");
    assert_eq!((start.status, start.header("location")), (303, Some("/login")));
    let page = client.ask("GET", "/login", &[], "");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("form-action 'none'"), "{policy}");
    for inline in ["<style", "style=", "onclick", "onsubmit", "javascript:"] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    for part in ["/login.js", "/login.css", "/waypost.js", "/dashboard.css"] {
        assert_eq!(client.ask("GET", part, &[], "").status, 200, "{part}");
    }
    // What is in every copy of the program is for all, and nothing else.
    for hidden in ["/api/v1/session", "/api/v1/openapi.json", "/metrics", "/nothing"] {
        client.ask("GET", hidden, &[], "").problem(401, "no-caller");
    }
}

#[test]
fn a_certificate_says_who_it_is_if_the_site_knows_it() {
    let authority = Authority::new();
    let client = |certificate: &str, name: &str, role| Client {
        certificate: certificate.into(),
        name: name.into(),
        role,
        scope: Scope::default(),
    };
    let access = Access {
        clients: vec![client("dash.example", "dashboard", Role::Viewer), client("anna", "anna", Role::Admin)],
        ..Access::default()
    };
    let asks = |listen: Listen| Listen { client_ca: Some(authority_file(&listen)), ..listen };
    let service = OnPort::with(authority, Limits::default(), access, asks);
    let me = |files| {
        let back = service.client().with_certificate(files).ask("GET", "/api/v1/session", &[], "");
        (back.status, back)
    };
    let (_, by_name) = me(service.authority.sign("dash", "x", &["other.example", "dash.example"]));
    assert_eq!(by_name.json(200)["name"], "dashboard");
    let (_, by_subject) = me(service.authority.sign("anna", "anna", &[]));
    assert_eq!(by_subject.json(200)["role"], "admin");
    let (_, stranger) = me(service.authority.sign("eve", "eve", &["*.example", "dash.example.evil"]));
    stranger.problem(401, "no-caller");
    // Where there are alternative names, the common name is none.
    let (_, decorated) = me(service.authority.sign("decorated", "anna", &["other.example"]));
    decorated.problem(401, "no-caller");
    let (_, both) = me(service.authority.sign("both", "x", &["dash.example", "anna"]));
    let told = both.problem(401, "no-caller");
    assert!(told["detail"].as_str().unwrap().contains("that of dashboard and of anna"), "{told}");
    service.client().ask("GET", "/api/v1/session", &[], "").problem(401, "no-caller");
    // One of another authority is no reason to ask who it might be.
    let other = Authority::new();
    let forged = service.client().with_certificate(other.sign("anna", "anna", &["dash.example"]));
    assert!(forged.raw("GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n").is_none());
    // A token says more than the connection.
    let (_, token) = service.token("narrow", Role::Viewer, Scope::default(), None);
    let both = service.client().with_certificate(service.authority.sign("anna", "anna", &[]));
    assert_eq!(both.get("/session", &token).json(200)["name"], "narrow");
}

#[test]
fn where_a_certificate_is_required_nobody_comes_in_without_one() {
    let access = Access {
        clients: vec![Client {
            certificate: "anna".into(),
            name: "anna".into(),
            role: Role::Viewer,
            scope: Scope::default(),
        }],
        ..Access::default()
    };
    let required = |listen: Listen| Listen {
        client_ca: Some(authority_file(&listen)),
        clients: ClientCertificates::Required,
        ..listen
    };
    let service = OnPort::with(Authority::new(), Limits::default(), access, required);
    let token = service.admin();
    let request = format!("GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert!(service.client().raw(&request).is_none());
    let anna = service.client().with_certificate(service.authority.sign("anna", "anna", &[]));
    assert_eq!(anna.ask("GET", "/api/v1/session", &[], "").json(200)["name"], "anna");
}

fn authority_file(listen: &Listen) -> std::path::PathBuf {
    listen.certificate.with_file_name("ca.pem")
}

#[test]
fn what_is_too_large_or_never_ends_is_let_go() {
    let limits = Limits { head_time: Duration::from_secs(2), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits.clone(), Access::default(), |listen| listen);
    let (client, admin) = (service.client(), service.admin());
    let large = json!({"domain": "x".repeat(limits.body_bytes), "to": "b"});
    client.post("/tasks", &admin, &large).problem(413, "too-large");
    client.post("/checks", &admin, &large).problem(413, "too-large");
    // No length is said, and it goes on and on.
    let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let endless = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        piece.repeat(5)
    );
    client.raw(&endless).unwrap().problem(413, "too-large");
    // A head that has filled its room and is not over. Not a byte more is sent, so that none is left unread when it is refused.
    let head = "GET /api/v1/system/version HTTP/1.1\r\nHost: localhost\r\nX-Large: ";
    let head = client.raw(&format!("{head}{}", "x".repeat((64 << 10) - head.len())));
    assert_eq!(head.unwrap().status, 431);

    // A handshake that is never begun, and one that never ends: each connection ends without an answer.
    for beginning in [&b""[..], &[0x16, 3, 1, 2, 0]] {
        let mut stream = TcpStream::connect(service.address).unwrap();
        stream.write_all(beginning).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(Back::of(&answer).is_none(), "{answer:?}");
    }
    let slow = client.raw("GET /api/v1/system/version HTTP/1.1\r\nHost: loc");
    assert_eq!(slow.expect("a word").status, 408, "a head that never ends");
}

#[test]
fn who_asks_and_never_reads_is_let_go() {
    let limits = Limits { write_time: Duration::from_millis(200), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    let (client, admin) = (service.client(), service.admin());
    let request =
        format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n\r\n");
    // Answers pile up until nothing more fits, and neither does a request: the service has to break that off.
    let mut deaf = client.connect();
    deaf.sock.set_write_timeout(Some(Duration::from_secs(300))).unwrap();
    let error = loop {
        if let Err(error) = deaf.write_all(request.as_bytes()).and_then(|()| deaf.flush()) {
            break error;
        }
    };
    let broken = [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::BrokenPipe];
    assert!(broken.contains(&error.kind()), "{error}");
    drop(deaf);
    assert_eq!(client.get(VERSION, &admin).status, 200);
}

#[test]
fn one_address_has_so_many_connections() {
    let limits = Limits { connections_of_one: 2, ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    let client = service.client();
    let request = "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Two that are there for certain, because each was answered; the third is cut before its handshake.
    let mut held = [client.connect(), client.connect()];
    for stream in &mut held {
        stream.write_all(request.as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 16]).unwrap() > 0);
    }
    assert!(client.raw(request).is_none());
}

#[test]
fn nothing_in_a_request_becomes_a_header_of_an_answer_or_a_line_of_the_log() {
    let service = OnPort::start();
    let (client, admin) = (service.client(), service.admin());
    let bearer = format!("Authorization: Bearer {admin}");
    let broken = "/api/v1/tasks/x%0d%0aSet-Cookie:%20evil=1";
    let back = client.ask("GET", broken, &[&bearer], "");
    back.problem(404, "no-such-task");
    assert!(back.header("set-cookie").is_none(), "{back:?}");
    // A bare line feed ends a header too early, a bare carriage return is no part of one.
    for header in ["X-A: b\rSet-Cookie: evil=1", "X A: b", "X-A: b\0c"] {
        let back = client.ask("GET", "/api/v1/system/version", &[&bearer, header], "");
        assert_eq!(back.status, 400, "{header:?}: {back:?}");
        assert!(back.header("set-cookie").is_none(), "{back:?}");
    }
    // Two lengths that differ, or a length beside pieces, is how one request is hidden in another.
    for lengths in ["Content-Length: 0\r\nContent-Length: 44", "Content-Length: 4\r\nContent-Length: 40"] {
        let smuggled = format!("POST /api/v1/checks HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n{lengths}\r\n\r\n");
        assert_eq!(client.raw(&smuggled).unwrap().status, 400, "{lengths}");
    }
    let new = json!({"domain": "g1", "to": "b"}).to_string();
    let tab = "Waypost-Reason: a\tb";
    client.ask("POST", "/api/v1/tasks", &[&bearer, tab], &new).problem(400, "bad-request");
    let back = client.ask("POST", "/api/v1/tasks", &[&bearer, "Waypost-Reason: Wartung für a"], &new);
    assert_eq!(back.status, 202, "{back:?}");
    let audit = client.get("/audit", &admin).json(200);
    let entry = &audit["entries"][0];
    assert_eq!((&entry["reason"], &entry["outcome"]), (&"Wartung für a".into(), &"done".into()), "{audit}");
    assert_eq!((&entry["from"], &entry["domain"], &entry["host"]), (&"127.0.0.1".into(), &"g1".into(), &"b".into()));
    assert!(entry["proof"].as_str().unwrap().starts_with("token ") && entry["task"].is_string(), "{entry}");
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1, "what was not understood changed nothing: {audit}");
}

#[test]
fn a_browser_logs_in_with_a_token_and_goes_on_with_a_cookie_that_is_its_own() {
    let service = OnPort::start();
    let client = service.client();
    let (id, token) = service.token("anna", Role::Operator, Scope::default(), None);
    client.ask("POST", "/api/v1/session", &[], "").problem(401, "no-caller");
    let begun = client.post("/session", &token, &Value::Null);
    assert_eq!((&begun.json(201)["name"], &begun.json(201)["session"]), (&"anna".into(), &true.into()));
    let set = begun.head.lines().find(|line| line.starts_with("set-cookie: ")).unwrap().to_owned();
    for part in ["set-cookie: __host-waypost=", "; path=/", "; httponly", "; secure", "; samesite=strict"] {
        assert!(set.contains(part), "{set}");
    }
    // As it was sent, before it was made lower case.
    let cookie = begun_cookie(&client.connect_and_begin(&token));
    let cookie = format!("Cookie: theme=dark; __Host-waypost={cookie}");
    let shown = client.ask("GET", "/api/v1/session", &[&cookie], "").json(200);
    assert_eq!((&shown["name"], &shown["session"]), (&"anna".into(), &true.into()));
    let by_token = format!("Authorization: Bearer {token}");
    assert_eq!(client.ask("GET", "/api/v1/session", &[&by_token], "").json(200)["session"], false);
    // A browser says for whom it asks. One that says nothing is no browser, and has no business with a cookie.
    let cancel = "/api/v1/tasks/01890000-0000-7000-8000-000000000000/cancel";
    client.ask("POST", cancel, &[&cookie], "").problem(403, "other-origin");
    for elsewhere in ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"] {
        client.ask("POST", cancel, &[&cookie, elsewhere], "").problem(403, "other-origin");
    }
    client.ask("POST", cancel, &[&cookie, "Origin: https://localhost"], "").problem(404, "no-such-task");
    let other = "Cookie: __Host-waypost=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let over = client.ask("GET", "/api/v1/session", &[other], "");
    over.problem(401, "no-caller");
    assert!(over.header("set-cookie").unwrap().starts_with("__host-waypost=; path=/; max-age=0;"), "{over:?}");
    // A browser whose session is over has to be able to log in again.
    for (path, status) in [("/", 303), ("/login", 200), ("/login.js", 200)] {
        assert_eq!(client.ask("GET", path, &[other], "").status, status, "{path}");
    }

    // A cookie begins no session, so none lasts longer than it was begun for; a token begins one, and ends that of the cookie.
    let own = "Sec-Fetch-Site: same-origin";
    client.ask("POST", "/api/v1/session", &[&cookie, own], "").problem(422, "request-refused");
    assert_eq!(client.ask("GET", "/api/v1/session", &[&cookie], "").status, 200);
    let bearer = format!("Authorization: Bearer {token}");
    client.ask("POST", "/api/v1/session", &[&cookie, &bearer, own], "").json(201);
    client.ask("GET", "/api/v1/session", &[&cookie], "").problem(401, "no-caller");
    let cookie = format!("Cookie: __Host-waypost={}", begun_cookie(&client.connect_and_begin(&token)));

    let ended = client.ask("DELETE", "/api/v1/session", &[&cookie, "Sec-Fetch-Site: same-origin"], "");
    assert_eq!(ended.status, 204, "{ended:?}");
    assert!(ended.header("set-cookie").unwrap().contains("max-age=0"), "{ended:?}");
    client.ask("GET", "/api/v1/session", &[&cookie], "").problem(401, "no-caller");

    // A session is worth no more than the token that began it.
    let cookie = format!("Cookie: __Host-waypost={}", begun_cookie(&client.connect_and_begin(&token)));
    assert_eq!(client.ask("GET", "/api/v1/session", &[&cookie], "").status, 200);
    assert!(service.store.revoke_token(&id, Moment(3)).unwrap());
    client.ask("GET", "/api/v1/session", &[&cookie], "").problem(401, "no-caller");
}

fn begun_cookie(answer: &str) -> String {
    let (_, rest) = answer.split_once("__Host-waypost=").unwrap();
    rest.split(';').next().unwrap().to_owned()
}

#[test]
fn a_stream_of_events_ends_with_the_token_that_began_it() {
    let limits = Limits { heartbeat: Duration::from_millis(50), ..Limits::default() };
    let service = OnPort::with(Authority::new(), limits, Access::default(), |listen| listen);
    let (id, token) = service.token("anna", Role::Viewer, Scope::default(), None);
    let mut stream = service.client().connect();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    let mut piece = [0; 512];
    while !String::from_utf8_lossy(&heard).contains("still here") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend(&piece[..read]);
    }
    assert!(service.store.revoke_token(&id, Moment(3)).unwrap());
    // The last piece of a body without a length is an empty one.
    while !heard.ends_with(b"\r\n0\r\n\r\n") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend(&piece[..read]);
    }
}

#[test]
fn a_certificate_is_renewed_while_the_port_is_open() {
    let (authority, other) = (Authority::new(), Authority::new());
    let renewed = other.listen();
    let service = OnPort::with(authority, Limits::default(), Access::default(), |listen| listen);
    let client = service.client();
    client.ask("GET", "/api/v1/session", &[], "").problem(401, "no-caller");
    let half = Listen { key: other.path("nothing.key"), ..renewed.clone() };
    assert!(service.identity.renew(&half).is_err());
    client.ask("GET", "/api/v1/session", &[], "").problem(401, "no-caller");
    service.identity.renew(&renewed).unwrap();
    let request = "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(client.raw(request).is_none(), "nobody whom the client knows vouches for the new one");
    let client = Network { roots: other.roots(), ..service.client() };
    client.raw(request).unwrap().problem(401, "no-caller");
}

#[test]
fn a_key_that_others_can_read_and_files_that_do_not_fit_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let authority = Authority::new();
    let listen = authority.listen();
    probe(&listen).unwrap();
    let mode = |mode| std::fs::set_permissions(&listen.key, std::fs::Permissions::from_mode(mode)).unwrap();
    for open in [0o644, 0o604, 0o660, 0o602] {
        mode(open);
        let error = probe(&listen).unwrap_err().to_string();
        assert!(error.contains("others can read or change the key") && error.contains("chmod 600"), "{error}");
    }
    mode(0o640);
    probe(&listen).unwrap();
    let (_, other) = authority.sign("other", "other", &["localhost"]);
    for wrong in [
        Listen { key: other, ..listen.clone() },
        Listen { key: listen.certificate.clone(), ..listen.clone() },
        Listen { certificate: listen.key.clone(), ..listen.clone() },
        Listen { certificate: authority.path("nothing.pem"), ..listen.clone() },
        Listen { client_ca: Some(listen.key.clone()), ..listen.clone() },
    ] {
        assert!(probe(&wrong).is_err(), "{wrong:?}");
    }
}
