//! What lasts ends with what proved its caller: connections, streams of events, long polls, sessions.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use rcgen::date_time_ymd;
use tokio::time::Instant;
use waypost::core::access::{Role, Scope};
use waypost::core::ids::Moment;
use waypost::core::ports::Clock as _;
use waypost::service::access::Client;
use waypost::service::port::Listen;
use waypost::service::{Access, Caller, Limits};

use super::support::{Authority, BEGAN, Kept, OnPort, Site, TWO_HOSTS, in_virtual_time};

const HOUR: Duration = Duration::from_secs(3600);

/// It is looked often, and a connection that is kept may be silent for long.
fn limits() -> Limits {
    Limits { heartbeat: Duration::from_millis(50), head_time: HOUR, ..Limits::default() }
}

/// A service that looks often, and believes certificates of its authority.
fn service() -> OnPort {
    let limits = limits();
    let anna = Client { certificate: "anna".into(), name: "anna".into(), role: Role::Viewer, scope: Scope::default() };
    let access = Access { clients: vec![anna], ..Access::default() };
    let asks = |listen: Listen| Listen { client_ca: Some(listen.certificate.with_file_name("ca.pem")), ..listen };
    OnPort::with(Authority::new(), limits, access, asks)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[test]
fn a_connection_and_its_stream_end_with_the_client_certificate() {
    let service = service();
    let until = |year| {
        let change = move |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(year, 1, 1);
        service.client().with_certificate(service.authority.sign_with(&format!("anna-{year}"), "anna", &[], change))
    };
    // Far off for TLS, whose clock is the machine's; the service's own is turned.
    let (short, long) = (until(2090), until(2190));
    let streams = [&short, &long].map(|client| Kept::listening(client, "/events", &[]));
    let [mut bare, mut with_token, mut other] = [&short, &short, &long].map(Kept::open);
    let token = bearer(&service.admin());
    assert_eq!(bare.get("/session", &[]).json(200)["name"], "anna");
    assert_eq!(with_token.get("/session", &[&token]).json(200)["name"], "admin");
    assert_eq!(other.get("/session", &[]).json(200)["name"], "anna");

    service.clock.go_ahead(HOUR * 24 * 366 * 100);
    let [ended, mut lasting] = streams;
    ended.ends();
    lasting.goes_on();
    for (mut kept, headers) in [(bare, &[][..]), (with_token, &[token.as_str()])] {
        let over = kept.get("/session", headers);
        let problem = over.problem(401, "no-caller");
        assert!(
            problem["detail"].as_str().unwrap().contains("certificate of this connection has expired"),
            "{problem}"
        );
        assert_eq!(over.header("connection"), Some("close"));
        assert!(kept.closed());
    }
    assert_eq!(other.get("/session", &[]).json(200)["name"], "anna");
}

#[test]
fn a_certificate_that_was_taken_back_is_let_go_with_the_reload() {
    let authority = Authority::new();
    let list = authority.take_back(&[7], 2090);
    let known = |name: &str| Client {
        certificate: name.into(),
        name: name.into(),
        role: Role::Viewer,
        scope: Scope::default(),
    };
    let access = Access { clients: vec![known("anna"), known("bert")], ..Access::default() };
    let listen =
        Listen { client_ca: Some(authority.path("ca.pem")), client_crl: Some(list.clone()), ..authority.listen() };
    let limits = limits();
    let service = OnPort::with(authority, limits, access, |_| listen.clone());
    let client = |name: &str, number: u64| {
        let change = move |params: &mut rcgen::CertificateParams| params.serial_number = Some(number.into());
        service.client().with_certificate(service.authority.sign_with(name, name, &[], change))
    };
    let (anna, bert) = (client("anna", 42), client("bert", 43));
    let request = "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(client("eve", 7).raw(request).is_none(), "it is on the list from the beginning");
    let streams = [&anna, &bert].map(|client| Kept::listening(client, "/events", &[]));
    let [mut kept, mut other] = [&anna, &bert].map(Kept::open);
    for (kept, name) in [(&mut kept, "anna"), (&mut other, "bert")] {
        assert_eq!(kept.get("/session", &[]).json(200)["name"], name);
    }

    service.authority.take_back(&[7, 42], 2090);
    service.identity.renew(&listen).unwrap();
    let [ended, mut lasting] = streams;
    ended.ends();
    lasting.goes_on();
    let over = kept.get("/session", &[]).problem(401, "no-caller");
    assert!(over["detail"].as_str().unwrap().contains("was taken back by its authority"), "{over}");
    assert!(anna.raw(request).is_none());
    assert_eq!(other.get("/session", &[]).json(200)["name"], "bert");
    assert_eq!(bert.raw(request).unwrap().json(200)["name"], "bert");
    // What can't be read changes nothing.
    std::fs::write(&list, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    let why = service.identity.renew(&listen).unwrap_err().to_string();
    assert!(why.contains("the list of certificates that were taken back") && why.contains("crl.pem"), "{why}");
    assert_eq!(bert.raw(request).unwrap().json(200)["name"], "bert");
    // One that is too old says nothing any more, also of those who are there.
    service.authority.take_back(&[42], 2021);
    service.identity.renew(&listen).unwrap();
    assert!(bert.raw(request).is_none());
    let unknown = other.get("/session", &[]).problem(401, "no-caller");
    assert!(unknown["detail"].as_str().unwrap().contains("is too old to say"), "{unknown}");
}

#[test]
fn a_stream_and_a_session_end_with_the_token_at_its_time() {
    let service = service();
    let client = service.client();
    let day = Moment(BEGAN.0 + 24 * 3_600_000);
    let (_, token) = service.token("anna", Role::Viewer, Scope::default(), Some(day));
    let cookie = cookie(&client.connect_and_begin(&token));
    let streams = [bearer(&token), cookie.clone()].map(|proof| Kept::listening(&client, "/events", &[&proof]));
    service.clock.go_ahead(HOUR * 25);
    for stream in streams {
        stream.ends();
    }
    client.ask("GET", "/api/v1/session", &[&cookie], "").problem(401, "no-caller");
    client.get("/session", &token).problem(401, "bad-token");
}

#[test]
fn a_stream_that_a_cookie_opened_ends_with_the_session() {
    let service = service();
    let client = service.client();
    let token = service.admin();
    let [one, two] = [(); 2].map(|()| cookie(&client.connect_and_begin(&token)));
    let [ended, mut other] = [&one, &two].map(|cookie| Kept::listening(&client, "/events", &[cookie]));
    let mut by_token = Kept::listening(&client, "/events", &[&bearer(&token)]);
    // Somebody logs out.
    let out = client.ask("DELETE", "/api/v1/session", &[&one, "Sec-Fetch-Site: same-origin"], "");
    assert_eq!(out.status, 204, "{out:?}");
    ended.ends();
    other.goes_on();
    // A working day is over.
    service.clock.go_ahead(HOUR * 12);
    other.ends();
    by_token.goes_on();
}

#[test]
fn a_certificate_begins_no_session() {
    let service = service();
    let anna = service.client().with_certificate(service.authority.sign("anna", "anna", &[]));
    anna.ask("POST", "/api/v1/session", &[], "").problem(422, "request-refused");
}

#[test]
fn whom_an_embedding_program_vouches_for_until_then_is_told_nothing_afterwards() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let sequence = anna.end(&id).await["sequence"].clone();
        let began = Instant::now();
        let until = || {
            let end = Moment(site.clock().now().0 + 10_000);
            anna.by(Caller::named("bert").until(Some(end)))
        };
        // It is known when it ends, so no heartbeat is waited for.
        let request = Request::get("/api/v1/events").body(Body::empty()).unwrap();
        let stream = until().raw(request).await.into_body().collect().await.unwrap().to_bytes();
        assert!(stream.starts_with(b": waypost\n"), "{stream:?}");
        assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&began.elapsed()), "{:?}", began.elapsed());
        anna.by(Caller::named("bert").until(Some(Moment(1)))).get("/tasks").await.problem(401, "no-caller");
        // Nothing happens for longer than that.
        for wait in ["wait", "w%61it"] {
            let poll = until().get(&format!("/tasks/{id}?since={sequence}&{wait}=30")).await;
            poll.problem(401, "no-caller");
        }
        until().get(&format!("/tasks/{id}?since={sequence}&wait=5")).await.expect(200);
    });
}

/// The cookie in the answer that begins a session.
fn cookie(answer: &str) -> String {
    let (_, rest) = answer.split_once("__Host-waypost=").unwrap();
    format!("Cookie: __Host-waypost={}", rest.split(';').next().unwrap())
}
