//! How often one caller may ask: exactly so often, whoever it is, and nobody else notices.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use waypost::core::access::{Role, Scope};
use waypost::service::{Access, Limits};

use super::support::exposition::{Exposition, Format};
use super::support::{Answer, Authority, Client, OnPort, Site, TWO_HOSTS, in_virtual_time};

fn limits(requests_per_second: u32, request_burst: u32) -> Limits {
    Limits { requests_per_second, request_burst, ..Limits::default() }
}

fn said(answer: &Answer, name: &str) -> String {
    answer.headers[name].to_str().unwrap().to_owned()
}

async fn refused(client: &Client) -> f64 {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let bytes = client.raw(request).await.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Exposition::parse(&text, Format::Plain).value("waypost_http_requests_limited_total", &[("caller", "embedding")])
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again_and_nobody_else_is() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS).with_limits(limits(2, 5));
        let (_service, anna) = site.serve();
        for left in (0..5).rev() {
            let answer = anna.get("/system/version").await;
            answer.expect(200);
            assert_eq!(said(&answer, "ratelimit-policy"), "\"caller\";q=5;w=3");
            assert!(said(&answer, "ratelimit").starts_with(&format!("\"caller\";r={left};")), "{answer:?}");
        }
        let one_too_many = anna.get("/system/version").await;
        one_too_many.problem(429, "too-often");
        assert_eq!(one_too_many.headers["retry-after"], "1");
        assert_eq!(said(&one_too_many, "ratelimit"), "\"caller\";r=0;t=3");
        // It costs nothing, changes nothing, and goes before everything that the request could be refused for.
        anna.post("/tasks", serde_json::json!({"domain": "g1", "to": "b"})).await.problem(429, "too-often");
        anna.get("/nothing").await.problem(429, "too-often");
        assert!(site.store_is_empty());
        let bert = anna.named(Some("bert"));
        bert.get("/system/version").await.expect(200);
        // Whether the service is alive may always be asked.
        for _ in 0..20 {
            anna.get("/system/health").await.expect(200);
            anna.get("/system/ready").await.expect(200);
        }
        assert_eq!(refused(&bert).await, 3.0);
        tokio::time::sleep(Duration::from_millis(500)).await;
        anna.get("/system/version").await.expect(200);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        for _ in 0..5 {
            anna.get("/system/version").await.expect(200);
        }
        anna.get("/system/version").await.problem(429, "too-often");
    });
}

#[test]
fn a_stream_and_a_long_poll_count_once_however_long_they_last() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS).with_limits(limits(1, 4));
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let mut events = anna.listen("/events", Some(0)).await;
        let heard = events.until(|event| event.ends(&id)).await;
        assert!(heard.len() > 5, "{heard:?}");
        // The bucket is full again, and the stream takes nothing of it.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let answer = anna.get(&format!("/tasks/{id}?wait=30")).await;
        answer.expect(200);
        assert!(said(&answer, "ratelimit").starts_with("\"caller\";r=3;"), "{answer:?}");
    });
}

#[test]
fn where_no_limit_is_wanted_there_is_none() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS).with_limits(limits(0, 1));
        let (_service, anna) = site.serve();
        for _ in 0..50 {
            assert!(anna.get("/system/version").await.headers.get("ratelimit").is_none());
        }
        anna.get("/hosts").await.expect(200);
    });
}

/// So slow that no test lasts until a request comes back.
const SLOWEST: u32 = 1;

#[test]
fn a_token_counts_by_itself_with_its_sessions_and_who_has_none_by_where_it_comes_from() {
    let service = OnPort::with(Authority::new(), limits(SLOWEST, 600), Access::default(), |listen| listen);
    let client = service.client();
    let (_, one) = service.token("same", Role::Viewer, Scope::default(), None);
    let (_, two) = service.token("same", Role::Viewer, Scope::default(), None);
    let left = |back: &super::support::Back| -> u32 {
        let said = back.header("ratelimit").expect("it is counted");
        said.split("r=").nth(1).and_then(|rest| rest.split(';').next()).and_then(|left| left.parse().ok()).unwrap()
    };
    // What is left of a bucket grows by one a second, so what was taken is told apart by far more than a test lasts.
    let cookie = client.connect_and_begin(&one);
    let secret = cookie.split_once("__Host-waypost=").unwrap().1.split(';').next().unwrap();
    let cookie = format!("Cookie: __Host-waypost={secret}");
    for _ in 0..300 {
        assert_eq!(client.ask("GET", "/api/v1/session", &[&cookie], "").status, 200);
    }
    assert!(left(&client.get("/session", &one)) < 500, "a session is the token's");
    let other = client.get("/session", &two);
    assert_eq!((other.status, left(&other)), (200, 599), "another token of the same name is another caller");
    let nobody = client.ask("GET", "/api/v1/session", &[], "");
    nobody.problem(401, "no-caller");
    assert_eq!(left(&nobody), 599);
    let page = client.ask("GET", "/login", &[], "");
    assert_eq!(page.status, 200);
    assert!(left(&page) < 600, "what anybody may have is counted by where they come from");
}

#[test]
fn whoever_proves_nothing_is_refused_before_long_and_a_good_token_from_there_is_not() {
    let service = OnPort::with(Authority::new(), limits(SLOWEST, 3), Access::default(), |listen| listen);
    let client = service.client();
    let admin = service.admin();
    let mut refused = None;
    for _ in 0..1000 {
        let back = client.ask("GET", "/api/v1/session", &[], "");
        if back.status == 429 {
            refused = Some(back);
            break;
        }
        back.problem(401, "no-caller");
    }
    let refused = refused.expect("it comes to an end");
    refused.problem(429, "too-often");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(client.get("/session", &admin).json(200)["name"], "admin");
}
