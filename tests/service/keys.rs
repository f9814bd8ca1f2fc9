//! A request that is repeated under one key has one effect.

use serde_json::json;
use waypost::core::access::{Role, Scope};
use waypost::service::access::Client;
use waypost::service::port::Listen;
use waypost::service::{Access, Limits};

use super::support::{Authority, Network, OnPort, SLOW, Site, TWO_HOSTS, in_virtual_time};

const KEY: (&str, &str) = ("Idempotency-Key", "move-1");

#[test]
fn the_same_key_and_request_are_the_same_task() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (service, anna) = site.serve();
        let new = json!({"domain": "g1", "to": "b"});
        let first = anna.post_with("/tasks", &[KEY], new.clone()).await.expect(202)["id"].clone();
        // Written otherwise, and meaning the same.
        let same = json!({"to": "b", "domain": "g1", "options": {"mode": "auto"}});
        assert_eq!(anna.post_with("/tasks", &[KEY], same).await.expect(202)["id"], first);
        anna.end(first.as_str().unwrap()).await;
        let after = anna.post_with("/tasks", &[KEY], new.clone()).await;
        assert_eq!((&after.expect(202)["id"], &after.body["status"]), (&first, &"completed".into()));
        let other = anna.post_with("/tasks", &[KEY], json!({"domain": "g2", "to": "b"})).await;
        assert_eq!(other.problem(422, "key-reused")["task"], first);
        // Another person's key is another key, and a service that comes later knows them all.
        let bert = anna.named(Some("bert"));
        let theirs = bert.post_with("/tasks", &[KEY], json!({"domain": "g2", "to": "b"})).await;
        assert_ne!(theirs.expect(202)["id"], first);
        bert.end(theirs.body["id"].as_str().unwrap()).await;
        service.drain(std::time::Duration::from_secs(10)).await;
        let (_later, anna) = site.serve();
        assert_eq!(anna.post_with("/tasks", &[KEY], new).await.expect(202)["id"], first);
        assert_eq!(anna.get("/tasks").await.expect(200)["tasks"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn a_task_that_is_begun_again_under_a_key_is_begun_again_once() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let first = anna.migrate("g1", "b").await;
        let cancelled = async |id: &str| {
            anna.post(&format!("/tasks/{id}/cancel"), json!(null)).await.expect(202);
            assert_eq!(anna.end(id).await["status"], "cancelled");
        };
        cancelled(&first).await;
        let retry = format!("/tasks/{first}/retry");
        let again = async || anna.post_with(&retry, &[KEY], json!(null)).await;
        let second = again().await.expect(202)["id"].as_str().unwrap().to_owned();
        assert_ne!(second, first);
        cancelled(&second).await;
        // The answer got lost, and what it made is over: it is not begun a second time.
        assert_eq!(again().await.expect(202)["id"], *second);
        let other = anna.post_with(&format!("/tasks/{second}/retry"), &[KEY], json!(null)).await;
        assert_eq!(other.problem(422, "key-reused")["task"], *second);
        let asked_for = anna.post_with("/tasks", &[KEY], json!({"domain": "g1", "to": "b"})).await;
        assert_eq!(asked_for.problem(422, "key-reused")["task"], *second);
        assert_eq!(anna.get("/tasks").await.expect(200)["tasks"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn a_task_that_was_begun_again_and_runs_is_in_nobodys_way_who_has_its_key() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let ends = async |id: &str| {
            anna.until(id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
            anna.post(&format!("/tasks/{id}/cancel"), json!(null)).await.expect(202);
            assert_eq!(anna.end(id).await["status"], "cancelled");
        };
        let domain = anna.get("/domains").await.expect(200)["domains"][0]["id"].as_str().unwrap().to_owned();
        let first = anna.migrate(&domain, "b").await;
        ends(&first).await;
        let retry = format!("/tasks/{first}/retry");
        anna.post_with(&retry, &[("Idempotency-Key", "a b")], json!(null)).await.problem(400, "bad-request");
        let again = anna.post_with(&retry, &[KEY], json!(null)).await.expect(202)["id"].as_str().unwrap().to_owned();
        let same = anna.post_with(&retry, &[KEY], json!(null)).await;
        assert_eq!(same.expect(202)["id"], *again);
        assert_eq!(same.headers["location"], format!("/api/v1/tasks/{again}"));
        // Under another key, or as somebody else with this one, it is another request, and the domain is not free.
        let other = ("Idempotency-Key", "move-2");
        let bert = anna.named(Some("bert"));
        for refused in
            [anna.post_with(&retry, &[other], json!(null)).await, bert.post_with(&retry, &[KEY], json!(null)).await]
        {
            assert_eq!(refused.problem(409, "domain-busy")["task"], *again);
        }
        ends(&again).await;
        // What was refused has left its key free.
        let last = anna.post_with("/tasks", &[other], json!({"domain": domain, "to": "b"})).await;
        assert_ne!(last.expect(202)["id"], *again);
    });
}

#[test]
fn a_key_is_of_whoever_is_proven_and_not_of_everybody_with_the_name() {
    let known = |certificate: &str| Client {
        certificate: certificate.into(),
        name: "anna".into(),
        role: Role::Operator,
        scope: Scope::default(),
    };
    let access = Access { clients: vec![known("anna"), known("anna.example")], ..Access::default() };
    let asks = |listen: Listen| Listen { client_ca: Some(listen.certificate.with_file_name("ca.pem")), ..listen };
    let service = OnPort::with(Authority::new(), Limits::default(), access, asks);
    let token = || service.token("anna", Role::Operator, Scope::default(), None).1;
    let (one, two) = (token(), token());
    let header = |token: &str| format!("Authorization: Bearer {token}");
    let begun = service.client().connect_and_begin(&one);
    let (_, cookie) = begun.split_once("__Host-waypost=").unwrap();
    let session = format!("Cookie: __Host-waypost={}", cookie.split(';').next().unwrap());
    let certificate = service.client().with_certificate(service.authority.sign("anna", "anna", &[]));
    let other = service.client().with_certificate(service.authority.sign("other", "x", &["anna.example"]));
    let key = "Idempotency-Key: move-1";
    let make = |client: &Network, proof: &str, domain: &str| {
        let body = json!({"domain": domain, "to": "b"}).to_string();
        let own = "Sec-Fetch-Site: same-origin";
        let headers = if proof.is_empty() { vec![key, own] } else { vec![key, own, proof] };
        client.ask("POST", "/api/v1/tasks", &headers, &body)
    };
    let bare = service.client();
    // Under one name and one key, each asks for what is its own.
    let first = make(&bare, &header(&one), "g1").json(202)["id"].clone();
    let second = make(&bare, &header(&two), "g2").json(202)["id"].clone();
    let third = make(&certificate, "", "off").json(202)["id"].clone();
    assert!(first != second && second != third && first != third);
    // Nobody is told of another's task, neither by the same request nor by another one.
    let asked = make(&other, "", "nothing");
    for task in [&first, &second, &third] {
        assert!(!asked.body.contains(task.as_str().unwrap()), "{asked:?}");
    }
    // And each finds its own again; a session is the token that began it.
    assert_eq!(make(&bare, &header(&one), "g1").json(202)["id"], first);
    assert_eq!(make(&bare, &session, "g1").json(202)["id"], first);
    assert_eq!(make(&bare, &header(&two), "g2").json(202)["id"], second);
    assert_eq!(make(&certificate, "", "off").json(202)["id"], third);
    assert_eq!(make(&bare, &header(&two), "g1").problem(422, "key-reused")["task"], second);
}

#[test]
fn many_at_once_under_one_key_make_one_task() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let asked = (0..50).map(|_| anna.post_with("/tasks", &[KEY], json!({"domain": "g1", "to": "b"})));
        let answers = futures_util::future::join_all(asked).await;
        let mut ids: Vec<_> = answers.iter().map(|answer| answer.expect(202)["id"].to_string()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(anna.get("/tasks").await.expect(200)["tasks"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_request_that_was_refused_leaves_its_key_free() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let wrong = json!({"domain": "g1", "to": "b", "options": {"timeout_s": 0}});
        anna.post_with("/tasks", &[KEY], wrong).await.problem(422, "request-refused");
        anna.post_with("/tasks", &[KEY], json!({"domain": "g1", "to": "b"})).await.expect(202);
    });
}
