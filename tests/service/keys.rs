//! A request that is repeated under one key has one effect.

use serde_json::json;

use super::support::{SLOW, Site, TWO_HOSTS, in_virtual_time};

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
