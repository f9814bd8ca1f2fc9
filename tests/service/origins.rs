//! Pages of other origins: what a browser is told that asks for one, and that nothing but a bearer token counts there.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use waypost::core::access::{Role, Scope};
use waypost::service::access::Client;
use waypost::service::port::Listen;
use waypost::service::{Access, Kimchi, Limits};

use super::support::command::{self, TWO_HOSTS};
use super::support::{Authority, Back, OnPort, Program, Site, in_virtual_time};

const LISTED: &str = "Origin: https://dash.example";
const FROM: [&str; 2] = [LISTED, "Sec-Fetch-Site: cross-site"];
const HOSTS: &str = "/api/v1/hosts";
const METHODS: &str = "get, head, post, put, patch, delete";
const SENT: &str =
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, waypost-reason";
const READ: &str = "etag, location, retry-after, ratelimit, ratelimit-policy";

fn service(origins: &[&str]) -> OnPort {
    let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    let dash = Client { certificate: "dash".into(), name: "dash".into(), role: Role::Admin, scope: Scope::default() };
    let access = Access { origins, clients: vec![dash], ..Access::default() };
    let ca = |listen: &Listen| -> PathBuf { listen.certificate.with_file_name("ca.pem") };
    let asks = |listen: Listen| Listen { client_ca: Some(ca(&listen)), ..listen };
    OnPort::with(Authority::new(), Limits::default(), access, asks)
}

/// What a browser sends along for a page of the listed origin, and more.
fn from<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FROM.iter().chain(more).copied().collect()
}

/// What an answer says of other origins, by the end of the header's name.
fn said(back: &Back) -> Vec<(String, String)> {
    let lines = back.head.lines().filter_map(|line| line.strip_prefix("access-control-"));
    let mut said: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    said.sort();
    said
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What every answer says that a page of the listed origin may read.
fn readable() -> Vec<(String, String)> {
    expected(&[("allow-origin", "https://dash.example"), ("expose-headers", READ)])
}

#[test]
fn a_browser_that_asks_beforehand_is_told_the_same_of_every_path() {
    let service = service(&["https://dash.example"]);
    let client = service.client();
    let ask = |path: &str, headers: &[&str]| {
        let asks =
            ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type"];
        client.ask("OPTIONS", path, &[headers, &asks[..]].concat(), "")
    };
    // Nobody is known yet; what there is and who may what is told to nobody.
    for path in ["/api/v1/tasks", "/api/v1/hosts/nowhere", "/metrics", "/api/v1/audit", "/nothing", "/"] {
        let told = ask(path, &FROM);
        assert_eq!(
            (told.status, told.body.as_str(), told.header("vary")),
            (204, "", Some("origin")),
            "{path}: {told:?}"
        );
        let allowed = [
            ("allow-headers", SENT),
            ("allow-methods", METHODS),
            ("allow-origin", "https://dash.example"),
            ("expose-headers", READ),
            ("max-age", "600"),
        ];
        assert_eq!(said(&told), expected(&allowed), "{path}");
        for origin in [
            "https://evil.example",
            "null",
            "https://dash.example:8443",
            "http://dash.example",
            "https://dash.example.evil",
            "https://x.dash.example",
            "",
        ] {
            let refused = ask(path, &[&format!("Origin: {origin}"), "Sec-Fetch-Site: cross-site"]);
            refused.problem(403, "other-origin");
            assert_eq!((said(&refused), refused.header("vary")), (vec![], Some("origin")), "{path} {origin}");
        }
    }
    // Two are none.
    ask(HOSTS, &[LISTED, LISTED, FROM[1]]).problem(403, "other-origin");
    // It is no change, and counts with whoever else asks from that address without a proof.
    assert!(ask(HOSTS, &FROM).header("ratelimit").is_some());
    // Without the question it is a method that there is not.
    client.ask("OPTIONS", HOSTS, &FROM, "").problem(401, "no-caller");
}

#[test]
fn a_page_of_a_listed_origin_is_answered_with_a_token_and_with_nothing_else() {
    let service = service(&["https://dash.example"]);
    let client = service.client();
    let admin = service.admin();
    let bearer = format!("Authorization: Bearer {admin}");
    let new = json!({"domain": "g1", "from": "a", "to": "b"}).to_string();

    let told = client.ask("GET", HOSTS, &from(&[&bearer]), "");
    assert_eq!((told.status, said(&told), told.header("vary")), (200, readable(), Some("origin")), "{told:?}");
    let made = client.ask("POST", "/api/v1/tasks", &from(&[&bearer]), &new);
    assert_eq!((made.status, said(&made)), (202, readable()), "{made:?}");
    assert!(made.header("location").unwrap().starts_with("/api/v1/tasks/"));
    // Also what it is refused it may read, or it could not say why.
    let refused = client.ask("GET", "/api/v1/tasks/nonsense", &from(&[&bearer]), "");
    assert_eq!((refused.status >= 400, said(&refused)), (true, readable()), "{refused:?}");
    let wrong = client.ask("GET", HOSTS, &from(&["Authorization: Bearer wp_x"]), "");
    wrong.problem(401, "bad-token");
    assert_eq!(said(&wrong), readable());

    // A cookie that is good for the service's own pages.
    let begun = client.connect_and_begin(&admin);
    let secret = begun.split_once("__Host-waypost=").unwrap().1.split(';').next().unwrap();
    let cookie = format!("Cookie: __Host-waypost={secret}");
    assert_eq!(client.ask("GET", HOSTS, &[&cookie], "").status, 200);
    let certificate = service.authority.sign("dash", "dash", &[]);
    let shows = || service.client().with_certificate(certificate.clone());
    assert_eq!(shows().ask("GET", HOSTS, &[], "").status, 200);
    for site in ["cross-site", "same-site"] {
        let site = format!("Sec-Fetch-Site: {site}");
        for (method, path, body) in [("GET", HOSTS, ""), ("POST", "/api/v1/tasks", new.as_str())] {
            for back in [
                client.ask(method, path, &[LISTED, &site, &cookie], body),
                shows().ask(method, path, &[LISTED, &site], body),
                shows().ask(method, path, &[LISTED, &site, &cookie], body),
                client.ask(method, path, &[LISTED, &site], body),
                // An older browser says the origin alone.
                shows().ask(method, path, &[LISTED, &cookie], body),
            ] {
                let problem = back.problem(401, "no-caller");
                assert!(problem["detail"].as_str().unwrap().contains("no bearer token"), "{problem}");
                assert_eq!((said(&back), back.header("set-cookie")), (readable(), None), "{back:?}");
            }
        }
    }
    // Whoever has the token is known, with a cookie too, and begins no session for a page that is not ours.
    assert_eq!(client.ask("GET", HOSTS, &from(&[&bearer, &cookie]), "").status, 200);
    let session = client.ask("POST", "/api/v1/session", &from(&[&bearer]), "");
    session.problem(403, "other-origin");
    assert_eq!(session.header("set-cookie"), None);
    // Our own pages go on as ever, whoever is listed.
    let own = client.ask(
        "GET",
        "/api/v1/session",
        &[&cookie, "Origin: https://localhost", "Sec-Fetch-Site: same-origin"],
        "",
    );
    assert_eq!((own.status, said(&own), own.header("vary")), (200, vec![], Some("origin")));
}

#[test]
fn a_page_of_no_listed_origin_reads_nothing_and_changes_nothing() {
    for listed in [&[][..], &["https://dash.example"][..]] {
        let service = service(listed);
        let client = service.client();
        let bearer = format!("Authorization: Bearer {}", service.admin());
        let vary = (!listed.is_empty()).then_some("origin");
        for origin in ["Origin: https://evil.example", "Origin: null"] {
            let asks = [origin, "Sec-Fetch-Site: cross-site", bearer.as_str()];
            let read = client.ask("GET", HOSTS, &asks, "");
            assert_eq!(
                (read.status, said(&read), read.header("vary")),
                (200, vec![], vary),
                "the browser keeps it to itself"
            );
            let change = client.ask("POST", "/api/v1/tasks", &asks, r#"{"domain": "g1", "to": "b"}"#);
            change.problem(403, "other-origin");
            assert!(said(&change).is_empty(), "{change:?}");
        }
        // The module is for everybody, and nothing else is.
        for (path, all) in [("/waypost.js", true), ("/login.js", false), ("/dashboard.css", false), ("/login", false)] {
            let back = client.ask("GET", path, &["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"], "");
            let open = if all { expected(&[("allow-origin", "*")]) } else { vec![] };
            assert_eq!((back.status, said(&back)), (200, open), "{path}");
        }
        let back = client.ask("GET", "/waypost.js", &FROM, "");
        assert_eq!(said(&back), expected(&[("allow-origin", "*")]), "for a listed origin too");
    }
}

#[test]
fn the_user_of_a_socket_and_whom_a_program_vouches_for_count_for_no_page_of_another_origin() {
    let site = command::Site::with(TWO_HOSTS, "[service]\norigins = ['https://dash.example']\n");
    let program = Program::start(&site);
    let ask = |method: &str, path: &str, more: &str| {
        let mut stream = UnixStream::connect(&program.socket).unwrap();
        let end = "Connection: close\r\nContent-Length: 0\r\n\r\n";
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}{end}").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Back::of(&answer).unwrap()
    };
    assert_eq!(ask("GET", HOSTS, "").status, 200);
    let lent = ask("GET", HOSTS, &format!("{LISTED}\r\n"));
    lent.problem(401, "no-caller");
    assert_eq!(said(&lent), readable());
    ask("POST", "/api/v1/tasks", &format!("{LISTED}\r\n")).problem(401, "no-caller");
    assert_eq!(ask("OPTIONS", HOSTS, &format!("{LISTED}\r\nAccess-Control-Request-Method: GET\r\n")).status, 204);
    assert_eq!(program.end("TERM").code, 0);

    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let access = Access { origins: vec!["https://dash.example".into()], ..Access::default() };
        let service = site.service().with_access(access);
        let client = super::support::Client::of(&service, "anna");
        let ask = |more: Option<&str>| {
            let request = Request::get(HOSTS).header("host", "localhost");
            let request = more.into_iter().fold(request, |request, origin| request.header("origin", origin));
            client.raw(request.body(Body::empty()).unwrap())
        };
        assert_eq!(ask(None).await.status(), 200);
        assert_eq!(ask(Some("https://dash.example")).await.status(), 401);
    });
}

#[test]
fn kimchis_routes_tell_a_page_of_another_origin_the_same() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let access = Access { origins: vec!["https://dash.example".into()], ..Access::default() };
        let service = site.service().with_access(access).with_kimchi(Some(Kimchi::default()));
        let client = super::support::Client::of(&service, "anna");
        let ask = async |method: &str, path: &str, origin: &str| {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let request = request.header("origin", origin).header("sec-fetch-site", "cross-site");
            let request = request.header("access-control-request-method", "POST");
            client.send(request.body(Body::empty()).unwrap()).await
        };
        let listed = "https://dash.example";
        for (method, path) in [("GET", "/tasks"), ("DELETE", "/tasks/1"), ("POST", "/vms/g1/migrate")] {
            for path in [path.to_owned(), format!("/plugins/kimchi{path}")] {
                let told = ask("OPTIONS", &path, listed).await;
                assert_eq!(told.status, 204, "{path}: {told:?}");
                assert_eq!(told.headers["access-control-max-age"], "600", "{path}");
                let refused = ask(method, &path, listed).await;
                assert_eq!(refused.status, 401, "who a program vouches for counts for no page: {refused:?}");
                assert!(refused.body["reason"].as_str().unwrap().starts_with("WOKAUTH0002E: "), "{refused:?}");
                for answer in [&told, &refused] {
                    assert_eq!(answer.headers["access-control-allow-origin"], listed, "{path}: {answer:?}");
                    assert_eq!(answer.headers["access-control-expose-headers"].to_str().unwrap().to_lowercase(), READ);
                    assert_eq!(answer.headers["vary"], "Origin", "{path}: {answer:?}");
                }
                let beforehand = ask("OPTIONS", &path, "https://evil.example").await;
                let mut strangers = vec![beforehand];
                if method != "GET" {
                    strangers.push(ask(method, &path, "https://evil.example").await);
                }
                for answer in strangers {
                    assert_eq!(answer.status, 403, "{path}: {answer:?}");
                    assert!(answer.body["reason"].as_str().unwrap().starts_with("other-origin: "), "{answer:?}");
                    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}: {answer:?}");
                    assert_eq!(answer.headers["vary"], "Origin", "{path}: {answer:?}");
                }
            }
        }
        assert!(site.store_is_empty());
    });
}
